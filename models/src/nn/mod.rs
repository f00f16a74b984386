//! The layers that networks are built of.
//!
//! A network sees [`FeatureMap`] (a picture of many channels) and [`Tokens`] (a row of vectors) and the layers here;
//! candle tensors appear only inside this module and at the edges. Memory layout, precision, fused kernels and other
//! devices can so come in behind these doors without a network noticing.
//!
//! On the CPU everything is computed in f32, norms with f64 sums. Work is split over rayon's threads by rows, planes
//! or groups, never inside a sum, so that the number of threads does not change a bit of the result. Tensors that are
//! not plain f32 on the CPU take the composed path of each layer: the same formula in candle's operations.

mod activation;
mod attention;
mod blocks;
mod conv;
mod embedding;
mod feature_map;
mod host;
mod im2col;
mod interpolate;
mod linear;
mod norm;
mod scalar;
mod storage;
mod tokens;

pub use activation::{Activation, geglu};
pub use attention::{Heads, Mask, attend};
pub use blocks::{Blocks, Keep, Loader};
pub use conv::{Conv2d, ConvShape, Padding};
pub use embedding::{Embedding, Sinusoid};
pub use feature_map::{Dims, FeatureMap};
pub use interpolate::Interpolation;
pub use linear::{Bias, Linear};
pub use norm::{GroupNorm, LayerNorm};
pub use storage::Storage;
pub use tokens::Tokens;
