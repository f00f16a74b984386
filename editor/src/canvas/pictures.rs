//! Pictures in nodes: as large as the node is wide, or as high as a hand has pulled them.

use egui::{
    Align2, Color32, CornerRadius, CursorIcon, FontId, PointerButton, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2,
};

use super::gesture::Grip;
use super::nodes::press;
use super::selection::{Choose, Selection};
use super::{Action, Frame, PLAIN, Seen, ViewState};
use crate::document::Edit;
use crate::status::Thumb;
use crate::theme;

/// What a node made.
pub fn picture_of<'v>(frame: &Frame<'_, 'v>, seen: &Seen) -> Option<&'v Thumb> {
    frame.view.status.of(seen.id).and_then(|status| status.picture.as_ref())
}

/// Paints a picture as large as its row allows; returns where it lies.
pub fn paint(frame: &Frame<'_, '_>, thumb: &Thumb, row: Rect) -> Rect {
    let size = vec2(thumb.size.0 as f32, thumb.size.1 as f32);
    let room = row.size() - vec2(0.0, theme::FOOT);
    let fit = (room / size).min_elem();
    let place = Rect::from_center_size(row.center_top() + vec2(0.0, room.y / 2.0), size * fit);
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    frame.painter.image(thumb.texture.id(), place, whole, Color32::WHITE);
    place
}

/// Shows the picture of a node in its row.
pub fn show(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &Seen, rect: Rect) {
    pull(canvas, frame, state, seen, rect);
    let Some(thumb) = picture_of(frame, seen) else {
        let room = rect.with_max_y(rect.bottom() - theme::FOOT);
        frame.painter.rect_filled(room, CornerRadius::same(5), frame.theme.field);
        let font = FontId::proportional(12.0);
        frame.painter.text(room.center(), Align2::CENTER_CENTER, "no picture yet", font, frame.theme.weak);
        return;
    };
    let place = paint(frame, thumb, rect);
    let response = canvas.interact(place, frame.view.id.with(("picture", seen.id)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("picture of {}", seen.node.label())));
    let response = response.on_hover_text(format!("{} × {}, double click to see it large", thumb.size.0, thumb.size.1));
    if response.clicked() {
        let keys = response.ctx.input(|input| input.modifiers);
        state.selection.choose(&Selection::node(seen.id), Choose::by(keys));
    }
    if response.double_clicked() {
        frame.actions.push(Action::Enlarge(seen.id));
    }
}

/// Lets the lower edge of a picture be pulled; a double click gives its usual height back.
fn pull(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &Seen, row: Rect) {
    if frame.transform.scaling < PLAIN {
        return;
    }
    let edge =
        Rect::from_min_max(pos2(row.left() + 12.0, row.bottom() - theme::FOOT), row.right_bottom() - vec2(12.0, 0.0));
    let sense = Sense::CLICK | Sense::DRAG;
    let response = canvas.interact(edge, frame.view.id.with(("picture edge", seen.id)), sense);
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Group, true, format!("lower edge of the picture of {}", seen.node.label()))
    });
    if response.hovered() || response.dragged() {
        canvas.ctx().set_cursor_icon(CursorIcon::ResizeVertical);
        let line = Rect::from_center_size(edge.center(), vec2(36.0, 3.0));
        frame.painter.rect_filled(line, CornerRadius::same(2), frame.theme.weak);
    }
    if response.drag_started_by(PointerButton::Primary) && !state.is_busy() {
        let at = press(canvas.ctx(), frame).unwrap_or(edge.center());
        let height = row.height() - theme::FOOT;
        state.gesture = Grip::Picture(seen.id, height).take(frame.view.sheet, &state.selection, at);
    }
    if response.double_clicked() && seen.node.picture.is_some() {
        frame.actions.push(Action::step("give a picture its height back", vec![Edit::Picture(seen.id, None)]));
    }
}
