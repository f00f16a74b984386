//! A matrix applied to the last dimension.

use candle_core::Tensor;

use super::{Storage, Tokens, host, storage::small};
use crate::{Result, Weights};

/// A matrix, and maybe a bias, applied to every vector.
#[derive(Clone, Debug)]
pub struct Linear {
    /// (outputs, inputs).
    weight: Storage,
    bias: Option<Tensor>,
}

/// Whether a layer adds a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// `weight` and `bias`.
    Yes,
    /// `weight` alone.
    No,
}

impl Linear {
    /// Loads `weight` (outputs, inputs) and `bias`.
    pub fn load(w: &Weights, inputs: usize, outputs: usize, bias: Bias) -> Result<Self> {
        let weight = Storage::load(w, "weight", (outputs, inputs))?;
        Self::with(w, weight, outputs, bias)
    }

    /// Loads the same from a convolution of one point, (outputs, inputs, 1, 1).
    pub fn load_pointwise(w: &Weights, inputs: usize, outputs: usize) -> Result<Self> {
        let weight = Storage::load(w, "weight", (outputs, inputs, 1, 1))?;
        Self::with(w, weight.squeezed()?, outputs, Bias::Yes)
    }

    fn with(w: &Weights, weight: Storage, outputs: usize, bias: Bias) -> Result<Self> {
        let bias = match bias {
            Bias::Yes => Some(small(w, "bias", outputs)?),
            Bias::No => None,
        };
        Ok(Self { weight, bias })
    }

    /// Applies the matrix to every vector.
    pub fn forward(&self, x: &Tokens) -> Result<Tokens> {
        let x = x.to_tensor();
        let (batch, length, inputs) = x.dims3()?;
        let y = self.apply(&x.reshape((batch * length, inputs))?)?;
        let outputs = y.dim(1)?;
        Tokens::from_tensor(&y.reshape((batch, length, outputs))?)
    }

    /// Applies the matrix to rows: (n, inputs) becomes (n, outputs).
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight.widened()?.t()?)?;
        let Some(bias) = &self.bias else {
            return Ok(y);
        };
        let added = host::with(bias, |bias| {
            host::update_rows(&y, bias.len(), |_, row| {
                for (y, b) in row.iter_mut().zip(bias) {
                    *y += b;
                }
            })
        });
        match added {
            Some(Ok(true)) => Ok(y),
            Some(Err(fault)) => Err(fault),
            _ => Ok(y.broadcast_add(bias)?),
        }
    }
}
