//! Everything that is held against numbers of the reference implementation.

mod encode_prompt;
mod rng;
mod schedulers;
mod text_encoders;
mod unet;
mod vae;
