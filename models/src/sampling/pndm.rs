//! Pseudo-numerical methods: Liu et al., arXiv 2202.09778, without the Runge-Kutta start (`skip_prk_steps`).
//!
//! In its own scale the method has its own transfer formula; in ours that is a straight step in sigma.

use super::adams::even_weights;
use super::state::combine;
use super::walk::{slope, straight};
use super::{Given, Result, State};

/// Walks by four slopes, weighted as if steps were evenly long; the first step looks twice, as Heun's method does.
///
/// SD1.5 was published with it. diffusers mixes raw predictions; for networks that predict v that is another method.
pub fn pndm(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let length = hand.next() - hand.now();
        let here = slope(&state.x, clean, hand.now())?;
        if state.history.is_empty() {
            let ahead = straight(&state.x, clean, hand.now(), hand.next())?;
            state.x = if hand.is_last() {
                ahead
            } else {
                let there = slope(&ahead, &hand.look_at(&ahead, hand.step.next)?, hand.next())?;
                combine(&[(1.0, &state.x), (0.5 * length, &here), (0.5 * length, &there)])?
            };
            state.remember(here, 4);
            return Ok(());
        }
        state.remember(here, 4);
        let weights = even_weights(state.history.len()).iter().map(|weight| weight * length);
        let slopes = weights.zip(state.history.iter().rev());
        let terms: Vec<_> = std::iter::once((1.0, &state.x)).chain(slopes).collect();
        state.x = combine(&terms)?;
        Ok(())
    })
}
