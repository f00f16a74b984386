//! Models as nodes see them: opened eagerly as far as configurations and tokenizers go, lazily as far as weights go.

pub mod adapters;
pub mod controls;
pub mod input_file;
mod mini;
mod model;
mod parts;
pub mod placing;
mod source;
pub mod upscalers;

pub use self::model::{ASK, DECODE, ENCODE, Model, Models, READ, largest_part};
pub use self::parts::{Autoencoder, Denoiser, Encoder, Part, PartOf};
pub use self::source::{MINI, MINI_REFINER, ModelSource, pieces};
