//! Heun's method: the mean of the slopes at both ends of a step. Karras et al., arXiv 2206.00364, algorithm 1.

use super::state::blend;
use super::{Denoiser, NoiseSource, OnStep, Result, Schedule, State};

/// Walks with two looks a step (one in a last step down to 0); a whole step is told and stored, never half of one.
pub fn heun(
    model: &dyn Denoiser,
    mut state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    for step in state.steps(schedule) {
        let (now, next) = (step.now.sigma, step.next.sigma);
        let clean = model.denoise(&state.x, step.now)?;
        let ahead = blend(next / now, &state.x, 1.0 - next / now, &clean)?;
        state.x = if next == 0.0 {
            ahead
        } else {
            let clean_ahead = model.denoise(&ahead, step.next)?;
            let slope_here = ((&state.x - &clean)? / now)?;
            let slope_ahead = ((&ahead - &clean_ahead)? / next)?;
            blend(1.0, &state.x, 0.5 * (next - now), &(slope_here + slope_ahead)?)?
        };
        state.done(step, &clean, noise, on_step)?;
    }
    Ok(state)
}
