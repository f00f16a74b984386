//! Everything that is held against numbers of the reference implementation.

mod comfyui;
mod configs;
mod controlled;
mod controlnet;
mod craft;
mod edges;
mod encode_prompt;
mod esrgan;
mod lora;
mod manifests;
mod mini;
mod modes;
mod networks;
mod pictures;
mod pipelines;
mod previews;
mod prompt;
mod rng;
mod schedulers;
mod sd15;
mod single_files;
mod text_encoders;
mod tokenizer;
mod unet;
mod vae;

/// The largest error allowed for the output of a network whose outputs are about 1: the reference itself is 1e-6 to
/// 4e-6 away from f64.
const NETWORK: f64 = 5e-5;
