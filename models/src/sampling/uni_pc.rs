//! UniPC: Zhao et al., arXiv 2302.04867: what is seen at the predicted latent corrects the way there.

use candle_core::Tensor;

use super::linear::solve;
use super::state::combine;
use super::walk::Hand;
use super::{Given, Result, Rules, State};

/// Where ComfyUI's run ends: this is its stand-in for 0.
const COMFYUI_END: f64 = 1e-3;

/// The two norms of the paper.
#[derive(Clone, Copy)]
enum Norm {
    /// B(h) = h: for few steps.
    Bh1,
    /// B(h) = exp(h) − 1.
    Bh2,
}

/// Walks in third-order steps by the first norm; ComfyUI's `uni_pc`.
pub fn uni_pc(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| step(hand, state, clean, 3, Norm::Bh1))
}

/// Walks in third-order steps by the second norm; ComfyUI's `uni_pc_bh2`.
pub fn uni_pc_bh2(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| step(hand, state, clean, 3, Norm::Bh2))
}

/// Walks in second-order steps by the second norm; diffusers' UniPCMultistepScheduler.
pub fn unipc(given: Given<'_>, state: State) -> Result<State> {
    given.each_step(state, |hand, state, clean| step(hand, state, clean, 2, Norm::Bh2))
}

/// Corrects where the walk stands, then predicts where it goes.
///
/// The state remembers the corrected latent of the last step and the clean latents, up to the order.
fn step(hand: &Hand<'_>, state: &mut State, clean: &Tensor, most: usize, norm: Norm) -> Result<()> {
    let schedule = hand.schedule;
    let comfyui = schedule.rules == Rules::Comfyui;
    // ComfyUI's order is never above the steps less one.
    let most = if comfyui { most.min(schedule.len().saturating_sub(1)).max(1) } else { most };
    let steps_to_end = |index: usize| schedule.len() - index;
    let x = match state.history.as_slice() {
        [base, past @ ..] => {
            let order = past.len().min(most).min(steps_to_end(state.index - 1));
            let way = (hand.before(state, 1), hand.now());
            update(hand, state.index - 1, way, base, &past[past.len() - order..], Some(clean), norm)?
        }
        [] => state.x.clone(),
    };
    let mut cleans = state.history.split_off(state.history.len().min(1));
    cleans.push(clean.clone());
    let spare = cleans.len().saturating_sub(most);
    cleans.drain(..spare);
    let order = cleans.len().min(steps_to_end(state.index));
    let to = if comfyui && hand.is_last() { COMFYUI_END.min(hand.now()) } else { hand.next() };
    state.x = update(hand, state.index, (hand.now(), to), &x, &cleans[cleans.len() - order..], None, norm)?;
    state.history = std::iter::once(x).chain(cleans).collect();
    Ok(())
}

/// Moves by clean latents, the newest of which was seen at the schedule's point `newest`, where the way starts; `ahead`
/// was seen at its end.
fn update(
    hand: &Hand<'_>,
    newest: usize,
    (from, to): (f64, f64),
    base: &Tensor,
    cleans: &[Tensor],
    ahead: Option<&Tensor>,
    norm: Norm,
) -> Result<Tensor> {
    let last = cleans.len() - 1;
    let kept = to / from;
    let mut terms = vec![(kept, base), (1.0 - kept, &cleans[last])];
    if to > 0.0 {
        let h = (from / to).ln();
        let past = |steps: usize| hand.schedule.points[newest - steps].sigma;
        // Where each other latent was seen, as a share of this way.
        let mut shares: Vec<f64> = (1..=last).map(|steps| (from / past(steps)).ln() / h).collect();
        let mut others: Vec<&Tensor> = cleans[..last].iter().rev().collect();
        if let Some(ahead) = ahead {
            shares.push(1.0);
            others.push(ahead);
        }
        let weights = weights(&shares, h, norm);
        for ((weight, share), other) in weights.iter().zip(&shares).zip(others) {
            let factor = weight / share;
            terms.extend([(factor, other), (-factor, &cleans[last])]);
        }
    }
    combine(&terms)
}

/// The weights of differences to the newest clean latent: equation 8 of the paper, times alpha · B(h).
fn weights(shares: &[f64], h: f64, norm: Norm) -> Vec<f64> {
    let scale = match norm {
        Norm::Bh1 => h,
        Norm::Bh2 => -(-h).exp_m1(),
    };
    // A single difference counts one half, which the paper finds to be enough.
    if shares.len() < 2 {
        return vec![0.5 * scale; shares.len()];
    }
    let mut moment = (-h).exp_m1() / -h - 1.0;
    let mut factorial = 1.0;
    let mut wanted = Vec::new();
    for power in 1..=shares.len() {
        wanted.push(-moment * factorial);
        factorial *= (power + 1) as f64;
        moment = moment / -h - 1.0 / factorial;
    }
    let rows = (0..shares.len() as i32).map(|power| shares.iter().map(|share| share.powi(power)).collect());
    solve(rows.collect(), wanted)
}
