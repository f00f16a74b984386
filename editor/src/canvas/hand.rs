//! The hand: where gestures begin, how they go on, and what becomes of them.

use std::collections::HashSet;

use egui::{
    CornerRadius, CursorIcon, Key, PointerButton, Pos2, Rect, Response, Stroke, StrokeKind, Ui, Vec2, pos2, vec2,
};

use super::frames::rect_of;
use super::gesture::{Gesture, TREMBLE, heightened, point_of, widened};
use super::guides::Lines;
use super::selection::{Choose, Selection};
use super::strands::Hovered;
use super::{Action, Frame, Seen, ViewState, ground, loose, sockets};
use crate::document::{Edit, FrameId, NodeId, Point, Sheet, Wire};
use crate::habits::snapped;
use crate::theme;

/// Begins, follows and ends gestures.
pub fn follow(
    canvas: &mut Ui,
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    back: &Response,
    seen: &[Seen],
    hovered: Option<Hovered>,
) {
    if state.gesture.is_idle() {
        begin(canvas, frame, state, back, hovered);
    }
    if state.gesture.is_idle() {
        return;
    }
    if canvas.input_mut(|input| input.consume_key(egui::Modifiers::NONE, Key::Escape)) {
        if let Gesture::Box { base, .. } = &state.gesture {
            state.selection = base.clone();
        }
        state.release();
        return;
    }
    let Some(at) = frame.pointer else { return };
    drift(canvas, frame, state);
    go_on(canvas, frame, state, seen, at);
    if canvas.input(|input| !input.pointer.any_down()) {
        let gesture = std::mem::take(&mut state.gesture);
        end(canvas, frame, state, seen, gesture, at);
        canvas.ctx().request_repaint();
    }
}

fn begin(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, back: &Response, hovered: Option<Hovered>) {
    let (keys, space) = canvas.input(|input| (input.modifiers, input.key_down(Key::Space)));
    let over = state.view.is_some_and(|view| ground::over(canvas, view).is_some());
    let pressed = |button| canvas.input(|input| input.pointer.button_pressed(button));
    let free = !canvas.ctx().text_edit_focused();
    if over && (pressed(PointerButton::Middle) || (space && free && pressed(PointerButton::Primary))) {
        state.gesture = Gesture::Pan;
        return;
    }
    let Some(at) = frame.pointer else { return };
    if back.drag_started_by(PointerButton::Secondary) && keys.command {
        state.gesture = Gesture::Cut { trail: vec![at] };
        return;
    }
    if back.drag_started_by(PointerButton::Primary) {
        let start = canvas.input(|input| input.pointer.press_origin()).map_or(at, |at| frame.transform.inverse() * at);
        state.gesture = match bend_at(frame, start) {
            Some((node, input, index)) => Gesture::Bend { node, input, index, at },
            None => Gesture::Box { from: start, base: state.selection.clone(), how: Choose::by(keys) },
        };
        return;
    }
    clicks(canvas, frame, state, back, hovered, at);
}

fn clicks(
    canvas: &Ui,
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    back: &Response,
    hovered: Option<Hovered>,
    at: Pos2,
) {
    let alt = canvas.input(|input| input.modifiers.alt);
    let course = |to: NodeId, input: &str| frame.view.sheet.nodes.get(&to).and_then(|node| node.wire(input)).cloned();
    if let Some((to, input, piece)) = hovered {
        canvas.ctx().set_cursor_icon(CursorIcon::PointingHand);
        if let Some(wire) = course(to, &input).filter(|_| back.double_clicked() || (alt && back.clicked())) {
            let mut bends = wire.bends;
            match bend_at(frame, at).filter(|(node, name, _)| (*node, name) == (to, &input)) {
                Some((_, _, index)) => drop(bends.remove(index)),
                None => bends.insert(piece.min(bends.len()), point_of(at)),
            }
            frame.actions.push(Action::step("lay a wire", vec![Edit::Bend(to, input, bends)]));
            return;
        }
    }
    if back.double_clicked() {
        frame.actions.push(Action::Palette { at, loose: None });
    } else if back.secondary_clicked() {
        state.selection.clear();
        frame.actions.push(Action::Menu(frame.transform * at));
    } else if back.clicked() && !canvas.input(|input| input.modifiers.any()) {
        state.selection.clear();
    }
}

/// Finds the point of a wire that the hand is over.
fn bend_at(frame: &Frame<'_, '_>, at: Pos2) -> Option<(NodeId, String, usize)> {
    let near = 8.0 / frame.transform.scaling.max(0.2);
    frame.view.sheet.wires().find_map(|(node, input, wire)| {
        let index = wire.bends.iter().position(|bend| (pos2(bend.x as f32, bend.y as f32) - at).length() < near)?;
        Some((node, input.to_owned(), index))
    })
}

/// Moves the view along when the hand comes to its edge.
fn drift(canvas: &Ui, frame: &Frame<'_, '_>, state: &mut ViewState) {
    const EDGE: f32 = 28.0;
    const SPEED: f32 = 14.0;
    let (Some(view), Some(at)) = (state.view, canvas.input(|input| input.pointer.latest_pos())) else { return };
    let side = |low: f32, at: f32, high: f32| {
        ((low + EDGE - at) / EDGE).clamp(0.0, 1.0) - ((at - high + EDGE) / EDGE).clamp(0.0, 1.0)
    };
    let by = vec2(side(view.left(), at.x, view.right()), side(view.top(), at.y, view.bottom()));
    if by != Vec2::ZERO
        && frame.window.is_positive()
        && matches!(state.gesture, Gesture::Move { .. } | Gesture::Wire { .. } | Gesture::Box { .. })
    {
        state.camera.pan(by * SPEED);
        canvas.ctx().request_repaint();
    }
}

fn go_on(canvas: &Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &[Seen], at: Pos2) {
    let keys = canvas.input(|input| input.modifiers);
    let theme = frame.theme;
    let painter = frame.painter.clone();
    let habits = frame.view.habits;
    let snap = habits.grid > 0 && !keys.alt;
    let lines = Lines::of(frame, seen, &state.gesture);
    match &mut state.gesture {
        Gesture::Idle => (),
        Gesture::Pan => {
            canvas.ctx().set_cursor_icon(CursorIcon::Grabbing);
            let by = canvas.input(|input| input.pointer.delta());
            state.camera.pan(by);
        }
        Gesture::Box { from, base, how } => {
            let rect = Rect::from_two_pos(*from, at);
            painter.rect_filled(rect, CornerRadius::same(3), theme.accent.gamma_multiply(0.12));
            let stroke = Stroke::new(1.0 / frame.transform.scaling, theme.accent);
            painter.rect_stroke(rect, CornerRadius::same(3), stroke, StrokeKind::Middle);
            let nodes = seen.iter().filter(|seen| seen.rect.intersects(rect)).map(|seen| seen.id);
            let net = &state.net;
            let inside =
                |id: &FrameId, each: &crate::document::Frame| !net.is_buried(*id) && rect.contains_rect(rect_of(each));
            let frames = frame.view.sheet.frames.iter().filter(|(id, each)| inside(id, each)).map(|(id, _)| *id);
            let met = Selection { nodes: nodes.collect(), frames: frames.collect() };
            let mut selection = base.clone();
            selection.choose(&met, *how);
            state.selection = selection;
        }
        Gesture::Move { from, by, went, nodes, frames, copy, shake } => {
            canvas.ctx().set_cursor_icon(CursorIcon::Move);
            let wanted = at - *from;
            *went |= wanted.length() * frame.transform.scaling > TREMBLE;
            if !*went {
                return;
            }
            shake.feel(frame.transform * at, canvas.input(|input| input.time));
            // All move by the same amount, so that the first one lies on the grid.
            let first = nodes.iter().min().and_then(|id| frame.view.sheet.nodes.get(id));
            *by = match first.filter(|_| snap) {
                Some(first) => {
                    let start = pos2(first.at.x as f32, first.at.y as f32);
                    habits.snapped(start + wanted) - start
                }
                None if snap => habits.snapped(wanted.to_pos2()).to_vec2(),
                None => vec2(wanted.x.round(), wanted.y.round()),
            };
            if let Some(lines) = lines.filter(|_| !keys.alt) {
                *by = lines.drawn(wanted, *by, frame.transform.scaling);
                lines.show(frame, *by);
            }
            if *copy {
                ghosts(frame, seen, nodes, frames, *by);
            }
        }
        Gesture::Cut { trail } => {
            if trail.last().is_none_or(|last| (*last - at).length() > 2.0) {
                trail.push(at);
            }
            painter.line(trail.clone(), Stroke::new(1.5 / frame.transform.scaling, theme.error));
        }
        Gesture::Bend { at: place, .. } => *place = if snap { habits.snapped(at) } else { at },
        Gesture::Width { by, start, .. } => {
            canvas.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
            *by = at.x - start.x;
        }
        Gesture::Picture { by, start, .. } => {
            canvas.ctx().set_cursor_icon(CursorIcon::ResizeVertical);
            *by = at.y - start.y;
        }
        Gesture::Size { by, start, .. } => {
            canvas.ctx().set_cursor_icon(CursorIcon::ResizeNwSe);
            *by = at - *start;
        }
        Gesture::Wire { .. } => loose::follow(canvas, frame, state, seen, at),
    }
}

/// Shows where the copies would lie that the hand holds.
fn ghosts(frame: &Frame<'_, '_>, seen: &[Seen], nodes: &HashSet<NodeId>, frames: &HashSet<FrameId>, by: Vec2) {
    let stroke = Stroke::new(1.5 / frame.transform.scaling, frame.theme.accent);
    let framed = frame.view.sheet.frames.iter().filter(|(id, _)| frames.contains(id)).map(|(_, each)| rect_of(each));
    let rects = seen.iter().filter(|seen| nodes.contains(&seen.id)).map(|seen| seen.rect).chain(framed);
    for rect in rects {
        frame.painter.rect_stroke(rect.translate(by), CornerRadius::same(theme::CORNER), stroke, StrokeKind::Outside);
    }
}

fn end(canvas: &Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &[Seen], gesture: Gesture, at: Pos2) {
    match gesture {
        Gesture::Idle | Gesture::Pan | Gesture::Box { .. } => (),
        Gesture::Move { .. } if gesture.shaken().is_some() => shaken(frame, &gesture),
        Gesture::Move { by, nodes, frames, copy, .. } if by != Vec2::ZERO => {
            moved(canvas, frame, state, seen, by, (nodes, frames), copy);
        }
        Gesture::Move { .. } => (),
        Gesture::Wire { loose, blocked, target, .. } => loose::dropped(frame, seen, (loose, blocked), target, at),
        Gesture::Cut { trail } => {
            let mut edits = Vec::new();
            for (node, input, wire) in frame.view.sheet.wires() {
                let course = state.course(frame.view, node, input, wire);
                if course.is_some_and(|course| trail.windows(2).any(|cut| course.is_cut(cut[0], cut[1]))) {
                    edits.push(Edit::Disconnect(node, input.to_owned()));
                }
            }
            if !edits.is_empty() {
                frame.actions.push(Action::step(counted("cut", edits.len(), "wire"), edits));
            }
        }
        Gesture::Bend { node, input, index, at } => {
            let bends =
                frame.view.sheet.nodes.get(&node).and_then(|node| node.wire(&input)).map(|wire| wire.bends.clone());
            let gesture = Gesture::Bend { node, input: input.clone(), index, at };
            if let Some(bends) = bends {
                let edit = Edit::Bend(node, input.clone(), gesture.bends(node, &input, &bends));
                frame.actions.push(Action::step("lay a wire", vec![edit]));
            }
        }
        Gesture::Width { node, from, by, .. } if by.abs() > 1.0 => {
            let edit = Edit::Width(node, Some(widened(from, by)));
            frame.actions.push(Action::step("widen a node", vec![edit]));
        }
        Gesture::Picture { node, from, by, .. } if by.abs() > 1.0 => {
            let edit = Edit::Picture(node, Some(heightened(from, by)));
            frame.actions.push(Action::step("resize a picture", vec![edit]));
        }
        Gesture::Size { frame: id, from, by, .. } if by.length() > 1.0 => {
            if let Some(each) = frame.view.sheet.frames.get(&id) {
                let size = snapped((from + by).max(vec2(64.0, 48.0)).to_pos2(), theme::GRID);
                let each = crate::document::Frame { size: (size.x as u32, size.y as u32), ..each.clone() };
                frame.actions.push(Action::step("resize a frame", vec![Edit::Frame(id, each)]));
            }
        }
        Gesture::Width { .. } | Gesture::Picture { .. } | Gesture::Size { .. } => (),
    }
}

pub fn counted(verb: &str, count: usize, noun: &str) -> String {
    if count == 1 { format!("{verb} a {noun}") } else { format!("{verb} {count} {noun}s") }
}

type Held = (HashSet<NodeId>, HashSet<FrameId>);

fn moved(
    canvas: &Ui,
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    seen: &[Seen],
    by: Vec2,
    (nodes, frames): Held,
    copy: bool,
) {
    let by = Point::new(by.x.round() as i32, by.y.round() as i32);
    if copy {
        frame.actions.push(Action::Copied { nodes, frames, by });
        return;
    }
    let mut edits = carried(frame.view.sheet, &nodes, &frames, by);
    let mut name = counted("move", nodes.len(), "node");
    if nodes.is_empty() {
        "move a frame".clone_into(&mut name);
    }
    let held = canvas.input(|input| input.modifiers.command);
    if let ([only], false) = (&nodes.iter().copied().collect::<Vec<_>>()[..], held)
        && let Some(inserted) = insert(frame, state, seen, *only)
    {
        edits.extend(inserted);
        "insert a node".clone_into(&mut name);
    }
    frame.actions.push(Action::step(name, edits));
}

/// A node that was shaken loose leaves its wires, and lies where it was let go.
fn shaken(frame: &mut Frame<'_, '_>, gesture: &Gesture) {
    let (Some(id), sheet) = (gesture.shaken(), frame.view.sheet) else { return };
    let ends = sheet.wires().filter(|(to, _, wire)| *to == id || wire.node == id);
    let mut edits: Vec<_> = ends.map(|(to, input, _)| Edit::Disconnect(to, input.to_owned())).collect();
    let by = gesture.moved(id);
    let by = Point::new(by.x.round() as i32, by.y.round() as i32);
    edits.extend(sheet.nodes.get(&id).map(|node| Edit::Move(id, node.at.moved(by))));
    frame.actions.push(Action::step("shake a node loose", edits));
}

/// The edits that move nodes and frames, and with them the wires that lie among them.
pub fn carried(sheet: &Sheet, nodes: &HashSet<NodeId>, frames: &HashSet<FrameId>, by: Point) -> Vec<Edit> {
    let all = sheet.nodes.iter().filter(|(id, _)| nodes.contains(*id));
    let mut edits: Vec<_> = all.map(|(id, node)| Edit::Move(*id, node.at.moved(by))).collect();
    for (id, each) in sheet.frames.iter().filter(|(id, _)| frames.contains(*id)) {
        edits.push(Edit::Frame(*id, crate::document::Frame { at: each.at.moved(by), ..each.clone() }));
    }
    for (node, input, wire) in sheet.wires() {
        if !wire.bends.is_empty() && nodes.contains(&node) && nodes.contains(&wire.node) {
            edits.push(Edit::Bend(node, input.to_owned(), wire.bends.iter().map(|bend| bend.moved(by)).collect()));
        }
    }
    edits
}

/// A node without wires that is put down on a wire goes in between, if it takes and gives what the wire carries.
fn insert(frame: &Frame<'_, '_>, state: &mut ViewState, seen: &[Seen], id: NodeId) -> Option<Vec<Edit>> {
    let sheet = frame.view.sheet;
    let node = sheet.nodes.get(&id)?;
    let alone = node.wires().next().is_none() && !sheet.wires().any(|(_, _, wire)| wire.node == id);
    let spec = frame.view.registry.get(&node.kind)?.spec();
    let rect = seen.iter().find(|seen| seen.id == id).filter(|_| alone)?.rect;
    for (to, input, wire) in sheet.wires() {
        let Some(course) = state.course(frame.view, to, input, wire) else { continue };
        if course.distance(rect.center()).0 > rect.height() / 2.0 || !course.bounds().intersects(rect) {
            continue;
        }
        let given = sockets::kind_of(frame.view, wire.node, wire.output.as_deref());
        let reader = sheet.nodes.get(&to).and_then(|node| frame.view.registry.get(&node.kind));
        let Some((_, wanted)) = reader.and_then(|reader| reader.spec().input(input)) else { continue };
        let enter = spec.inputs.iter().find(|own| own.param.is_none() && own.kind.accepts(given));
        let leave = spec.outputs.iter().find(|own| wanted.kind.accepts(own.kind));
        if let (Some(enter), Some(leave)) = (enter, leave) {
            let output = (spec.outputs.len() > 1).then(|| leave.name.to_owned());
            let first = Wire { bends: Vec::new(), ..wire.clone() };
            return Some(vec![
                Edit::Connect(id, enter.name.to_owned(), first),
                Edit::Connect(to, input.to_owned(), Wire { node: id, output, bends: Vec::new() }),
            ]);
        }
    }
    None
}
