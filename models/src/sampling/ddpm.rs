//! DDPM: Ho, Jain and Abbeel, arXiv 2006.11239: the noisiest of the ancestral walks.
//!
//! The mean and the spread of equation 7 are, in our scale, those of an ancestral step with all the noise it allows.
//! ComfyUI takes the same for flows.

use super::ancestral::Ancestral;
use super::walk::straight;
use super::{Given, Result, State};

/// Walks with fresh noise in every step but the last.
pub fn ddpm(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let split = Ancestral::preserving_variance(hand.now(), hand.next(), hand.eta_or(1.0));
        let walked = straight(&state.x, clean, hand.now(), split.down)?;
        state.x = hand.noised(walked, split.up)?;
        Ok(())
    })
}
