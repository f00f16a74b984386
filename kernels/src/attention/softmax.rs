//! Scores of a block become shares, and each query's state goes along.

use super::QUERIES;
use crate::micro::Arith;
use crate::tier::tiered;
use crate::{curve, words};

/// How far a query has come.
#[derive(Clone, Copy)]
pub struct State {
    most: f32,
    pub sum: f32,
    /// What has to be made of what it gathered before.
    pub fade: f32,
}

impl State {
    pub const NEW: Self = Self { most: f32::NEG_INFINITY, sum: 0.0, fade: 0.0 };
}

/// What is known of a block of scores.
pub struct Block<'a> {
    /// How many keys of the block each query sees.
    pub seen: &'a [usize],
    pub columns: usize,
    /// Words of a row of shares.
    pub words: usize,
    pub scale: f32,
    pub arith: Arith,
}

tiered! {
    /// Makes shares of scores, and takes the state of each query along.
    pub fn softmax(block: &Block<'_>, scores: &mut [f32], shares: &mut [u32], state: &mut [State]) {
        for (i, (seen, state)) in block.seen.iter().zip(state.iter_mut()).enumerate() {
            let shares = &mut shares[i * block.words..(i + 1) * block.words];
            let row = Row { query: i, seen: *seen, scale: block.scale };
            match (block.columns, block.arith) {
                (64, Arith::F32) => row.wide::<64>(scores, words::floats(shares), state),
                (64, _) => row.narrow::<64>(scores, words::halves(shares), state),
                (_, Arith::F32) => row.wide::<16>(scores, words::floats(shares), state),
                _ => row.narrow::<16>(scores, words::halves(shares), state),
            }
        }
    }
}

/// The scores of one query.
struct Row {
    query: usize,
    seen: usize,
    scale: f32,
}

impl Row {
    #[inline(always)]
    fn wide<const COLUMNS: usize>(&self, scores: &mut [f32], shares: &mut [f32], state: &mut State) {
        self.soften::<COLUMNS, f32>(scores, shares, state, curve::exp, |x| x);
    }

    /// Shares that become bf16 need no better exponential than one to a tenth of their rounding.
    #[inline(always)]
    fn narrow<const COLUMNS: usize>(&self, scores: &mut [f32], shares: &mut [u16], state: &mut State) {
        // To nearest, ties up; if a share is not a number the sum is none either.
        let round = |x: f32| (x.to_bits().wrapping_add(0x8000) >> 16) as u16;
        self.soften::<COLUMNS, u16>(scores, shares, state, curve::rough_exp, round);
    }

    /// A panel of `COLUMNS` is taken at a time: as many exponentials that do not wait for each other.
    #[inline(always)]
    fn soften<const COLUMNS: usize, S: Copy + Default>(
        &self,
        scores: &mut [f32],
        shares: &mut [S],
        state: &mut State,
        exp: impl Fn(f32) -> f32,
        share: impl Fn(f32) -> S,
    ) {
        let start = |panel: usize| (panel * QUERIES + self.query) * COLUMNS;
        let panels = self.seen.div_ceil(COLUMNS);
        if panels > 0 {
            // What is not seen is as unlike as can be.
            scores[start(panels - 1)..][self.seen - (panels - 1) * COLUMNS..COLUMNS].fill(f32::NEG_INFINITY);
        }
        let panel = |panel: usize| scores[start(panel)..].first_chunk::<COLUMNS>().expect("a panel has its columns");
        let mut lanes = [state.most; COLUMNS];
        for i in 0..panels {
            for (lane, x) in lanes.iter_mut().zip(panel(i)) {
                *lane = if *x > *lane { *x } else { *lane };
            }
        }
        let most = fold(lanes, |a, b| if b > a { b } else { a });
        // Nothing was seen yet: nothing that fades.
        let is_first = state.most == f32::NEG_INFINITY;
        state.fade = if is_first { 0.0 } else { curve::exp((state.most - most) * self.scale) };
        state.most = most;
        let mut lanes = [0_f32; COLUMNS];
        let mut one = |i: usize, shares: &mut [S; COLUMNS]| {
            for ((lane, x), to) in lanes.iter_mut().zip(panel(i)).zip(shares) {
                // Where the largest of all is an infinity this makes what is not a number: an overflow shows.
                let x = exp((*x - most) * self.scale);
                *lane += x;
                *to = share(x);
            }
        };
        let (full, rest) = shares.as_chunks_mut();
        for (i, shares) in full.iter_mut().take(panels).enumerate() {
            one(i, shares);
        }
        full.iter_mut().skip(panels).for_each(|shares| shares.fill(S::default()));
        if !rest.is_empty() {
            let mut last = [S::default(); COLUMNS];
            if full.len() < panels {
                one(full.len(), &mut last);
            }
            rest.copy_from_slice(&last[..rest.len()]);
        }
        state.sum = state.sum * state.fade + fold(lanes, |a, b| a + b);
    }
}

/// Folds the upper half onto the lower one until one is left: far fewer steps wait for each other than in a row.
#[inline(always)]
fn fold<const COLUMNS: usize>(mut lanes: [f32; COLUMNS], with: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = COLUMNS / 2;
    while width > 0 {
        let (low, high) = lanes.split_at_mut(width);
        low.iter_mut().zip(high).for_each(|(low, high)| *low = with(*low, *high));
        width /= 2;
    }
    lanes[0]
}
