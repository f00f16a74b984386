//! SA-Solver: Xue et al., arXiv 2309.05019: a stochastic Adams method that predicts and corrects.

use candle_core::Tensor;

use super::linear::solve;
use super::state::combine;
use super::walk::Hand;
use super::{Given, Result, Schedule, State};

/// Clean latents used to predict, and to correct.
const PREDICTOR: usize = 3;
const CORRECTOR: usize = 4;
/// Fresh noise is taken between these shares of the trained time.
const NOISY: (f64, f64) = (0.2, 0.8);

/// Walks by four clean latents: what was seen at the predicted latent corrects the way there, then the next is predicted.
///
/// The state remembers the latent the last prediction started from, the noise it added, and the clean latents.
pub fn sa_solver(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_lambda(state, |hand, state, clean| {
        let schedule = hand.schedule;
        let base = corrected(hand, state, clean)?;
        let mut cleans = state.history.split_off(state.history.len().min(2));
        cleans.push(clean.clone());
        let spare = cleans.len().saturating_sub(CORRECTOR);
        cleans.drain(..spare);
        let steps_left = schedule.len() - state.index;
        let order = PREDICTOR.min(cleans.len()).min(if ends_clean(schedule) { steps_left - 1 } else { PREDICTOR });
        let (x, noise) = if hand.is_last() {
            (clean.clone(), clean.zeros_like()?)
        } else {
            let (from, to, tau) = (hand.now(), hand.next(), tau(hand, hand.next()));
            let moved = moved(hand, state.index, (from, to, tau), &base, &cleans[cleans.len() - order..])?;
            let h = schedule.lambda(to) - schedule.lambda(from);
            let factor = to * (-(-2.0 * tau * tau * h).exp_m1()).sqrt();
            let zero = moved.zeros_like()?;
            let noise = hand.noised(zero, factor)?;
            ((&moved + &noise)?, noise)
        };
        state.x = x;
        state.history = [base, noise].into_iter().chain(cleans).collect();
        Ok(())
    })
}

/// The latent where the walk stands, once the clean latent seen there has its say.
fn corrected(hand: &Hand<'_>, state: &State, clean: &Tensor) -> Result<Tensor> {
    let [base, noise, past @ ..] = state.history.as_slice() else { return Ok(state.x.clone()) };
    if hand.is_last() {
        return Ok(state.x.clone());
    }
    let cleans: Vec<Tensor> = past.iter().chain([clean]).cloned().collect();
    let left = hand.schedule.len() - state.index;
    let order = CORRECTOR.min(cleans.len()).min(if ends_clean(hand.schedule) { left } else { CORRECTOR });
    let (from, to) = (hand.before(state, 1), hand.now());
    let way = (from, to, tau(hand, to));
    moved(hand, state.index, way, base, &cleans[cleans.len() - order..])? + noise
}

/// Moves by clean latents, the newest of which was seen at the schedule's point `newest`.
fn moved(
    hand: &Hand<'_>,
    newest: usize,
    (from, to, tau): (f64, f64, f64),
    base: &Tensor,
    cleans: &[Tensor],
) -> Result<Tensor> {
    let schedule = hand.schedule;
    let points = &schedule.points[newest + 1 - cleans.len()..=newest];
    let lambdas: Vec<f64> = points.iter().map(|point| schedule.lambda(point.sigma)).collect();
    let (start, end) = (schedule.lambda(from), schedule.lambda(to));
    let weights = weights(&lambdas, start, end, 1.0 + tau * tau);
    let kept = to / from * (-tau * tau * (end - start)).exp();
    let alpha = schedule.alpha(to);
    let weighted = weights.iter().map(|weight| alpha * weight).zip(cleans);
    combine(&std::iter::once((kept, base)).chain(weighted).collect::<Vec<_>>())
}

/// The integrals of rate · exp(rate · (x − end)) times the polynomials that are 1 at one lambda and 0 at the others.
fn weights(lambdas: &[f64], start: f64, end: f64, rate: f64) -> Vec<f64> {
    // Counted from the end, so that powers of large lambdas do not cancel.
    let nodes: Vec<f64> = lambdas.iter().map(|lambda| lambda - end).collect();
    let start = start - end;
    let faded = (rate * start).exp();
    let mut moments = Vec::with_capacity(nodes.len());
    for power in 0..nodes.len() as i32 {
        let at_end = if power == 0 { 1.0 } else { 0.0 };
        let below = moments.last().map_or(0.0, |below| f64::from(power) / rate * below);
        moments.push(at_end - start.powi(power) * faded - below);
    }
    let rows = (0..nodes.len() as i32).map(|power| nodes.iter().map(|node| node.powi(power)).collect());
    solve(rows.collect(), moments)
}

/// The share of fresh noise on the way to a sigma.
fn tau(hand: &Hand<'_>, to: f64) -> f64 {
    let clock = &hand.schedule.clock;
    let noisy = clock.sigma_after(NOISY.0) >= to && to >= clock.sigma_after(NOISY.1);
    if noisy { hand.eta_or(1.0) } else { 0.0 }
}

fn ends_clean(schedule: &Schedule) -> bool {
    schedule.points.last().is_some_and(|point| point.sigma == 0.0)
}
