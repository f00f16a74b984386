//! DPM-Solver++ with fresh noise and a memory: (2M) SDE in two forms and (3M) SDE of k-diffusion and ComfyUI.

use candle_core::Tensor;

use super::exponential::{phi_2, phi_3};
use super::state::combine;
use super::walk::Hand;
use super::{Given, Result, Rules, State};

/// Below this many steps the last one is of first order, whatever its sigma: `lower_order_final` of diffusers.
const FEW: usize = 15;

/// Walks in second-order steps with fresh noise; diffusers' `sde-dpmsolver++`.
pub fn dpmpp_2m_sde(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_lambda(state, |hand, state, clean| {
        step(hand, state, clean, 1, |h, ratios| vec![0.5 * -(-h).exp_m1() / ratios[0]])
    })
}

/// Walks in second-order steps with fresh noise, by another weight of the past.
pub fn dpmpp_2m_sde_heun(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_lambda(state, |hand, state, clean| {
        step(hand, state, clean, 1, |h, ratios| vec![phi_2(h) / ratios[0]])
    })
}

/// Walks in third-order steps with fresh noise.
pub fn dpmpp_3m_sde(given: Given<'_>, state: State) -> Result<State> {
    given.each_step_by_lambda(state, |hand, state, clean| {
        step(hand, state, clean, 2, |h, ratios| match *ratios {
            [r0, r1, ..] => {
                let turn = (phi_2(h) * r0 - phi_3(h)) / (r0 + r1);
                vec![(phi_2(h) + turn) / r0, -turn / r1]
            }
            _ => vec![phi_2(h) / ratios[0]],
        })
    })
}

/// Takes a step; `weights` is given the step's length under noise and earlier lengths as shares of this one, and
/// weighs the differences between neighbouring clean latents, the newest first.
fn step(
    hand: &mut Hand<'_>,
    state: &mut State,
    clean: &Tensor,
    memory: usize,
    weights: impl FnOnce(f64, &[f64]) -> Vec<f64>,
) -> Result<()> {
    let schedule = hand.schedule;
    let (now, next, eta) = (hand.now(), hand.next(), hand.eta_or(1.0));
    if hand.is_last() {
        state.x = clean.clone();
        return Ok(());
    }
    let h = schedule.lambda(next) - schedule.lambda(now);
    let with_noise = h * (1.0 + eta);
    let alpha = schedule.alpha(next);
    let kept = next / now * (-h * eta).exp();
    let mut terms = vec![(kept, &state.x), (-alpha * (-with_noise).exp_m1(), clean)];
    let first_order = schedule.rules != Rules::Comfyui && schedule.len() < FEW && state.index + 1 == schedule.len();
    if !state.history.is_empty() && !first_order {
        let lambda = |steps| schedule.lambda(hand.before(state, steps));
        let ratios: Vec<f64> = (1..=state.history.len()).map(|k| (lambda(k - 1) - lambda(k)) / h).collect();
        let mut newer = clean;
        for (weight, older) in weights(with_noise, &ratios).into_iter().zip(state.history.iter().rev()) {
            terms.extend([(alpha * weight, newer), (-alpha * weight, older)]);
            newer = older;
        }
    }
    let x = combine(&terms)?;
    state.x = hand.noised_since(x, next * (-(-2.0 * h * eta).exp_m1()).sqrt(), next)?;
    state.remember(clean.clone(), memory);
    Ok(())
}
