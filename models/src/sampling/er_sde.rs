//! ER-SDE: Cui et al., arXiv 2309.06169: the reverse process with more noise than it needs, in three stages.

use super::state::combine;
use super::{Given, Result, State};

/// Places at which the integrals are summed, as in the authors' code.
const PLACES: usize = 200;

/// Walks by this clean latent and the first and second difference to earlier ones. Its steps count on all of their noise:
/// a smaller share is not taken.
pub fn er_sde(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_lambda(state, |hand, state, clean| {
        if hand.is_last() {
            state.x = clean.clone();
            return Ok(());
        }
        let schedule = hand.schedule;
        let ratio = |sigma: f64| sigma / schedule.alpha(sigma);
        let (from, to) = (ratio(hand.now()), ratio(hand.next()));
        let alpha = schedule.alpha(hand.next());
        let kept = scaled(to) / scaled(from);
        let mut terms =
            vec![(alpha / schedule.alpha(hand.now()) * kept, state.x.clone()), (alpha * (1.0 - kept), clean.clone())];
        let mut memory = vec![clean.clone()];
        if let Some(past) = state.history.first() {
            let (whole, moment) = integrals(from, to);
            let length = to - from;
            let slope = ((clean - past)? / (from - ratio(hand.before(state, 1))))?;
            terms.push((alpha * (length + whole * scaled(to)), slope.clone()));
            if let Some(past_slope) = state.history.get(1) {
                let bend = ((&slope - past_slope)? / (0.5 * (from - ratio(hand.before(state, 2)))))?;
                terms.push((alpha * (0.5 * length * length + moment * scaled(to)), bend));
            }
            memory.push(slope);
        }
        let terms: Vec<_> = terms.iter().map(|(factor, tensor)| (*factor, tensor)).collect();
        let up = (to * to - (from * kept).powi(2)).max(0.0).sqrt();
        state.x = hand.noised(combine(&terms)?, alpha * up)?;
        state.history = memory;
        Ok(())
    })
}

/// The noise scale of the paper's best solver.
fn scaled(ratio: f64) -> f64 {
    ratio * (ratio.powf(0.3).exp() + 10.0)
}

/// The integrals of 1 / scale and (place − from) / scale over a step, summed from its small end.
fn integrals(from: f64, to: f64) -> (f64, f64) {
    let width = (from - to) / PLACES as f64;
    let places = (0..PLACES).map(|i| to + i as f64 * width);
    places.fold((0.0, 0.0), |(whole, moment), place| {
        (whole + width / scaled(place), moment + width * (place - from) / scaled(place))
    })
}
