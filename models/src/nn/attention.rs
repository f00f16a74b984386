//! Attention, in blocks of bounded size.

use candle_core::{D, DType, Tensor};
use darkroom_kernels::{self as kernels, Arith, attention::Look};

use super::{
    Compute, Tokens,
    compute::Precision,
    rows::{Numbers, Rows},
};
use crate::{Error, Result};

/// Who may look at whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Everybody at everybody.
    Open,
    /// Each at itself and what came before.
    Causal,
}

/// The heads of an attention: how many the channels are split into, and who looks at whom.
#[derive(Clone, Debug)]
pub struct Heads {
    count: usize,
    mask: Mask,
    compute: Compute,
}

impl Heads {
    /// Splits channels into so many.
    pub fn new(compute: &Compute, count: usize, mask: Mask) -> Self {
        Self { count, mask, compute: compute.clone() }
    }

    /// Lets each query (batch, length, channels) gather `values` by the likeness of `keys`, head by head.
    ///
    /// Scores are scaled by 1 / sqrt(channels / heads); the softmax is f32. Keys and values share a length of their own.
    /// Where queries are the factors of products in bf16, scores and shares are too.
    ///
    /// # Errors
    /// That the sizes do not go together; what a card says.
    pub fn attend(&self, queries: &Tokens, keys: &Tokens, values: &Tokens) -> Result<Tokens> {
        let (batch, length, channels) = queries.dims();
        if self.count == 0 || !channels.is_multiple_of(self.count) {
            let what = format!("{channels} channels cannot be split into {} heads", self.count);
            return Err(Error::Shape(what));
        }
        if keys.dims() != values.dims() || keys.dims().0 != batch || keys.dims().2 != channels {
            let (q, k, v) = (queries.dims(), keys.dims(), values.dims());
            let what = format!("queries {q:?} cannot look at keys {k:?} and values {v:?}");
            return Err(Error::Shape(what));
        }
        let Some(cpu) = self.compute.cpu() else { return self.composed((queries, keys, values)) };
        if let Some(beside) = self.compute.beside() {
            let scores = (self.count * length * keys.dims().1).min(beside.card.scores());
            // The scores and their shares, and what is split into heads.
            let split = (length + 2 * keys.dims().1 + length) * channels;
            beside.note(cpu, (2 * scores + split + batch * length * channels) * size_of::<f32>());
        }
        self.gather(&queries.rows(cpu)?.settled(), (queries, keys, values))
    }

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
                    let look = Look { queries, keys, values, heads: self.count, mask, arith };
                    kernels::attend(cpu, look, &mut seen.target());
                });
            });
        });
        Ok(Tokens::from_rows(rows.like(seen, channels), queries.dims()))
    }

    /// Returns picture `b` as (heads, length, width of a head), in order.
    fn split(&self, x: &Tensor, b: usize) -> Result<Tensor> {
        let (_, length, channels) = x.dims3()?;
        let x = x.get(b)?.reshape((length, self.count, channels / self.count))?;
        Ok(x.transpose(0, 1)?.contiguous()?)
    }

    /// The same in candle's operations, all heads at a time; in the numbers of the queries.
    fn composed(&self, (queries, keys, values): (&Tokens, &Tokens, &Tokens)) -> Result<Tokens> {
        let card = self.compute.composing();
        let queries = card.bring(&queries.tensor()?)?;
        let (batch, length, channels) = queries.dims3()?;
        let dtype = queries.dtype();
        let narrow = |x: Tensor| if dtype == DType::BF16 { card.factor(&x) } else { card.wide(&x) };
        let (keys, values) = (narrow(keys.tensor()?)?, narrow(values.tensor()?)?);
        let queries = narrow(queries)?;
        let rows_at_once = (card.scores() / (self.count * keys.dim(1)?.max(1))).clamp(1, length.max(1));
        let mut pictures = Vec::new();
        for b in 0..batch {
            let (q, k, v) = (self.split(&queries, b)?, self.split(&keys, b)?, self.split(&values, b)?);
            let scale = (q.dim(2)? as f64).sqrt().recip();
            let mut blocks = Vec::new();
            for row in (0..length).step_by(rows_at_once) {
                let q = q.narrow(1, row, rows_at_once.min(length - row))?.contiguous()?;
                let scores = card.wide(&q.matmul(&k.t()?)?)?; // h q k
                blocks.push(narrow(self.shares((scores * scale)?, row)?)?.matmul(&v)?);
            }
            let seen = Tensor::cat(&blocks, 1)?.transpose(0, 1)?; // q h w
            pictures.push(seen.reshape((length, channels))?);
        }
        Tokens::made(&Tensor::stack(&pictures, 0)?.to_dtype(dtype)?)
    }

    /// The softmax in candle's operations; each result takes the place of what it was made of.
    fn shares(&self, mut scores: Tensor, row: usize) -> Result<Tensor> {
        if self.mask == Mask::Causal {
            let (_, rows, sources) = scores.dims3()?;
            let hidden = |i: usize| (0..sources).map(move |j| if j <= row + i { 0.0 } else { f32::NEG_INFINITY });
            let mask: Vec<f32> = (0..rows).flat_map(hidden).collect();
            scores = scores.broadcast_add(&Tensor::from_vec(mask, (1, rows, sources), scores.device())?)?;
        }
        scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?;
        scores = scores.exp()?;
        Ok(scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host;

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
            let [ours, theirs] = [Compute::default(), Compute::composed()]
                .map(|compute| Heads::new(&compute, heads, mask).attend(&q, &k, &v).unwrap().to_tensor().unwrap());
            let gap = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap();
            assert!(gap.to_scalar::<f32>().unwrap() < 1e-5, "{length} x {sources}");
        }
    }

    #[test]
    fn the_first_of_a_causal_row_sees_only_itself() {
        let (q, v) = (tokens(1, 5, 4, 1), tokens(1, 5, 4, 2));
        let out = Heads::new(&Compute::default(), 2, Mask::Causal).attend(&q, &q, &v).unwrap().to_tensor().unwrap();
        let first = |x: Tensor| x.get(0).unwrap().get(0).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(first(out), first(v.to_tensor().unwrap()));
    }

    #[test]
    fn heads_that_do_not_divide_are_refused() {
        let q = tokens(1, 2, 6, 1);
        let fault = Heads::new(&Compute::default(), 4, Mask::Open).attend(&q, &q, &q).unwrap_err();
        assert!(fault.to_string().contains("6 channels"), "{fault}");
    }
}
