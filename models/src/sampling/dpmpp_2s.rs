//! DPM-Solver++(2S): Lu et al., arXiv 2211.01095, algorithm 1: steps of second order that need nothing of the past.

use super::ancestral::Ancestral;
use super::state::combine;
use super::walk::{Hand, straight};
use super::{Given, Prediction, Result, State};

/// Where the middle of a flow's first step lies, whose logarithm has no beginning: ComfyUI's choice.
const BELOW_ONE: f64 = 0.9999;

/// Walks pairs of points in steps of second order, as diffusers' DPMSolverSinglestepScheduler does: one look a point.
pub fn dpmpp_2s(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let last = state.index + 1 == hand.schedule.len();
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
pub fn dpmpp_2s_ancestral(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        if hand.is_last() {
            state.x = clean.clone();
            return Ok(());
        }
        let now = hand.now();
        let split = Ancestral::of(hand.schedule, hand.step, hand.eta_or(1.0));
        if split.down == 0.0 {
            state.x = hand.noised(clean.clone(), split.up)?;
            return Ok(());
        }
        let middle = middle(hand, split.down);
        let half = straight(&state.x, clean, now, middle)?;
        let clean_half = hand.look(&half, middle)?;
        let down = straight(&state.x, &clean_half, now, split.down)?;
        state.x = hand.noised(down.affine(split.kept, 0.0)?, split.up)?;
        Ok(())
    })
}

/// The sigma half way down to another, by lambda.
pub(super) fn middle(hand: &Hand<'_>, down: f64) -> f64 {
    let (schedule, now) = (hand.schedule, hand.now());
    if schedule.prediction == Prediction::Flow && now >= 1.0 {
        return BELOW_ONE;
    }
    schedule.sigma_of(0.5 * (schedule.lambda(now) + schedule.lambda(down)))
}
