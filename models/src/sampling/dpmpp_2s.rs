//! DPM-Solver++(2S): Lu et al., arXiv 2211.01095, algorithm 1: steps of second order that need nothing of the past.

use super::ancestral::Ancestral;
use super::state::combine;
use super::walk::{each_step, straight};
use super::{Denoiser, NoiseSource, OnStep, Prediction, Result, Schedule, State};

/// Where the middle of a flow's first step lies, whose logarithm has no beginning: ComfyUI's choice.
const BELOW_ONE: f64 = 0.9999;

/// Walks pairs of points in steps of second order, as diffusers' DPMSolverSinglestepScheduler does: one look a point.
pub fn dpmpp_2s(
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    each_step(model, state, schedule, noise, on_step, |hand, state, clean| {
        let last = state.index + 1 == schedule.len();
        let [start, clean_start] = state.history.as_slice() else {
            let start = state.x.clone();
            state.x = straight(&start, clean, hand.now(), hand.next())?;
            // The second of a pair has an odd index; a last step is taken alone.
            let first_of_pair = state.index % 2 == 0 && !last;
            state.history = if first_of_pair { vec![start, clean.clone()] } else { Vec::new() };
            return Ok(());
        };
        if last && hand.is_last() {
            state.x = straight(&state.x, clean, hand.now(), hand.next())?;
        } else {
            let from = hand.before(state, 1);
            let kept = hand.next() / from;
            let ahead = 0.5 * (from / hand.next()).ln() / (from / hand.now()).ln();
            let rest = 1.0 - kept;
            state.x = combine(&[(kept, start), (rest * (1.0 - ahead), clean_start), (rest * ahead, clean)])?;
        }
        state.history.clear();
        Ok(())
    })
}

/// Walks with two looks a step, too far down, and puts fresh noise back. k-diffusion's `sample_dpmpp_2s_ancestral`.
pub fn dpmpp_2s_ancestral(
    model: &dyn Denoiser,
    state: State,
    schedule: &Schedule,
    noise: &mut NoiseSource,
    on_step: &mut OnStep<'_>,
) -> Result<State> {
    each_step(model, state, schedule, noise, on_step, |hand, state, clean| {
        if hand.is_last() {
            state.x = clean.clone();
            return Ok(());
        }
        let now = hand.now();
        let split = Ancestral::of(schedule, hand.step, hand.eta_or(1.0));
        if split.down == 0.0 {
            state.x = hand.noised(clean.clone(), split.up)?;
            return Ok(());
        }
        let middle = if schedule.prediction == Prediction::Flow && now >= 1.0 {
            BELOW_ONE
        } else {
            schedule.sigma_of(0.5 * (schedule.lambda(now) + schedule.lambda(split.down)))
        };
        let half = straight(&state.x, clean, now, middle)?;
        let clean_half = hand.look(&half, middle)?;
        let down = straight(&state.x, &clean_half, now, split.down)?;
        state.x = hand.noised(down.affine(split.kept, 0.0)?, split.up)?;
        Ok(())
    })
}
