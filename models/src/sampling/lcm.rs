//! Latent consistency: Luo et al., arXiv 2310.04378: jump to the clean latent, put noise back, jump again.

use super::state::combine;
use super::{Given, Point, Result, State};

/// diffusers' scale of timesteps in the boundary condition, and the spread of the data.
const SCALE: f64 = 10.0;
const DATA: f64 = 0.5;

/// Walks in jumps, with fresh noise after each but the last; for networks distilled to be asked so.
pub fn lcm(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let schedule = hand.schedule;
        let clean = if schedule.preserving {
            let (of_x, of_clean) = boundary(hand.step.now);
            combine(&[(of_x, &state.x), (of_clean, clean)])?
        } else {
            clean.clone()
        };
        state.x = if hand.is_last() {
            clean
        } else {
            let noise = hand.fresh(&clean)?;
            schedule.prediction.noised(&clean, &noise, hand.next())?
        };
        Ok(())
    })
}

/// What diffusers keeps of the latent so that at timestep 0 the network says it unchanged; next to nothing elsewhere.
fn boundary(at: Point) -> (f64, f64) {
    let scaled = at.timestep * SCALE;
    let square = scaled * scaled + DATA * DATA;
    (DATA * DATA / square / (at.sigma * at.sigma + 1.0).sqrt(), scaled / square.sqrt())
}
