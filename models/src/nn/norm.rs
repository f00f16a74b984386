//! Group and layer normalisation, in two passes with f64 sums.
//!
//! One pass (mean of squares minus square of mean) loses the variance where the mean is large: at a row mean of 100
//! candle's layer norm is off by 4e-2. Here the mean is taken first, then the squares of what is left.

use candle_core::{D, DType, Tensor};
use rayon::prelude::*;

use super::{FeatureMap, Tokens, host, scalar, storage::small};
use crate::{Error, Result, Weights};

/// Normalises groups of channels over the whole picture.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    groups: usize,
    eps: f64,
    weight: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    /// Loads `weight` and `bias`, each (channels).
    pub fn load(w: &Weights, groups: usize, channels: usize, eps: f64) -> Result<Self> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let what = format!("{channels} channels cannot be put into {groups} equal groups");
            return Err(Error::Shape(what));
        }
        Ok(Self { groups, eps, weight: small(w, "weight", channels)?, bias: small(w, "bias", channels)? })
    }

    /// Normalises.
    pub fn forward(&self, x: &FeatureMap) -> Result<FeatureMap> {
        self.then(x, |y| y, Ok)
    }

    /// Normalises, then bends with silu, in one pass over the memory.
    pub fn forward_silu(&self, x: &FeatureMap) -> Result<FeatureMap> {
        self.then(x, scalar::silu, |y| y.silu())
    }

    /// Normalises and bends each value; `composed` is the same curve in candle's operations.
    fn then(
        &self,
        x: &FeatureMap,
        curve: impl Fn(f32) -> f32 + Sync,
        composed: impl Fn(Tensor) -> candle_core::Result<Tensor>,
    ) -> Result<FeatureMap> {
        let x = x.to_tensor();
        let normed = host::with(&x, |x_values| {
            host::with(&self.weight, |weight| {
                host::with(&self.bias, |bias| {
                    self.planes(x_values, x.elem_count() / x.dims()[0].max(1), weight, bias, curve)
                })
            })
        });
        match normed.flatten().flatten() {
            Some(values) => FeatureMap::from_tensor(&host::tensor(values, x.dims())?),
            None => FeatureMap::from_tensor(&composed(self.composed(&x)?)?),
        }
    }

    /// The work on the CPU; a picture takes `picture` values.
    fn planes(
        &self,
        x: &[f32],
        picture: usize,
        weight: &[f32],
        bias: &[f32],
        curve: impl Fn(f32) -> f32 + Sync,
    ) -> Vec<f32> {
        let members = weight.len() / self.groups;
        let plane = (picture / weight.len()).max(1);
        let mut out = vec![0.0; x.len()];
        let groups = out.par_chunks_mut(members * plane);
        let sources = x.par_chunks(members * plane);
        groups.zip(sources).enumerate().for_each(|(i, (out, x))| {
            let (mean, scale) = mean_and_scale(x, self.eps);
            let first = i % self.groups * members;
            let planes = out.chunks_mut(plane).zip(x.chunks(plane));
            for (c, (out, x)) in planes.enumerate() {
                let (gain, shift) = (scale * weight[first + c], bias[first + c]);
                for (out, x) in out.iter_mut().zip(x) {
                    *out = curve((x - mean) * gain + shift);
                }
            }
        });
        out
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        let rows = x.reshape((batch, self.groups, channels / self.groups * height * width))?;
        let rows = normalised(&rows, self.eps)?.reshape((batch, channels, height, width))?;
        let gain = self.weight.reshape((1, channels, 1, 1))?;
        let shift = self.bias.reshape((1, channels, 1, 1))?;
        Ok(rows.broadcast_mul(&gain)?.broadcast_add(&shift)?)
    }
}

/// Normalises every vector.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    eps: f64,
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// Loads `weight` and `bias`, each (channels).
    pub fn load(w: &Weights, channels: usize, eps: f64) -> Result<Self> {
        Ok(Self { eps, weight: small(w, "weight", channels)?, bias: small(w, "bias", channels)? })
    }

    /// Normalises.
    pub fn forward(&self, x: &Tokens) -> Result<Tokens> {
        let (x, width) = (x.to_tensor(), x.dims().2.max(1));
        let normed = host::with(&x, |x| {
            host::with(&self.weight, |weight| {
                host::with(&self.bias, |bias| {
                    let mut out = vec![0.0; x.len()];
                    let rows = out.par_chunks_mut(width).zip(x.par_chunks(width));
                    rows.with_min_len(8).for_each(|(out, x)| {
                        let (mean, scale) = mean_and_scale(x, self.eps);
                        let columns = out.iter_mut().zip(x).zip(weight).zip(bias);
                        for (((out, x), weight), bias) in columns {
                            *out = (x - mean) * scale * weight + bias;
                        }
                    });
                    out
                })
            })
        });
        let Some(values) = normed.flatten().flatten() else {
            let y = normalised(&x, self.eps)?.broadcast_mul(&self.weight)?;
            return Tokens::from_tensor(&y.broadcast_add(&self.bias)?);
        };
        Tokens::from_tensor(&host::tensor(values, x.dims())?)
    }
}

/// Returns the mean and 1 / sqrt(variance + eps).
fn mean_and_scale(x: &[f32], eps: f64) -> (f32, f32) {
    let n = x.len() as f64;
    let mean = sum(x, |x| x) / n;
    let variance = sum(x, |x| (x - mean) * (x - mean)) / n;
    (mean as f32, (variance + eps).sqrt().recip() as f32)
}

/// Adds up `f` of all values in eight lanes of f64.
fn sum(x: &[f32], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let (eights, rest) = x.as_chunks::<8>();
    for eight in eights {
        for (lane, x) in lanes.iter_mut().zip(eight) {
            *lane += f(f64::from(*x));
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|x| f(f64::from(*x))).sum::<f64>()
}

/// The same over the last dimension in candle's operations.
fn normalised(x: &Tensor, eps: f64) -> Result<Tensor> {
    let x = x.to_dtype(DType::F32)?;
    let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
    Ok(x.broadcast_div(&(variance + eps)?.sqrt()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let ours = norm.forward(&tokens).unwrap().to_tensor();
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
        let composed = norm.composed(&x).unwrap();
        assert!(gap(&norm.forward(&map).unwrap().to_tensor(), &composed) < 1e-5);
        let bent = norm.forward_silu(&map).unwrap().to_tensor();
        assert!(gap(&bent, &composed.silu().unwrap()) < 1e-5);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let norm = GroupNorm::load(&weights(32), 8, 32, 1e-6).unwrap();
        let map = FeatureMap::from_tensor(&offset((2, 32, 33, 31))).unwrap();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let y = pool.unwrap().install(|| norm.forward_silu(&map).unwrap());
            y.to_tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(with(1), with(3));
    }

    #[test]
    fn groups_that_do_not_divide_are_refused() {
        let fault = GroupNorm::load(&weights(10), 4, 10, 1e-6).unwrap_err();
        assert!(fault.to_string().contains("10 channels"), "{fault}");
    }
}
