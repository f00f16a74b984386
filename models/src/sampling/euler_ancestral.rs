//! Euler's method with ancestral noise: a step too far down, and up again with fresh noise.
//!
//! k-diffusion's `sample_euler_ancestral` and diffusers' EulerAncestralDiscreteScheduler; for flows ComfyUI's form. With eta = 0 it is Euler's
//! method; DDIM of Song et al., arXiv 2010.02502, equation 12, is the same step in another scale with another usual eta.

use candle_core::Tensor;

use super::ancestral::Ancestral;
use super::state::blend;
use super::{Denoiser, NoiseSource, OnStep, Result, Schedule, State};

/// Walks in ancestral steps; draws noise in every step, also in the last, as diffusers does.
pub fn euler_ancestral(
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    let eta = noise.eta_or(1.0);
    walk(model, state, schedule, noise, on_step, eta)
}

/// Walks in ancestral steps with a share of fresh noise; at 0 none is drawn.
pub(super) fn walk(
    model: &dyn Denoiser,
    mut state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
    eta: f64,
) -> Result<State> {
    for step in schedule.steps_from(state.index) {
        let clean = model.denoise(&state.x, step.now)?;
        let Ancestral { down, kept: faded, up } = Ancestral::of(schedule, step, eta);
        let kept = down / step.now.sigma;
        state.x = blend(kept, &state.x, 1.0 - kept, &clean)?;
        if eta > 0.0 {
            state.x = blend(faded, &state.x, up, &fresh(noise, &state.x)?)?;
        }
        state.done(step, &clean, noise, on_step)?;
    }
    Ok(state)
}

/// Draws noise of the shape, place and dtype of a latent.
pub(super) fn fresh(noise: &mut NoiseSource, x: &Tensor) -> Result<Tensor> {
    noise.draw(x.shape())?.to_device(x.device())?.to_dtype(x.dtype())
}
