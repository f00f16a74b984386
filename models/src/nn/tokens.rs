//! A row of vectors: text, or a feature map read line by line.

use candle_core::{DType, Tensor};

use super::{FeatureMap, host};
use crate::Result;

/// A batch of rows of vectors, (batch, length, channels), f32.
#[derive(Clone, Debug)]
pub struct Tokens(Tensor);

impl Tokens {
    /// Takes a tensor (batch, length, channels) of any float type.
    pub fn from_tensor(x: &Tensor) -> Result<Self> {
        x.dims3()?;
        Ok(Self(x.to_dtype(DType::F32)?.contiguous()?))
    }

    /// Takes one vector per picture, (batch, channels), as a row of length 1.
    pub fn from_vectors(x: &Tensor) -> Result<Self> {
        x.dims2()?;
        Self::from_tensor(&x.unsqueeze(1)?)
    }

    /// Returns one vector per picture, (batch, channels), of rows of length 1.
    pub fn to_vectors(&self) -> Result<Tensor> {
        Ok(self.0.squeeze(1)?)
    }

    /// Returns the tensor (batch, length, channels), f32.
    pub fn to_tensor(&self) -> Tensor {
        self.0.clone()
    }

    /// Returns (batch, length, channels).
    pub fn dims(&self) -> (usize, usize, usize) {
        let d = self.0.dims();
        (d[0], d[1], d[2])
    }

    /// Adds value by value.
    pub fn add(&self, other: &Tokens) -> Result<Tokens> {
        Ok(Self(host::add(&self.0, &other.0)?))
    }

    /// Sets the channels of several side by side.
    pub fn concat_channels(parts: &[&Tokens]) -> Result<Tokens> {
        let parts: Vec<&Tensor> = parts.iter().map(|part| &part.0).collect();
        Ok(Self(Tensor::cat(&parts, 2)?))
    }

    /// Sets several batches one behind the other.
    pub fn concat_batch(parts: &[&Tokens]) -> Result<Tokens> {
        let parts: Vec<&Tensor> = parts.iter().map(|part| &part.0).collect();
        Ok(Self(Tensor::cat(&parts, 0)?))
    }

    /// Returns zeros of the same size.
    pub fn zeros_like(&self) -> Result<Tokens> {
        Ok(Self(self.0.zeros_like()?))
    }

    /// Takes one vector out of each row: (batch, 1, channels).
    pub fn pick(&self, places: &[usize]) -> Result<Tokens> {
        let rows = places.iter().enumerate();
        let rows = rows.map(|(b, place)| self.0.narrow(0, b, 1)?.narrow(1, *place, 1));
        let rows = rows.collect::<candle_core::Result<Vec<_>>>()?;
        Self::from_tensor(&Tensor::cat(&rows, 0)?)
    }

    /// Repeats a batch of one for `batch` pictures; any other batch stays as it is.
    pub fn repeat_for(&self, batch: usize) -> Result<Tokens> {
        match self.dims().0 {
            1 if batch != 1 => Ok(Self(self.0.repeat((batch, 1, 1))?)),
            _ => Ok(self.clone()),
        }
    }

    /// Lays the vectors out as a map of `height` lines.
    pub fn to_map(&self, height: usize, width: usize) -> Result<FeatureMap> {
        let (batch, _, channels) = self.dims();
        let planes = host::transposed(&self.0)?; // b c (h w)
        FeatureMap::from_tensor(&planes.reshape((batch, channels, height, width))?)
    }
}
