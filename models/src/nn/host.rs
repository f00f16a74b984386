//! Slices of tensors that lie in this machine's memory, and loops over them.
//!
//! Everything answers `None` (or `false`) for a tensor that is not f32 in order on the CPU; the caller then composes
//! candle's operations instead.

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Shape, Storage, Tensor};
use rayon::prelude::*;

use crate::Result;

/// Values that one task takes at a time in elementwise loops.
const CHUNK: usize = 16 * 1024;

/// Shows the values of `tensor` to `f`.
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

/// Returns `f` of every value.
pub fn map(x: &Tensor, f: impl Fn(f32) -> f32 + Sync) -> Result<Option<Tensor>> {
    let mapped = with(x, |x| {
        let mut out = vec![0.0; x.len()];
        let chunks = out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
        chunks.for_each(|(out, x)| {
            for (out, x) in out.iter_mut().zip(x) {
                *out = f(*x);
            }
        });
        out
    });
    mapped.map(|values| tensor(values, x.dims())).transpose()
}

/// Returns the sum of two tensors of one shape.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let sum = |a: &[f32], b: &[f32]| {
        let mut out = vec![0.0; a.len()];
        let sources = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK));
        out.par_chunks_mut(CHUNK).zip(sources).for_each(|(out, (a, b))| {
            for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                *out = a + b;
            }
        });
        out
    };
    let values = match a.dims() == b.dims() {
        true => with(a, |a| with(b, |b| sum(a, b))).flatten(),
        false => None,
    };
    match values {
        Some(values) => tensor(values, a.dims()),
        None => Ok((a + b)?),
    }
}

/// Rewrites the rows of `width` values of a tensor that nobody else holds; `f` hears the number of the row.
pub fn update_rows(x: &Tensor, width: usize, f: impl Fn(usize, &mut [f32]) + Sync) -> Result<bool> {
    update(x, |values| {
        let rows = values.par_chunks_mut(width).enumerate();
        rows.with_min_len((CHUNK / width).max(1)).for_each(|(i, row)| f(i, row));
    })
}

/// Rewrites the values of a tensor that nobody else holds.
pub fn update(x: &Tensor, f: impl Fn(&mut [f32])) -> Result<bool> {
    if with(x, |_| ()).is_none() {
        return Ok(false);
    }
    x.inplace_op1(&Update(f))?;
    Ok(true)
}

struct Update<F>(F);

impl<F: Fn(&mut [f32])> InplaceOp1 for Update<F> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((start, end))) => (self.0)(&mut values[start..end]),
            _ => candle_core::bail!("update wants f32 values in order"),
        }
        Ok(())
    }
}

/// Swaps the last two dimensions of a tensor of three: (b, r, c) becomes (b, c, r), in order.
pub fn transposed(x: &Tensor) -> Result<Tensor> {
    const EDGE: usize = 32;
    let (batch, rows, columns) = x.dims3()?;
    let swapped = with(x, |x| {
        let mut out = vec![0.0; x.len()];
        // One task writes EDGE whole rows of the result, reading EDGE neighbours at a time.
        let per_image = columns.div_ceil(EDGE);
        let mut bands: Vec<&mut [f32]> =
            out.chunks_mut((rows * columns).max(1)).flat_map(|image| image.chunks_mut((EDGE * rows).max(1))).collect();
        bands.par_iter_mut().enumerate().for_each(|(i, band)| {
            let source = &x[i / per_image * rows * columns..];
            let first = i % per_image * EDGE;
            let count = band.len() / rows;
            for top in (0..rows).step_by(EDGE) {
                for c in 0..count {
                    for r in top..(top + EDGE).min(rows) {
                        band[c * rows + r] = source[r * columns + first + c];
                    }
                }
            }
        });
        out
    });
    match swapped {
        Some(values) => tensor(values, (batch, columns, rows)),
        None => Ok(x.transpose(1, 2)?.contiguous()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_equals_candle_on_ragged_sizes() {
        for (b, r, c) in [(1, 1, 1), (2, 33, 70), (3, 64, 5), (1, 100, 32)] {
            let x = Tensor::arange(0f32, (b * r * c) as f32, &Device::Cpu).unwrap();
            let x = x.reshape((b, r, c)).unwrap();
            let ours = transposed(&x).unwrap();
            let theirs = x.transpose(1, 2).unwrap();
            assert_eq!(ours.to_vec3::<f32>().unwrap(), theirs.to_vec3::<f32>().unwrap());
        }
    }

    #[test]
    fn a_view_out_of_order_is_not_a_slice() {
        let x = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(with(&x.t().unwrap(), |_| ()).is_none());
        assert!(!update(&x.t().unwrap(), |_| ()).unwrap());
    }
}
