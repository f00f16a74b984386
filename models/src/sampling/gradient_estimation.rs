//! Gradient estimation: Permenter and Yuan, arXiv 2306.04848: the slope, carried on beyond its change.

use super::state::combine;
use super::walk::{each_step, slope};
use super::{Denoiser, NoiseSource, OnStep, Result, Schedule, State};

/// How far the change of the slope is carried on; the paper's gamma is one more.
const BEYOND: f64 = 1.0;

/// Walks by this slope and its change since the last step.
pub fn gradient_estimation(
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    each_step(model, state, schedule, noise, on_step, |hand, state, clean| {
        let here = slope(&state.x, clean, hand.now())?;
        let length = hand.next() - hand.now();
        state.x = match state.history.last() {
            _ if hand.is_last() => clean.clone(),
            None => combine(&[(1.0, &state.x), (length, &here)])?,
            Some(past) => combine(&[(1.0, &state.x), ((1.0 + BEYOND) * length, &here), (-BEYOND * length, past)])?,
        };
        state.remember(here, 1);
        Ok(())
    })
}
