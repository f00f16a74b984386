//! An ancestral step: too far down, and up again with fresh noise.

use super::{Prediction, Schedule, Step};

/// How a step is split between walking and fresh noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ancestral {
    /// The sigma walked down to.
    pub down: f64,
    /// What is kept of the latent there; below 1 for flows, whose picture fades as noise is mixed in.
    pub kept: f64,
    /// The fresh noise.
    pub up: f64,
}

impl Ancestral {
    /// Splits a step of a schedule, with a share `eta` of fresh noise; at 0 nothing is put back.
    ///
    /// A flow's is the split of ComfyUI's "RF" samplers.
    pub fn of(schedule: &Schedule, step: Step, eta: f64) -> Self {
        let (now, next) = (step.now.sigma, step.next.sigma);
        if schedule.prediction != Prediction::Flow {
            return Self::preserving_variance(now, next, eta);
        }
        let down = next * (1.0 + (next / now - 1.0) * eta);
        let kept = (1.0 - next) / (1.0 - down);
        Self { down, kept, up: (next * next - (down * kept).powi(2)).max(0.0).sqrt() }
    }

    /// Splits so that down² + up² = next².
    pub fn preserving_variance(now: f64, next: f64, eta: f64) -> Self {
        let ratio = next / now;
        let up = next.min(eta * next * (1.0 - ratio * ratio).sqrt());
        Self { down: (next * next - up * up).max(0.0).sqrt(), kept: 1.0, up }
    }
}
