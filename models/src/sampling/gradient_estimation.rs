//! Gradient estimation: Permenter and Yuan, arXiv 2306.04848: the slope, carried on beyond its change.

use candle_core::Tensor;

use super::state::combine;
use super::walk::{Hand, slope, straight};
use super::{Given, Result, State};

/// How far the change of the slope is carried on; the paper's gamma is one more.
const BEYOND: f64 = 1.0;

/// Walks by this slope and its change since the last step.
pub fn gradient_estimation(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let here = slope(&state.x, clean, hand.now())?;
        let ahead = straight(&state.x, clean, hand.now(), hand.next())?;
        carry_on(hand, state, here, ahead)
    })
}

/// As [`gradient_estimation`], by the slope that the negative side sees (see `cfg_pp`).
pub fn gradient_estimation_cfg_pp(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_sides(state, |hand, state, sides| {
        let here = slope(&state.x, &sides.negative, hand.now())?;
        let ahead = combine(&[(1.0, &sides.guided), (hand.next(), &here)])?;
        carry_on(hand, state, here, ahead)
    })
}

/// Goes on from where a plain step leads; a last one down to 0 stays plain.
fn carry_on(hand: &Hand<'_>, state: &mut State, here: Tensor, ahead: Tensor) -> Result<()> {
    let further = BEYOND * (hand.next() - hand.now());
    state.x = match state.history.last().filter(|_| !hand.is_last()) {
        Some(past) => combine(&[(1.0, &ahead), (further, &here), (-further, past)])?,
        None => ahead,
    };
    state.remember(here, 1);
    Ok(())
}
