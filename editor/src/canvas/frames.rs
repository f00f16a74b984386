//! Frames and notes, as they are painted and as they feel a hand.

use egui::{
    CornerRadius, CursorIcon, FontId, PointerButton, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::gesture::Grip;
use super::nodes::{line, press};
use super::selection::{Choose, Selection};
use super::{Action, BARE, Frame, PLAIN, ViewState};
use crate::document::FrameId;
use crate::theme;

/// Shows frames and notes, which lie below everything else.
pub fn show(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState) {
    let sheet = frame.view.sheet;
    for (id, each) in &sheet.frames {
        let at = pos2(each.at.x as f32, each.at.y as f32) + state.gesture.frame_moved(*id);
        let size = state.gesture.frame_size(*id, vec2(each.size.0 as f32, each.size.1 as f32));
        let rect = Rect::from_min_size(at, size);
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
    let fill = if is_note { theme.head } else { tint.gamma_multiply(0.22) };
    painter.rect_filled(rect, CornerRadius::same(theme::CORNER), fill);
    let chosen = state.selection.frames.contains(&id);
    let stroke = if chosen { Stroke::new(2.0, theme.accent) } else { Stroke::new(1.0, tint.gamma_multiply(0.8)) };
    painter.rect_stroke(rect, CornerRadius::same(theme::CORNER), stroke, StrokeKind::Inside);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), theme::HEAD));
    if frame.transform.scaling >= BARE {
        line(&painter, head.left_center() + vec2(theme::SIDE, 0.0), head.width() - 24.0, &each.title, 14.5, theme.text);
    }
    if is_note && frame.transform.scaling >= PLAIN {
        let room = rect.width() - 2.0 * theme::SIDE;
        let galley = painter.layout(each.text.clone(), FontId::proportional(13.0), theme.text, room);
        let clip = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
        clip.galley(head.left_bottom() + vec2(theme::SIDE, 0.0), galley, theme.text);
    }
    let grip = if is_note { rect } else { head };
    let response = canvas.interact(grip, frame.view.id.with(("frame", id)), Sense::click_and_drag());
    let label = format!("{} {}", if is_note { "note" } else { "frame" }, each.title);
    response.widget_info(|| WidgetInfo::labeled(Role::Group, true, label.clone()));
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
        frame.actions.push(Action::Write(id));
    }
    if response.secondary_clicked() {
        state.selection.choose(&met, Choose::Only);
        frame.actions.extend(response.interact_pointer_pos().map(|at| Action::Menu(frame.transform * at)));
    }
    let corner = Rect::from_min_max(rect.max - vec2(14.0, 14.0), rect.max + vec2(4.0, 4.0));
    let resize = canvas.interact(corner, frame.view.id.with(("frame size", id)), Sense::drag());
    if resize.hovered() || resize.dragged() {
        canvas.ctx().set_cursor_icon(CursorIcon::ResizeNwSe);
    }
    if resize.drag_started_by(PointerButton::Primary) && !state.is_busy() {
        let at = press(canvas.ctx(), frame).unwrap_or(rect.max);
        state.gesture = Grip::Size(id, rect.size()).take(frame.view.sheet, &state.selection, at);
    }
}
