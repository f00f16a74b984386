//! From stored bytes to a tensor of the wanted precision.
//!
//! Each element is converted by itself, so that splitting the work over threads cannot change a bit. The bytes need no
//! alignment: a safetensors header may end anywhere.

use candle_core::{DType, Device, Tensor, WithDType};
use half::{bf16, f16, slice::HalfFloatSliceExt as _};
use rayon::prelude::*;

use super::{header::Stored, packed::table};
use crate::{Error, Result};

/// Elements that one thread converts at a time.
const CHUNK: usize = 1 << 16;

/// Returns a tensor of `dtype` from little-endian bytes of a float format.
pub fn tensor(bytes: &[u8], stored: Stored, shape: &[usize], dtype: DType) -> Result<Tensor> {
    match (stored, dtype) {
        (Stored::F16, DType::F16) => build(bytes, shape, |from, to| each(from, to, f16::from_le_bytes)),
        (Stored::BF16, DType::BF16) => build(bytes, shape, |from, to| each(from, to, bf16::from_le_bytes)),
        (Stored::F64, DType::F64) => build(bytes, shape, |from, to| each(from, to, f64::from_le_bytes)),
        (_, DType::F32) => widened(bytes, stored, shape),
        _ => Ok(widened(bytes, stored, shape)?.to_dtype(dtype)?),
    }
}

fn widened(bytes: &[u8], stored: Stored, shape: &[usize]) -> Result<Tensor> {
    match stored {
        Stored::F32 => build(bytes, shape, |from, to| each(from, to, f32::from_le_bytes)),
        Stored::F64 => build(bytes, shape, |from, to| {
            each(from, to, |x| f64::from_le_bytes(x) as f32);
        }),
        Stored::BF16 => build(bytes, shape, |from, to| {
            each(from, to, |x| bf16::from_le_bytes(x).to_f32());
        }),
        Stored::F16 => build(bytes, shape, f32_from_f16),
        Stored::F8_E4M3 | Stored::F8_E5M2 => {
            let table = table(stored)?;
            build(bytes, shape, |from, to| each(from, to, |[byte]| table[usize::from(byte)]))
        }
        other => Err(Error::Shape(format!("{other} is no float format"))),
    }
}

/// Fills a new tensor chunk by chunk on all threads.
fn build<T: WithDType + Default>(
    bytes: &[u8],
    shape: &[usize],
    convert: impl Fn(&[u8], &mut [T]) + Sync,
) -> Result<Tensor> {
    let n: usize = shape.iter().product();
    let mut values = vec![T::default(); n];
    let size = bytes.len().checked_div(n).unwrap_or(1);
    let chunks = values.par_chunks_mut(CHUNK).zip(bytes.par_chunks(CHUNK * size));
    chunks.for_each(|(to, from)| convert(from, to));
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

fn each<T, const N: usize>(from: &[u8], to: &mut [T], convert: impl Fn([u8; N]) -> T) {
    let (elements, _) = from.as_chunks::<N>();
    for (to, from) in to.iter_mut().zip(elements) {
        *to = convert(*from);
    }
}

/// In blocks, because the hardware widens eight halves at a time and only from an aligned slice.
fn f32_from_f16(from: &[u8], to: &mut [f32]) {
    let mut aligned = [f16::ZERO; 512];
    for (to, from) in to.chunks_mut(512).zip(from.chunks(1024)) {
        let aligned = &mut aligned[..to.len()];
        each(from, aligned, f16::from_le_bytes);
        aligned.convert_to_f32_slice(to);
    }
}
