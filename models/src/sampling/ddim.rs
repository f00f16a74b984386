//! DDIM: Song, Meng and Ermon, arXiv 2010.02502.
//!
//! In its own scale the method has its own formulas; in ours (x / sqrt(alpha)) the deterministic step is Euler's and
//! the noise of equation 16 is the ancestral one: eta² · next² · (now² − next²) / now².

use super::euler_ancestral::walk;
use super::{Denoiser, NoiseSource, OnStep, Result, Schedule, State};

/// Walks in DDIM steps; without an eta no noise is drawn, at 1 it is DDPM on the same points.
pub fn ddim(
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    let eta = noise.eta_or(0.0);
    walk(model, state, schedule, noise, on_step, eta)
}
