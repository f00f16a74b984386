//! Signs that fonts need not have: painted.

use egui::{Color32, CornerRadius, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, vec2};

/// A triangle that points to the right: begin.
pub fn play(painter: &Painter, at: Pos2, colour: Color32) {
    let points = [vec2(-3.5, -5.0), vec2(5.0, 0.0), vec2(-3.5, 5.0)].map(|by| at + by);
    painter.add(Shape::convex_polygon(points.to_vec(), colour, Stroke::NONE));
}

/// A square: end.
pub fn stop(painter: &Painter, at: Pos2, colour: Color32) {
    painter.rect_filled(Rect::from_center_size(at, vec2(8.5, 8.5)), CornerRadius::same(1), colour);
}

/// A small triangle that points to the right, or downwards where something is unfolded.
pub fn fold(painter: &Painter, at: Pos2, colour: Color32, unfolded: bool) {
    let points = match unfolded {
        true => [vec2(-4.0, -2.5), vec2(4.0, -2.5), vec2(0.0, 3.0)],
        false => [vec2(-2.5, -4.0), vec2(3.0, 0.0), vec2(-2.5, 4.0)],
    };
    painter.add(Shape::convex_polygon(points.map(|by| at + by).to_vec(), colour, Stroke::NONE));
}

/// A die that shows five: chance.
pub fn die(painter: &Painter, at: Pos2, colour: Color32) {
    let face = Rect::from_center_size(at, vec2(12.0, 12.0));
    painter.rect_stroke(face, CornerRadius::same(3), Stroke::new(1.2, colour), StrokeKind::Inside);
    for by in [vec2(0.0, 0.0), vec2(-3.0, -3.0), vec2(3.0, -3.0), vec2(-3.0, 3.0), vec2(3.0, 3.0)] {
        painter.circle_filled(at + by, 1.1, colour);
    }
}

/// A speech bubble: somebody remarks something.
pub fn remark(painter: &Painter, at: Pos2, colour: Color32) {
    let bubble = Rect::from_center_size(at - vec2(0.0, 1.0), vec2(11.0, 8.0));
    painter.rect_filled(bubble, CornerRadius::same(2), colour);
    let tip = [vec2(-3.5, 2.5), vec2(0.5, 2.5), vec2(-3.5, 6.0)].map(|by| at + by);
    painter.add(Shape::convex_polygon(tip.to_vec(), colour, Stroke::NONE));
}
