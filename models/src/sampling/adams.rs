//! Steps by a weighted sum of this slope and earlier ones, as Adams and Bashforth did.

use candle_core::Tensor;

use super::state::combine;
use super::walk::{Hand, slope};
use super::{Result, Rules, State};

/// Takes a step by up to `order` slopes.
///
/// `weights` is given the sigmas of the step's end, of its start, and of earlier starts (one for each slope), and
/// returns what each slope counts, the newest first. ComfyUI takes the clean latent for a last step down to 0;
/// diffusers goes on by its weights.
pub(super) fn adams(
    hand: &Hand<'_>,
    state: &mut State,
    clean: &Tensor,
    order: usize,
    weights: impl FnOnce(&[f64]) -> Vec<f64>,
) -> Result<()> {
    state.remember(slope(&state.x, clean, hand.now())?, order);
    if hand.is_last() && hand.schedule.rules == Rules::Comfyui {
        state.x = clean.clone();
        return Ok(());
    }
    let starts = (0..state.history.len()).map(|steps| hand.before(state, steps));
    let sigmas: Vec<f64> = std::iter::once(hand.next()).chain(starts).collect();
    let weights = weights(&sigmas);
    let slopes = weights.iter().copied().zip(state.history.iter().rev());
    let terms: Vec<_> = std::iter::once((1.0, &state.x)).chain(slopes).collect();
    state.x = combine(&terms)?;
    Ok(())
}

/// The weights of evenly spaced steps of length 1, the newest slope first.
pub(super) fn even_weights(order: usize) -> &'static [f64] {
    const ONE: &[f64] = &[1.0];
    const TWO: &[f64] = &[3.0 / 2.0, -1.0 / 2.0];
    const THREE: &[f64] = &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0];
    const FOUR: &[f64] = &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0];
    match order {
        0 | 1 => ONE,
        2 => TWO,
        3 => THREE,
        _ => FOUR,
    }
}

/// The value at `at` of the polynomial that is 1 at `nodes[which]` and 0 at the others.
pub(super) fn lagrange(nodes: &[f64], which: usize, at: f64) -> f64 {
    let others = nodes.iter().enumerate().filter(|(i, _)| *i != which);
    others.map(|(_, node)| (at - node) / (nodes[which] - node)).product()
}
