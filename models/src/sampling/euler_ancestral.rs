//! Euler's method with ancestral noise: a step too far down, and up again with fresh noise.
//!
//! k-diffusion's `sample_euler_ancestral` and diffusers' EulerAncestralDiscreteScheduler; for flows ComfyUI's form. With eta = 0 it is Euler's
//! method; DDIM of Song et al., arXiv 2010.02502, equation 12, is the same step in another scale with another usual eta.

use super::ancestral::Ancestral;
use super::state::combine;
use super::walk::straight;
use super::{Given, Result, State};

/// Walks in ancestral steps; draws noise in every step, also in the last, as diffusers does.
pub fn euler_ancestral(given: Given<'_>, state: State) -> Result<State> {
    with_usual_share(1.0, given, state)
}

/// Walks in ancestral steps with a share of fresh noise, unless another is asked for; at 0 none is drawn.
pub(super) fn with_usual_share(usual: f64, given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let eta = hand.eta_or(usual);
        let split = Ancestral::of(hand.schedule, hand.step, eta);
        state.x = straight(&state.x, clean, hand.now(), split.down)?;
        if eta > 0.0 {
            state.x = combine(&[(split.kept, &state.x), (split.up, &hand.fresh(&state.x)?)])?;
        }
        Ok(())
    })
}
