//! The nodes a person can plug together: one file each, one line each in [`registry`].
//!
//! A node is thin: it takes its inputs, pins the weights it needs, calls `darkroom-models`, and returns. What travels
//! between nodes is in [`wires`], what several nodes share of the machine in [`models`].
#![warn(missing_docs)]

mod fault;
mod host;
mod mini;
pub mod models;
pub mod name_template;
pub mod picture_file;
mod resample;
mod steps;
mod weights_file;
pub mod wires;

pub use host::host;
pub use save_image::Saved;

/// Declares the file of each node and puts its nodes into the registry: a new node is one line.
macro_rules! nodes {
    ($($file:ident: $($node:ident),+;)*) => {
        $(mod $file;)*

        /// Returns all nodes.
        pub fn registry() -> darkroom_core::registry::Registry {
            darkroom_core::registry::Registry::new()$($(.with::<$file::$node>())+)*
        }
    };
}

nodes! {
    decode: VaeDecode;
    denoise: Denoise;
    empty_latent: EmptyLatent;
    encode_prompt: EncodePrompt;
    load_image: LoadImage;
    load_model: LoadModel;
    save_image: SaveImage;
    switch: Switch;
    upscale: Upscale;
    vae_encode: VaeEncode;
    values: Integer, Number, SeedValue, Size, Text, Toggle;
}
