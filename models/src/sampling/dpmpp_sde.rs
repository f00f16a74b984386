//! DPM-Solver++ SDE: two looks and two draws a step. k-diffusion's and ComfyUI's `dpmpp_sde`.
//!
//! What is fresh half way is part of what is fresh over the whole step: ComfyUI draws both from one Brownian motion, which
//! `NoiseSource::draw_between` does in its mode.

use candle_core::Tensor;

use super::ancestral::Ancestral;
use super::state::combine;
use super::walk::Hand;
use super::{Given, Result, State};

/// Walks by the clean latent seen half way, by lambda.
pub fn dpmpp_sde(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_lambda(state, |hand, state, clean| {
        if hand.is_last() {
            state.x = clean.clone();
            return Ok(());
        }
        let middle = hand.schedule.halfway(hand.step);
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
    hand.noised_since(moved, alpha * split.up, to)
}
