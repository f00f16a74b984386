//! The minimap: all of the sheet in a corner of the canvas, what is seen of it, and how its nodes are.

use darkroom_core::graph::Mode;
use egui::{
    Align2, Area, Color32, CornerRadius, CursorIcon, Mesh, Order, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui,
    Vec2, WidgetInfo, vec2,
};

use super::frames::rect_of;
use super::{Frame, ViewState};
use crate::document::NodeId;
use crate::status::State;

/// Its largest width and height in points.
const ROOM: Vec2 = vec2(208.0, 144.0);
/// Space to the edges of the canvas.
const APART: f32 = 12.0;
/// Least width and height of a node on it.
const LEAST: f32 = 2.0;

/// Shows it, if it is wanted; a press or a drag on it leads there.
pub fn show(ui: &Ui, frame: &Frame<'_, '_>, state: &mut ViewState, window: Rect) {
    if !frame.view.habits.minimap {
        return;
    }
    let area = Area::new(frame.view.id.with("minimap")).order(Order::Middle).fade_in(false).movable(false);
    let corner = window.right_bottom() - vec2(APART, APART);
    area.pivot(Align2::RIGHT_BOTTOM).fixed_pos(corner).constrain_to(window).show(ui.ctx(), |ui| map(ui, frame, state));
}

fn map(ui: &mut Ui, frame: &Frame<'_, '_>, state: &mut ViewState) {
    let (rect, response) = ui.allocate_exact_size(ROOM, Sense::CLICK | Sense::DRAG);
    response.widget_info(|| WidgetInfo::labeled(Role::Group, true, "minimap"));
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect_filled(rect, CornerRadius::same(6), frame.theme.panel.gamma_multiply(0.94));
    let whole = whole(frame, state);
    let inner = rect.shrink(8.0);
    let scale = (inner.size() / whole.size()).min_elem();
    let onto = |at: Pos2| inner.center() + (at - whole.center()) * scale;
    let onto_rect = |of: Rect| Rect::from_min_max(onto(of.min), onto(of.max));
    let mut mesh = Mesh::default();
    for (id, each) in frame.view.sheet.frames.iter().filter(|(id, _)| !state.net.is_buried(**id)) {
        let tint = each.colour.as_deref().and_then(|name| frame.theme.named(name)).unwrap_or(frame.theme.edge);
        let tint = if state.selection.frames.contains(id) { frame.theme.accent } else { tint };
        mesh.add_colored_rect(onto_rect(rect_of(each)), tint.gamma_multiply(0.45));
    }
    for (id, card) in state.net.cards() {
        let card = onto_rect(card.translate(state.gesture.moved(*id)));
        let card = Rect::from_min_size(card.min, card.size().max(Vec2::splat(LEAST)));
        mesh.add_colored_rect(card, colour(frame, state, *id));
    }
    painter.add(mesh);
    let seen = onto_rect(frame.window).intersect(rect.shrink(1.0));
    painter.rect_filled(seen, CornerRadius::same(2), frame.theme.text.gamma_multiply(0.06));
    painter.rect_stroke(seen, CornerRadius::same(2), Stroke::new(1.2, frame.theme.text), StrokeKind::Inside);
    painter.rect_stroke(rect, CornerRadius::same(6), Stroke::new(1.0, frame.theme.edge), StrokeKind::Inside);
    let pressed = response.is_pointer_button_down_on() || response.clicked();
    if let Some(at) = response.interact_pointer_pos().filter(|_| pressed) {
        let zoom = state.camera.zoom;
        state.camera.fly(whole.center() + (at - inner.center()) / scale, zoom);
        state.camera.land();
        ui.ctx().request_repaint();
    }
    response.on_hover_cursor(CursorIcon::PointingHand);
}

/// A rectangle around everything, and around what is seen.
fn whole(frame: &Frame<'_, '_>, state: &ViewState) -> Rect {
    let cards = state.net.cards().iter().map(|(_, card)| *card);
    let frames = frame.view.sheet.frames.values().map(rect_of);
    let whole = cards.chain(frames).fold(Rect::NOTHING, Rect::union);
    if whole.is_positive() { whole.expand(40.0) } else { frame.window }
}

/// What is chosen or at fault is seen first, then what happens, then what takes no part.
fn colour(frame: &Frame<'_, '_>, state: &ViewState, id: NodeId) -> Color32 {
    let theme = &frame.theme;
    let status = frame.view.status.of(id);
    let mode = frame.view.sheet.nodes.get(&id).map(|node| node.mode).unwrap_or_default();
    if state.selection.nodes.contains(&id) {
        return theme.accent;
    }
    if status.is_some_and(|status| !status.faults.is_empty() || status.state == State::Failed) {
        return theme.error;
    }
    match (status.map(|status| status.state), mode) {
        (Some(State::Running(_)), _) => theme.busy,
        (_, Mode::Muted) => theme.weak.gamma_multiply(0.3),
        (_, Mode::Bypassed) => theme.warning.gamma_multiply(0.8),
        (Some(State::Done | State::Cached), _) => theme.good.gamma_multiply(0.8),
        _ => theme.weak,
    }
}
