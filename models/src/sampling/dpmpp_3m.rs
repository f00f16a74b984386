//! DPM-Solver++(3M): Lu et al., arXiv 2211.01095, with this clean latent and two earlier ones.

use super::exponential::{phi_2, phi_3};
use super::state::combine;
use super::{Given, Result, State};

/// Below this many steps the last two are of lower order: `lower_order_final` of diffusers.
const FEW: usize = 15;

/// Walks in third-order steps; diffusers' DPMSolverMultistepScheduler with `solver_order` 3.
pub fn dpmpp_3m(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| {
        let schedule = hand.schedule;
        let left = schedule.len() - state.index;
        let few = schedule.len() < FEW;
        let allowed = match left {
            1 if few || hand.is_last() => 0,
            2 if few => 1,
            _ => 2,
        };
        let kept = hand.next() / hand.now();
        let h = -kept.ln();
        let mut terms = vec![(kept, &state.x), (1.0 - kept, clean)];
        let past: Vec<_> = state.history.iter().rev().take(allowed).collect();
        let ratio = |steps: usize| (hand.before(state, steps) / hand.before(state, steps - 1)).ln() / h;
        match past.as_slice() {
            [] => {}
            [one] => {
                let ahead = 0.5 * (1.0 - kept) / ratio(1);
                terms.extend([(ahead, clean), (-ahead, *one)]);
            }
            [one, two, ..] => {
                let (r0, r1) = (ratio(1), ratio(2));
                // The first and second divided differences of the clean latents, times their integrals.
                let (first, second) = (phi_2(h), phi_3(h));
                let newer = (first * (1.0 + r0 / (r0 + r1)) - second / (r0 + r1)) / r0;
                let older = (second / (r0 + r1) - first * r0 / (r0 + r1)) / r1;
                terms.extend([(newer, clean), (older - newer, *one), (-older, *two)]);
            }
        }
        state.x = combine(&terms)?;
        state.remember(clean.clone(), 2);
        Ok(())
    })
}
