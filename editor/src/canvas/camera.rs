//! The camera: which part of the canvas is seen, and how large.

use egui::emath::TSTransform;
use egui::{Pos2, Rect, Vec2, pos2, vec2};

/// The smallest and the largest zoom.
pub const ZOOM: (f32, f32) = (0.05, 3.0);
/// Seconds that a flight takes.
const FLIGHT: f32 = 0.16;
/// From this zoom on texts are read with ease.
const READABLE: f32 = 0.8;
/// Space around what is brought into view, in points of the window.
const MARGIN: f32 = 48.0;

/// The point of the canvas in the middle of the view, and the zoom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// The point in the middle.
    pub centre: Pos2,
    /// Points of the window for each point of the canvas.
    pub zoom: f32,
    flight: Option<Flight>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Flight {
    from: (Pos2, f32),
    to: (Pos2, f32),
    /// From 0 to 1.
    share: f32,
}

impl Default for Camera {
    fn default() -> Self {
        Self { centre: Pos2::ZERO, zoom: 1.0, flight: None }
    }
}

impl Camera {
    /// Returns the way from the canvas to the window, for a view of this rectangle.
    pub fn transform(&self, view: Rect) -> TSTransform {
        TSTransform::new(view.center().to_vec2() - self.zoom * self.centre.to_vec2(), self.zoom)
    }

    /// Moves what is seen along with a hand that moved so far in the window.
    pub fn pan(&mut self, by: Vec2) {
        self.flight = None;
        self.centre -= by / self.zoom;
    }

    /// Zooms by a factor; the point of the canvas under `at`, a place in the window, stays there.
    pub fn zoom_at(&mut self, at: Pos2, view: Rect, factor: f32) {
        self.flight = None;
        let under = self.transform(view).inverse() * at;
        self.zoom = (self.zoom * factor).clamp(ZOOM.0, ZOOM.1);
        self.centre = under - (at - view.center()) / self.zoom;
    }

    /// Flies to where a rectangle of the canvas is seen whole, at zoom 1 if there is room.
    pub fn fit(&mut self, what: Rect, view: Rect) {
        let room = (view.size() - Vec2::splat(2.0 * MARGIN)).max(vec2(64.0, 64.0));
        let zoom = (room / what.size().max(vec2(1.0, 1.0))).min_elem().clamp(ZOOM.0, 1.0);
        self.fly(what.center(), zoom);
    }

    /// Flies to where all of a rectangle is seen; or, where nobody could read it so small and it is not much too large, to
    /// its beginning.
    pub fn fit_first(&mut self, what: Rect, view: Rect) {
        let room = (view.size() - Vec2::splat(2.0 * MARGIN)).max(vec2(64.0, 64.0));
        let whole = (room / what.size().max(vec2(1.0, 1.0))).min_elem();
        if !(READABLE * 0.5..READABLE).contains(&whole) {
            return self.fit(what, view);
        }
        let seen = room / READABLE;
        let middle = |low: f32, size: f32, seen: f32| low + size.min(seen) / 2.0;
        let centre = pos2(middle(what.left(), what.width(), seen.x), middle(what.top(), what.height(), seen.y));
        self.fly(centre, READABLE);
    }

    /// Flies to a place.
    pub fn fly(&mut self, centre: Pos2, zoom: f32) {
        self.flight = Some(Flight { from: (self.centre, self.zoom), to: (centre, zoom), share: 0.0 });
    }

    /// Tells whether it is under way.
    pub fn flies(&self) -> bool {
        self.flight.is_some()
    }

    /// Is there at once.
    pub fn land(&mut self) {
        if let Some(Flight { to: (centre, zoom), .. }) = self.flight.take() {
            (self.centre, self.zoom) = (centre, zoom);
        }
    }

    /// Goes on by so many seconds; returns whether it flies still.
    pub fn advance(&mut self, seconds: f32) -> bool {
        let Some(flight) = &mut self.flight else { return false };
        flight.share += seconds / FLIGHT;
        if flight.share >= 1.0 {
            self.land();
            return false;
        }
        let eased = 1.0 - (1.0 - flight.share).powi(3);
        let ((from, from_zoom), (to, to_zoom)) = (flight.from, flight.to);
        self.centre = from + (to - from) * eased;
        self.zoom = from_zoom * (to_zoom / from_zoom).powf(eased);
        true
    }
}
