//! Keys that lead over the canvas: arrows from node to node, Alt and arrows move what is chosen, Enter goes in.

use egui::{Id, Key, Modifiers, Popup, Rect, Ui, Vec2, vec2};

use super::frames::rect_of;
use super::gesture::{Gesture, Grip};
use super::hand::{carried, counted};
use super::rows::field_id;
use super::selection::Selection;
use super::shape::What;
use super::{Action, Frame, PLAIN, ViewState};
use crate::document::{Field, NodeId, Point};
use crate::fields::widget_of;

const ARROWS: [(Key, Vec2); 4] = [
    (Key::ArrowLeft, vec2(-1.0, 0.0)),
    (Key::ArrowRight, vec2(1.0, 0.0)),
    (Key::ArrowUp, vec2(0.0, -1.0)),
    (Key::ArrowDown, vec2(0.0, 1.0)),
];

/// Space that is left around a node that is brought into view, in points of the window.
const MARGIN: f32 = 32.0;

/// What the keys of the canvas do between frames.
#[derive(Default)]
pub struct Walk {
    /// Whether something had the keys when the last frame ended.
    taken: bool,
    /// The node whose first field is to get the keys, once that is there, and for how many frames that is waited for.
    enters: Option<(NodeId, u8)>,
}

/// Frames in which a field must have been drawn.
const PATIENCE: u8 = 30;

/// Hears the keys that nobody else wants.
pub fn follow(canvas: &Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState) {
    let taken = canvas.memory(|memory| memory.focused().is_some());
    let before = std::mem::replace(&mut state.walk.taken, taken);
    enter(canvas, frame, state);
    let free = !taken && !before && frame.view.hears && state.gesture.is_idle() && !state.is_writing();
    if !free || Popup::is_any_open(canvas.ctx()) {
        return;
    }
    let pressed = |with: Modifiers, key: Key| canvas.input_mut(|input| input.consume_key(with, key));
    for (key, way) in ARROWS {
        if pressed(Modifiers::ALT, key) {
            shift(frame, state, way);
        } else if pressed(Modifiers::NONE, key) {
            go(frame, state, way);
            canvas.ctx().request_repaint();
        }
    }
    if pressed(Modifiers::NONE, Key::Enter)
        && let [only] = state.selection.nodes.iter().copied().collect::<Vec<_>>()[..]
    {
        reveal(frame, state, only);
        state.walk.enters = first_field(frame, state, only).map(|_| (only, PATIENCE));
        if state.walk.enters.is_some() && state.camera.zoom < PLAIN {
            let rect = state.net.card(only).unwrap_or(Rect::ZERO);
            state.camera.fly(rect.center(), 1.0);
        }
        canvas.ctx().request_repaint();
    }
}

/// Chooses the next node in a direction: what is near, and rather straight ahead than aside.
fn go(frame: &Frame<'_, '_>, state: &mut ViewState, way: Vec2) {
    let mut places: Vec<_> = state.net.cards().iter().map(|(id, rect)| (Selection::node(*id), *rect)).collect();
    let closed = frame.view.sheet.frames.iter().filter(|(id, each)| each.collapsed && !state.net.is_buried(**id));
    places.extend(closed.map(|(id, each)| (Selection::frame(*id), rect_of(each))));
    let own =
        |met: &Selection| met.nodes.is_subset(&state.selection.nodes) && met.frames.is_subset(&state.selection.frames);
    let from = places.iter().filter(|(met, _)| own(met)).fold(Rect::NOTHING, |all, (_, rect)| all.union(*rect));
    let next = if from.is_positive() {
        let far = |rect: &Rect| {
            let by = rect.center() - from.center();
            let (ahead, aside) = (by.dot(way), (by - way * by.dot(way)).length());
            (ahead > 1.0).then_some(ahead + 2.0 * aside)
        };
        let ahead =
            places.into_iter().filter(|(met, _)| !own(met)).filter_map(|(met, rect)| Some((far(&rect)?, met, rect)));
        ahead.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, met, rect)| (met, rect))
    } else {
        let far = |rect: &Rect| (rect.center() - state.camera.centre).length();
        places.into_iter().min_by(|a, b| far(&a.1).total_cmp(&far(&b.1)))
    };
    if let Some((met, rect)) = next {
        state.selection = met;
        bring(state, rect);
    }
}

fn reveal(frame: &Frame<'_, '_>, state: &mut ViewState, id: NodeId) {
    if let Some(rect) = state.net.card(id).filter(|_| frame.view.sheet.nodes.contains_key(&id)) {
        bring(state, rect);
    }
}

/// Moves the view as little as is needed for a rectangle to be seen.
fn bring(state: &mut ViewState, rect: Rect) {
    let Some(window) = state.view else { return };
    let seen = Rect::from_center_size(state.camera.centre, window.size() / state.camera.zoom)
        .shrink(MARGIN / state.camera.zoom);
    let by = |low: f32, high: f32, from: f32, to: f32| {
        if low < from || high - low > to - from { low - from } else { (high - to).max(0.0) }
    };
    let by = vec2(
        by(rect.left(), rect.right(), seen.left(), seen.right()),
        by(rect.top(), rect.bottom(), seen.top(), seen.bottom()),
    );
    if by != Vec2::ZERO {
        state.camera.fly(state.camera.centre + by, state.camera.zoom);
    }
}

/// Moves what is chosen by one step of the grid; strokes in a row are one step of the history.
fn shift(frame: &mut Frame<'_, '_>, state: &ViewState, way: Vec2) {
    let grip = Grip::Nodes { copy: false }.take(frame.view.sheet, &state.selection, egui::Pos2::ZERO);
    let Gesture::Move { nodes, frames, .. } = grip else { return };
    let by = way * frame.view.habits.step() as f32;
    let edits = carried(frame.view.sheet, &nodes, &frames, Point::new(by.x as i32, by.y as i32));
    if edits.is_empty() {
        return;
    }
    let mut ids: Vec<_> = nodes.iter().collect();
    ids.sort();
    let name = if nodes.is_empty() { "move a frame".to_owned() } else { counted("move", nodes.len(), "node") };
    frame.actions.push(Action::Step { name, key: Some(format!("shift {ids:?}")), edits });
}

/// Gives the keys to the first field of the node that is gone into.
fn enter(canvas: &Ui, frame: &Frame<'_, '_>, state: &mut ViewState) {
    let Some((node, patience)) = state.walk.enters.take() else { return };
    let Some(field) = first_field(frame, state, node) else { return };
    // It is not there before it has been drawn where it will be.
    let widget = widget_of(canvas.ctx(), field).filter(|_| !state.camera.flies());
    match widget {
        Some(widget) => {
            canvas.memory_mut(|memory| memory.request_focus(widget));
            state.walk.taken = true;
        }
        None => {
            state.walk.enters = patience.checked_sub(1).map(|left| (node, left));
            canvas.ctx().request_repaint();
        }
    }
}

/// The first field of a node, in the order of its rows.
fn first_field(frame: &Frame<'_, '_>, state: &mut ViewState, id: NodeId) -> Option<Id> {
    let node = frame.view.sheet.nodes.get(&id)?;
    let spec = frame.view.registry.get(&node.kind)?.spec();
    let shape = state.shape(frame.view, id, node);
    let mut params = shape.rows.iter().filter_map(|row| match row.what {
        What::Param(index) => Some(&spec.inputs[index]),
        _ => None,
    });
    let first = params.find(|input| !matches!(node.fields.get(input.name), Some(Field::Wire(_) | Field::Lost(_))))?;
    Some(field_id(frame.view.id, id, first.name))
}
