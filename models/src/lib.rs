//! Diffusion networks, samplers and weight formats on candle; knows no graph.
//!
//! A model ([`checkpoint`]) is a folder of components, or one file that holds them all. Its configurations say which network to build, [`weights`] hands that network
//! its tensors by name and shape, and everything that goes wrong on the way is one [`Error`]. [`sampling`] walks a
//! latent from noise to picture and knows no network; [`rng`] draws the noise.

pub mod checkpoint;
pub mod error;
pub mod esrgan;
pub mod folder;
mod json;
pub mod lora;
pub mod nn;
mod paths;
pub mod progress;
pub mod prompt;
pub mod rng;
pub mod sampling;
pub mod sdxl;
pub mod tokenizer;
pub mod weights;

pub use candle_core::Error as TensorError;
pub use checkpoint::Checkpoint;
pub use error::{Error, Result};
pub use progress::Progress;
pub use weights::Weights;
