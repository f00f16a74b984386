//! Attention, in blocks of bounded size.

use candle_core::{D, DType, Device, Tensor};
use darkroom_kernels::{self as kernels, Arith, attention::Look};

use super::{
    Tokens, Values,
    compute::Precision,
    rows::{Numbers, Rows},
};
use crate::{Error, Result};

/// The most scores that are held at a time by candle's operations: 32 MiB on the processor, and 128 where many small
/// products would leave a card idle. A picture of 1024² would want 1.3 GB at once.
fn scores_at_once(device: &Device) -> usize {
    if device.is_cpu() { 8 << 20 } else { 32 << 20 }
}

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
/// Where queries are the factors of products in bf16, scores and shares are too.
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
    match queries.values() {
        Values::Rows(rows) => side.gather(&rows.settled(), (queries, keys, values)),
        Values::Tensor(x) => side.composed(x, keys, values),
    }
}

struct Side {
    heads: usize,
    mask: Mask,
}

impl Side {
    fn gather(&self, rows: &Rows, (queries, keys, values): (&Tokens, &Tokens, &Tokens)) -> Result<Tokens> {
        let (batch, length, channels) = queries.dims();
        let cpu = &rows.cpu;
        let (keys, values) = (keys.rows(cpu)?.settled(), values.rows(cpu)?.settled());
        let is_narrow = matches!(rows.plain(), Some(Numbers::Bf16(_)));
        let (arith, precision) = if is_narrow { (Arith::Bf16, Precision::Bf16) } else { (Arith::F32, Precision::F32) };
        let mask = match self.mask {
            Mask::Open => kernels::attention::Mask::Open,
            Mask::Causal => kernels::attention::Mask::Causal,
        };
        let mut seen = Numbers::room(cpu, precision, batch * length * channels);
        rows.with(|queries| {
            keys.with(|keys| {
                values.with(|values| {
                    let look = Look { queries, keys, values, heads: self.heads, mask, arith };
                    kernels::attend(cpu, look, &mut seen.target());
                });
            });
        });
        Ok(Tokens::from_rows(rows.like(seen, channels), queries.dims()))
    }

    /// Returns picture `b` as (heads, length, width of a head), in order.
    fn split(&self, x: &Tensor, b: usize) -> Result<Tensor> {
        let (_, length, channels) = x.dims3()?;
        let x = x.get(b)?.reshape((length, self.heads, channels / self.heads))?;
        Ok(x.transpose(0, 1)?.contiguous()?)
    }

    /// The same in candle's operations, all heads at a time; in the numbers of the queries.
    fn composed(&self, queries: &Tensor, keys: &Tokens, values: &Tokens) -> Result<Tokens> {
        let (batch, length, channels) = queries.dims3()?;
        let (device, dtype) = (queries.device(), queries.dtype());
        // Candle's processor multiplies f32 alone; what is rounded already stays what it is.
        let factor = |x: &Tensor| if device.is_cpu() { x.to_dtype(DType::F32) } else { x.to_dtype(dtype) };
        let beside = |x: &Tokens| Ok::<_, Error>(factor(&x.tensor()?.to_device(device)?.to_dtype(dtype)?)?);
        let (queries, keys, values) = (factor(queries)?, beside(keys)?, beside(values)?);
        let sources = keys.dim(1)?.max(1);
        let block_rows = (scores_at_once(device) / (self.heads * sources)).clamp(1, length.max(1));
        let mut pictures = Vec::new();
        for b in 0..batch {
            let (q, k, v) = (self.split(&queries, b)?, self.split(&keys, b)?, self.split(&values, b)?);
            let scale = (q.dim(2)? as f64).sqrt().recip();
            let mut blocks = Vec::new();
            for row in (0..length).step_by(block_rows) {
                let q = q.narrow(1, row, block_rows.min(length - row))?;
                let scores = (q.contiguous()?.matmul(&k.t()?)?.to_dtype(DType::F32)? * scale)?; // h q k
                let shares = factor(&self.shares(&scores, row)?.to_dtype(dtype)?)?;
                blocks.push(shares.matmul(&v)?);
            }
            let seen = Tensor::cat(&blocks, 1)?.transpose(0, 1)?; // q h w
            pictures.push(seen.reshape((length, channels))?);
        }
        Tokens::made(&Tensor::stack(&pictures, 0)?.to_dtype(dtype)?)
    }

    /// The softmax in candle's operations.
    fn shares(&self, scores: &Tensor, row: usize) -> Result<Tensor> {
        let scores = match self.mask {
            Mask::Open => scores.clone(),
            Mask::Causal => {
                let (_, rows, sources) = scores.dims3()?;
                let hidden = |i: usize| (0..sources).map(move |j| if j <= row + i { 0.0 } else { f32::NEG_INFINITY });
                let mask: Vec<f32> = (0..rows).flat_map(hidden).collect();
                scores.broadcast_add(&Tensor::from_vec(mask, (1, rows, sources), scores.device())?)?
            }
        };
        let most = scores.max_keepdim(D::Minus1)?;
        let shares = scores.broadcast_sub(&most)?.exp()?;
        Ok(shares.broadcast_div(&shares.sum_keepdim(D::Minus1)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Compute, host};

    fn tokens(batch: usize, length: usize, channels: usize, salt: usize) -> Tokens {
        let count = batch * length * channels;
        let values = (0..count).map(|i| ((i * 7919 + salt * 31) % 1009) as f32 / 200.0 - 2.5);
        let x = host::tensor(values.collect(), (batch, length, channels)).unwrap();
        Tokens::from_tensor(&x).unwrap()
    }

    #[test]
    fn both_paths_agree_also_where_the_scores_come_in_blocks() {
        // The last case has more scores than a block of candle's holds.
        let cases = [(2, 7, 13, 12, 3, Mask::Open), (1, 9, 9, 8, 2, Mask::Causal), (1, 3100, 3100, 4, 2, Mask::Causal)];
        for (batch, length, sources, channels, heads, mask) in cases {
            let q = tokens(batch, length, channels, 1);
            let (k, v) = (tokens(batch, sources, channels, 2), tokens(batch, sources, channels, 3));
            let theirs = attend(&q, &k, &v, Heads(heads), mask).unwrap().to_tensor().unwrap();
            let q = q.within(&Compute::default()).unwrap();
            let ours = attend(&q, &k, &v, Heads(heads), mask).unwrap().to_tensor().unwrap();
            let gap = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap();
            assert!(gap.to_scalar::<f32>().unwrap() < 1e-5, "{length} x {sources}");
        }
    }

    #[test]
    fn the_first_of_a_causal_row_sees_only_itself() {
        let (q, v) = (tokens(1, 5, 4, 1), tokens(1, 5, 4, 2));
        let out = attend(&q, &q, &v, Heads(2), Mask::Causal).unwrap().to_tensor().unwrap();
        let first = |x: Tensor| x.get(0).unwrap().get(0).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(first(out), first(v.to_tensor().unwrap()));
    }

    #[test]
    fn heads_that_do_not_divide_are_refused() {
        let q = tokens(1, 2, 6, 1);
        let fault = attend(&q, &q, &q, Heads(4), Mask::Open).unwrap_err();
        assert!(fault.to_string().contains("6 channels"), "{fault}");
    }
}
