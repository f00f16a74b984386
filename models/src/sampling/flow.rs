//! Rectified flow: time is sigma, from 1 to 0, bent by a shift.
//!
//! Large pictures need more noise to be as unknown as small ones, so the points are shifted towards sigma 1: by a
//! fixed factor (SD3, arXiv 2403.03206, section 5.3.2), or by one that grows with the picture (Flux, Qwen-Image).

use serde::{Deserialize, Serialize};

use super::clock::bent;

/// What a flow was trained with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// How time is bent.
    pub shift: Shift,
    /// The timestep told at sigma 1.
    pub trained: usize,
    /// The last sigma above 0, if the points are stretched to end there.
    pub terminal: Option<f64>,
}

/// How much a flow's time is bent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shift {
    /// By one factor for all pictures.
    Fixed(f64),
    /// By a factor that follows from the picture's size in tokens.
    ByTokens {
        /// Tokens and mu of a small picture.
        small: (f64, f64),
        /// Tokens and mu of a large one; between and beyond, mu is on the line through both.
        large: (f64, f64),
        /// Whether the factor is mu itself or e to its power.
        growth: Growth,
    },
}

/// How the factor follows from mu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Growth {
    /// e to the power of mu.
    Exponential,
    /// mu.
    Linear,
}

impl Shift {
    /// Returns the shift for a picture of so many tokens.
    #[must_use]
    pub fn for_tokens(self, tokens: usize) -> Self {
        let Self::ByTokens { small, large, growth } = self else { return self };
        let slope = (large.1 - small.1) / (large.0 - small.0);
        Self::of_mu(slope.mul_add(tokens as f64 - small.0, small.1), growth)
    }

    /// Returns the shift of a mu.
    #[must_use]
    pub fn of_mu(mu: f64, growth: Growth) -> Self {
        Self::Fixed(match growth {
            Growth::Exponential => mu.exp(),
            Growth::Linear => mu,
        })
    }
}

impl Flow {
    /// diffusers' sigmas of a number of steps, without the 0 at the end.
    pub(super) fn sigmas(&self, shift: f64, steps: usize) -> Vec<f64> {
        let times = (0..steps).map(|i| 1.0 - i as f64 / steps as f64);
        let mut sigmas: Vec<f64> = times.map(|time| bent(shift, time)).collect();
        let last = sigmas[steps - 1];
        if let (Some(terminal), true) = (self.terminal, last < 1.0) {
            let stretch = (1.0 - terminal) / (1.0 - last);
            sigmas.iter_mut().for_each(|sigma| *sigma = 1.0 - (1.0 - *sigma) * stretch);
        }
        sigmas
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_pictures_keep_more_noise() {
        let shift = Shift::ByTokens { small: (256.0, 0.5), large: (4096.0, 1.15), growth: Growth::Exponential };
        assert_eq!(shift.for_tokens(256), Shift::Fixed(0.5_f64.exp()));
        assert_eq!(Shift::Fixed(3.0).for_tokens(9), Shift::Fixed(3.0));
        let flow = Flow { shift, trained: 1000, terminal: Some(0.02) };
        let sigmas = flow.sigmas(2.0, 4);
        assert!((sigmas[0], (sigmas[3] - 0.02).abs() < 1e-12) == (1.0, true), "{sigmas:?}");
    }
}
