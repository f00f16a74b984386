//! How the numbers of a stored tensor are written: one by one, or in blocks that share a scale.

use std::fmt;

use candle_core::quantized::GgmlDType;

use super::header::Stored;

/// The number format of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Each number by itself.
    Plain(Stored),
    /// Blocks of llama.cpp's kinds: 32 or 256 numbers of some bits each, and what they are multiplied by.
    Blocks(GgmlDType),
}

impl Format {
    /// Returns the bytes of `numbers`; nothing where they overflow or are no whole number of blocks.
    pub fn bytes(self, numbers: usize) -> Option<usize> {
        match self {
            Self::Plain(stored) => numbers.checked_mul(stored.size()),
            Self::Blocks(kind) => {
                let whole = numbers.is_multiple_of(kind.block_size());
                whole.then(|| (numbers / kind.block_size()).checked_mul(kind.type_size()))?
            }
        }
    }

    /// Tells whether a network can compute with it.
    pub fn is_float(self) -> bool {
        match self {
            Self::Plain(stored) => stored.is_float(),
            Self::Blocks(_) => true,
        }
    }

    /// Tells whether a big weight of this format stays as it is in the file until it is used.
    pub fn is_small(self) -> bool {
        matches!(self, Self::Plain(Stored::F8_E4M3 | Stored::F8_E5M2) | Self::Blocks(_))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(stored) => write!(f, "{stored}"),
            Self::Blocks(kind) => write!(f, "{kind:?}"),
        }
    }
}
