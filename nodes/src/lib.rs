//! The nodes a person can plug together: one file each, one line each in [`registry`].
//!
//! A node is thin: it takes its inputs, pins the weights it needs, calls `darkroom-models`, and returns. What travels
//! between nodes is in [`wires`], what several nodes share of the machine in [`models`].
#![warn(missing_docs)]

mod decode;
mod denoise;
mod empty_latent;
mod encode_prompt;
mod fault;
mod host;
mod load_image;
mod load_model;
mod mini;
pub mod models;
pub mod name_template;
pub mod picture_file;
mod save_image;
mod steps;
mod switch;
mod upscale;
mod vae_encode;
mod values;
pub mod wires;

use darkroom_core::registry::Registry;

pub use host::host;
pub use save_image::Saved;

/// Returns all nodes.
pub fn registry() -> Registry {
    Registry::new()
        .with::<load_model::LoadModel>()
        .with::<encode_prompt::EncodePrompt>()
        .with::<empty_latent::EmptyLatent>()
        .with::<denoise::Denoise>()
        .with::<decode::VaeDecode>()
        .with::<vae_encode::VaeEncode>()
        .with::<load_image::LoadImage>()
        .with::<save_image::SaveImage>()
        .with::<upscale::Upscale>()
        .with::<switch::Switch>()
        .with::<values::Text>()
        .with::<values::Number>()
        .with::<values::Integer>()
        .with::<values::SeedValue>()
        .with::<values::Size>()
        .with::<values::Toggle>()
}
