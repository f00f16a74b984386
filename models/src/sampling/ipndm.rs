//! Improved pseudo-numerical methods: Zhang and Chen, arXiv 2204.13902, on sigmas, in ComfyUI's two forms.

use super::adams::{adams, even_weights};
use super::{Given, Result, State};

/// Walks by four slopes, weighted as if steps were evenly long.
pub fn ipndm(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        adams(hand, state, clean, 4, |sigmas| {
            let length = sigmas[0] - sigmas[1];
            even_weights(sigmas.len() - 1).iter().map(|weight| weight * length).collect()
        })
    })
}

/// Walks by four slopes, weighted by how long the steps were.
pub fn ipndm_v(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| adams(hand, state, clean, 4, uneven_weights))
}

/// ComfyUI's weights for uneven steps: each order adds a term of the step lengths to those of the order below. From
/// the third on its terms are not those of the exact integral (see `lms`); pictures made there need just these.
fn uneven_weights(sigmas: &[f64]) -> Vec<f64> {
    let lengths: Vec<f64> = sigmas.windows(2).map(|pair| pair[0] - pair[1]).collect();
    let h = lengths[0];
    let mut weights = vec![1.0];
    if let Some(h1) = lengths.get(1) {
        let share = 0.5 * h / h1;
        weights = vec![1.0 + share, -share];
        if let Some(h2) = lengths.get(2) {
            let third = 0.5 * (1.0 - h * h / (3.0 * h1 * (h1 + h2)));
            let ratio = h1 / h2;
            let mut terms = [third, -(1.0 + ratio) * third, ratio * third, 0.0];
            if let Some(h3) = lengths.get(3) {
                let inner = 0.5 * (1.0 - h / (3.0 * (h + h1)));
                let inner = inner + (1.0 - h / (2.0 * (h + h1))) * h / (6.0 * (h + h1 + h2));
                let outer = h * (h + h1) * (h + h1 + h2) / (h1 * (h1 + h2) * (h1 + h2 + h3));
                let fourth = inner * outer;
                let wide = h1 * (h1 + h2) / (h2 * (h2 + h3));
                let more = [1.0, -(1.0 + ratio + wide), ratio + wide * (1.0 + h2 / h3), -wide * ratio];
                terms.iter_mut().zip(more).for_each(|(term, more)| *term += more * fourth);
            }
            weights.resize(lengths.len(), 0.0);
            weights.iter_mut().zip(terms).for_each(|(weight, term)| *weight += term);
        }
    }
    weights.into_iter().map(|weight| weight * h).collect()
}
