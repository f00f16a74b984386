//! Texts at the size at which they are seen. egui draws what lies on a layer from letters of the layer's own size and
//! scales those, which leaves thin strokes out from afar and blurs them from near; so every line of text is laid out
//! anew for the zoom, and put exactly where the scaled one would be: its caret and its words stay where the hand finds
//! them.

use std::sync::Arc;

use egui::emath::TSTransform;
use egui::epaint::TextShape;
use egui::epaint::text::{FontsView, LayoutJob, PlacedRow};
use egui::layers::ShapeIdx as Index;
use egui::{Context, LayerId, Shape, Vec2};

/// A zoom that is so near to one needs nothing.
const NEAR_ONE: f32 = 0.01;

/// Lays the texts of a layer out for its zoom.
pub fn sharpen(ctx: &Context, layer: LayerId, zoom: f32) {
    if (zoom - 1.0).abs() < NEAR_ONE {
        return;
    }
    let texts: Vec<(Index, Shape)> = ctx.graphics(|graphics| {
        let entries = graphics.get(layer).into_iter().flat_map(|list| list.all_entries().enumerate());
        let texts = entries.filter(|(_, entry)| holds_text(&entry.shape));
        texts.map(|(index, entry)| (Index(index), entry.shape.clone())).collect()
    });
    let sharp: Vec<_> =
        ctx.fonts_mut(|fonts| texts.into_iter().map(|(index, shape)| (index, sharp(fonts, shape, zoom))).collect());
    ctx.graphics_mut(|graphics| {
        let list = graphics.entry(layer);
        for (index, shape) in sharp {
            list.mutate_shape(index, |entry| entry.shape = shape);
        }
    });
}

fn holds_text(shape: &Shape) -> bool {
    match shape {
        Shape::Text(_) => true,
        Shape::Vec(shapes) => shapes.iter().any(holds_text),
        _ => false,
    }
}

fn sharp(fonts: &mut FontsView<'_>, shape: Shape, zoom: f32) -> Shape {
    match shape {
        Shape::Text(text) => lines(fonts, &text, zoom).unwrap_or(Shape::Text(text)),
        Shape::Vec(shapes) => Shape::Vec(shapes.into_iter().map(|shape| sharp(fonts, shape, zoom)).collect()),
        other => other,
    }
}

/// Lays each line out by itself; none if one of them cannot be, as one in which something is marked.
fn lines(fonts: &mut FontsView<'_>, text: &TextShape, zoom: f32) -> Option<Shape> {
    let [section] = &text.galley.job.sections[..] else { return None };
    if text.angle != 0.0 || text.underline != egui::Stroke::NONE {
        return None;
    }
    let mut format = section.format.clone();
    format.font_id.size *= zoom;
    format.extra_letter_spacing *= zoom;
    format.line_height = format.line_height.map(|height| height * zoom);
    format.underline.width *= zoom;
    format.strikethrough.width *= zoom;
    let mut lines = Vec::with_capacity(text.galley.rows.len());
    for placed in text.galley.rows.iter().filter(|placed| !placed.row.glyphs.is_empty()) {
        let letters: String = placed.row.glyphs.iter().map(|glyph| glyph.chr).collect();
        let job = LayoutJob { break_on_newline: false, ..LayoutJob::single_section(letters, format.clone()) };
        lines.push(line(text, placed, fonts.layout_job(job), zoom)?);
    }
    Some(match lines.pop() {
        Some(only) if lines.is_empty() => only,
        Some(last) => {
            lines.push(last);
            Shape::Vec(lines)
        }
        None => Shape::Noop,
    })
}

/// Puts a line that was laid out for the zoom where the scaled one would be.
fn line(text: &TextShape, placed: &PlacedRow, galley: Arc<egui::Galley>, zoom: f32) -> Option<Shape> {
    let [new] = &galley.rows[..] else { return None };
    let (old, first) = (placed.row.glyphs.first()?, new.row.glyphs.first()?);
    // What is marked has more corners than its letters.
    if new.row.glyphs.len() != placed.row.glyphs.len()
        || new.row.visuals.mesh.vertices.len() != placed.row.visuals.mesh.vertices.len()
    {
        return None;
    }
    let by: Vec2 = old.pos - first.pos / zoom;
    let mut line = TextShape { galley, pos: egui::Pos2::ZERO, ..text.clone() };
    line.transform(TSTransform::from_scaling(1.0 / zoom));
    line.pos = text.pos + placed.pos.to_vec2() + by;
    Some(line.into())
}
