//! A picture of many channels, its memory layout hidden.

use candle_core::{DType, Tensor};
use darkroom_kernels::{Buffer, Cpu, Curve};

use super::{Compute, Rows, Tokens, Values, host, rows::Numbers, values};
use crate::Result;

/// A batch of pictures of many channels.
///
/// How its numbers lie, in how many bits, and whether a norm over it has been worked out yet, no caller may rely on.
#[derive(Clone, Debug)]
pub struct FeatureMap {
    values: Values,
    dims: Dims,
}

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
        let (batch, channels, height, width) = x.dims4()?;
        let x = x.to_dtype(DType::F32)?.contiguous()?;
        Ok(Self { values: Values::Tensor(x), dims: Dims { batch, channels, height, width } })
    }

    /// Takes what candle's operations made, (batch, channels, height, width), f32 or bf16.
    pub(super) fn made(x: &Tensor) -> Result<Self> {
        let (batch, channels, height, width) = x.dims4()?;
        Ok(Self { values: Values::Tensor(x.contiguous()?), dims: Dims { batch, channels, height, width } })
    }

    /// Takes rows, a place each.
    pub(super) fn from_rows(rows: Rows, dims: Dims) -> Self {
        Self { values: Values::Rows(rows), dims }
    }

    /// Returns the tensor (batch, channels, height, width), f32, in order, in this machine's memory.
    ///
    /// # Errors
    /// What a card says that it lies on.
    pub fn to_tensor(&self) -> Result<Tensor> {
        values::at_home(&self.tensor()?)
    }

    /// Returns the tensor where and as it lies.
    pub(super) fn tensor(&self) -> Result<Tensor> {
        match &self.values {
            Values::Tensor(x) => Ok(x.clone()),
            Values::Rows(rows) => {
                let Dims { batch, channels, height, width } = self.dims;
                let places = rows.to_vec();
                let mut planes = vec![0.0; places.len()];
                host::transpose(&places, (height * width, channels), &mut planes);
                host::tensor(planes, (batch, channels, height, width))
            }
        }
    }

    /// Returns the rows that kernels read, and lets go of everything else.
    pub(super) fn into_rows(self, cpu: &Cpu) -> Result<Rows> {
        match self.values {
            Values::Rows(rows) => Ok(rows),
            Values::Tensor(_) => self.rows(cpu),
        }
    }

    /// Returns the rows that kernels read, a place each.
    pub(super) fn rows(&self, cpu: &Cpu) -> Result<Rows> {
        let x = match &self.values {
            Values::Rows(rows) => return Ok(rows.clone()),
            Values::Tensor(x) => x,
        };
        let Dims { channels, height, width, .. } = self.dims;
        let mut places: Buffer<f32> = cpu.pool.take(x.elem_count());
        let done = host::with(x, |planes| host::transpose(planes, (channels, height * width), &mut places));
        if done.is_none() {
            host::transpose(&host::values(x)?, (channels, height * width), &mut places);
        }
        Ok(Rows::new(cpu, Numbers::F32(places), channels, height * width))
    }

    /// Returns the size.
    pub fn dims(&self) -> Dims {
        self.dims
    }

    /// Adds value by value.
    pub fn add(&self, other: &FeatureMap) -> Result<FeatureMap> {
        let cpu = match (&self.values, &other.values) {
            (Values::Tensor(a), Values::Tensor(b)) => return Self::made(&values::sum(a, b)?),
            (Values::Rows(rows), _) | (_, Values::Rows(rows)) => &rows.cpu,
        };
        super::same("maps", self.dims, other.dims)?;
        Ok(Self::from_rows(self.rows(cpu)?.plus(&other.rows(cpu)?), self.dims))
    }

    /// Returns `x · factor + shift`.
    pub fn affine(&self, factor: f64, shift: f64) -> Result<FeatureMap> {
        match &self.values {
            Values::Tensor(x) => Self::made(&x.affine(factor, shift)?),
            Values::Rows(rows) => Ok(Self::from_rows(rows.clone().affine(factor as f32, shift as f32), self.dims)),
        }
    }

    /// Returns `x · sigmoid(x)` of every value.
    pub fn silu(&self) -> Result<FeatureMap> {
        match &self.values {
            Values::Tensor(x) => Self::made(&x.silu()?),
            Values::Rows(rows) => Ok(Self::from_rows(rows.clone().bent(Curve::Silu), self.dims)),
        }
    }

    /// Sets the channels of several side by side.
    pub fn concat_channels(parts: &[&FeatureMap]) -> Result<FeatureMap> {
        let first = parts[0].dims;
        let cpu = parts.iter().find_map(|part| match &part.values {
            Values::Rows(rows) => Some(rows.cpu.clone()),
            Values::Tensor(_) => None,
        });
        let Some(cpu) = cpu else {
            let parts = parts.iter().map(|part| part.tensor()).collect::<Result<Vec<_>>>()?;
            return Self::made(&values::joined(&parts, 1)?);
        };
        for part in parts {
            super::same("maps", Dims { channels: 0, ..part.dims }, Dims { channels: 0, ..first })?;
        }
        let rows = parts.iter().map(|part| part.rows(&cpu)).collect::<Result<Vec<_>>>()?;
        let channels = parts.iter().map(|part| part.dims.channels).sum();
        Ok(Self::from_rows(Rows::beside(&rows), Dims { channels, ..first }))
    }

    /// Cuts out `height` lines from `top` and `width` columns from `left`; a cut over the edge ends there.
    pub fn crop(&self, (top, left): (usize, usize), (height, width): (usize, usize)) -> Result<Self> {
        let dims = self.dims();
        let height = height.min(dims.height.saturating_sub(top));
        let width = width.min(dims.width.saturating_sub(left));
        Self::made(&self.tensor()?.narrow(2, top, height)?.narrow(3, left, width)?)
    }

    /// Continues the map on the right and below, mirrored at its last line and column, until both edges are multiples of
    /// `of`.
    pub fn pad_reflected(&self, of: usize) -> Result<Self> {
        let mut x = self.tensor()?;
        for axis in [2, 3] {
            let edge = x.dim(axis)?;
            let wanted = edge.next_multiple_of(of);
            if wanted > edge {
                let places: Vec<u32> = (0..wanted).map(|i| mirrored(i, edge) as u32).collect();
                x = x.index_select(&Tensor::new(places, x.device())?, axis)?;
            }
        }
        Self::made(&x)
    }

    /// Makes one place of each square of `edge` by `edge`: channels become (channel, line, column) of the square, as
    /// torch's `pixel_unshuffle` has them. Both edges of the map must be multiples of `edge`.
    pub fn unshuffled(&self, edge: usize) -> Result<Self> {
        if edge == 1 {
            return Ok(self.clone());
        }
        let Dims { batch, channels, height, width } = self.dims();
        let x = self.tensor()?.reshape(vec![batch, channels, height / edge, edge, width / edge, edge])?; // b c h p w q
        let x = x.permute(vec![0, 1, 3, 5, 2, 4])?.contiguous()?; // b c p q h w
        Self::made(&x.reshape((batch, channels * edge * edge, height / edge, width / edge))?)
    }

    /// Returns the map in another size, each place taking the nearest value: index `floor(i · from / to)`.
    pub fn resize_nearest(&self, height: usize, width: usize) -> Result<FeatureMap> {
        let dims = self.dims;
        if (dims.height, dims.width) == (height, width) {
            return Ok(self.clone());
        }
        let Values::Rows(rows) = &self.values else {
            return Self::made(&self.tensor()?.upsample_nearest2d(height, width)?);
        };
        let (down, across) = (nearest(dims.height, height), nearest(dims.width, width));
        let line = |picture: usize, y: usize| (picture * dims.height + down[y]) * dims.width;
        let from: Vec<usize> = (0..dims.batch * height)
            .flat_map(|i| across.iter().map(move |x| (i / height, i % height, *x)))
            .map(|(picture, y, x)| line(picture, y) + x)
            .collect();
        Ok(Self::from_rows(rows.picked(&from, height * width), Dims { height, width, ..dims }))
    }

    /// Reads the map line by line: (batch, height · width, channels).
    pub fn to_tokens(&self) -> Result<Tokens> {
        let Dims { batch, channels, height, width } = self.dims;
        match &self.values {
            Values::Rows(rows) => Ok(Tokens::from_rows(rows.clone(), (batch, height * width, channels))),
            Values::Tensor(x) => Tokens::made(&x.reshape((batch, channels, height * width))?.transpose(1, 2)?),
        }
    }

    /// Returns the map with nothing left to be worked out.
    #[must_use]
    pub fn settled(&self) -> FeatureMap {
        match &self.values {
            Values::Tensor(_) => self.clone(),
            Values::Rows(rows) => Self::from_rows(rows.settled(), self.dims),
        }
    }

    /// Returns the pictures from which `compute` reads, so that what follows does not convert them again.
    pub fn within(&self, compute: &Compute) -> Result<FeatureMap> {
        match compute.cpu() {
            Some(cpu) => Ok(Self::from_rows(self.rows(cpu)?, self.dims)),
            None => self.on(compute),
        }
    }
}

impl FeatureMap {
    /// Returns the pictures on the card of `compute`.
    fn on(&self, compute: &Compute) -> Result<FeatureMap> {
        match compute.on_card() {
            Some(card) => Self::made(&card.bring(&self.tensor()?)?),
            None => Ok(self.clone()),
        }
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
    fn rows_resize_and_join_as_tensors_do() {
        let (x, compute) = (map(2, 3, 4, 5), Compute::default());
        let rows = x.within(&compute).unwrap();
        let flat = |x: FeatureMap| host::values(&x.to_tensor().unwrap()).unwrap();
        for size in [(8, 10), (7, 9), (2, 3), (4, 5)] {
            assert_eq!(
                flat(x.resize_nearest(size.0, size.1).unwrap()),
                flat(rows.resize_nearest(size.0, size.1).unwrap())
            );
        }
        let join = |a: &FeatureMap, b: &FeatureMap| flat(FeatureMap::concat_channels(&[a, b]).unwrap());
        assert_eq!(join(&x, &x), join(&rows, &rows));
        assert_eq!(join(&x, &x), join(&x, &rows));
        assert_eq!(flat(x.add(&x).unwrap()), flat(rows.add(&x).unwrap()));
        assert_eq!(flat(x.affine(2.0, 1.0).unwrap()), flat(rows.affine(2.0, 1.0).unwrap()));
    }

    #[test]
    fn odd_sizes_repeat_the_nearest_value() {
        let grown = map(1, 1, 2, 3).resize_nearest(3, 5).unwrap().to_tensor().unwrap();
        let rows = grown.squeeze(0).unwrap().squeeze(0).unwrap();
        let want = [[0., 0., 1., 1., 2.], [0., 0., 1., 1., 2.], [3., 3., 4., 4., 5.]];
        assert_eq!(rows.to_vec2::<f32>().unwrap(), want);
    }

    #[test]
    fn a_mirrored_edge_is_not_repeated_and_a_single_one_is() {
        let row = |x: &FeatureMap| x.to_tensor().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let odd = map(1, 1, 1, 3).pad_reflected(4).unwrap();
        assert_eq!(row(&odd)[..4], [0., 1., 2., 1.]);
        assert_eq!(row(&map(1, 1, 1, 1).pad_reflected(2).unwrap()), [0.; 4]);
        assert_eq!((0..7).map(|i| mirrored(i, 3)).collect::<Vec<_>>(), [0, 1, 2, 1, 0, 1, 2]);
    }

    #[test]
    fn a_square_becomes_channels_line_by_line() {
        let x = map(1, 2, 2, 4).unshuffled(2).unwrap().to_tensor().unwrap();
        assert_eq!(x.dims(), [1, 8, 1, 2]);
        let first: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(first[..8], [0., 2., 1., 3., 4., 6., 5., 7.]);
    }

    #[test]
    fn tokens_and_back_is_the_same_map() {
        let x = map(2, 5, 3, 7);
        let back = x.to_tokens().unwrap().to_map(3, 7).unwrap();
        let flat = |x: &FeatureMap| x.to_tensor().unwrap().flatten_all().unwrap();
        assert_eq!(flat(&x).to_vec1::<f32>().unwrap(), flat(&back).to_vec1::<f32>().unwrap());
    }

    #[test]
    fn a_cut_over_the_edge_ends_there() {
        let cut = map(1, 2, 6, 6).crop((4, 3), (4, 2)).unwrap().dims();
        assert_eq!((cut.height, cut.width), (2, 2));
    }
}
