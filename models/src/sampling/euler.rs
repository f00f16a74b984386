//! Euler's method: straight on to the next sigma. Karras et al., arXiv 2206.00364, algorithm 1 without churn.

use super::state::blend;
use super::{Denoiser, NoiseSource, OnStep, Result, Schedule, State};

/// Walks in straight steps; also right for flow models.
pub fn euler(
    model: &dyn Denoiser,
    mut state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    for step in schedule.steps_from(state.index) {
        let clean = model.denoise(&state.x, step.now)?;
        // x + (x − clean) / sigma · (next − sigma), gathered: exact where the next sigma is 0.
        let kept = step.next.sigma / step.now.sigma;
        state.x = blend(kept, &state.x, 1.0 - kept, &clean)?;
        state.done(step, &clean, noise, on_step)?;
    }
    Ok(state)
}
