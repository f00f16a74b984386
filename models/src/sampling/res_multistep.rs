//! RES: Zhang et al., arXiv 2308.02157: exponential steps of second order with one earlier clean latent.
//!
//! The `cfg_pp` forms (see `cfg_pp`) walk by what the negative side sees and add the pull of the guidance. ComfyUI splits
//! flows' steps like all others' here.

use super::ancestral::Ancestral;
use super::state::combine;
use super::walk::{Hand, straight};
use super::{Given, Result, State};

/// Walks without fresh noise, unless a share of it is asked for.
pub fn res_multistep(given: Given<'_>, state: State) -> Result<State> {
    guided(0.0, given, state)
}

/// Walks too far down and puts fresh noise back.
pub fn res_multistep_ancestral(given: Given<'_>, state: State) -> Result<State> {
    guided(1.0, given, state)
}

/// As [`res_multistep`], by both sides of the prompt.
pub fn res_multistep_cfg_pp(given: Given<'_>, state: State) -> Result<State> {
    by_sides(0.0, given, state)
}

/// As [`res_multistep_ancestral`], by both sides of the prompt.
pub fn res_multistep_ancestral_cfg_pp(given: Given<'_>, state: State) -> Result<State> {
    by_sides(1.0, given, state)
}

fn guided(usual: f64, given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let split = split(hand, usual);
        let moved = match (weights(hand, state, usual), state.history.last()) {
            (Some([of_x, of_clean, of_past]), Some(past)) => {
                combine(&[(of_x, &state.x), (of_clean, clean), (of_past, past)])?
            }
            _ => straight(&state.x, clean, hand.now(), split.down)?,
        };
        state.x = hand.noised(moved, split.up)?;
        state.remember(clean.clone(), 1);
        Ok(())
    })
}

fn by_sides(usual: f64, given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_sides(state, |hand, state, sides| {
        let (split, negative) = (split(hand, usual), &sides.negative);
        let moved = match (weights(hand, state, usual), state.history.last()) {
            (Some([of_x, of_clean, of_past]), Some(past)) => {
                let pulled = combine(&[(1.0, &state.x), (1.0, &sides.guided), (-1.0, negative)])?;
                combine(&[(of_x, &pulled), (of_clean, negative), (of_past, past)])?
            }
            _ => {
                let kept = split.down / hand.now();
                combine(&[(1.0, &sides.guided), (kept, &state.x), (-kept, negative)])?
            }
        };
        state.x = hand.noised(moved, split.up)?;
        state.remember(negative.clone(), 1);
        Ok(())
    })
}

fn split(hand: &Hand<'_>, usual: f64) -> Ancestral {
    Ancestral::preserving_variance(hand.now(), hand.next(), hand.eta_or(usual))
}

/// What the latent, the clean one seen there, and the one seen before count, if there is one and the step leaves noise.
fn weights(hand: &Hand<'_>, state: &State, usual: f64) -> Option<[f64; 3]> {
    let (now, down) = (hand.now(), split(hand, usual).down);
    if state.history.is_empty() || down == 0.0 {
        return None;
    }
    let before = hand.before(state, 1);
    let down_before = Ancestral::preserving_variance(before, now, hand.eta_or(usual)).down;
    let h = (now / down).ln();
    // Where the earlier latent was seen, as a share of this step, by where its step ended.
    let past_share = (down_before / before).ln() / h;
    let phi_1 = -(-h).exp_m1() / h;
    let phi_2 = (1.0 - phi_1) / h;
    let (of_clean, of_past) =
        if past_share == 0.0 { (0.0, 0.0) } else { (phi_1 - phi_2 / past_share, phi_2 / past_share) };
    Some([(-h).exp(), h * of_clean, h * of_past])
}
