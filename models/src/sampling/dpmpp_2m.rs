//! DPM-Solver++(2M): Lu et al., arXiv 2211.01095.
//!
//! With lambda = −ln sigma and h the step in lambda, the exponential integrator keeps exp(−h) = next / now of the
//! latent and takes the rest from the clean picture, extended along a line through this step's and the last one's
//! (the "midpoint" form). ComfyUI takes the same for flows, whose own lambda is another.

use candle_core::Tensor;

use super::state::blend;
use super::walk::{Hand, straight};
use super::{Given, Result, Rules, State};

/// Below this many steps the last one is of first order, whatever its sigma: `lower_order_final` of diffusers.
const FEW: usize = 15;

/// Walks in second-order steps.
pub fn dpmpp_2m(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let target = extended(hand, state, clean)?;
        state.x = straight(&state.x, &target, hand.now(), hand.next())?;
        state.remember(clean.clone(), 1);
        Ok(())
    })
}

/// The clean picture extended half a step ahead, if there is an earlier one and the step is not the last.
fn extended(hand: &Hand<'_>, state: &State, clean: &Tensor) -> Result<Tensor> {
    let schedule = hand.schedule;
    let last = state.index + 1 == schedule.len();
    let first_order = last && (hand.is_last() || schedule.rules != Rules::Comfyui && schedule.len() < FEW);
    let (Some(before), false) = (state.history.last(), first_order) else {
        return Ok(clean.clone());
    };
    let (h_before, h) = ((hand.before(state, 1) / hand.now()).ln(), (hand.now() / hand.next()).ln());
    let ahead = 0.5 * h / h_before;
    blend(1.0 + ahead, clean, -ahead, before)
}
