//! The same memory read as words of 32 bits and as the numbers that they hold.

use bytemuck::{cast_slice, cast_slice_mut, try_cast_slice};
use half::bf16;
use half::slice::HalfFloatSliceExt;

/// Reads words as f32.
pub fn floats(words: &mut [u32]) -> &mut [f32] {
    cast_slice_mut(words)
}

/// Reads words as halves, the lower one first.
pub fn halves(words: &mut [u32]) -> &mut [u16] {
    cast_slice_mut(words)
}

/// Reads words as bytes, the lowest one first.
pub fn bytes(words: &mut [u32]) -> &mut [u8] {
    cast_slice_mut(words)
}

/// Reads f32 as words.
pub fn of_floats(x: &[f32]) -> &[u32] {
    cast_slice(x)
}

/// Reads pairs of bf16 as words, where they lie as words must.
pub fn of_pairs(x: &[bf16]) -> Option<&[u32]> {
    try_cast_slice(x.reinterpret_cast()).ok()
}
