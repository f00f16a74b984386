//! What stands in notes: Markdown, or from afar bars where its lines are.

use egui::{CornerRadius, Rect, Ui, UiBuilder, vec2};
use egui_commonmark::{CommonMarkCache, CommonMarkViewer};

use super::{BARE, Frame, PLAIN};
use crate::document::FrameId;
use crate::theme;

/// What is kept of Markdown between frames.
#[derive(Default)]
pub struct Markdown(CommonMarkCache);

/// Width of a letter of a note, about.
const LETTER: f32 = 6.2;
/// Height of a line.
const LINE: f32 = 17.0;

/// Shows the text of a note in its rectangle.
pub fn show(canvas: &mut Ui, frame: &Frame<'_, '_>, markdown: &mut Markdown, id: FrameId, text: &str, rect: Rect) {
    let rect = rect.shrink2(vec2(theme::SIDE, 2.0));
    let seen = rect.intersect(frame.window);
    if !seen.is_positive() || frame.transform.scaling < BARE {
        return;
    }
    if frame.transform.scaling < PLAIN {
        return bars(frame, text, rect);
    }
    let builder = UiBuilder::new().id_salt(frame.view.id.with(("note text", id))).max_rect(rect);
    canvas.scope_builder(builder, |ui| {
        ui.set_clip_rect(seen.intersect(ui.clip_rect()));
        ui.style_mut().interaction.selectable_labels = false;
        ui.spacing_mut().item_spacing = vec2(4.0, 5.0);
        CommonMarkViewer::new().default_width(Some(rect.width() as usize)).show(ui, &mut markdown.0, text);
    });
}

/// Bars where the lines of a text would be.
fn bars(frame: &Frame<'_, '_>, text: &str, rect: Rect) {
    let mut y = rect.top() + 6.0;
    let colour = frame.theme.weak.gamma_multiply(0.45);
    for line in text.lines() {
        let mut left = line.trim().chars().count() as f32 * LETTER;
        while left > 0.0 && y + 6.0 < rect.bottom() {
            let bar = Rect::from_min_size(egui::pos2(rect.left(), y), vec2(left.min(rect.width()), 6.0));
            frame.painter.rect_filled(bar, CornerRadius::same(2), colour);
            left -= rect.width();
            y += LINE;
        }
        y += LINE * 0.3;
    }
}
