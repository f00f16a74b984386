//! DEIS: Zhang and Chen, arXiv 2204.13902, in ComfyUI's `tab` form of third order.
//!
//! Slopes are laid under a polynomial not in sigma but in the time of a variance-preserving process, and integrated
//! with that process' rate.

use super::adams::{adams, lagrange};
use super::{Given, Result, State};

/// Places at which the integrals are summed, as ComfyUI sums them.
const PLACES: usize = 10_000;

/// Walks by the polynomial through up to three slopes.
pub fn deis(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let last = hand.is_last();
        adams(hand, state, clean, 3, |sigmas| if last { vec![sigmas[0] - sigmas[1]] } else { weights(sigmas) })
    })
}

fn weights(sigmas: &[f64]) -> Vec<f64> {
    if sigmas.len() == 2 {
        return vec![sigmas[0] - sigmas[1]];
    }
    let process = Process::usual();
    let times: Vec<f64> = sigmas.iter().map(|sigma| process.time_of(*sigma)).collect();
    let (end, starts) = (times[0], &times[1..]);
    let length = end - starts[0];
    let mut sums = vec![0.0; starts.len()];
    for place in 0..PLACES {
        let time = starts[0] + length * place as f64 / (PLACES - 1) as f64;
        let rate = process.rate_at(time);
        for (which, sum) in sums.iter_mut().enumerate() {
            *sum += rate * lagrange(starts, which, time);
        }
    }
    sums.into_iter().map(|sum| sum * length / PLACES as f64).collect()
}

/// beta(t) = `first` + t · `rise`: the process whose sigma is 0.002 at time 0.001 and 80 at time 1.
struct Process {
    first: f64,
    rise: f64,
}

impl Process {
    /// In single precision like the reference: ln(0.002² + 1) loses two of its digits there.
    fn usual() -> Self {
        let log = |sigma: f32| (sigma * sigma + 1.0).ln();
        let (early, small, large) = (1e-3_f32, log(0.002), log(80.0));
        let rise = 2.0 * (small / early - large) / (early - 1.0);
        Self { first: f64::from(large - 0.5 * rise), rise: f64::from(rise) }
    }

    fn time_of(&self, sigma: f64) -> f64 {
        let log = (sigma * sigma + 1.0).ln();
        ((self.first * self.first + 2.0 * self.rise * log).sqrt() - self.first) / self.rise
    }

    /// How fast sigma grows with time.
    fn rate_at(&self, time: f64) -> f64 {
        let beta = self.first + time * self.rise;
        let alpha = (-0.5 * time * time * self.rise - time * self.first).exp();
        0.5 * beta / (alpha * (1.0 - alpha)).sqrt()
    }
}
