//! Matrix products, convolutions, attention and norms on the CPU; knows no network.
//!
//! A layer's weights are packed once ([`Panels`]) into the order in which the innermost loops read them. Activations are
//! rows of channels ([`Source`]): a picture is its places line by line, a text its words, and the same memory is both.
//! What stands between two products (a norm, a curve, a concatenation) is done while the next one reads; what follows a
//! product (bias, curve, gate, residual) is done while its sums are in the cache ([`Finish`]).
//!
//! ```text
//!   Source ──pack──▶ words ──┐
//!                            ├──▶ sums ──Finish──▶ Target
//!   weight ──once──▶ Panels ─┘
//! ```
//!
//! Which instructions are used is found out at run time ([`Tier`]). Within a tier results depend on the shapes and the
//! numbers alone, never on the number of threads; between tiers sums differ in their last bits.

pub mod attention;
pub mod conv;
pub mod curve;
mod elementwise;
pub mod heap;
mod left;
mod linear;
mod micro;
pub mod narrow;
mod norm;
mod panels;
pub mod parallel;
mod pool;
mod product;
mod tier;
mod words;

pub use attention::attend;
pub use conv::{Doubled, Window, convolve};
pub use curve::Curve;
pub use elementwise::{add_onto, affine, bend};
pub use left::{Bend, Part, Source, Values};
pub use linear::linear;
pub use micro::Arith;
pub use norm::{Groups, Norm, group_norm, layer_norm, write};
pub use panels::{Kept, Order, Panels, Rows, Size};
pub use pool::{Buffer, Figures, Number, Pool};
pub use product::{Finish, Residual, Target};
pub use tier::{MASK, Tier, UnknownTier};

/// What kernels run on: the instructions, and the memory for what they make.
#[derive(Clone, Debug)]
pub struct Cpu {
    pub tier: Tier,
    pub pool: Pool,
}

impl Default for Cpu {
    /// This processor, with a pool of its own.
    fn default() -> Self {
        Self { tier: Tier::chosen(), pool: Pool::default() }
    }
}
