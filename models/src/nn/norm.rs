//! Group and layer normalisation, in two passes.
//!
//! One pass (mean of squares minus square of mean) loses the variance where the mean is large: at a row mean of 100
//! candle's layer norm is off by 4e-2. Here the mean is taken first, then the squares of what is left.

use candle_core::{D, DType, Tensor};
use darkroom_kernels::{self as kernels, Curve, Groups};

use super::{
    Compute, Dims, FeatureMap, Tokens,
    card::{Vector, kept},
    compute::Precision,
    rows::Numbers,
    storage::small,
};
use crate::{Error, Result, Weights};

/// Normalises groups of channels over the whole picture.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    groups: usize,
    eps: f64,
    weight: Vector,
    bias: Vector,
    compute: Compute,
}

impl GroupNorm {
    /// Loads `weight` and `bias`, each (channels).
    pub fn load(w: &Weights, groups: usize, channels: usize, eps: f64) -> Result<Self> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let what = format!("{channels} channels cannot be put into {groups} equal groups");
            return Err(Error::Shape(what));
        }
        let [weight, bias] = vectors(w, channels)?;
        Ok(Self { groups, eps, weight, bias, compute: w.compute().clone() })
    }

    /// Normalises.
    pub fn forward(&self, x: &FeatureMap) -> Result<FeatureMap> {
        self.then(x, Curve::None, |y| Ok(y.clone()))
    }

    /// Normalises, then bends with silu.
    pub fn forward_silu(&self, x: &FeatureMap) -> Result<FeatureMap> {
        self.then(x, Curve::Silu, Tensor::silu)
    }

    /// Normalises and bends each value; `bent` is the same curve in candle's operations.
    ///
    /// On the processor the map is only measured: whoever reads it does the rest on the way.
    fn then(
        &self,
        x: &FeatureMap,
        curve: Curve,
        bent: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<FeatureMap> {
        super::same("channels of a norm", self.weight.len(), x.dims().channels)?;
        let Some(cpu) = self.compute.cpu() else { return self.composed(x, bent) };
        if let Some(beside) = self.compute.beside() {
            // The result, which kernels do not write down, maybe its pieces, and one of them while it is worked out.
            let Dims { batch, channels, height, width } = x.dims();
            let numbers = batch * channels * height * width;
            let results = if numbers > PIECE { 2 } else { 1 };
            beside
                .note(cpu, results * numbers * self.compute.maps().bytes() + 2 * numbers.min(PIECE) * size_of::<f32>());
        }
        let rows = x.rows(cpu)?.bare();
        let groups = Groups { count: self.groups, eps: self.eps, weight: &self.weight, bias: &self.bias };
        let norm = rows.with(|source| kernels::group_norm(cpu, &source, groups, curve));
        Ok(FeatureMap::from_rows(rows.under(norm), x.dims()))
    }

    /// The same in candle's operations, some groups at a time.
    fn composed(&self, x: &FeatureMap, bent: impl Fn(&Tensor) -> candle_core::Result<Tensor>) -> Result<FeatureMap> {
        let card = &self.compute.composing();
        let Dims { batch, channels, height, width } = x.dims();
        let (x, of_group) = (card.bring(&x.tensor()?)?, channels / self.groups);
        let at_once = (PIECE / (batch * of_group * height * width).max(1)).clamp(1, self.groups);
        let (weight, bias) = (self.weight.on(card)?, self.bias.on(card)?);
        let mut pieces = Vec::new();
        for first in (0..self.groups).step_by(at_once) {
            let groups = at_once.min(self.groups - first);
            let (from, count) = (first * of_group, groups * of_group);
            let rows = x.narrow(1, from, count)?.contiguous()?.reshape((batch, groups, of_group * height * width))?;
            let wide = |values: &Tensor| values.narrow(0, from, count)?.reshape((1, count, 1, 1));
            let mut y = normalised(&rows, self.eps)?.reshape((batch, count, height, width))?;
            drop(rows);
            y = y.broadcast_mul(&wide(weight)?)?;
            y = y.broadcast_add(&wide(bias)?)?;
            pieces.push(kept(&bent(&y)?, self.compute.maps())?);
        }
        match &pieces[..] {
            [whole] => FeatureMap::made(whole),
            pieces => FeatureMap::made(&Tensor::cat(pieces, 1)?),
        }
    }
}

/// The numbers that a norm works on at a time by candle's operations, each of which needs them anew: 64 MiB.
const PIECE: usize = 16 << 20;

fn vectors(w: &Weights, channels: usize) -> Result<[Vector; 2]> {
    Ok([Vector::new(small(w, "weight", channels)?), Vector::new(small(w, "bias", channels)?)])
}

/// Normalises every vector.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    eps: f64,
    weight: Vector,
    bias: Vector,
    compute: Compute,
}

impl LayerNorm {
    /// Loads `weight` and `bias`, each (channels).
    pub fn load(w: &Weights, channels: usize, eps: f64) -> Result<Self> {
        let [weight, bias] = vectors(w, channels)?;
        Ok(Self { eps, weight, bias, compute: w.compute().clone() })
    }

    /// Normalises.
    pub fn forward(&self, x: &Tokens) -> Result<Tokens> {
        self.run(x, Precision::F32)
    }

    /// The same, in the numbers that the factors of products are: for what is multiplied next.
    pub fn forward_to_factors(&self, x: &Tokens) -> Result<Tokens> {
        self.run(x, self.compute.factors())
    }

    fn run(&self, x: &Tokens, precision: Precision) -> Result<Tokens> {
        super::same("channels of a norm", self.weight.len(), x.dims().2)?;
        let Some(cpu) = self.compute.cpu() else { return self.composed(x, precision) };
        let rows = x.rows(cpu)?;
        let mut numbers = Numbers::room(cpu, precision, rows.count() * self.weight.len());
        let affine = (&self.weight[..], &self.bias[..]);
        rows.with(|source| kernels::layer_norm(cpu, &source, self.eps, affine, &mut numbers.target()));
        Ok(Tokens::from_rows(rows.like(numbers, self.weight.len()), x.dims()))
    }
}

impl LayerNorm {
    /// The same in candle's operations.
    fn composed(&self, x: &Tokens, precision: Precision) -> Result<Tokens> {
        let card = &self.compute.composing();
        let y = normalised(&card.bring(&x.tensor()?)?, self.eps)?.broadcast_mul(self.weight.on(card)?)?;
        Tokens::made(&kept(&y.broadcast_add(self.bias.on(card)?)?, precision)?)
    }
}

/// The same over the last dimension in candle's operations.
fn normalised(x: &Tensor, eps: f64) -> Result<Tensor> {
    let mut x = x.to_dtype(DType::F32)?;
    x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
    Ok(x.broadcast_div(&(variance + eps)?.sqrt()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host;

    fn weights(channels: usize) -> Weights {
        let ramp =
            |from: f32| -> Vec<u8> { (0..channels).flat_map(|i| (from + i as f32 * 0.1).to_le_bytes()).collect() };
        let (weight, bias) = (ramp(0.5), ramp(-0.2));
        let view = |data| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![channels], data).unwrap();
        let file = [("weight", view(&weight)), ("bias", view(&bias))];
        Weights::from_bytes("norm", safetensors::serialize(file, None).unwrap()).unwrap()
    }

    /// Values whose mean is far above their spread: where one pass fails.
    fn offset(shape: (usize, usize, usize, usize)) -> Tensor {
        let count = shape.0 * shape.1 * shape.2 * shape.3;
        let values = (0..count).map(|i| 1000.0 + ((i * 7919) % 1009) as f32 / 1009.0);
        host::tensor(values.collect(), shape).unwrap()
    }

    fn gap(a: &Tensor, b: &Tensor) -> f32 {
        let gap = (a - b).unwrap().abs().unwrap().max_all().unwrap();
        gap.to_scalar().unwrap()
    }

    /// The textbook formula in f64.
    fn exact(row: &[f32], eps: f64) -> Vec<f64> {
        let n = row.len() as f64;
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let var = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
        let scale = (var + eps).sqrt().recip();
        row.iter().map(|x| (f64::from(*x) - mean) * scale).collect()
    }

    #[test]
    fn a_large_mean_does_not_spoil_the_variance() {
        let x = offset((1, 1, 1, 3072));
        let norm = LayerNorm::load(&weights(3072), 3072, 1e-5).unwrap();
        let tokens = Tokens::from_tensor(&x.squeeze(0).unwrap()).unwrap();
        let ours = norm.forward(&tokens).unwrap().to_tensor().unwrap();
        let ours = ours.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let want = exact(&x.flatten_all().unwrap().to_vec1().unwrap(), 1e-5);
        for (i, (ours, want)) in ours.iter().zip(want).enumerate() {
            let (gain, shift) = (0.5 + i as f64 * 0.1, -0.2 + i as f64 * 0.1);
            // The row's mean is itself rounded to f32 once: 3e-5 of a spread of 0.3.
            assert!((f64::from(*ours) - (want * gain + shift)).abs() < 2e-4 * gain.max(1.0));
        }
    }

    #[test]
    fn both_paths_of_the_group_norm_agree() {
        let norm = GroupNorm::load(&weights(12), 4, 12, 1e-6).unwrap();
        let x = (offset((2, 12, 5, 7)) - 1000.0).unwrap();
        let map = FeatureMap::from_tensor(&x).unwrap();
        let composed = norm.composed(&map, |y| Ok(y.clone())).unwrap().to_tensor().unwrap();
        assert!(gap(&norm.forward(&map).unwrap().to_tensor().unwrap(), &composed) < 1e-5);
        let bent = norm.forward_silu(&map).unwrap().to_tensor().unwrap();
        assert!(gap(&bent, &composed.silu().unwrap()) < 1e-5);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let norm = GroupNorm::load(&weights(32), 8, 32, 1e-6).unwrap();
        let map = FeatureMap::from_tensor(&offset((2, 32, 33, 31))).unwrap();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let y = pool.unwrap().install(|| norm.forward_silu(&map).unwrap());
            y.to_tensor().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(with(1), with(3));
    }

    #[test]
    fn groups_that_do_not_divide_are_refused() {
        let fault = GroupNorm::load(&weights(10), 4, 10, 1e-6).unwrap_err();
        assert!(fault.to_string().contains("10 channels"), "{fault}");
    }
}
