//! Guides: nodes that are moved come to lie in line with those beside them.

use egui::{Rect, Stroke, Vec2, pos2, vec2};

use super::gesture::Gesture;
use super::{Frame, Seen};

/// How near an edge or middle must come, in points of the window.
const NEAR: f32 = 5.0;

/// A line to be shown: along it, things are level.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Guide {
    from: egui::Pos2,
    to: egui::Pos2,
}

/// What is in the hand, where it was taken up, and the nodes around it that are in view.
pub struct Lines {
    held: Rect,
    others: Vec<Rect>,
}

impl Lines {
    /// Looks around; none if nothing is moved, or nothing of it is in view.
    pub fn of(frame: &Frame<'_, '_>, seen: &[Seen], gesture: &Gesture) -> Option<Self> {
        let Gesture::Move { nodes, by, copy, .. } = gesture else { return None };
        let back = if *copy { Vec2::ZERO } else { *by };
        let own = seen.iter().filter(|seen| nodes.contains(&seen.id)).map(|seen| seen.rect.translate(-back));
        let held = own.fold(Rect::NOTHING, Rect::union);
        let whole = |seen: &&Seen| frame.window.intersects(seen.rect) && (*copy || !nodes.contains(&seen.id));
        let others = seen.iter().filter(whole).map(|seen| seen.rect).collect();
        held.is_positive().then_some(Self { held, others })
    }

    /// Returns how far the hand moves things: as far as it would without guides, or to a line that is near.
    pub fn drawn(&self, wanted: Vec2, without: Vec2, zoom: f32) -> Vec2 {
        let (x, y) = align(self.held.translate(wanted), &self.others, zoom);
        vec2(x.map_or(without.x, |x| (wanted.x + x).round()), y.map_or(without.y, |y| (wanted.y + y).round()))
    }

    /// Shows the lines along which things are level.
    pub fn show(&self, frame: &Frame<'_, '_>, by: Vec2) {
        let zoom = frame.transform.scaling;
        let stroke = Stroke::new(1.0 / zoom, frame.theme.accent.gamma_multiply(0.8));
        for Guide { from, to } in guides(self.held.translate(by), &self.others) {
            let out = (to - from).normalized() * 10.0 / zoom;
            frame.painter.line_segment([from - out, to + out], stroke);
        }
    }
}

/// Brings a rectangle in line with others: returns how much further it goes, along each axis where something is near.
fn align(held: Rect, others: &[Rect], zoom: f32) -> (Option<f32>, Option<f32>) {
    let near = NEAR / zoom;
    let best = |lines: fn(&Rect) -> [f32; 3]| {
        let own = lines(&held);
        let by = others.iter().flat_map(|other| (0..3).map(|line| lines(other)[line] - own[line]).collect::<Vec<_>>());
        by.filter(|by| by.abs() < near).min_by(|a, b| a.abs().total_cmp(&b.abs()))
    };
    (best(upright), best(level))
}

fn upright(rect: &Rect) -> [f32; 3] {
    [rect.left(), rect.center().x, rect.right()]
}

fn level(rect: &Rect) -> [f32; 3] {
    [rect.top(), rect.center().y, rect.bottom()]
}

/// The lines along which a rectangle lies with others.
fn guides(held: Rect, others: &[Rect]) -> Vec<Guide> {
    const SAME: f32 = 0.6;
    let mut guides = Vec::new();
    for line in 0..3 {
        let x = upright(&held)[line];
        let mates = others.iter().filter(|other| (upright(other)[line] - x).abs() < SAME);
        let span = mates.fold(None, |span: Option<Rect>, mate| Some(span.unwrap_or(held).union(*mate)));
        guides.extend(span.map(|span| Guide { from: pos2(x, span.top()), to: pos2(x, span.bottom()) }));
        let y = level(&held)[line];
        let mates = others.iter().filter(|other| (level(other)[line] - y).abs() < SAME);
        let span = mates.fold(None, |span: Option<Rect>, mate| Some(span.unwrap_or(held).union(*mate)));
        guides.extend(span.map(|span| Guide { from: pos2(span.left(), y), to: pos2(span.right(), y) }));
    }
    guides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(x: f32, y: f32) -> Rect {
        Rect::from_min_size(pos2(x, y), vec2(200.0, 100.0))
    }

    #[test]
    fn what_is_near_a_line_comes_to_lie_on_it() {
        let others = [card(0.0, 0.0), card(600.0, 300.0)];
        assert_eq!(align(card(3.0, 140.0), &others, 1.0), (Some(-3.0), None));
        assert_eq!(align(card(300.0, 297.0), &others, 1.0), (None, Some(3.0)));
        assert_eq!(align(card(8.0, 308.0), &others, 1.0), (None, None));
        // From afar, a hand is less exact.
        assert_eq!(align(card(8.0, 308.0), &others, 0.5), (Some(-8.0), Some(-8.0)));
        // A middle counts as an edge does.
        let tall = Rect::from_center_size(card(0.0, 0.0).center() + vec2(2.0, 400.0), vec2(60.0, 260.0));
        assert_eq!(align(tall, &others, 1.0), (Some(-2.0), None));
    }

    #[test]
    fn lines_are_shown_where_things_are_level_and_nowhere_else() {
        let others = [card(0.0, 0.0), card(600.0, 300.0)];
        assert_eq!(guides(card(0.0, 200.0), &others).len(), 3, "both edges and the middle");
        assert_eq!(guides(card(40.0, 200.0), &others), []);
    }
}
