//! The ground: the points of the grid, and the wheel that moves all of it.

use egui::{Pos2, Rect, Ui, Vec2, pos2, vec2};

use super::{Frame, Habits, ViewState};
use crate::fields::is_wheel_kept;
use crate::theme;

/// Paints the points of the grid, as many as the eye can tell apart.
pub fn grid(frame: &Frame<'_, '_>) {
    let zoom = frame.transform.scaling;
    let mut step = theme::GRID * 4.0;
    while step * zoom < 22.0 {
        step *= 4.0;
    }
    let first = pos2((frame.window.left() / step).floor() * step, (frame.window.top() / step).floor() * step);
    let (columns, rows) = ((frame.window.width() / step) as usize + 2, (frame.window.height() / step) as usize + 2);
    let half = 0.8 / zoom;
    let mut mesh = egui::Mesh::default();
    for row in 0..rows {
        for column in 0..columns {
            let at = first + vec2(column as f32, row as f32) * step;
            mesh.add_colored_rect(Rect::from_center_size(at, Vec2::splat(2.0 * half)), frame.theme.grid);
        }
    }
    frame.painter.add(mesh);
}

/// Returns where the pointer is in the window, if nothing lies between it and the canvas.
pub fn over(canvas: &Ui, window: Rect) -> Option<Pos2> {
    let at = canvas.input(|input| input.pointer.latest_pos()).filter(|at| window.contains(*at))?;
    // The canvas is no area of egui's own, so that above it there is none, or one at the back.
    let above = canvas.ctx().layer_id_at(at).is_some_and(|layer| layer.order != egui::Order::Background);
    (!above).then_some(at)
}

/// Moves and zooms by wheel and touchpad.
pub fn wheel(canvas: &Ui, habits: Habits, state: &mut ViewState, window: Rect) {
    let Some(at) = over(canvas, window).filter(|_| !is_wheel_kept(canvas.ctx())) else { return };
    let (scroll, pinch, keys) = canvas.input(|input| (input.smooth_scroll_delta, input.zoom_delta(), input.modifiers));
    if pinch != 1.0 {
        state.camera.zoom_at(at, window, pinch);
    } else if scroll != Vec2::ZERO {
        if habits.wheel_pans || keys.shift {
            state.camera.pan(scroll);
        } else {
            state.camera.zoom_at(at, window, (scroll.y * 0.0028).exp());
        }
    } else {
        return;
    }
    canvas.ctx().request_repaint();
}
