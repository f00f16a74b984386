//! Nodes, as they are painted and as they feel a hand.

use darkroom_core::graph::{Mode, Subgraph};
use darkroom_core::spec::Spec;
use egui::text::{LayoutJob, TextFormat};
use egui::{
    Align2, Color32, CornerRadius, CursorIcon, FontId, Mesh, Painter, PointerButton, Pos2, Rect, Response, Role, Sense,
    Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::gesture::Grip;
use super::selection::{Choose, Selection};
use super::shape::What;
use super::{Action, BARE, Frame, PLAIN, Seen, ViewState, Words, heat, offers, pictures, rows, sockets};
use crate::document::{NodeId, Sheet};
use crate::icons;
use crate::status::{NodeStatus, State};
use crate::theme;

/// Tells whether a node takes no part.
pub fn is_muted(sheet: &Sheet, id: NodeId) -> bool {
    sheet.nodes.get(&id).is_some_and(|node| node.mode == Mode::Muted)
}

/// Shows the nodes in view, those that are chosen on top.
pub fn show(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &[Seen]) {
    if frame.transform.scaling < BARE {
        return boxes(canvas, frame, state, seen);
    }
    for each in seen {
        node(canvas, frame, state, each);
    }
}

/// Nodes from afar: plain boxes, all of them one mesh.
fn boxes(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &[Seen]) {
    let mut mesh = Mesh::default();
    let border = 1.5 / frame.transform.scaling;
    for each in seen {
        touch(canvas, frame, state, each);
        let spec = frame.view.registry.get(&each.node.kind).map(|node| node.spec());
        let opacity = opacity(frame, state, each, spec);
        if let Some(edge) = edge(frame, state, each, frame.view.status.of(each.id)) {
            mesh.add_colored_rect(each.rect.expand(border), edge.gamma_multiply(opacity));
        }
        let tint = heat::tint(frame, each.id, frame.theme.body);
        mesh.add_colored_rect(each.rect, tint.gamma_multiply(opacity));
        let top = Rect::from_min_size(each.rect.min, vec2(each.rect.width(), theme::HEAD));
        mesh.add_colored_rect(top, head_colour(frame, each).gamma_multiply(opacity));
    }
    frame.painter.add(mesh);
    for each in seen {
        let shown = each.shape.rows.iter().find(|row| row.what == What::Picture);
        if let (Some(row), Some(thumb)) = (shown, pictures::picture_of(frame, each)) {
            let rect = row.rect.translate(each.rect.min.to_vec2()).shrink2(vec2(theme::SIDE, 0.0));
            pictures::paint(frame, thumb, rect);
        }
    }
}

/// Feels the hand at a node.
fn touch(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &Seen) {
    let id = frame.view.id.with(("node", seen.id));
    // Arrows lead from node to node, and Tab through the fields of one.
    let response = canvas.interact(seen.rect, id, Sense::CLICK | Sense::DRAG);
    response.widget_info(|| WidgetInfo::labeled(Role::Group, true, format!("node {}", seen.node.label())));
    let chosen = state.selection.nodes.contains(&seen.id);
    canvas.ctx().accesskit_node_builder(id, |node| node.set_selected(chosen));
    if let Some(located) = frame.view.status.of(seen.id).and_then(|status| status.faults.first()) {
        let words = &located.fault.message;
        canvas.ctx().accesskit_node_builder(id, |node| node.set_description(words.as_str()));
    }
    feel(frame, state, seen, &response);
}

/// The colour of the edge of a node about which there is something to say.
fn edge(frame: &Frame<'_, '_>, state: &ViewState, seen: &Seen, status: Option<&NodeStatus>) -> Option<Color32> {
    let faulty = status.is_some_and(|status| !status.faults.is_empty());
    match (state.selection.nodes.contains(&seen.id), faulty) {
        (true, _) => Some(frame.theme.accent),
        (_, true) => Some(frame.theme.error),
        _ => None,
    }
}

fn head_colour(frame: &Frame<'_, '_>, seen: &Seen) -> Color32 {
    seen.node.colour.as_deref().and_then(|name| frame.theme.named(name)).unwrap_or(frame.theme.head)
}

fn node(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &Seen) {
    touch(canvas, frame, state, seen);
    let spec = frame.view.registry.get(&seen.node.kind).map(|node| node.spec());
    let status = frame.view.status.of(seen.id);
    let zoom = frame.transform.scaling;
    let painter = frame.painter.clone();
    let opacity = opacity(frame, state, seen, spec);
    body(&painter, frame, state, seen, status, opacity);
    head(&painter, frame, seen, spec, status, opacity);
    for row in &seen.shape.rows {
        let rect = row.rect.translate(seen.rect.min.to_vec2());
        if rect.intersects(frame.window) {
            rows::show(canvas, frame, state, seen, spec, row, rect, opacity);
        }
    }
    sockets::show(canvas, frame, state, seen, opacity);
    if zoom >= PLAIN {
        heat::say(frame, seen, status);
        tell(canvas, frame, seen, status);
        offers::door(canvas, frame, seen);
        offers::rings(canvas, frame, seen);
    }
    if zoom >= PLAIN && !seen.node.collapsed {
        widen(canvas, frame, state, seen);
    }
}

/// Says, over the head of a node, what its author remarks, what would happen to it and why, and what it takes.
fn tell(canvas: &Ui, frame: &Frame<'_, '_>, seen: &Seen, status: Option<&NodeStatus>) {
    let status = status.filter(|status| status.state != State::Unknown);
    if status.is_none() && seen.node.note.is_none() {
        return;
    }
    let head = Rect::from_min_size(seen.rect.min, vec2(seen.rect.width(), theme::HEAD));
    let response = canvas.interact(head, frame.view.id.with(("head", seen.id)), Sense::hover());
    response.on_hover_ui(|ui| {
        crate::layer::undo_transform(ui);
        ui.set_max_width(320.0);
        ui.strong(format!("{} ({})", seen.node.name, seen.node.kind));
        if let Some(note) = &seen.node.note {
            ui.label(note);
        }
        let Some(status) = status else { return };
        let why = if status.why.is_empty() { String::new() } else { format!(": {}", status.why) };
        ui.label(format!("{}{why}", status.state.word()));
        if let Some(seconds) = status.seconds {
            ui.weak(format!("{} when it last ran", words_of_seconds(seconds)));
        }
        if status.bytes > 0 {
            ui.weak(format!("{} while it runs", words_of_bytes(status.bytes)));
        }
    });
}

/// A node that takes no part, or that a wire in hand cannot end at, is faint.
fn opacity(frame: &Frame<'_, '_>, state: &ViewState, seen: &Seen, spec: Option<&Spec>) -> f32 {
    let muted = if seen.node.mode == Mode::Muted { 0.4 } else { 1.0 };
    let fits = spec.is_none() || state.gesture.could_end(frame.view.sheet, frame.view.registry, seen.id);
    if fits { muted } else { muted * 0.35 }
}

/// What the hand does to a node as a whole.
fn feel(frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &Seen, response: &Response) {
    let keys = response.ctx.input(|input| input.modifiers);
    let met = Selection::node(seen.id);
    if response.drag_started_by(PointerButton::Primary) && !state.is_busy() {
        if !state.selection.nodes.contains(&seen.id) {
            state.selection.choose(&met, Choose::by(keys));
        }
        if let Some(at) = press(&response.ctx, frame) {
            state.gesture = Grip::Nodes { copy: keys.alt }.take(frame.view.sheet, &state.selection, at);
        }
    }
    if response.clicked() {
        state.selection.choose(&met, Choose::by(keys));
    }
    if response.secondary_clicked() {
        if !state.selection.nodes.contains(&seen.id) {
            state.selection.choose(&met, Choose::Only);
        }
        frame.actions.extend(response.interact_pointer_pos().map(|at| Action::Menu(frame.transform * at)));
    }
    let on_head = |at: Pos2| at.y < seen.rect.top() + theme::HEAD;
    if response.double_clicked() && response.interact_pointer_pos().is_some_and(on_head) {
        match Subgraph::of_kind(&seen.node.kind) {
            Some(_) => frame.actions.push(Action::Enter(seen.id)),
            None => state.write(frame.view, Words::Title(seen.id)),
        }
    }
}

/// Where the button went down, on the canvas.
pub(super) fn press(ctx: &egui::Context, frame: &Frame<'_, '_>) -> Option<Pos2> {
    let at = ctx.input(|input| input.pointer.press_origin())?;
    Some(frame.transform.inverse() * at)
}

fn body(
    painter: &Painter,
    frame: &Frame<'_, '_>,
    state: &ViewState,
    seen: &Seen,
    status: Option<&NodeStatus>,
    opacity: f32,
) {
    let theme = &frame.theme;
    let corner = CornerRadius::same(theme::CORNER);
    let head = heat::tint(frame, seen.id, head_colour(frame, seen));
    let zoom = frame.transform.scaling;
    if zoom >= PLAIN {
        let shadow = seen.rect.translate(vec2(0.0, 3.0)).expand(1.5);
        painter.rect_filled(shadow, CornerRadius::same(theme::CORNER + 2), theme.shadow.gamma_multiply(opacity));
    }
    painter.rect_filled(seen.rect, corner, heat::tint(frame, seen.id, theme.body).gamma_multiply(opacity));
    let top = Rect::from_min_size(seen.rect.min, vec2(seen.rect.width(), theme::HEAD));
    let round = if seen.node.collapsed { 8 } else { 0 };
    let corners = CornerRadius { nw: theme::CORNER, ne: theme::CORNER, sw: round, se: round };
    painter.rect_filled(top, corners, head.gamma_multiply(opacity));
    let (edge, width) = match edge(frame, state, seen, status) {
        Some(edge) => (edge, 2.0_f32.max(1.5 / zoom)),
        None => (theme.edge, 1.0),
    };
    painter.rect_stroke(seen.rect, corner, Stroke::new(width, edge.gamma_multiply(opacity)), StrokeKind::Outside);
    if seen.node.mode == Mode::Bypassed {
        let stroke = Stroke::new(2.0, theme.warning.gamma_multiply(0.7));
        painter.extend(Shape::dashed_line(&[seen.rect.left_center(), seen.rect.right_center()], stroke, 8.0, 5.0));
    }
    if let Some(State::Running(share)) = status.map(|status| status.state) {
        let line = Rect::from_min_size(top.left_bottom() - vec2(0.0, 3.0), vec2(top.width(), 3.0));
        painter.rect_filled(line, 0.0, theme.busy.gamma_multiply(0.25));
        painter.rect_filled(Rect::from_min_size(line.min, vec2(line.width() * share, 3.0)), 0.0, theme.busy);
    }
}

fn head(
    painter: &Painter,
    frame: &Frame<'_, '_>,
    seen: &Seen,
    spec: Option<&Spec>,
    status: Option<&NodeStatus>,
    opacity: f32,
) {
    let theme = &frame.theme;
    let mut right = seen.rect.right() - theme::SIDE;
    let middle = seen.rect.top() + theme::HEAD / 2.0;
    if let Some((colour, text)) = status.and_then(|status| badge(frame, status)) {
        painter.circle_filled(pos2(right - 2.0, middle), 3.5, colour.gamma_multiply(opacity));
        right -= 12.0;
        if !text.is_empty() && frame.transform.scaling >= PLAIN {
            let at = pos2(right, middle);
            let rect = painter.text(at, Align2::RIGHT_CENTER, text, FontId::proportional(11.0), theme.weak);
            right = rect.left() - 6.0;
        }
    }
    if seen.node.note.is_some() && frame.transform.scaling >= PLAIN {
        icons::remark(painter, pos2(right - 5.0, middle), theme.weak.gamma_multiply(opacity));
        right -= 17.0;
    }
    let title = title_of(&seen.node, spec);
    let left = seen.rect.left() + theme::SIDE;
    let colour = if spec.is_none() { theme.warning } else { theme.text };
    line(painter, pos2(left, middle), right - left, &title, 13.5, colour.gamma_multiply(opacity));
}

/// What stands at the head of a node.
pub fn title_of(node: &crate::document::Node, spec: Option<&Spec>) -> String {
    match (node.title.as_deref(), spec) {
        (Some(title), _) => title.to_owned(),
        (None, Some(spec)) => spec.title.to_owned(),
        (None, None) => format!("{} ?", node.kind),
    }
}

/// What is said of a node at the right of its head: a dot, and a few words.
fn badge(frame: &Frame<'_, '_>, status: &NodeStatus) -> Option<(Color32, String)> {
    let theme = &frame.theme;
    let seconds = || status.seconds.map(words_of_seconds).unwrap_or_default();
    Some(match status.state {
        State::Unknown => return None,
        State::Dirty => (theme.warning, seconds()),
        State::Queued => (theme.busy, "queued".to_owned()),
        State::Running(share) => (theme.busy, format!("{:.0} %", share * 100.0)),
        State::Cached => (theme.good, "cached".to_owned()),
        State::Done => (theme.good, seconds()),
        State::Failed => (theme.error, "failed".to_owned()),
        State::Opens => (theme.weak, String::new()),
        State::Idle => (theme.edge, String::new()),
    })
}

/// Writes seconds as a person says them.
pub fn words_of_seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.1 => format!("{:.0} ms", s * 1000.0),
        s if s < 60.0 => format!("{s:.1} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

/// Writes bytes as a person says them.
pub fn words_of_bytes(bytes: u64) -> String {
    match bytes as f64 / f64::from(1 << 20) {
        mebibytes if mebibytes >= 1024.0 => format!("{:.1} GiB", mebibytes / 1024.0),
        mebibytes if mebibytes >= 10.0 => format!("{mebibytes:.0} MiB"),
        mebibytes => format!("{mebibytes:.1} MiB"),
    }
}

/// Paints one line of text, cut where there is no more room.
pub fn line(painter: &Painter, at: Pos2, room: f32, text: &str, size: f32, colour: Color32) -> Rect {
    let format = TextFormat { font_id: FontId::proportional(size), color: colour, ..TextFormat::default() };
    let mut job = LayoutJob::single_section(text.to_owned(), format);
    job.wrap.max_width = room.max(8.0);
    job.wrap.max_rows = 1;
    job.wrap.break_anywhere = true;
    let galley = painter.layout_job(job);
    let corner = pos2(at.x, at.y - galley.size().y / 2.0);
    let rect = Rect::from_min_size(corner, galley.size());
    painter.galley(corner, galley, colour);
    rect
}

fn widen(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &Seen) {
    let edge = Rect::from_min_max(
        pos2(seen.rect.right() - 9.0, seen.rect.bottom() - 9.0),
        seen.rect.right_bottom() + vec2(3.0, 3.0),
    );
    let response = canvas.interact(edge, frame.view.id.with(("width", seen.id)), Sense::drag());
    if response.drag_started_by(PointerButton::Primary) && !state.is_busy() {
        let at = press(canvas.ctx(), frame).unwrap_or(edge.center());
        state.gesture = Grip::Width(seen.id, seen.rect.width()).take(frame.view.sheet, &state.selection, at);
    }
    if response.hovered() || response.dragged() {
        canvas.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
}
