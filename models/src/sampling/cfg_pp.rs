//! CFG++: Chung et al., arXiv 2406.08070: the clean latent is the guided one, but the noise that is put back is what the
//! negative side sees. Made for a guidance of 0.5 to 2; more burns.
//!
//! ComfyUI's `*_cfg_pp` forms of its samplers. `res_multistep` and `gradient_estimation` have theirs in their own files.

use super::ancestral::Ancestral;
use super::dpmpp_2s::middle;
use super::state::combine;
use super::walk::straight;
use super::{Given, Result, State};

/// Walks in straight steps.
pub fn euler_cfg_pp(given: Given<'_>, state: State) -> Result<State> {
    euler(0.0, given, state)
}

/// Walks too far down and puts fresh noise back.
pub fn euler_ancestral_cfg_pp(given: Given<'_>, state: State) -> Result<State> {
    euler(1.0, given, state)
}

fn euler(usual: f64, given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_sides(state, |hand, state, sides| {
        if hand.is_last() {
            state.x = sides.guided.clone();
            return Ok(());
        }
        let (now, next) = (hand.now(), hand.next());
        let (from, to) = (hand.schedule.alpha(now), hand.schedule.alpha(next));
        let split = Ancestral::preserving_variance(now / from, next / to, hand.eta_or(usual));
        let of_noise = to * split.down / now;
        let x = combine(&[(to, &sides.guided), (of_noise, &state.x), (-of_noise * from, &sides.negative)])?;
        state.x = hand.noised(x, to * split.up)?;
        Ok(())
    })
}

/// Walks with two looks a step, too far down, and puts fresh noise back.
pub fn dpmpp_2s_ancestral_cfg_pp(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_sides(state, |hand, state, sides| {
        let pull = (&sides.guided - &sides.negative)?;
        let split = Ancestral::of(hand.schedule, hand.step, hand.eta_or(1.0));
        let down = if split.down == 0.0 {
            sides.negative.clone()
        } else {
            let middle = middle(hand, split.down);
            let half = straight(&state.x, &sides.negative, hand.now(), middle)?;
            let negative_half = hand.look_at_negative(&half, middle)?;
            straight(&state.x, &negative_half, hand.now(), split.down)?
        };
        let walked = hand.noised(down.affine(split.kept, 0.0)?, split.up)?;
        state.x = combine(&[(1.0, &walked), (hand.schedule.alpha(hand.next()), &pull)])?;
        Ok(())
    })
}

/// Walks in second-order steps by what the negative side saw before.
pub fn dpmpp_2m_cfg_pp(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_sides(state, |hand, state, sides| {
        let kept = hand.next() / hand.now();
        let mut terms = vec![(1.0, &sides.guided), (-kept, &sides.negative), (kept, &state.x)];
        if let Some(past) = state.history.last().filter(|_| !hand.is_last()) {
            let ratio = (hand.before(state, 1) / hand.now()).ln() / -kept.ln();
            let ahead = 0.5 * (1.0 - kept) / ratio;
            terms.extend([(ahead, &sides.guided), (-ahead, past)]);
        }
        state.x = combine(&terms)?;
        state.remember(sides.negative.clone(), 1);
        Ok(())
    })
}
