//! How many bytes a tensor takes once a network has loaded it: what plans and the account of memory count.
//!
//! It follows from how layers keep their weights in each mode (`nn::weight`), by name and shape alone:
//!
//! | numbers | `exact` | `fast` | `int8` |
//! |---|---|---|---|
//! | vectors | 4 | 4 | 4 |
//! | tables that are looked up row by row, of f16 and bf16 (of others) | 2 (4) | 2 (4) | 2 (4) |
//! | matrices and convolutions of f16 and bf16 | 2 | 2 | 2 |
//! | of f32 and f64 | 4 | 2 | 2 |
//! | of eight bits, and in blocks | as in the file | as in the file | as in the file |
//! | a UNet's residual and transformer blocks, whatever they are in the file | as above | as above | 1 |
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

fn is_table(name: &str) -> bool {
    name.ends_with("embedding.weight")
}

impl Stock {
    /// Tells whether it stays in memory even where big weights are read at each use: vectors, and tables.
    pub fn stays(&self, name: &str) -> bool {
        self.shape.len() < 2 || is_table(name)
    }

    /// Returns the bytes that the tensor takes once loaded for a card, of which each number of a big weight takes `factor`,
    /// whatever the file has it in. Tables stay in this machine's memory and are counted all the same.
    pub fn bytes_on_card(&self, name: &str, dtype: DType, factor: u64) -> u64 {
        match self.stays(name) {
            true => self.loaded_bytes(name, dtype, Mode::Exact),
            false => self.shape.iter().product::<usize>() as u64 * factor,
        }
    }

    /// Returns the bytes that the tensor takes once loaded, where f32 is handed out as `dtype`.
    pub fn loaded_bytes(&self, name: &str, dtype: DType, mode: Mode) -> u64 {
        let numbers = self.shape.iter().product::<usize>() as u64;
        let wide = dtype.size_in_bytes() as u64;
        if self.shape.len() < 2 {
            return numbers * DType::F32.size_in_bytes() as u64;
        }
        if is_table(name) {
            return match self.format {
                Format::Plain(Stored::F16 | Stored::BF16) => numbers * NARROW,
                _ => numbers * wide,
            };
        }
        let is_of_vae = name.starts_with("decoder.") || name.starts_with("encoder.");
        if mode == Mode::Int8 && !is_of_vae && (name.contains("transformer_blocks.") || name.contains("resnets.")) {
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

#[cfg(test)]
mod tests {
    use safetensors::{Dtype, tensor::TensorView};

    use crate::{
        Weights,
        nn::{Card, Compute, Mode},
    };

    /// Counts what a tensor of so many numbers takes in each mode.
    fn loaded(name: &str, dtype: Dtype, shape: &[usize]) -> [u64; 3] {
        let bytes = vec![0; shape.iter().product::<usize>() * dtype.bitsize() / 8];
        let tensor = TensorView::new(dtype, shape.to_vec(), &bytes).unwrap();
        let w = Weights::from_bytes("toy", safetensors::serialize([(name, tensor)], None).unwrap()).unwrap();
        Mode::ALL.map(|mode| w.clone().with_compute(Compute::new(mode)).loaded_bytes())
    }

    #[test]
    fn a_mode_says_what_a_number_takes() {
        let formats = [(Dtype::F32, 4), (Dtype::F16, 2), (Dtype::BF16, 2), (Dtype::F8_E4M3, 1)];
        for (dtype, exact) in formats {
            let fast = exact.min(2);
            let takes = |name: &str, shape: &[usize]| loaded(name, dtype, shape).map(|bytes| bytes / 36);
            assert_eq!(takes("conv_in.weight", &[2, 2, 3, 3]), [exact, fast, fast], "{dtype:?}");
            assert_eq!(takes("a.transformer_blocks.0.attn1.to_q.weight", &[6, 6]), [exact, fast, 1], "{dtype:?}");
            assert_eq!(takes("a.resnets.0.conv1.weight", &[2, 2, 3, 3]), [exact, fast, 1], "{dtype:?}");
            assert_eq!(takes("decoder.resnets.0.conv1.weight", &[2, 2, 3, 3]), [exact, fast, fast], "{dtype:?}");
            assert_eq!(takes("a.transformer_blocks.0.norm1.weight", &[36]), [4; 3], "{dtype:?}");
            let table = if exact == 2 { 2 } else { 4 };
            assert_eq!(takes("embeddings.token_embedding.weight", &[6, 6]), [table; 3], "{dtype:?}");
        }
    }

    #[test]
    fn on_a_card_a_number_takes_what_is_multiplied() {
        let bytes = |card: Card, dtype: Dtype, name: &str| {
            let data = vec![0; 36 * dtype.bitsize() / 8];
            let tensor = TensorView::new(dtype, vec![6, 6], &data).unwrap();
            let w = Weights::from_bytes("toy", safetensors::serialize([(name, tensor)], None).unwrap()).unwrap();
            w.with_compute(Compute::card(card, Mode::Fast)).loaded_bytes() / 36
        };
        for dtype in [Dtype::F32, Dtype::F16, Dtype::F8_E4M3] {
            assert_eq!(bytes(Card::processor(), dtype, "a.upsamplers.0.conv.weight"), 4, "{dtype:?}");
            assert_eq!(bytes(Card::processor_in_bf16(), dtype, "a.attn1.to_q.weight"), 2, "{dtype:?}");
        }
        assert_eq!(bytes(Card::processor_in_bf16(), Dtype::F16, "token_embedding.weight"), 2);
    }

    #[test]
    fn a_convolution_behind_a_doubling_keeps_sums_of_its_weights() {
        let conv = |at: &str, dtype| loaded(&format!("{at}up_blocks.0.upsamplers.0.conv.weight"), dtype, &[1, 1, 3, 3]);
        assert_eq!(conv("decoder.", Dtype::F32), [64, 32, 32]);
        assert_eq!(conv("decoder.", Dtype::F16), [64, 32, 32]);
        assert_eq!(conv("", Dtype::F32), [64 + 36, 32 + 18, 32 + 18], "a UNet keeps the nine weights too");
        assert_eq!(conv("", Dtype::F16), [64 + 18, 32 + 18, 32 + 18]);
    }
}
