//! Shaking: a hand that goes to and fro a few times shakes what it holds loose.

use egui::Pos2;

/// So far a hand goes before it turns, in points of the window.
const FAR: f32 = 20.0;
/// So often it turns.
const TURNS: usize = 4;
/// Within so many seconds.
const SOON: f64 = 1.0;

/// How a hand went.
#[derive(Debug, Clone, Default)]
pub struct Shake {
    /// The last turning point, and the place furthest from it since.
    leg: Option<(f32, f32)>,
    turns: Vec<f64>,
    is_loose: bool,
}

impl Shake {
    /// Feels where the hand is, in the window, at a time in seconds.
    pub fn feel(&mut self, at: Pos2, now: f64) {
        let (from, far) = *self.leg.get_or_insert((at.x, at.x));
        if (at.x - from).abs() >= (far - from).abs() && (at.x - from) * (far - from) >= 0.0 {
            self.leg = Some((from, at.x));
        } else if (at.x - far).abs() > FAR {
            if (far - from).abs() > FAR {
                self.turns.push(now);
            }
            self.leg = Some((far, at.x));
        }
        self.turns.retain(|turn| now - turn < SOON);
        self.is_loose |= self.turns.len() >= TURNS;
    }

    /// Tells whether what was held has come loose.
    pub fn is_loose(&self) -> bool {
        self.is_loose
    }
}

#[cfg(test)]
mod tests {
    use egui::pos2;

    use super::*;

    fn shaken(way: &[f32], pace: f64) -> bool {
        let mut shake = Shake::default();
        let each = way.iter().enumerate();
        each.for_each(|(index, x)| shake.feel(pos2(*x, 0.0), index as f64 * pace));
        shake.is_loose()
    }

    #[test]
    fn to_and_fro_shakes_loose_and_nothing_else_does() {
        let fro = [0.0, 40.0, 0.0, 40.0, 0.0, 40.0];
        assert!(shaken(&fro, 0.1));
        assert!(!shaken(&fro, 0.5), "slowly");
        assert!(!shaken(&[0.0, 8.0, 0.0, 8.0, 0.0, 8.0, 0.0, 8.0], 0.05), "a tremble");
        assert!(!shaken(&[0.0, 40.0, 80.0, 120.0, 80.0, 40.0], 0.1), "there and back");
    }
}
