//! The layers that networks are built of.
//!
//! A network sees [`FeatureMap`] (a picture of many channels) and [`Tokens`] (a row of vectors) and the layers here;
//! candle tensors appear only inside this module and at the edges. Memory layout, precision, fused kernels and other
//! devices can so come in behind these doors without a network noticing.
//!
//! On the CPU the kernels of `darkroom-kernels` compute, as [`Compute`] says: channels lie together, a map read line by
//! line is its tokens, norms are done by whoever reads their result, and biases, curves and sums while the results of
//! a product are in the cache. The number of threads does not change a bit of the result. [`Compute::card`] is the same
//! network in candle's operations on a [`Card`]: what other devices use, and what kernels are checked against.

mod activation;
mod attention;
mod blocks;
mod card;
mod compute;
mod conv;
mod embedding;
mod feature_map;
mod host;
mod interpolate;
mod linear;
mod norm;
mod probe;
mod rows;
mod sources;
mod storage;
mod tokens;
mod values;
mod weight;

pub use activation::Activation;
pub use attention::{Heads, Mask};
pub use blocks::{Blocks, Keep, Loader};
pub use card::Card;
pub use compute::{Compute, Mode};
pub use conv::{After, Conv2d, ConvShape, Padding, Upsample};
pub use embedding::{Embedding, Sinusoid};
pub use feature_map::{Dims, FeatureMap};
pub use interpolate::Interpolation;
pub use linear::{Bias, Linear};
pub use norm::{GroupNorm, LayerNorm};
use rows::Rows;
pub use storage::Storage;
pub use tokens::Tokens;
use values::Values;
pub use weight::Growth;

use crate::{Error, Result};

/// Makes sure that two sizes are one.
fn same<T: Copy + PartialEq + std::fmt::Debug>(what: &str, a: T, b: T) -> Result<()> {
    match a == b {
        true => Ok(()),
        false => Err(Error::Shape(format!("{what} of {a:?} and of {b:?} do not go together"))),
    }
}
