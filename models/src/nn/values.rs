//! What a map or some tokens hold: rows in this machine's memory, or a tensor of candle's.

use candle_core::Tensor;

use super::Rows;

/// The numbers of a map or of tokens.
#[derive(Clone, Debug)]
pub enum Values {
    /// f32, in candle's order. What comes in from outside, and what is computed by candle's operations.
    Tensor(Tensor),
    /// Channels together, on the processor.
    Rows(Rows),
}
