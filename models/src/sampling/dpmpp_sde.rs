//! DPM-Solver++ SDE: two looks and two draws a step. k-diffusion's and ComfyUI's `dpmpp_sde`.
//!
//! ComfyUI draws its noise from a Brownian tree of the seed; ours comes from the run's [`NoiseSource`]. The steps
//! agree, a seed's picture does not.

use candle_core::Tensor;

use super::ancestral::Ancestral;
use super::state::combine;
use super::walk::{Hand, each_step};
use super::{Denoiser, NoiseSource, OnStep, Result, Schedule, State};

/// Walks by the clean latent seen half way, by lambda.
pub fn dpmpp_sde(
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    let schedule = &schedule.with_finite_start();
    each_step(model, state, schedule, noise, on_step, |hand, state, clean| {
        if hand.is_last() {
            state.x = clean.clone();
            return Ok(());
        }
        let middle = schedule.sigma_of(0.5 * (schedule.lambda(hand.now()) + schedule.lambda(hand.next())));
        let half = towards(hand, &state.x, clean, middle)?;
        let clean_half = hand.look(&half, middle)?;
        state.x = towards(hand, &state.x, &clean_half, hand.next())?;
        Ok(())
    })
}

/// Moves to a sigma in an ancestral step, with lambda in place of sigma's logarithm.
fn towards(hand: &mut Hand<'_>, x: &Tensor, clean: &Tensor, to: f64) -> Result<Tensor> {
    let alpha = hand.schedule.alpha(to);
    let from_ratio = hand.now() / hand.schedule.alpha(hand.now());
    let split = Ancestral::preserving_variance(from_ratio, to / alpha, hand.eta_or(1.0));
    let kept = split.down / from_ratio;
    let of_x = alpha / hand.schedule.alpha(hand.now()) * kept;
    let moved = combine(&[(of_x, x), (alpha * (1.0 - kept), clean)])?;
    hand.noised(moved, alpha * split.up)
}
