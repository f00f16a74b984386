//! Frames and notes, as they are painted and as they feel a hand.

use egui::{
    Align2, Color32, CornerRadius, CursorIcon, FontId, PointerButton, Rect, Response, Role, Sense, Stroke, StrokeKind,
    Ui, WidgetInfo, pos2, vec2,
};

use super::gesture::Grip;
use super::nodes::{line, press};
use super::selection::{Choose, Selection};
use super::{Action, BARE, Frame, ViewState, Words, notes};
use crate::document::{Edit, FrameId};
use crate::icons;
use crate::status::State;
use crate::theme;

/// Returns where a frame is, as it is shown: of a collapsed one only the head is there.
pub fn rect_of(frame: &crate::document::Frame) -> Rect {
    let height = if frame.collapsed { theme::HEAD } else { frame.size.1 as f32 };
    Rect::from_min_size(pos2(frame.at.x as f32, frame.at.y as f32), vec2(frame.size.0 as f32, height))
}

/// Tells whether a frame lies in another one, and goes where that goes.
pub fn holds(frame: &crate::document::Frame, other: &crate::document::Frame) -> bool {
    let open = |each: &crate::document::Frame| rect_of(&crate::document::Frame { collapsed: false, ..each.clone() });
    open(frame).contains_rect(open(other))
}

/// Shows frames and notes, which lie below everything else.
pub fn show(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState) {
    let sheet = frame.view.sheet;
    for (id, each) in &sheet.frames {
        if state.net.is_buried(*id) {
            continue;
        }
        let mut rect = rect_of(each).translate(state.gesture.frame_moved(*id));
        rect.max = rect.min + state.gesture.frame_size(*id, rect.size());
        if rect.expand(4.0).intersects(frame.window) {
            one_frame(canvas, frame, state, *id, each, rect);
        }
    }
}

fn one_frame(
    canvas: &mut Ui,
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    id: FrameId,
    each: &crate::document::Frame,
    rect: Rect,
) {
    let theme = frame.theme;
    let tint = each.colour.as_deref().and_then(|name| theme.named(name)).unwrap_or(theme.edge);
    let is_note = !each.text.is_empty();
    let painter = frame.painter.clone();
    let corner = CornerRadius::same(theme::CORNER);
    let inside = each.collapsed.then(|| inside(frame, state, id));
    painter.rect_filled(rect, corner, if is_note || each.collapsed { theme.head } else { tint.gamma_multiply(0.22) });
    if each.collapsed {
        painter.rect_filled(rect, corner, tint.gamma_multiply(0.35));
    }
    let stroke = match (&inside, state.selection.frames.contains(&id)) {
        (_, true) => Stroke::new(2.0, theme.accent),
        (Some(inside), _) if inside.faults > 0 => Stroke::new(2.0, theme.error),
        _ => Stroke::new(1.0, tint.gamma_multiply(0.8)),
    };
    painter.rect_stroke(rect, corner, stroke, StrokeKind::Inside);
    let (head, body) = rect.split_top_bottom_at_y(rect.top() + theme::HEAD);
    let grip = if is_note { rect } else { head };
    let response = canvas.interact(grip, frame.view.id.with(("frame", id)), Sense::CLICK | Sense::DRAG);
    let label = format!("{} {}", if is_note { "note" } else { "frame" }, each.title);
    response.widget_info(|| WidgetInfo::labeled(Role::Group, true, label.clone()));
    let chosen = state.selection.frames.contains(&id);
    canvas.ctx().accesskit_node_builder(response.id, |node| node.set_selected(chosen));
    if frame.transform.scaling >= BARE {
        let mut right = head.right() - theme::SIDE;
        if let Some(inside) = &inside {
            let (words, colour) = inside.words(frame);
            let at = pos2(right, head.center().y);
            right = painter.text(at, Align2::RIGHT_CENTER, words, FontId::proportional(11.5), colour).left() - 6.0;
        }
        let left = head.left() + theme::SIDE + 12.0;
        line(&painter, pos2(left, head.center().y), right - left, &each.title, 14.5, theme.text);
        fold(canvas, frame, id, each, head);
    }
    if is_note && !each.collapsed {
        notes::show(canvas, frame, &mut state.markdown, id, &each.text, body);
    }
    feel(canvas, frame, state, id, each, &response, head);
    if !each.collapsed {
        size(canvas, frame, state, id, rect);
    }
}

/// What is hidden in a collapsed frame.
#[derive(Default)]
struct Inside {
    nodes: usize,
    faults: usize,
    running: bool,
}

fn inside(frame: &Frame<'_, '_>, state: &ViewState, id: FrameId) -> Inside {
    let mut inside = Inside::default();
    for node in frame.view.sheet.nodes.keys().filter(|node| state.net.folded(**node) == Some(id)) {
        let status = frame.view.status.of(*node);
        inside.nodes += 1;
        inside.faults += status.map_or(0, |status| status.faults.len());
        inside.running |= status.is_some_and(|status| matches!(status.state, State::Running(_)));
    }
    inside
}

impl Inside {
    fn words(&self, frame: &Frame<'_, '_>) -> (String, Color32) {
        let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        match self {
            Self { faults, .. } if *faults > 0 => (counted(*faults, "fault"), frame.theme.error),
            Self { running: true, .. } => ("running".to_owned(), frame.theme.busy),
            Self { nodes, .. } => (counted(*nodes, "node"), frame.theme.weak),
        }
    }
}

/// The small triangle that collapses a frame, and opens it again.
fn fold(canvas: &mut Ui, frame: &mut Frame<'_, '_>, id: FrameId, each: &crate::document::Frame, head: Rect) {
    let at = pos2(head.left() + theme::SIDE + 1.0, head.center().y);
    let room = Rect::from_center_size(at, vec2(18.0, 22.0));
    let response = canvas.interact(room, frame.view.id.with(("fold frame", id)), Sense::click());
    let verb = if each.collapsed { "open" } else { "collapse" };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{verb} {}", each.title)));
    let colour = if response.hovered() || response.has_focus() { frame.theme.text } else { frame.theme.weak };
    icons::fold(&frame.painter, at, colour, !each.collapsed);
    if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
        let each = crate::document::Frame { collapsed: !each.collapsed, ..each.clone() };
        frame.actions.push(Action::step(format!("{verb} a frame"), vec![Edit::Frame(id, each)]));
    }
}

fn feel(
    canvas: &Ui,
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    id: FrameId,
    each: &crate::document::Frame,
    response: &Response,
    head: Rect,
) {
    let keys = canvas.input(|input| input.modifiers);
    let met = Selection::frame(id);
    if response.drag_started_by(PointerButton::Primary) && !state.is_busy() {
        if !state.selection.frames.contains(&id) {
            state.selection.choose(&met, Choose::by(keys));
        }
        if let Some(at) = press(canvas.ctx(), frame) {
            state.gesture = Grip::Nodes { copy: keys.alt }.take(frame.view.sheet, &state.selection, at);
        }
    }
    if response.clicked() {
        state.selection.choose(&met, Choose::by(keys));
    }
    if response.double_clicked() {
        let on_head = response.interact_pointer_pos().is_some_and(|at| head.contains(at));
        let words = if each.text.is_empty() || on_head { Words::Head(id) } else { Words::Note(id) };
        state.write(frame.view, words);
    }
    if response.secondary_clicked() {
        state.selection.choose(&met, Choose::Only);
        frame.actions.extend(response.interact_pointer_pos().map(|at| Action::Menu(frame.transform * at)));
    }
}

/// The corner at which a frame is resized.
fn size(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, id: FrameId, rect: Rect) {
    let corner = Rect::from_min_max(rect.max - vec2(14.0, 14.0), rect.max + vec2(4.0, 4.0));
    let resize = canvas.interact(corner, frame.view.id.with(("frame size", id)), Sense::DRAG);
    if resize.hovered() || resize.dragged() {
        canvas.ctx().set_cursor_icon(CursorIcon::ResizeNwSe);
    }
    if resize.drag_started_by(PointerButton::Primary) && !state.is_busy() {
        let at = press(canvas.ctx(), frame).unwrap_or(rect.max);
        state.gesture = Grip::Size(id, rect.size()).take(frame.view.sheet, &state.selection, at);
    }
}
