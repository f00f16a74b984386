//! How many bytes a tensor takes once a network has loaded it: what plans and the account of memory count.
//!
//! It follows from how layers keep their weights in each mode (`nn::weight`), by name and shape alone:
//!
//! | numbers | `exact` | `fast` | `int8` |
//! |---|---|---|---|
//! | vectors, and tables that are looked up row by row | 4 | 4 | 4 |
//! | matrices and convolutions of f16 and bf16 | 2 | 2 | 2 |
//! | of f32 and f64 | 4 | 2 | 2 |
//! | of eight bits, and in blocks | as in the file | as in the file | as in the file |
//! | matrices of a transformer's blocks, whatever they are in the file | as above | as above | 1 |
//! | the convolution behind a doubling, with 16 sums of weights in place of 9 weights | 4 · 16/9 | 2 · 16/9 | 2 · 16/9 |
//!
//! A UNet keeps the last one as it is too, for maps of odd edges. What panels add at their edges and the scales of bytes
//! are left out, and so are the two doublings of an upscaler, which is small.

use candle_core::DType;

use super::{
    format::Format,
    header::Stored,
    set::{Order, Stock},
};
use crate::nn::Mode;

/// What a number takes where it is narrowed.
const NARROW: u64 = 2;

impl Stock {
    /// Returns the bytes that the tensor takes once loaded, where f32 is handed out as `dtype`.
    pub fn loaded_bytes(&self, name: &str, dtype: DType, mode: Mode) -> u64 {
        let numbers = self.shape.iter().product::<usize>() as u64;
        let wide = dtype.size_in_bytes() as u64;
        if self.shape.len() < 2 {
            return numbers * DType::F32.size_in_bytes() as u64;
        }
        if name.ends_with("embedding.weight") {
            return numbers * wide;
        }
        if mode == Mode::Int8 && name.contains("transformer_blocks.") {
            return numbers;
        }
        let narrowed = if mode == Mode::Exact { wide } else { NARROW };
        let once = match self.format {
            format if format.is_small() && self.order == Order::Stored => self.length as u64,
            Format::Plain(Stored::F16 | Stored::BF16) => numbers * NARROW,
            _ => numbers * narrowed,
        };
        if !name.ends_with("upsamplers.0.conv.weight") {
            return once;
        }
        let sums = numbers * 16 / 9 * if mode == Mode::Exact { DType::F32.size_in_bytes() as u64 } else { NARROW };
        // An autoencoder's maps double always.
        if name.starts_with("decoder.") { sums } else { sums + once }
    }
}
