//! A picture of many channels, its memory layout hidden.

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::{Tokens, host};
use crate::Result;

/// A batch of pictures of many channels, f32.
///
/// Today (batch, channels, height, width) in order; no caller may rely on it.
#[derive(Clone, Debug)]
pub struct FeatureMap(Tensor);

/// The size of a [`FeatureMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// Pictures.
    pub batch: usize,
    /// Channels of each.
    pub channels: usize,
    /// Lines.
    pub height: usize,
    /// Values in a line.
    pub width: usize,
}

impl FeatureMap {
    /// Takes a tensor (batch, channels, height, width) of any float type.
    pub fn from_tensor(x: &Tensor) -> Result<Self> {
        x.dims4()?;
        Ok(Self(x.to_dtype(DType::F32)?.contiguous()?))
    }

    /// Returns the tensor (batch, channels, height, width), f32, in order.
    pub fn to_tensor(&self) -> Tensor {
        self.0.clone()
    }

    /// Returns the size.
    pub fn dims(&self) -> Dims {
        let d = self.0.dims();
        Dims { batch: d[0], channels: d[1], height: d[2], width: d[3] }
    }

    /// Adds value by value.
    pub fn add(&self, other: &FeatureMap) -> Result<FeatureMap> {
        Ok(Self(host::add(&self.0, &other.0)?))
    }

    /// Returns `x · factor + shift`.
    pub fn affine(&self, factor: f64, shift: f64) -> Result<FeatureMap> {
        let (by, plus) = (factor as f32, shift as f32);
        match host::map(&self.0, |x| x * by + plus)? {
            Some(x) => Ok(Self(x)),
            None => Ok(Self(self.0.affine(factor, shift)?)),
        }
    }

    /// Returns the values, the negative ones times `slope`.
    pub fn leaky(&self, slope: f64) -> Result<FeatureMap> {
        let by = slope as f32;
        match host::map(&self.0, |x| if x < 0.0 { x * by } else { x })? {
            Some(x) => Ok(Self(x)),
            None => Ok(Self((self.0.relu()? + (self.0.minimum(0.0)? * slope)?)?)),
        }
    }

    /// Sets the channels of several side by side.
    pub fn concat_channels(parts: &[&FeatureMap]) -> Result<FeatureMap> {
        let parts: Vec<&Tensor> = parts.iter().map(|part| &part.0).collect();
        Ok(Self(Tensor::cat(&parts, 1)?))
    }

    /// Cuts out `height` lines from `top` and `width` columns from `left`; a cut over the edge ends there.
    pub fn crop(&self, (top, left): (usize, usize), (height, width): (usize, usize)) -> Result<Self> {
        let dims = self.dims();
        let height = height.min(dims.height.saturating_sub(top));
        let width = width.min(dims.width.saturating_sub(left));
        let cut = self.0.narrow(2, top, height)?.narrow(3, left, width)?;
        Ok(Self(cut.contiguous()?))
    }

    /// Continues the map on the right and below, mirrored at its last line and column, until both edges are multiples of
    /// `of`.
    pub fn pad_reflected(&self, of: usize) -> Result<Self> {
        let mut x = self.0.clone();
        for axis in [2, 3] {
            let edge = x.dim(axis)?;
            let wanted = edge.next_multiple_of(of);
            if wanted > edge {
                let places: Vec<u32> = (0..wanted).map(|i| mirrored(i, edge) as u32).collect();
                x = x.index_select(&Tensor::new(places, x.device())?, axis)?;
            }
        }
        Ok(Self(x.contiguous()?))
    }

    /// Makes one place of each square of `edge` by `edge`: channels become (channel, line, column) of the square, as
    /// torch's `pixel_unshuffle` has them. Both edges of the map must be multiples of `edge`.
    pub fn unshuffled(&self, edge: usize) -> Result<Self> {
        if edge == 1 {
            return Ok(self.clone());
        }
        let Dims { batch, channels, height, width } = self.dims();
        let x = self.0.reshape(vec![batch, channels, height / edge, edge, width / edge, edge])?; // b c h p w q
        let x = x.permute(vec![0, 1, 3, 5, 2, 4])?.contiguous()?; // b c p q h w
        Ok(Self(x.reshape((batch, channels * edge * edge, height / edge, width / edge))?))
    }

    /// Returns the map in another size, each place taking the nearest value: index `floor(i · from / to)`.
    pub fn resize_nearest(&self, height: usize, width: usize) -> Result<FeatureMap> {
        let dims = self.dims();
        if (dims.height, dims.width) == (height, width) {
            return Ok(self.clone());
        }
        let rows = nearest(dims.height, height);
        let columns = nearest(dims.width, width);
        let shape = (dims.batch, dims.channels, height, width);
        let grown = host::with(&self.0, |x| {
            let mut out = vec![0.0; dims.batch * dims.channels * height * width];
            let planes = out.par_chunks_mut((height * width).max(1));
            let sources = x.par_chunks((dims.height * dims.width).max(1));
            planes.zip(sources).for_each(|(out, plane)| {
                for (line, row) in out.chunks_mut(width).zip(&rows) {
                    let source = &plane[row * dims.width..][..dims.width];
                    for (value, column) in line.iter_mut().zip(&columns) {
                        *value = source[*column];
                    }
                }
            });
            out
        });
        match grown {
            Some(values) => Ok(Self(host::tensor(values, shape)?)),
            None => Ok(Self(self.0.upsample_nearest2d(height, width)?)),
        }
    }

    /// Reads the map line by line: (batch, height · width, channels).
    pub fn to_tokens(&self) -> Result<Tokens> {
        let d = self.dims();
        let planes = self.0.reshape((d.batch, d.channels, d.height * d.width))?;
        Tokens::from_tensor(&host::transposed(&planes)?)
    }
}

/// Returns which place of an edge stands at `i` of its mirrored continuation; the outermost place is not repeated.
fn mirrored(i: usize, edge: usize) -> usize {
    match edge {
        1 => 0,
        _ => {
            let round = 2 * (edge - 1);
            (i % round).min(round - i % round)
        }
    }
}

/// For each of `to` places the index of its source, in the f32 arithmetic of torch's `interpolate`.
fn nearest(from: usize, to: usize) -> Vec<usize> {
    let scale = from as f32 / to as f32;
    let last = from.saturating_sub(1);
    (0..to).map(|i| ((i as f32 * scale) as usize).min(last)).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn map(batch: usize, channels: usize, height: usize, width: usize) -> FeatureMap {
        let count = batch * channels * height * width;
        let x = Tensor::arange(0f32, count as f32, &Device::Cpu).unwrap();
        FeatureMap::from_tensor(&x.reshape((batch, channels, height, width)).unwrap()).unwrap()
    }

    #[test]
    fn odd_sizes_repeat_the_nearest_value() {
        let grown = map(1, 1, 2, 3).resize_nearest(3, 5).unwrap().to_tensor();
        let rows = grown.squeeze(0).unwrap().squeeze(0).unwrap();
        let want = [[0., 0., 1., 1., 2.], [0., 0., 1., 1., 2.], [3., 3., 4., 4., 5.]];
        assert_eq!(rows.to_vec2::<f32>().unwrap(), want);
    }

    #[test]
    fn a_mirrored_edge_is_not_repeated_and_a_single_one_is() {
        let row = |x: &FeatureMap| x.to_tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let odd = map(1, 1, 1, 3).pad_reflected(4).unwrap();
        assert_eq!(row(&odd)[..4], [0., 1., 2., 1.]);
        assert_eq!(row(&map(1, 1, 1, 1).pad_reflected(2).unwrap()), [0.; 4]);
        assert_eq!((0..7).map(|i| mirrored(i, 3)).collect::<Vec<_>>(), [0, 1, 2, 1, 0, 1, 2]);
    }

    #[test]
    fn a_square_becomes_channels_line_by_line() {
        let x = map(1, 2, 2, 4).unshuffled(2).unwrap().to_tensor();
        assert_eq!(x.dims(), [1, 8, 1, 2]);
        let first: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(first[..8], [0., 2., 1., 3., 4., 6., 5., 7.]);
    }

    #[test]
    fn tokens_and_back_is_the_same_map() {
        let x = map(2, 5, 3, 7);
        let back = x.to_tokens().unwrap().to_map(3, 7).unwrap();
        let flat = |x: &FeatureMap| x.to_tensor().flatten_all().unwrap();
        assert_eq!(flat(&x).to_vec1::<f32>().unwrap(), flat(&back).to_vec1::<f32>().unwrap());
    }

    #[test]
    fn a_cut_over_the_edge_ends_there() {
        let cut = map(1, 2, 6, 6).crop((4, 3), (4, 2)).unwrap().dims();
        assert_eq!((cut.height, cut.width), (2, 2));
    }
}
