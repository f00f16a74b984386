//! DPM-Solver: Lu et al., arXiv 2206.00927, algorithms 1, 4 and 5: steps of first to third order in lambda = −ln sigma, by
//! the noise seen on the way.
//!
//! A step of length h looks at its start and at shares of h after it; `noises` are what was seen there, the start first.

use candle_core::Tensor;

use super::state::combine;
use super::{Result, Rules, Schedule};

/// Moves in a straight line: first order.
pub(super) fn first(x: &Tensor, noise: &Tensor, from: f64, to: f64) -> Result<Tensor> {
    combine(&[(1.0, x), (to - from, noise)])
}

/// Moves by a second look after the share `r` of the step: second order.
pub(super) fn second(x: &Tensor, noises: [&Tensor; 2], r: f64, (from, to): (f64, f64)) -> Result<Tensor> {
    let ahead = 0.5 / r;
    let length = to - from;
    combine(&[(1.0, x), (length * (1.0 - ahead), noises[0]), (length * ahead, noises[1])])
}

/// Moves by one later look, after the share `r` of the way: what two and three looks have in common in third order.
pub(super) fn curved(x: &Tensor, noises: [&Tensor; 2], r: f64, (from, to): (f64, f64)) -> Result<Tensor> {
    let h = (from / to).ln();
    let turn = to / r * (h.exp_m1() / h - 1.0);
    combine(&[(1.0, x), (to - from + turn, noises[0]), (-turn, noises[1])])
}

/// Ends a schedule at its last sigma above 0, as k-diffusion does with these: what is left there counts as nothing.
pub(super) fn above_zero(mut schedule: Schedule) -> Schedule {
    if schedule.len() > 1 && schedule.points.last().is_some_and(|point| point.sigma == 0.0) {
        schedule.points.pop();
        schedule.stop = schedule.len();
        // Only ComfyUI's ways hand over what is left.
        schedule.rules = Rules::Euler;
    }
    schedule
}
