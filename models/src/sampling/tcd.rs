//! Trajectory consistency: Zheng et al., arXiv 2402.19159: walk straight to an earlier timestep, then noise up to the next.

use super::walk::straight;
use super::{Given, Result, State};

/// Walks down to the sigma at (1 − eta) of the next timestep and up again with fresh noise; eta (the paper's gamma)
/// is usually 0.3.
pub fn tcd(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let eta = hand.eta_or(0.3);
        let target = ((1.0 - eta) * hand.step.next.timestep).floor();
        let down = hand.schedule.clock.sigma_at(target).min(hand.next());
        let walked = straight(&state.x, clean, hand.now(), down)?;
        let up = (hand.next() * hand.next() - down * down).max(0.0).sqrt();
        state.x = hand.noised(walked, if eta > 0.0 { up } else { 0.0 })?;
        Ok(())
    })
}
