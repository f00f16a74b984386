//! What a map or some tokens hold: rows in this machine's memory, or a tensor of candle's.

use candle_core::{DType, Device, Tensor};

use super::Rows;
use crate::Result;

/// The numbers of a map or of tokens.
#[derive(Clone, Debug)]
pub enum Values {
    /// f32 or bf16, in candle's order, wherever it was made: what comes in from outside, and what is computed by candle's
    /// operations.
    Tensor(Tensor),
    /// Channels together, on the processor.
    Rows(Rows),
}

/// Adds value by value, where and as the first lies.
pub(super) fn sum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    Ok((a + like(b, a)?)?)
}

/// Sets tensors side by side, where and as the first lies.
pub(super) fn joined(parts: &[Tensor], axis: usize) -> Result<Tensor> {
    let parts = parts.iter().map(|part| like(part, &parts[0])).collect::<Result<Vec<_>>>()?;
    Ok(Tensor::cat(&parts, axis)?)
}

fn like(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    let x =
        if x.device().same_device(other.device()) { x.clone() } else { x.contiguous()?.to_device(other.device())? };
    Ok(x.to_dtype(other.dtype())?)
}

/// Returns a tensor as f32 in this machine's memory.
pub(super) fn at_home(x: &Tensor) -> Result<Tensor> {
    Ok(x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?)
}
