//! What stands in notes: Markdown, or from afar bars where its lines are.

use egui::{Color32, CornerRadius, Rect, Ui, UiBuilder, vec2};
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
        style(ui, frame);
        for (index, block) in blocks(text).into_iter().enumerate() {
            match block {
                Block::Words(words) => drop(ui.push_id(index, |ui| {
                    CommonMarkViewer::new().default_width(Some(rect.width() as usize)).show(
                        ui,
                        &mut markdown.0,
                        &words,
                    );
                })),
                Block::Code(code) => show_code(ui, frame, &code),
            }
        }
    });
}

/// Words that are strong stand out by their colour: the fonts have one weight.
fn style(ui: &mut Ui, frame: &Frame<'_, '_>) {
    let strong = if frame.theme.dark { Color32::WHITE } else { Color32::BLACK };
    let style = ui.style_mut();
    style.interaction.selectable_labels = false;
    style.spacing.item_spacing = vec2(4.0, 5.0);
    style.spacing.interact_size.y = 14.0;
    style.visuals.override_text_color = Some(frame.theme.text.lerp_to_gamma(frame.theme.weak, 0.3));
    style.visuals.widgets.active.fg_stroke.color = strong;
}

/// A part of a note.
#[derive(Debug, PartialEq)]
enum Block {
    /// Markdown.
    Words(String),
    /// Lines between fences, to be shown as they are.
    Code(String),
}

/// Parts a note at its fences.
fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut lines, mut fenced) = (Vec::new(), Vec::new(), false);
    let mut close = |lines: &mut Vec<&str>, fenced: bool| {
        let text = lines.join("\n");
        lines.clear();
        match fenced {
            true => blocks.push(Block::Code(text)),
            false if text.trim().is_empty() => (),
            false => blocks.push(Block::Words(text)),
        }
    };
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            close(&mut lines, fenced);
            fenced = !fenced;
        } else {
            lines.push(line);
        }
    }
    if !lines.is_empty() {
        close(&mut lines, fenced);
    }
    blocks
}

fn show_code(ui: &mut Ui, frame: &Frame<'_, '_>, code: &str) {
    let card = egui::Frame::new().fill(frame.theme.field).corner_radius(4).inner_margin(6);
    card.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.label(egui::RichText::new(code).monospace());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_parted_at_its_fences() {
        let words = |text: &str| Block::Words(text.to_owned());
        let code = |text: &str| Block::Code(text.to_owned());
        assert_eq!(blocks("# a\n```ron\nx: 1\ny: 2\n```\nb"), [words("# a"), code("x: 1\ny: 2"), words("b")]);
        assert_eq!(blocks("```\nleft open"), [code("left open")]);
        assert_eq!(blocks("plain\n\n"), [words("plain\n")]);
    }
}
