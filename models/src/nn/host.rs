//! Tensors as slices of this machine's memory.

use candle_core::{CpuStorage, Device, Shape, Storage, Tensor};
use darkroom_kernels::parallel::{self, Shared};

use crate::Result;

/// Shows the values of `tensor` to `f`, if it is f32 in order on the CPU.
pub fn with<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Option<R> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(CpuStorage::F32(values)) = &*storage else {
        return None;
    };
    let (start, end) = layout.contiguous_offsets()?;
    Some(f(&values[start..end]))
}

/// Makes a tensor of values.
pub fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Ok(Tensor::from_vec(values, shape.into(), &Device::Cpu)?)
}

/// Returns the values of a tensor of any kind and order, f32.
pub fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?)
}

/// Swaps rows and columns of pictures: (picture, row, column) becomes (picture, column, row).
pub fn transpose(x: &[f32], (rows, columns): (usize, usize), out: &mut [f32]) {
    const EDGE: usize = 32;
    assert_eq!(x.len(), out.len());
    let picture = rows * columns;
    if picture == 0 {
        return;
    }
    // A piece writes EDGE whole rows of the result, reading EDGE neighbours at a time.
    let bands = columns.div_ceil(EDGE);
    let shared = Shared::new(out);
    parallel::each(x.len() / picture * bands, |i| {
        let source = &x[i / bands * picture..];
        let first = i % bands * EDGE;
        let count = EDGE.min(columns - first);
        let start = i / bands * picture + first * rows;
        // SAFETY: each band is one piece.
        let band = unsafe { shared.part(start..start + count * rows) };
        for top in (0..rows).step_by(EDGE) {
            for c in 0..count {
                for r in top..(top + EDGE).min(rows) {
                    band[c * rows + r] = source[r * columns + first + c];
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_equals_candle_on_ragged_sizes() {
        for (b, r, c) in [(1, 1, 1), (2, 33, 70), (3, 64, 5), (1, 100, 32), (2, 0, 3)] {
            let x: Vec<f32> = (0..b * r * c).map(|i| i as f32).collect();
            let mut ours = vec![0.0; x.len()];
            transpose(&x, (r, c), &mut ours);
            let theirs = tensor(x, (b, r, c)).unwrap().transpose(1, 2).unwrap();
            assert_eq!(ours, values(&theirs).unwrap());
        }
    }

    #[test]
    fn a_view_out_of_order_is_not_a_slice() {
        let x = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(with(&x.t().unwrap(), |_| ()).is_none());
    }
}
