//! Wires: their curves, where a pointer meets them, and how they are painted.

use egui::epaint::CubicBezierShape;
use egui::{Color32, Mesh, Painter, Pos2, Rect, Shape, Stroke, pos2, vec2};

use crate::document::Point;

/// A wire as it lies: its two ends, and the points in between that it passes through.
#[derive(Debug, Clone, PartialEq)]
pub struct Course(Vec<Pos2>);

/// Points of a curve at which it is looked at, for each piece.
const LOOKS: usize = 16;

impl Course {
    /// Lays a wire.
    pub fn new(from: Pos2, bends: &[Point], to: Pos2) -> Self {
        let middle = bends.iter().map(|bend| pos2(bend.x as f32, bend.y as f32));
        Self(std::iter::once(from).chain(middle).chain([to]).collect())
    }

    /// The four points of each piece of the curve. A wire leaves and arrives level, the further the more boldly.
    fn pieces(&self) -> impl Iterator<Item = [Pos2; 4]> + '_ {
        self.0.windows(2).map(|ends| {
            let [from, to] = [ends[0], ends[1]];
            let across = to.x - from.x;
            let reach = match across >= 0.0 {
                true => (across * 0.5).max(24.0_f32.min((to - from).length() * 0.5)),
                false => (-across * 0.35 + (to.y - from.y).abs() * 0.25).clamp(32.0, 220.0),
            };
            [from, from + vec2(reach, 0.0), to - vec2(reach, 0.0), to]
        })
    }

    /// Returns a rectangle that holds all of it.
    pub fn bounds(&self) -> Rect {
        self.pieces().flatten().fold(Rect::NOTHING, |rect, point| rect.union(Rect::from_min_max(point, point)))
    }

    fn points(&self) -> impl Iterator<Item = (usize, Pos2)> + '_ {
        self.pieces().enumerate().flat_map(|(index, [a, b, c, d])| {
            (0..=LOOKS).map(move |look| (index, along([a, b, c, d], look as f32 / LOOKS as f32)))
        })
    }

    /// Returns how far a point is from it, and the number of the piece that is nearest.
    pub fn distance(&self, point: Pos2) -> (f32, usize) {
        let points: Vec<_> = self.points().collect();
        let pairs = points.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        let near = pairs.map(|pair| (to_segment(point, pair[0].1, pair[1].1), pair[0].0));
        near.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f32::INFINITY, 0))
    }

    /// Tells whether a straight cut goes across it.
    pub fn is_cut(&self, from: Pos2, to: Pos2) -> bool {
        let points: Vec<_> = self.points().map(|(_, at)| at).collect();
        points.windows(2).any(|pair| cross(pair[0], pair[1], from, to))
    }

    /// Paints it from afar: a few straight lines with soft edges, into a mesh that many wires share.
    pub fn paint_far(&self, mesh: &mut Mesh, colour: Color32, width: f32) {
        const STEPS: usize = 6;
        for [a, b, c, d] in self.pieces() {
            let mut last = None;
            for step in 0..=STEPS {
                let at = along([a, b, c, d], step as f32 / STEPS as f32);
                if let Some(last) = last {
                    soft_line(mesh, last, at, colour, width);
                }
                last = Some(at);
            }
        }
    }

    /// Paints it.
    pub fn paint(&self, painter: &Painter, colour: Color32, width: f32) {
        for points in self.pieces() {
            painter.add(Shape::CubicBezier(CubicBezierShape::from_points_stroke(
                points,
                false,
                Color32::TRANSPARENT,
                Stroke::new(width, colour),
            )));
        }
    }
}

/// The point of a curve after a share of its way.
fn along([a, b, c, d]: [Pos2; 4], t: f32) -> Pos2 {
    let s = 1.0 - t;
    let at = a.to_vec2() * (s * s * s)
        + b.to_vec2() * (3.0 * s * s * t)
        + c.to_vec2() * (3.0 * s * t * t)
        + d.to_vec2() * (t * t * t);
    at.to_pos2()
}

/// A straight line whose colour fades towards its sides.
fn soft_line(mesh: &mut Mesh, from: Pos2, to: Pos2, colour: Color32, width: f32) {
    let side = (to - from).normalized().rot90() * width;
    let first = mesh.vertices.len() as u32;
    for end in [from, to] {
        mesh.colored_vertex(end - side, Color32::TRANSPARENT);
        mesh.colored_vertex(end, colour);
        mesh.colored_vertex(end + side, Color32::TRANSPARENT);
    }
    for [a, b, c] in [[0, 1, 3], [1, 4, 3], [1, 2, 4], [2, 5, 4]] {
        mesh.add_triangle(first + a, first + b, first + c);
    }
}

fn to_segment(point: Pos2, a: Pos2, b: Pos2) -> f32 {
    let along = b - a;
    let share = match along.length_sq() {
        0.0 => 0.0,
        length => ((point - a).dot(along) / length).clamp(0.0, 1.0),
    };
    (a + along * share - point).length()
}

/// Tells whether two straight lines meet.
fn cross(a: Pos2, b: Pos2, c: Pos2, d: Pos2) -> bool {
    let side = |a: Pos2, b: Pos2, p: Pos2| (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x);
    let apart = |x: f32, y: f32| (x > 0.0) != (y > 0.0);
    apart(side(a, b, c), side(a, b, d)) && apart(side(c, d, a), side(c, d, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_passes_through_its_bends_and_is_cut_where_it_lies() {
        let wire = Course::new(pos2(0.0, 0.0), &[Point::new(100, 80)], pos2(200.0, 0.0));
        assert!(wire.distance(pos2(100.0, 80.0)).0 < 0.5);
        assert_eq!((wire.distance(pos2(20.0, 2.0)).1, wire.distance(pos2(180.0, 2.0)).1), (0, 1));
        assert!(wire.is_cut(pos2(50.0, -50.0), pos2(50.0, 120.0)));
        assert!(!wire.is_cut(pos2(50.0, 100.0), pos2(50.0, 200.0)));
        assert!(wire.bounds().contains(pos2(100.0, 80.0)));
    }
}
