//! RES: Zhang et al., arXiv 2308.02157: exponential steps of second order with one earlier clean latent.

use super::ancestral::Ancestral;
use super::state::combine;
use super::walk::{each_step, straight};
use super::{Denoiser, NoiseSource, OnStep, Result, Schedule, State};

/// Walks without fresh noise, unless a share of it is asked for.
pub fn res_multistep(
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    let eta = noise.eta_or(0.0);
    with_share(eta, model, state, schedule, noise, on_step)
}

/// Walks too far down and puts fresh noise back.
pub fn res_multistep_ancestral(
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    let eta = noise.eta_or(1.0);
    with_share(eta, model, state, schedule, noise, on_step)
}

/// Walks with a share of fresh noise. ComfyUI splits flows' steps like all others' here.
fn with_share(
    eta: f64,
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    let split_of = |from: f64, to: f64| Ancestral::preserving_variance(from, to, eta);
    each_step(model, state, schedule, noise, on_step, |hand, state, clean| {
        let (now, next) = (hand.now(), hand.next());
        let split = split_of(now, next);
        let moved = match state.history.last() {
            Some(past) if split.down > 0.0 => {
                let before = hand.before(state, 1);
                let h = (now / split.down).ln();
                // Where the earlier latent was seen, as a share of this step, by where its step ended.
                let past_share = (split_of(before, now).down / before).ln() / h;
                let phi_1 = -(-h).exp_m1() / h;
                let phi_2 = (1.0 - phi_1) / h;
                let of_past = if past_share == 0.0 { 0.0 } else { phi_2 / past_share };
                let of_clean = if past_share == 0.0 { 0.0 } else { phi_1 - of_past };
                combine(&[((-h).exp(), &state.x), (h * of_clean, clean), (h * of_past, past)])?
            }
            _ => straight(&state.x, clean, now, split.down)?,
        };
        state.x = hand.noised(moved, split.up)?;
        state.remember(clean.clone(), 1);
        Ok(())
    })
}
