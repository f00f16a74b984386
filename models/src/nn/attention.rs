//! Attention, in blocks of bounded size.

use candle_core::{D, Tensor};
use rayon::prelude::*;

use super::{Tokens, host, scalar};
use crate::{Error, Result};

/// The most scores that are held at a time: 32 MiB. A picture of 1024² would want 1.3 GB at once.
const SCORES: usize = 8 << 20;

/// Who may look at whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Everybody at everybody.
    Open,
    /// Each at itself and what came before.
    Causal,
}

/// Into how many heads the channels are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads(pub usize);

/// Lets each query (batch, length, channels) gather `values` by the likeness of `keys`, head by head.
///
/// Scores are scaled by 1 / sqrt(channels / heads); the softmax is f32. Keys and values share a length of their own.
pub fn attend(queries: &Tokens, keys: &Tokens, values: &Tokens, Heads(heads): Heads, mask: Mask) -> Result<Tokens> {
    let (batch, _, channels) = queries.dims();
    if heads == 0 || !channels.is_multiple_of(heads) {
        let what = format!("{channels} channels cannot be split into {heads} heads");
        return Err(Error::Shape(what));
    }
    if keys.dims() != values.dims() || keys.dims().0 != batch || keys.dims().2 != channels {
        let (q, k, v) = (queries.dims(), keys.dims(), values.dims());
        let what = format!("queries {q:?} cannot look at keys {k:?} and values {v:?}");
        return Err(Error::Shape(what));
    }
    let side = Side { heads, mask };
    let on_host = |x: &Tokens| host::with(&x.to_tensor(), |_| ()).is_some();
    match [queries, keys, values].into_iter().all(on_host) {
        true => side.gather(queries, keys, values),
        false => side.composed(queries, keys, values),
    }
}

struct Side {
    heads: usize,
    mask: Mask,
}

impl Side {
    /// Goes over blocks of heads and of queries.
    fn gather(&self, queries: &Tokens, keys: &Tokens, values: &Tokens) -> Result<Tokens> {
        let (batch, length, channels) = queries.dims();
        let sources = keys.dims().1.max(1);
        let block_heads = (SCORES / (length * sources).max(1)).clamp(1, self.heads);
        let block_rows = (SCORES / sources).clamp(1, length.max(1));
        let mut out = vec![0.0; batch * length * channels];
        for b in 0..batch {
            let (q, k, v) = (self.split(queries, b)?, self.split(keys, b)?, self.split(values, b)?);
            for head in (0..self.heads).step_by(block_heads) {
                let count = block_heads.min(self.heads - head);
                let (k, v) = (k.narrow(0, head, count)?, v.narrow(0, head, count)?);
                for row in (0..length).step_by(block_rows) {
                    let rows = block_rows.min(length - row);
                    let q = q.narrow(0, head, count)?.narrow(1, row, rows)?;
                    let seen = self.block(&q, &k, &v, row)?; // h q w
                    let target = &mut out[(b * length + row) * channels..][..rows * channels];
                    put(&seen, target, (head, channels))?;
                }
            }
        }
        Tokens::from_tensor(&host::tensor(out, queries.dims())?)
    }

    /// Returns picture `b` as (heads, length, width of a head), a view.
    fn split(&self, x: &Tokens, b: usize) -> Result<Tensor> {
        let (_, length, channels) = x.dims();
        let x = x.to_tensor().get(b)?;
        let x = x.reshape((length, self.heads, channels / self.heads))?;
        Ok(x.transpose(0, 1)?)
    }

    /// Attends for a block of heads and of queries, the first being number `row`.
    fn block(&self, q: &Tensor, k: &Tensor, v: &Tensor, row: usize) -> Result<Tensor> {
        let scale = (q.dim(2)? as f64).sqrt().recip() as f32;
        let scores = q.matmul(&k.t()?)?; // h q k
        let (_, rows, sources) = scores.dims3()?;
        let visible = |i: usize| match self.mask {
            Mask::Open => sources,
            Mask::Causal => (row + i % rows + 1).min(sources),
        };
        host::update_rows(&scores, sources.max(1), |i, scores| {
            softmax(scores, visible(i), scale);
        })?;
        Ok(scores.matmul(v)?)
    }

    /// The same in candle's operations, all heads at a time.
    fn composed(&self, queries: &Tokens, keys: &Tokens, values: &Tokens) -> Result<Tokens> {
        let (batch, length, channels) = queries.dims();
        let sources = keys.dims().1.max(1);
        let block_rows = (SCORES / (self.heads * sources)).clamp(1, length.max(1));
        let mut pictures = Vec::new();
        for b in 0..batch {
            let split = |x| self.split(x, b).and_then(|x| Ok(x.contiguous()?));
            let (q, k, v) = (split(queries)?, split(keys)?, split(values)?);
            let scale = (q.dim(2)? as f64).sqrt().recip();
            let mut blocks = Vec::new();
            for row in (0..length).step_by(block_rows) {
                let q = q.narrow(1, row, block_rows.min(length - row))?;
                let scores = (q.contiguous()?.matmul(&k.t()?)? * scale)?; // h q k
                blocks.push(self.shares(&scores, row)?.matmul(&v)?);
            }
            let seen = Tensor::cat(&blocks, 1)?.transpose(0, 1)?; // q h w
            pictures.push(seen.reshape((length, channels))?);
        }
        Tokens::from_tensor(&Tensor::stack(&pictures, 0)?)
    }

    /// The softmax in candle's operations.
    fn shares(&self, scores: &Tensor, row: usize) -> Result<Tensor> {
        let (_, rows, sources) = scores.dims3()?;
        let hidden = |i: usize| {
            let sees = move |j| self.mask == Mask::Open || j <= row + i;
            (0..sources).map(move |j| if sees(j) { 0.0 } else { f32::NEG_INFINITY })
        };
        let mask: Vec<f32> = (0..rows).flat_map(hidden).collect();
        let mask = Tensor::from_vec(mask, (1, rows, sources), scores.device())?;
        let scores = scores.broadcast_add(&mask)?;
        let most = scores.max_keepdim(D::Minus1)?;
        let shares = scores.broadcast_sub(&most)?.exp()?;
        Ok(shares.broadcast_div(&shares.sum_keepdim(D::Minus1)?)?)
    }
}

/// Writes a block (heads, queries, width) into rows of `channels`, from head number `head` on.
fn put(block: &Tensor, target: &mut [f32], (head, channels): (usize, usize)) -> Result<()> {
    let (count, rows, width) = block.dims3()?;
    host::with(block, |block| {
        let lines = target.par_chunks_mut(channels).enumerate();
        lines.with_min_len(16).for_each(|(i, out)| {
            for h in 0..count {
                let source = &block[(h * rows + i) * width..][..width];
                out[(head + h) * width..][..width].copy_from_slice(source);
            }
        });
    });
    Ok(())
}

/// Turns the first `visible` scores into shares of one; the others get none.
fn softmax(scores: &mut [f32], visible: usize, scale: f32) {
    let (seen, hidden) = scores.split_at_mut(visible);
    hidden.fill(0.0);
    let most = seen.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for score in seen.iter_mut() {
        *score = scalar::exp((*score - most) * scale);
    }
    let total: f32 = sum(seen);
    let share = total.recip();
    for score in seen {
        *score *= share;
    }
}

/// Adds up in sixteen lanes: quick, and a long sum keeps its small parts.
fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0; 16];
    let (blocks, rest) = x.as_chunks::<16>();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += x;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(batch: usize, length: usize, channels: usize, salt: usize) -> Tokens {
        let count = batch * length * channels;
        let values = (0..count).map(|i| ((i * 7919 + salt * 31) % 1009) as f32 / 200.0 - 2.5);
        let x = host::tensor(values.collect(), (batch, length, channels)).unwrap();
        Tokens::from_tensor(&x).unwrap()
    }

    #[test]
    fn both_paths_agree_also_where_the_scores_come_in_blocks() {
        // The last case has more scores than a block holds.
        let cases = [(2, 7, 13, 12, 3, Mask::Open), (1, 9, 9, 8, 2, Mask::Causal), (1, 3100, 3100, 4, 2, Mask::Causal)];
        for (batch, length, sources, channels, heads, mask) in cases {
            let q = tokens(batch, length, channels, 1);
            let (k, v) = (tokens(batch, sources, channels, 2), tokens(batch, sources, channels, 3));
            let side = Side { heads, mask };
            let ours = side.gather(&q, &k, &v).unwrap().to_tensor();
            let theirs = side.composed(&q, &k, &v).unwrap().to_tensor();
            let gap = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap();
            assert!(gap.to_scalar::<f32>().unwrap() < 1e-5, "{length} x {sources}");
        }
    }

    #[test]
    fn the_first_of_a_causal_row_sees_only_itself() {
        let (q, v) = (tokens(1, 5, 4, 1), tokens(1, 5, 4, 2));
        let out = attend(&q, &q, &v, Heads(2), Mask::Causal).unwrap().to_tensor();
        let first = |x: Tensor| x.get(0).unwrap().get(0).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(first(out), first(v.to_tensor()));
    }

    #[test]
    fn heads_that_do_not_divide_are_refused() {
        let q = tokens(1, 2, 6, 1);
        let fault = attend(&q, &q, &q, Heads(4), Mask::Open).unwrap_err();
        assert!(fault.to_string().contains("6 channels"), "{fault}");
    }
}
