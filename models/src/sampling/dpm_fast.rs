//! DPM-Solver-fast: Lu et al., arXiv 2206.00927, section 3.4: a given number of looks, as many as can be in steps of third order.
//!
//! Of the schedule only the ends and the number of steps count; k-diffusion's `sample_dpm_fast` goes evenly in the
//! logarithm of sigma. Here every look is a point of the way, so that a run can be stored after each.

use super::dpm_solver::{above_zero, curved, first, second};
use super::walk::slope;
use super::{Given, Result, Schedule, State};

/// Walks in steps of three looks, then of two and one.
///
/// The state remembers the latent that the step started from, and the noise seen at its looks.
pub fn dpm_fast(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let (now, next) = (hand.now(), hand.next());
        let noise = slope(&state.x, clean, now)?;
        let (seen, looks) = place(state.index, hand.schedule.len());
        let from = hand.before(state, seen);
        let (x, memory) = match (seen, looks, state.history.as_slice()) {
            (1, 2, [x, start]) => (second(x, [start, &noise], 0.5, (from, next))?, Vec::new()),
            (1, _, [x, start]) => {
                // Two thirds of the step are gone then, and the look was half way there.
                let x_ahead = curved(x, [start, &noise], 0.5, (from, next))?;
                (x_ahead, vec![x.clone(), start.clone()])
            }
            (2, _, [x, start]) => (curved(x, [start, &noise], 2.0 / 3.0, (from, next))?, Vec::new()),
            _ if looks == 1 => (first(&state.x, &noise, now, next)?, Vec::new()),
            _ => (first(&state.x, &noise, now, next)?, vec![state.x.clone(), noise]),
        };
        (state.x, state.history) = (x, memory);
        Ok(())
    })
}

/// Returns which look of its step a look is, counted from 0, and how many the step has.
fn place(look: usize, all: usize) -> (usize, usize) {
    let threes = if all.is_multiple_of(3) { (all / 3).saturating_sub(1) } else { all / 3 };
    let after = look.checked_sub(3 * threes);
    match (after, all % 3) {
        (None, _) => (look % 3, 3),
        (Some(2), 0) => (0, 1),
        (Some(after), 0 | 2) => (after, 2),
        (Some(after), _) => (after, 1),
    }
}

/// Lays the looks between the ends of a schedule: as many as it has steps.
pub(super) fn lay(schedule: Schedule) -> Schedule {
    let looks = schedule.len();
    let mut schedule = above_zero(schedule);
    let (Some(first), Some(last)) = (schedule.points.first().copied(), schedule.points.last().copied()) else {
        return schedule;
    };
    if last.sigma == 0.0 {
        return schedule; // a single look goes all the way
    }
    let steps = (looks / 3 + 1) as f64;
    let mut begun = 0.0;
    schedule.points = (0..looks)
        .map(|look| {
            let (seen, of) = place(look, looks);
            begun += if seen == 0 { 1.0 } else { 0.0 };
            let share = (begun - 1.0 + seen as f64 / of as f64) / steps;
            schedule.clock.point(first.sigma * (last.sigma / first.sigma).powf(share))
        })
        .chain([last])
        .collect();
    schedule.stop = looks;
    schedule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_fill_steps_of_three_and_a_last_one_or_two() {
        let steps = |all: usize| (0..all).map(|look| place(look, all).1).collect::<Vec<_>>();
        assert_eq!(steps(1), [1]);
        assert_eq!(steps(2), [2, 2]);
        assert_eq!(steps(3), [2, 2, 1]);
        assert_eq!(steps(4), [3, 3, 3, 1]);
        assert_eq!(steps(6), [3, 3, 3, 2, 2, 1]);
        assert_eq!(steps(8), [3, 3, 3, 3, 3, 3, 2, 2]);
    }
}
