//! ComfyUI's schedules, over the whole of the trained sigmas.
//!
//! They differ from diffusers' of the same names: timesteps between trained ones are told as whole, curves run from
//! the largest trained sigma to the smallest, and some count one step more or less than asked for.

use super::beta_quantile::quantile;
use super::spec::even_root;
use super::{Clock, Curve, Spacing};

/// Returns the sigmas of a number of steps, largest first, without the 0 at the end.
///
/// `ddim_uniform` may be some steps longer than asked for, `beta` shorter, as there.
pub(super) fn sigmas(clock: &Clock, spacing: Spacing, curve: Curve, steps: usize) -> Vec<f64> {
    match curve {
        Curve::Model => spaced(clock, spacing, steps),
        Curve::LinearQuadratic => linear_quadratic(clock, steps),
        Curve::Beta => beta(clock, steps),
        _ => curved(clock, curve, steps),
    }
}

fn spaced(clock: &Clock, spacing: Spacing, steps: usize) -> Vec<f64> {
    let trained = clock.len();
    let (largest, smallest) = clock.ends();
    let each = (0..steps).map(|i| i as f64);
    let between = |distances: f64| move |i: f64| largest + i * (smallest - largest) / distances;
    match spacing {
        Spacing::Simple => {
            let distance = trained as f64 / steps as f64;
            each.map(|i| clock.entry(trained - 1 - (i * distance) as usize)).collect()
        }
        Spacing::DdimUniform => {
            let distance = (trained / steps).max(1);
            let mut rising: Vec<f64> = (1..trained).step_by(distance).map(|entry| clock.entry(entry)).collect();
            rising.reverse();
            rising
        }
        Spacing::SgmUniform => each.map(between(steps as f64)).map(|time| clock.sigma_at(time)).collect(),
        // `normal`, and whatever spacing a checkpoint names.
        _ => each.map(between((steps.max(2) - 1) as f64)).map(|time| clock.sigma_at(time)).collect(),
    }
}

fn curved(clock: &Clock, curve: Curve, steps: usize) -> Vec<f64> {
    let (largest, smallest) = (clock.max(), clock.min());
    let share = |i: usize| i as f64 / (steps.max(2) - 1) as f64;
    let at = |share: f64| match curve {
        Curve::Karras => even_root(largest, smallest, share),
        // Evenly in the angle: Sabour et al., arXiv 2404.14507, equation 12. One step is not defined there.
        // The angle is rounded as there: close to a right angle the tangent feels it.
        Curve::KlOptimal => {
            let angle = (share * smallest.atan()) as f32 + ((1.0 - share) * largest.atan()) as f32;
            f64::from(angle).tan()
        }
        _ => (largest.ln() + share * (smallest.ln() - largest.ln())).exp(),
    };
    (0..steps).map(|i| at(share(i))).collect()
}

/// Trained entries at the quantiles of a beta distribution, each once.
fn beta(clock: &Clock, steps: usize) -> Vec<f64> {
    let last = (clock.len() - 1) as f64;
    let entry = |i: usize| (quantile(1.0 - i as f64 / steps as f64) * last).round_ties_even() as usize;
    let mut entries: Vec<usize> = (0..steps).map(entry).collect();
    entries.dedup();
    entries.into_iter().map(|entry| clock.entry(entry)).collect()
}

/// Small even steps to 0.975 of the largest sigma, then steps that grow evenly (Mochi 1's schedule).
fn linear_quadratic(clock: &Clock, steps: usize) -> Vec<f64> {
    const THRESHOLD: f64 = 0.025;
    let even = steps / 2;
    if even == 0 {
        return vec![clock.max(); steps];
    }
    let (first, rest) = (even as f64, (steps - even) as f64);
    let slope = THRESHOLD / first;
    // A parabola that leaves the line with its slope and comes to 1 at the end.
    let bend = (1.0 - slope * steps as f64) / (rest * rest);
    let gone = |i: usize| slope * i as f64 + bend * (i.saturating_sub(even) as f64).powi(2);
    (0..steps).map(|i| clock.max() * (1.0 - gone(i))).collect()
}
