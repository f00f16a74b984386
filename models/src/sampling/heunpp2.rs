//! Heun++: slopes one and two steps ahead, weighed by their sigmas. ComfyUI's `heunpp2`.

use super::state::combine;
use super::walk::{slope, straight};
use super::{Given, Result, State};

/// Walks with three looks a step; two in the last step but one, one in the last.
pub fn heunpp2(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let (schedule, now, next) = (hand.schedule, hand.now(), hand.next());
        let ahead = straight(&state.x, clean, now, next)?;
        let Some(after) = schedule.points.get(state.index + 2).filter(|_| next > 0.0) else {
            state.x = ahead;
            return Ok(());
        };
        let length = next - now;
        let here = slope(&state.x, clean, now)?;
        let clean_ahead = hand.look_at(&ahead, hand.step.next)?;
        let there = slope(&ahead, &clean_ahead, next)?;
        let largest = schedule.points[0].sigma;
        let is_last_pair = state.index + 2 == schedule.len();
        state.x = if is_last_pair || after.sigma == 0.0 {
            let weight = next / (2.0 * largest);
            combine(&[(1.0, &state.x), ((1.0 - weight) * length, &here), (weight * length, &there)])?
        } else {
            let further = straight(&ahead, &clean_ahead, next, after.sigma)?;
            let yonder = slope(&further, &hand.look_at(&further, *after)?, after.sigma)?;
            let (second, third) = (next / (3.0 * largest), after.sigma / (3.0 * largest));
            let first = 1.0 - second - third;
            let slopes = [(first * length, &here), (second * length, &there), (third * length, &yonder)];
            combine(&[(1.0, &state.x), slopes[0], slopes[1], slopes[2]])?
        };
        Ok(())
    })
}
