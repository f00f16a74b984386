//! How the numbers of a big weight lie in memory.

use candle_core::{DType, Shape, Tensor};

use super::host;
use crate::{Result, Weights, lora::Patch, weights::Packed};

/// A big weight: as it is computed with, or kept small and widened at each use, or changed at each use.
#[derive(Clone, Debug)]
pub enum Storage {
    /// f32, used as it lies.
    Dense(Tensor),
    /// f16 or bf16: half the memory, widened to f32 each time. Norms, biases and tables are never kept so.
    Widened(Tensor),
    /// Eight-bit floats or blocks, as the file has them, widened to f32 each time.
    Packed(Packed),
    /// A weight that is shared, and what is changed about it.
    Patched(Box<Storage>, Vec<Patch>),
}

impl Storage {
    /// Loads the weight of a layer in the precision that `w` hands out, or as the file has it where that is smaller, with
    /// the changes made to that layer.
    pub fn load(w: &Weights, name: &str, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        let base = match w.packed(name, shape.clone())? {
            Some(packed) => Storage::Packed(packed),
            None => Self::of(w.get(name, shape)?),
        };
        Ok(match w.patches() {
            [] => base,
            patches => Storage::Patched(Box::new(base), patches.to_vec()),
        })
    }

    /// Takes a weight in the precision that it was handed out in.
    pub fn of(weight: Tensor) -> Self {
        match weight.dtype() {
            DType::F16 | DType::BF16 => Storage::Widened(weight),
            _ => Storage::Dense(weight),
        }
    }

    /// Returns the weight in f32.
    pub fn widened(&self) -> Result<Tensor> {
        match self {
            Storage::Dense(weight) => Ok(weight.clone()),
            Storage::Widened(weight) => Ok(weight.to_dtype(DType::F32)?),
            Storage::Patched(base, patches) => {
                patches.iter().try_fold(base.widened()?, |weight, patch| patch.weight(&weight))
            }
            Storage::Packed(weight) => weight.widened(),
        }
    }
}

/// Loads a vector that is small enough to be f32 always: a norm's gain, a bias. Changes are made to it once.
pub fn small(w: &Weights, name: &str, length: usize) -> Result<Vec<f32>> {
    let x = w.clone().with_precision(DType::F32).get(name, length)?;
    let changed = w.patches().iter().try_fold(x, |x, patch| match name {
        "bias" => patch.bias(&x),
        _ => patch.weight(&x),
    });
    host::values(&changed?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn widening_keeps_every_bit() {
        let x = Tensor::arange(-500f32, 500f32, &Device::Cpu).unwrap();
        for dtype in [DType::F16, DType::BF16] {
            let narrow = (&x * 0.37).unwrap().to_dtype(dtype).unwrap();
            let ours = Storage::of(narrow.clone()).widened().unwrap();
            let theirs = narrow.to_dtype(DType::F32).unwrap();
            assert_eq!(ours.to_vec1::<f32>().unwrap(), theirs.to_vec1::<f32>().unwrap());
        }
    }
}
