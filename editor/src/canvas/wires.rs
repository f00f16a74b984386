//! Wires: their curves, where a pointer meets them, and how they are painted.

use egui::epaint::CubicBezierShape;
use egui::{Color32, Mesh, Painter, Pos2, Rect, Shape, Stroke, pos2, vec2};

use crate::document::Point;
use crate::habits::Style;

/// A wire as it lies: its two ends, and the points in between that it passes through.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    points: Vec<Pos2>,
    style: Style,
}

/// A cubic curve.
type Piece = [Pos2; 4];

/// Points of a curve at which it is looked at, for each piece.
const LOOKS: usize = 16;
/// A wire along the axes leaves and arrives so far, and turns in so round a corner.
const STUB: f32 = 18.0;
const ROUND: f32 = 7.0;

impl Course {
    /// Lays a wire.
    pub fn new(from: Pos2, bends: &[Point], to: Pos2, style: Style) -> Self {
        let middle = bends.iter().map(|bend| pos2(bend.x as f32, bend.y as f32));
        Self { points: std::iter::once(from).chain(middle).chain([to]).collect(), style }
    }

    /// The curves that it consists of, each with the number of the bend that ends it.
    fn pieces(&self) -> impl Iterator<Item = (usize, Piece)> + '_ {
        self.points.windows(2).enumerate().flat_map(|(index, ends)| {
            let [from, to] = [ends[0], ends[1]];
            let (one, several) = match self.style {
                Style::Curved => (Some(curved(from, to)), Vec::new()),
                Style::Straight => (Some(straight(from, to)), Vec::new()),
                Style::Square => (None, square(from, to)),
            };
            one.into_iter().chain(several).map(move |piece| (index, piece))
        })
    }

    /// Returns a rectangle that holds all of it.
    pub fn bounds(&self) -> Rect {
        let points = self.pieces().flat_map(|(_, piece)| piece);
        points.fold(Rect::NOTHING, |rect, point| rect.union(Rect::from_min_max(point, point)))
    }

    /// Returns where it ends.
    pub fn end(&self) -> Pos2 {
        self.points.last().copied().unwrap_or_default()
    }

    fn points(&self) -> impl Iterator<Item = (usize, Pos2)> + '_ {
        self.pieces()
            .flat_map(|(index, piece)| (0..=LOOKS).map(move |look| (index, along(piece, look as f32 / LOOKS as f32))))
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
        for (_, piece) in self.pieces() {
            let mut last = None;
            for step in 0..=STEPS {
                let at = along(piece, step as f32 / STEPS as f32);
                if let Some(last) = last {
                    soft_line(mesh, last, at, colour, width);
                }
                last = Some(at);
            }
        }
    }

    /// Paints it.
    pub fn paint(&self, painter: &Painter, colour: Color32, width: f32) {
        for (_, points) in self.pieces() {
            painter.add(Shape::CubicBezier(CubicBezierShape::from_points_stroke(
                points,
                false,
                Color32::TRANSPARENT,
                Stroke::new(width, colour),
            )));
        }
    }
}

/// A curve that leaves and arrives level, the further the more boldly.
fn curved(from: Pos2, to: Pos2) -> Piece {
    let across = to.x - from.x;
    let reach = match across >= 0.0 {
        true => (across * 0.5).max(24.0_f32.min((to - from).length() * 0.5)),
        false => (-across * 0.35 + (to.y - from.y).abs() * 0.25).clamp(32.0, 220.0),
    };
    [from, from + vec2(reach, 0.0), to - vec2(reach, 0.0), to]
}

fn straight(from: Pos2, to: Pos2) -> Piece {
    [from, from.lerp(to, 1.0 / 3.0), from.lerp(to, 2.0 / 3.0), to]
}

/// A way along the axes: over the middle, or around where it leads back.
fn square(from: Pos2, to: Pos2) -> Vec<Piece> {
    let corners = match to.x - from.x >= 2.0 * STUB {
        true => {
            let middle = (from.x + to.x) / 2.0;
            vec![from, pos2(middle, from.y), pos2(middle, to.y), to]
        }
        false => {
            let (out, back, middle) = (from.x + STUB, to.x - STUB, (from.y + to.y) / 2.0);
            vec![from, pos2(out, from.y), pos2(out, middle), pos2(back, middle), pos2(back, to.y), to]
        }
    };
    let mut pieces = Vec::new();
    let mut at = from;
    for corner in corners.windows(3) {
        let [before, turn, after] = [corner[0], corner[1], corner[2]];
        let round = ROUND.min((turn - before).length() / 2.0).min((after - turn).length() / 2.0);
        let (enter, leave) = (turn - (turn - before).normalized() * round, turn + (after - turn).normalized() * round);
        pieces.extend([straight(at, enter), [enter, enter.lerp(turn, 0.6), leave.lerp(turn, 0.6), leave]]);
        at = leave;
    }
    pieces.push(straight(at, to));
    pieces
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
        for style in Style::ALL {
            let wire = Course::new(pos2(0.0, 0.0), &[Point::new(100, 80)], pos2(200.0, 0.0), style);
            assert!(wire.distance(pos2(100.0, 80.0)).0 < 0.5, "{style:?}");
            assert_eq!((wire.distance(pos2(4.0, 2.0)).1, wire.distance(pos2(196.0, 2.0)).1), (0, 1), "{style:?}");
            assert!(wire.is_cut(pos2(45.0, -50.0), pos2(45.0, 120.0)), "{style:?}");
            assert!(!wire.is_cut(pos2(45.0, 100.0), pos2(45.0, 200.0)), "{style:?}");
            assert!(wire.bounds().contains(pos2(100.0, 80.0)), "{style:?}");
        }
    }

    #[test]
    fn a_square_wire_runs_along_the_axes_and_around_where_it_leads_back() {
        for to in [pos2(200.0, 90.0), pos2(-120.0, 90.0), pos2(10.0, 0.0)] {
            let wire = Course::new(pos2(0.0, 0.0), &[], to, Style::Square);
            let ends: Vec<_> = wire.points().map(|(_, at)| at).collect();
            assert_eq!((ends.first(), ends.last()), (Some(&pos2(0.0, 0.0)), Some(&to)));
            let level = |(_, piece): &(usize, Piece)| {
                let by = piece[3] - piece[0];
                by.x.abs() < 0.01 || by.y.abs() < 0.01 || by.length() <= ROUND * 1.5
            };
            assert!(wire.pieces().all(|piece| level(&piece)), "{to}");
        }
    }
}
