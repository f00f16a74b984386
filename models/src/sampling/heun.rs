//! Heun's method: the mean of the slopes at both ends of a step. Karras et al., arXiv 2206.00364, algorithm 1.

use super::state::combine;
use super::walk::{slope, straight};
use super::{Given, Result, State};

/// Walks with two looks a step (one in a last step down to 0); a whole step is told and stored, never half of one.
pub fn heun(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let (now, next) = (hand.now(), hand.next());
        let ahead = straight(&state.x, clean, now, next)?;
        if hand.is_last() {
            state.x = ahead;
            return Ok(());
        }
        let here = slope(&state.x, clean, now)?;
        let there = slope(&ahead, &hand.look_at(&ahead, hand.step.next)?, next)?;
        let half = 0.5 * (next - now);
        state.x = combine(&[(1.0, &state.x), (half, &here), (half, &there)])?;
        Ok(())
    })
}
