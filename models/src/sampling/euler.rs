//! Euler's method: straight on to the next sigma. Karras et al., arXiv 2206.00364, algorithm 1 without churn.

use super::walk::straight;
use super::{Given, Result, State};

/// Walks in straight steps; also right for flow models.
pub fn euler(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        // x + (x − clean) / sigma · (next − sigma), gathered: exact where the next sigma is 0.
        state.x = straight(&state.x, clean, hand.now(), hand.next())?;
        Ok(())
    })
}
