//! What the hand does: one gesture at a time, from the press of a button to its release. Nothing in the document changes
//! before the release, and Esc gives a gesture up.

use std::collections::HashSet;

use darkroom_core::registry::Registry;
use darkroom_core::types::Kind;
use egui::{
    CornerRadius, CursorIcon, FontId, Key, PointerButton, Pos2, Rect, Response, Stroke, StrokeKind, Ui, Vec2, pos2,
    vec2,
};

use super::camera::snapped;
use super::selection::{Choose, Selection};
use super::shape::Socket;
use super::wires::Course;
use super::{Action, Frame, Seen, ViewState};
use crate::document::{Edit, FrameId, NodeId, Point, Sheet, Wire};
use crate::theme;

/// A wire that is held at one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loose {
    /// It begins at an output, and looks for an input.
    Output {
        /// The node.
        node: NodeId,
        /// The output's name, where the node has several.
        output: Option<String>,
        /// What it gives.
        kind: Kind,
        /// The input that it was taken off.
        from: Option<(NodeId, String)>,
    },
    /// It ends at an input, and looks for an output.
    Input {
        /// The node.
        node: NodeId,
        /// The input.
        input: String,
        /// What it takes.
        kind: Kind,
    },
}

/// A wire that could be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// Where it begins.
    pub from: NodeId,
    /// The output's name, where the node has several.
    pub output: Option<String>,
    /// Where it ends.
    pub to: NodeId,
    /// The input.
    pub input: String,
}

impl Loose {
    /// Returns the wire that it becomes at a socket; none if the socket is of the wrong side.
    pub fn at(&self, node: NodeId, socket: &str, is_input: bool, several: bool) -> Option<Drop> {
        match self {
            Self::Output { node: from, output, .. } if is_input => {
                Some(Drop { from: *from, output: output.clone(), to: node, input: socket.to_owned() })
            }
            Self::Input { node: to, input, .. } if !is_input => {
                let output = several.then(|| socket.to_owned());
                Some(Drop { from: node, output, to: *to, input: input.clone() })
            }
            _ => None,
        }
    }

    /// Tells whether a socket takes or gives what it wants.
    pub fn fits(&self, kind: Kind, is_input: bool) -> bool {
        match self {
            Self::Output { kind: given, .. } => is_input && kind.accepts(*given),
            Self::Input { kind: wanted, .. } => !is_input && wanted.accepts(kind),
        }
    }

    fn node(&self) -> NodeId {
        match self {
            Self::Output { node, .. } | Self::Input { node, .. } => *node,
        }
    }
}

/// What a hand takes hold of.
pub enum Grip {
    /// What is chosen; or a copy of it.
    Nodes {
        /// Whether a copy is taken.
        copy: bool,
    },
    /// An end of a wire.
    Wire(Loose),
    /// The right edge of a node of this width.
    Width(NodeId, f32),
    /// The corner of a frame of this size.
    Size(FrameId, Vec2),
}

/// What the hand does.
#[derive(Default)]
pub enum Gesture {
    /// Nothing.
    #[default]
    Idle,
    /// Moves the view.
    Pan,
    /// Draws a box around what is to be chosen.
    Box {
        from: Pos2,
        /// What was chosen before.
        base: Selection,
        how: Choose,
    },
    /// Moves nodes and frames, once the hand has gone further than it trembles.
    Move { from: Pos2, by: Vec2, went: bool, nodes: HashSet<NodeId>, frames: HashSet<FrameId>, copy: bool },
    /// Draws a wire.
    Wire {
        loose: Loose,
        from: Pos2,
        /// Nodes that would wait for themselves.
        blocked: HashSet<NodeId>,
        /// The socket that it would be fastened to.
        target: Option<(Drop, Pos2)>,
    },
    /// Cuts wires.
    Cut { trail: Vec<Pos2> },
    /// Moves a point that a wire passes through.
    Bend { node: NodeId, input: String, index: usize, at: Pos2 },
    /// Makes a node wider.
    Width { node: NodeId, from: f32, by: f32, start: Pos2 },
    /// Makes a frame larger.
    Size { frame: FrameId, from: Vec2, by: Vec2, start: Pos2 },
}

impl Grip {
    /// Takes hold.
    pub fn take(self, sheet: &Sheet, selection: &Selection, at: Pos2) -> Gesture {
        match self {
            Self::Nodes { copy } => {
                let mut nodes = selection.nodes.clone();
                for frame in selection.frames.iter().filter_map(|id| sheet.frames.get(id)) {
                    nodes.extend(sheet.inside(frame));
                }
                nodes.retain(|id| sheet.nodes.get(id).is_some_and(|node| !node.pinned));
                let mut frames = selection.frames.clone();
                for frame in selection.frames.iter().filter_map(|id| sheet.frames.get(id)) {
                    frames.extend(sheet.frames.iter().filter(|(_, each)| holds(frame, each)).map(|(id, _)| *id));
                }
                Gesture::Move { from: at, by: Vec2::ZERO, went: false, nodes, frames, copy }
            }
            Self::Wire(loose) => {
                let against = |id: &&NodeId| match &loose {
                    Loose::Output { node, .. } => sheet.reaches(**id, *node),
                    Loose::Input { node, .. } => sheet.reaches(*node, **id),
                };
                let blocked = sheet.nodes.keys().filter(against).copied().collect();
                Gesture::Wire { loose, from: at, blocked, target: None }
            }
            Self::Width(node, from) => Gesture::Width { node, from, by: 0.0, start: at },
            Self::Size(frame, from) => Gesture::Size { frame, from, by: Vec2::ZERO, start: at },
        }
    }
}

impl Gesture {
    /// Tells whether the hand is free.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    /// Tells whether fields stay what they are during it. A wire needs the sockets beside them.
    pub fn leaves_fields(&self) -> bool {
        matches!(self, Self::Pan | Self::Move { .. } | Self::Box { .. } | Self::Width { .. } | Self::Wire { .. })
    }

    /// Returns how far a node has been moved.
    pub fn moved(&self, id: NodeId) -> Vec2 {
        match self {
            Self::Move { by, nodes, copy: false, .. } if nodes.contains(&id) => *by,
            _ => Vec2::ZERO,
        }
    }

    /// Returns how far a frame has been moved.
    pub fn frame_moved(&self, id: FrameId) -> Vec2 {
        match self {
            Self::Move { by, frames, copy: false, .. } if frames.contains(&id) => *by,
            _ => Vec2::ZERO,
        }
    }

    /// Returns the width of a node whose edge is in the hand.
    pub fn width(&self, id: NodeId) -> Option<u32> {
        match self {
            Self::Width { node, from, by, .. } if *node == id && by.abs() > 1.0 => Some(widened(*from, *by)),
            _ => None,
        }
    }

    /// Returns the size of a frame that may be under way.
    pub fn frame_size(&self, id: FrameId, size: Vec2) -> Vec2 {
        match self {
            Self::Size { frame, from, by, .. } if *frame == id => (*from + *by).max(vec2(64.0, 48.0)),
            _ => size,
        }
    }

    /// Returns the points that a wire passes through, one of which may be in the hand.
    pub fn bends(&self, to: NodeId, name: &str, bends: &[Point]) -> Vec<Point> {
        let mut bends = bends.to_vec();
        if let Self::Bend { node, input, index, at } = self
            && *node == to
            && input == name
        {
            bends.iter_mut().skip(*index).take(1).for_each(|bend| *bend = point_of(*at));
        }
        bends
    }

    /// Tells whether the wire at an input is in the hand.
    pub fn carries(&self, to: NodeId, input: &str) -> bool {
        match self {
            Self::Wire { loose: Loose::Output { from: Some((node, name)), .. }, .. } => *node == to && name == input,
            _ => false,
        }
    }

    /// Tells whether wires step back, because one is in the hand.
    pub fn dims(&self) -> bool {
        matches!(self, Self::Wire { .. })
    }

    /// Tells whether a wire is under the knife.
    pub fn cuts(&self, course: &Course) -> bool {
        match self {
            Self::Cut { trail } => trail.windows(2).any(|cut| course.is_cut(cut[0], cut[1])),
            _ => false,
        }
    }

    /// Tells whether the wire in the hand, if there is one, could end anywhere at a node.
    pub fn could_end(&self, sheet: &Sheet, registry: &Registry, id: NodeId) -> bool {
        let Self::Wire { loose, blocked, .. } = self else { return true };
        if loose.node() == id {
            return true;
        }
        let spec = sheet.nodes.get(&id).and_then(|node| registry.get(&node.kind)).map(|node| node.spec());
        let Some(spec) = spec.filter(|_| !blocked.contains(&id)) else { return false };
        spec.inputs.iter().any(|input| loose.fits(input.kind, true))
            || spec.outputs.iter().any(|output| loose.fits(output.kind, false))
    }

    /// Tells whether a socket would take the wire in the hand.
    pub fn lights(&self, _: &Sheet, id: NodeId, socket: &Socket, is_input: bool) -> bool {
        match self {
            Self::Wire { loose, blocked, .. } => !blocked.contains(&id) && loose.fits(socket.kind, is_input),
            _ => false,
        }
    }
}

/// A hand that holds still goes no further than this, in points of the window.
const TREMBLE: f32 = 6.0;

/// Tells whether a frame lies in another one, and goes where that goes.
fn holds(frame: &crate::document::Frame, other: &crate::document::Frame) -> bool {
    let rect = |each: &crate::document::Frame| {
        let min = pos2(each.at.x as f32, each.at.y as f32);
        Rect::from_min_size(min, vec2(each.size.0 as f32, each.size.1 as f32))
    };
    rect(frame).contains_rect(rect(other))
}

fn point_of(at: Pos2) -> Point {
    Point::new(at.x.round() as i32, at.y.round() as i32)
}

/// Begins, follows and ends gestures.
pub fn follow(
    canvas: &mut Ui,
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    back: &Response,
    seen: &[Seen],
    hovered: Option<(NodeId, String, usize)>,
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

fn begin(
    canvas: &mut Ui,
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    back: &Response,
    hovered: Option<(NodeId, String, usize)>,
) {
    let (keys, space) = canvas.input(|input| (input.modifiers, input.key_down(Key::Space)));
    let over = state.view.is_some_and(|view| super::over(canvas, view).is_some());
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
    hovered: Option<(NodeId, String, usize)>,
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
    let snap = frame.view.habits.snap && !keys.alt;
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
            let inside = |each: &crate::document::Frame| {
                let min = pos2(each.at.x as f32, each.at.y as f32);
                rect.contains_rect(Rect::from_min_size(min, vec2(each.size.0 as f32, each.size.1 as f32)))
            };
            let frames = frame.view.sheet.frames.iter().filter(|(_, each)| inside(each)).map(|(id, _)| *id);
            let met = Selection { nodes: nodes.collect(), frames: frames.collect() };
            let mut selection = base.clone();
            selection.choose(&met, *how);
            state.selection = selection;
        }
        Gesture::Move { from, by, went, nodes, frames, copy } => {
            canvas.ctx().set_cursor_icon(CursorIcon::Move);
            let wanted = at - *from;
            *went |= wanted.length() * frame.transform.scaling > TREMBLE;
            if !*went {
                return;
            }
            // All move by the same amount, so that the first one lies on the grid.
            let first = nodes.iter().min().and_then(|id| frame.view.sheet.nodes.get(id));
            *by = match first.filter(|_| snap) {
                Some(first) => {
                    let start = pos2(first.at.x as f32, first.at.y as f32);
                    snapped(start + wanted, theme::GRID) - start
                }
                None if snap => snapped(wanted.to_pos2(), theme::GRID).to_vec2(),
                None => vec2(wanted.x.round(), wanted.y.round()),
            };
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
        Gesture::Bend { at: place, .. } => *place = if snap { snapped(at, theme::GRID) } else { at },
        Gesture::Width { by, start, .. } => {
            canvas.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
            *by = at.x - start.x;
        }
        Gesture::Size { by, start, .. } => {
            canvas.ctx().set_cursor_icon(CursorIcon::ResizeNwSe);
            *by = at - *start;
        }
        Gesture::Wire { .. } => wire(canvas, frame, state, seen, at),
    }
}

/// Shows where the copies would lie that the hand holds.
fn ghosts(frame: &Frame<'_, '_>, seen: &[Seen], nodes: &HashSet<NodeId>, frames: &HashSet<FrameId>, by: Vec2) {
    let stroke = Stroke::new(1.5 / frame.transform.scaling, frame.theme.accent);
    let framed = frame.view.sheet.frames.iter().filter(|(id, _)| frames.contains(id)).map(|(_, each)| {
        Rect::from_min_size(pos2(each.at.x as f32, each.at.y as f32), vec2(each.size.0 as f32, each.size.1 as f32))
    });
    let rects = seen.iter().filter(|seen| nodes.contains(&seen.id)).map(|seen| seen.rect).chain(framed);
    for rect in rects {
        frame.painter.rect_stroke(rect.translate(by), CornerRadius::same(theme::CORNER), stroke, StrokeKind::Outside);
    }
}

/// Draws the wire in the hand, finds what it would be fastened to, and says why it cannot be.
fn wire(canvas: &Ui, frame: &Frame<'_, '_>, state: &mut ViewState, seen: &[Seen], at: Pos2) {
    let Gesture::Wire { loose, from, blocked, target } = &mut state.gesture else { return };
    let (kind, is_output) = match loose {
        Loose::Output { kind, .. } => (*kind, true),
        Loose::Input { kind, .. } => (*kind, false),
    };
    // Its beginning may have scrolled on.
    if let Loose::Output { node, output, from: Some(_), .. } = loose
        && let Some(start) = seen.iter().find(|seen| seen.id == *node)
    {
        *from = start.rect.min + start.shape.output(output.as_deref());
    }
    let met = meet(seen, at, frame.transform.scaling);
    *target = met.as_ref().and_then(|(seen, sockets)| {
        let fits =
            |(socket, is_input): &&(&Socket, bool)| loose.fits(socket.kind, *is_input) && !blocked.contains(&seen.id);
        let (socket, is_input) = sockets.iter().find(fits)?;
        let drop = loose.at(seen.id, &socket.name, *is_input, seen.shape.outputs.len() > 1)?;
        Some((drop, seen.rect.min + socket.at))
    });
    let mut refusal = None;
    if let Some((drop, _)) = target {
        refusal = (frame.view.refuse)(drop);
    } else if let Some((seen, sockets)) = &met
        && seen.id != loose.node()
    {
        refusal = Some(why_not(frame, loose, blocked, seen, sockets));
    }
    let end = target.as_ref().map_or(at, |(_, at)| *at);
    let (a, b) = if is_output { (*from, end) } else { (end, *from) };
    let colour = if refusal.is_some() { frame.theme.error } else { frame.theme.kind(kind) };
    Course::new(a, &[], b).paint(&frame.painter, colour, 2.5_f32.max(1.5 / frame.transform.scaling));
    frame.painter.circle_filled(end, theme::SOCKET, colour);
    if let Some(words) = refusal {
        canvas.ctx().set_cursor_icon(CursorIcon::NotAllowed);
        say(frame, at, &words);
    }
}

/// The node at a place, with its sockets, the nearest first. Above the text of a node all of its sockets are meant.
fn meet(seen: &[Seen], at: Pos2, zoom: f32) -> Option<(&Seen, Vec<(&Socket, bool)>)> {
    let reach = theme::REACH / zoom.clamp(0.5, 1.0);
    let node = seen.iter().rev().find(|seen| seen.rect.expand(reach).contains(at))?;
    let far = |socket: &Socket| (node.rect.min + socket.at - at).length();
    let inputs = node.shape.inputs.iter().map(|socket| (socket, true));
    let mut sockets: Vec<_> = inputs.chain(node.shape.outputs.iter().map(|socket| (socket, false))).collect();
    if !node.rect.contains(at) {
        sockets.retain(|(socket, _)| far(socket) < reach);
    }
    sockets.sort_by(|a, b| far(a.0).total_cmp(&far(b.0)));
    (!sockets.is_empty()).then_some((node, sockets))
}

/// Says why a wire cannot be fastened to the node under the hand.
fn why_not(
    frame: &Frame<'_, '_>,
    loose: &Loose,
    blocked: &HashSet<NodeId>,
    seen: &Seen,
    sockets: &[(&Socket, bool)],
) -> String {
    let label = |id: NodeId| frame.view.sheet.nodes.get(&id).map_or("", |node| node.label());
    if blocked.contains(&seen.id) {
        return format!("`{}` and `{}` would wait for each other", label(loose.node()), label(seen.id));
    }
    let wanted = matches!(loose, Loose::Output { .. });
    match (loose, sockets.iter().find(|(_, is_input)| *is_input == wanted)) {
        (Loose::Output { kind, .. }, Some((socket, _))) => {
            format!("`{}` of `{}` takes {}, this is {kind}", socket.name, label(seen.id), socket.kind)
        }
        (Loose::Input { input, kind, .. }, Some((socket, _))) => {
            format!("`{input}` takes {kind}, `{}` gives {}", label(seen.id), socket.kind)
        }
        (Loose::Output { kind, .. }, None) => format!("`{}` takes no {kind}", label(seen.id)),
        (Loose::Input { kind, .. }, None) => format!("`{}` gives no {kind}", label(seen.id)),
    }
}

/// A sentence beside the hand, in the size of the window.
fn say(frame: &Frame<'_, '_>, at: Pos2, words: &str) {
    let theme = &frame.theme;
    let size = 1.0 / frame.transform.scaling;
    let room = 300.0 * size;
    let galley = frame.painter.layout(words.to_owned(), FontId::proportional(12.5 * size), theme.text, room);
    let corner = at + vec2(16.0, 14.0) * size;
    let rect = Rect::from_min_size(corner, galley.size()).expand2(vec2(8.0, 5.0) * size);
    frame.painter.rect_filled(rect, CornerRadius::same(5), theme.panel);
    frame.painter.rect_stroke(rect, CornerRadius::same(5), Stroke::new(size, theme.error), StrokeKind::Outside);
    frame.painter.galley(corner, galley, theme.text);
}

fn end(canvas: &Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &[Seen], gesture: Gesture, at: Pos2) {
    match gesture {
        Gesture::Idle | Gesture::Pan | Gesture::Box { .. } => (),
        Gesture::Move { by, nodes, frames, copy, .. } if by != Vec2::ZERO => {
            moved(canvas, frame, state, seen, by, (nodes, frames), copy);
        }
        Gesture::Move { .. } => (),
        Gesture::Wire { loose, blocked, target, .. } => dropped(frame, seen, (loose, blocked), target, at),
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
        Gesture::Width { .. } => (),
        Gesture::Size { frame: id, from, by, .. } if by.length() > 1.0 => {
            if let Some(each) = frame.view.sheet.frames.get(&id) {
                let size = snapped((from + by).max(vec2(64.0, 48.0)).to_pos2(), theme::GRID);
                let each = crate::document::Frame { size: (size.x as u32, size.y as u32), ..each.clone() };
                frame.actions.push(Action::step("resize a frame", vec![Edit::Frame(id, each)]));
            }
        }
        Gesture::Size { .. } => (),
    }
}

/// The width of a node whose edge was pulled so far.
fn widened(from: f32, by: f32) -> u32 {
    snapped(pos2(from + by, 0.0), theme::GRID).x.clamp(theme::NODE_LEAST, 1600.0) as u32
}

fn counted(verb: &str, count: usize, noun: &str) -> String {
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
    let sheet = frame.view.sheet;
    let mut edits: Vec<_> = sheet
        .nodes
        .iter()
        .filter(|(id, _)| nodes.contains(id))
        .map(|(id, node)| Edit::Move(*id, node.at.moved(by)))
        .collect();
    for (id, each) in sheet.frames.iter().filter(|(id, _)| frames.contains(id)) {
        edits.push(Edit::Frame(*id, crate::document::Frame { at: each.at.moved(by), ..each.clone() }));
    }
    // Wires that lie among what is moved go with it.
    for (node, input, wire) in sheet.wires() {
        if !wire.bends.is_empty() && nodes.contains(&node) && nodes.contains(&wire.node) {
            edits.push(Edit::Bend(node, input.to_owned(), wire.bends.iter().map(|bend| bend.moved(by)).collect()));
        }
    }
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
        let ends = [(&sheet.nodes.get(&wire.node)?.kind, false), (&sheet.nodes.get(&to)?.kind, true)];
        let given = frame.view.registry.get(ends[0].0)?.spec();
        let given = match &wire.output {
            Some(name) => given.outputs.get(given.output(name)?)?.kind,
            None => given.outputs.first()?.kind,
        };
        let wanted = frame.view.registry.get(ends[1].0)?.spec().input(input)?.1.kind;
        let enter = spec.inputs.iter().find(|own| own.param.is_none() && own.kind.accepts(given));
        let leave = spec.outputs.iter().find(|own| wanted.accepts(own.kind));
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

/// Fastens a wire, or asks what to fasten it to.
fn dropped(
    frame: &mut Frame<'_, '_>,
    seen: &[Seen],
    (loose, blocked): (Loose, HashSet<NodeId>),
    target: Option<(Drop, Pos2)>,
    at: Pos2,
) {
    let taken_off = match &loose {
        Loose::Output { from, .. } => from.clone(),
        Loose::Input { .. } => None,
    };
    let Some((drop, _)) = target else {
        // The socket that it was taken from reaches out a little.
        let on_node = seen.iter().any(|seen| seen.rect.expand(theme::REACH / 2.0).contains(at));
        let refusal = meet(seen, at, frame.transform.scaling)
            .filter(|(seen, _)| seen.id != loose.node())
            .map(|(seen, sockets)| why_not(frame, &loose, &blocked, seen, &sockets));
        if let Some(words) = refusal {
            frame.actions.push(Action::Say(words));
        } else if let Some((node, input)) = taken_off {
            if !on_node {
                frame.actions.push(Action::step("remove a wire", vec![Edit::Disconnect(node, input)]));
            }
        } else if !on_node {
            frame.actions.push(Action::Palette { at, loose: Some(loose) });
        }
        return;
    };
    if taken_off.as_ref().is_some_and(|(node, input)| (*node, input) == (drop.to, &drop.input)) {
        return;
    }
    frame.actions.push(Action::Draw { drop, from: taken_off });
}
