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

/// Says what arithmetic the networks do on this machine: device, precision, and the kernels that the processor allows.
/// Other kernels add in another order, so that results differ in their last bits.
pub fn numerics() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "cpu f32 avx512";
        }
        if std::arch::is_x86_feature_detected!("fma") {
            return "cpu f32 avx2";
        }
    }
    "cpu f32"
}
