//! Linear multistep: the slopes of four steps, laid under one polynomial. k-diffusion's `sample_lms`.

use super::adams::{adams, lagrange};
use super::{Given, Result, State};

/// Walks by the polynomial through up to four slopes, exactly integrated.
pub fn lms(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| adams(hand, state, clean, 4, weights))
}

/// The integrals of the slopes' polynomials over the step. They are cubic at most, for which two places suffice (Gauss).
fn weights(sigmas: &[f64]) -> Vec<f64> {
    let (end, starts) = (sigmas[0], &sigmas[1..]);
    let (middle, half) = (0.5 * (end + starts[0]), 0.5 * (end - starts[0]));
    let aside = half / 3.0_f64.sqrt();
    let integral = |which| half * (lagrange(starts, which, middle - aside) + lagrange(starts, which, middle + aside));
    (0..starts.len()).map(integral).collect()
}
