//! Signs on the small buttons of fields: painted, for the fonts have none.

use egui::{Color32, CornerRadius, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, pos2, vec2};

/// A folder: look for a file.
pub fn folder(painter: &Painter, at: Pos2, colour: Color32) {
    let rect = Rect::from_center_size(at, vec2(13.0, 10.0));
    let tab = Rect::from_min_size(rect.min - vec2(0.0, 1.5), vec2(5.5, 4.0));
    painter.rect_filled(tab, CornerRadius::same(1), colour);
    painter.rect_stroke(rect, CornerRadius::same(2), Stroke::new(1.2, colour), StrokeKind::Inside);
}

/// Two frames, one wide and one high: sizes.
pub fn sizes(painter: &Painter, at: Pos2, colour: Color32) {
    let stroke = Stroke::new(1.1, colour);
    for size in [vec2(13.0, 7.0), vec2(7.0, 13.0)] {
        painter.rect_stroke(Rect::from_center_size(at, size), CornerRadius::same(1), stroke, StrokeKind::Inside);
    }
}

/// Two arrows, up and down: each in place of the other.
pub fn swap(painter: &Painter, at: Pos2, colour: Color32) {
    for (x, up) in [(-3.0, -1.0), (3.0, 1.0)] {
        arrow(painter, at + vec2(x, 0.0), up, colour);
    }
}

/// An arrow upwards.
pub fn up(painter: &Painter, at: Pos2, colour: Color32) {
    arrow(painter, at, -1.0, colour);
}

/// An arrow downwards.
pub fn down(painter: &Painter, at: Pos2, colour: Color32) {
    arrow(painter, at, 1.0, colour);
}

fn arrow(painter: &Painter, at: Pos2, up: f32, colour: Color32) {
    let stroke = Stroke::new(1.3, colour);
    let tip = at + vec2(0.0, 5.0 * up);
    painter.line_segment([at - vec2(0.0, 5.0 * up), tip], stroke);
    painter.line(vec![tip + vec2(-2.5, -3.0 * up), tip, tip + vec2(2.5, -3.0 * up)], stroke);
}

/// Steps that go up or down: a seed that counts. `up` is -1 for up, 1 for down.
pub fn count(painter: &Painter, at: Pos2, up: f32, colour: Color32) {
    let stroke = Stroke::new(1.3, colour);
    let step = |x: f32, y: f32| at + vec2(x, y * up);
    let points =
        vec![step(-6.0, -4.0), step(-2.0, -4.0), step(-2.0, 0.0), step(2.0, 0.0), step(2.0, 4.0), step(6.0, 4.0)];
    painter.add(Shape::line(points, stroke));
}

/// A lock: what is fixed.
pub fn lock(painter: &Painter, at: Pos2, colour: Color32) {
    let body = Rect::from_center_size(at + vec2(0.0, 2.5), vec2(9.0, 7.0));
    painter.rect_filled(body, CornerRadius::same(1), colour);
    let (left, right, top) = (at.x - 2.8, at.x + 2.8, at.y - 4.5);
    let bow = vec![pos2(left, at.y), pos2(left, top + 1.0), pos2(left + 1.5, top), pos2(right - 1.5, top)];
    let bow = bow.into_iter().chain([pos2(right, top + 1.0), pos2(right, at.y)]).collect();
    painter.add(Shape::line(bow, Stroke::new(1.3, colour)));
}

/// A small triangle that points downwards: there is more below.
pub fn more(painter: &Painter, at: Pos2, colour: Color32) {
    let points = [vec2(-3.5, -2.0), vec2(3.5, -2.0), vec2(0.0, 2.5)].map(|by| at + by);
    painter.add(Shape::convex_polygon(points.to_vec(), colour, Stroke::NONE));
}

/// A cross: stop.
pub fn cross(painter: &Painter, at: Pos2, colour: Color32) {
    let stroke = Stroke::new(1.5, colour);
    painter.line_segment([at - vec2(3.5, 3.5), at + vec2(3.5, 3.5)], stroke);
    painter.line_segment([at + vec2(-3.5, 3.5), at + vec2(3.5, -3.5)], stroke);
}

fn star_points(at: Pos2) -> Vec<Pos2> {
    let point = |index: usize| {
        let angle = std::f32::consts::PI * (index as f32 / 5.0 - 0.5);
        let radius = if index.is_multiple_of(2) { 6.5 } else { 2.8 };
        at + radius * vec2(angle.cos(), angle.sin())
    };
    (0..10).map(point).collect()
}

/// A star: what could be a favourite.
pub fn star(painter: &Painter, at: Pos2, colour: Color32) {
    painter.add(Shape::closed_line(star_points(at), Stroke::new(1.1, colour)));
}

/// A full star: a favourite.
pub fn star_full(painter: &Painter, at: Pos2, colour: Color32) {
    // A star is not convex: it is filled as five rays around its middle.
    let points = star_points(at);
    for ray in 0..5 {
        let (tip, left, right) = (points[2 * ray], points[(2 * ray + 9) % 10], points[2 * ray + 1]);
        painter.add(Shape::convex_polygon(vec![at, left, tip, right], colour, Stroke::NONE));
    }
}
