//! DPM-Solver++(2M): Lu et al., arXiv 2211.01095.
//!
//! With lambda = −ln sigma and h the step in lambda, the exponential integrator keeps exp(−h) = next / now of the
//! latent and takes the rest from the clean picture, extended along a line through this step's and the last one's
//! (the "midpoint" form). ComfyUI takes the same for flows, whose own lambda is another.

use candle_core::Tensor;

use super::state::blend;
use super::{Denoiser, NoiseSource, OnStep, Result, Rules, Schedule, State, Step};

/// Below this many steps the last one is of first order, whatever its sigma: `lower_order_final` of diffusers.
const FEW: usize = 15;

/// Walks in second-order steps.
pub fn dpmpp_2m(
    model: &dyn Denoiser,
    mut state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    for step in schedule.steps_from(state.index) {
        let clean = model.denoise(&state.x, step.now)?;
        let target = extended(&clean, &state, schedule, step)?;
        let kept = step.next.sigma / step.now.sigma;
        state.x = blend(kept, &state.x, 1.0 - kept, &target)?;
        state.history = vec![clean.clone()];
        state.done(step, &clean, noise, on_step)?;
    }
    Ok(state)
}

/// The clean picture extended half a step ahead, if there is an earlier one and the step is not the last.
fn extended(clean: &Tensor, state: &State, schedule: &Schedule, step: Step) -> Result<Tensor> {
    let last = state.index + 1 == schedule.len();
    let first_order = last && (step.next.sigma == 0.0 || schedule.rules != Rules::Comfyui && schedule.len() < FEW);
    let (Some(before), false) = (state.history.last(), first_order) else {
        return Ok(clean.clone());
    };
    let was = schedule.points[state.index - 1].sigma;
    let (h_before, h) = ((was / step.now.sigma).ln(), (step.now.sigma / step.next.sigma).ln());
    if h_before <= 0.0 {
        return Ok(clean.clone()); // one sigma twice says nothing of the direction
    }
    let ahead = 0.5 * h / h_before;
    blend(1.0 + ahead, clean, -ahead, before)
}
