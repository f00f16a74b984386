//! DPM-Solver of second order: the slope half way, by the logarithm of sigma. Lu et al., arXiv 2206.00927, in the
//! form of Karras et al.; diffusers' KDPM2 schedulers, k-diffusion's `sample_dpm_2` and `sample_dpm_2_ancestral`.

use super::ancestral::Ancestral;
use super::state::combine;
use super::walk::{Hand, slope, straight};
use super::{Given, Result, State};
use candle_core::Tensor;

/// Walks with two looks a step (one in a last step down to 0).
pub fn dpm_2(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        state.x = midway(hand, &state.x, clean, hand.next())?;
        Ok(())
    })
}

/// Walks with two looks a step, too far down, and puts fresh noise back.
pub fn dpm_2_ancestral(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let split = Ancestral::of(hand.schedule, hand.step, hand.eta_or(1.0));
        let down = midway(hand, &state.x, clean, split.down)?;
        state.x = hand.noised(down.affine(split.kept, 0.0)?, split.up)?;
        Ok(())
    })
}

/// Moves to a sigma by the slope half way there.
fn midway(hand: &Hand<'_>, x: &Tensor, clean: &Tensor, to: f64) -> Result<Tensor> {
    if to == 0.0 {
        return Ok(clean.clone());
    }
    let middle = (hand.now() * to).sqrt();
    let half = straight(x, clean, hand.now(), middle)?;
    let slope = slope(&half, &hand.look(&half, middle)?, middle)?;
    combine(&[(1.0, x), (to - hand.now(), &slope)])
}
