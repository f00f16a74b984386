//! Stable Diffusion XL: base, refiner and inpaint; the same builders take Stable Diffusion 1.5.
//!
//! A picture goes through these in turn: [`text`] makes vectors of words, [`conditioning`] puts them together as the
//! network was trained with them, [`unet`] predicts what is noise in a latent, [`vae`] turns the last latent into
//! pixels. Each is built from its [`config`] and loads its weights with one report of everything that is wrong; each
//! ticks as it goes, so that a run can be watched and stopped.

pub mod claims;
pub mod conditioning;
pub mod config;
pub mod controlnet;
pub mod keys;
pub mod preview;
pub mod published;
mod resnet;
pub mod room;
pub mod text;
pub mod unet;
pub mod vae;

pub use conditioning::Conditioning;
pub use controlnet::ControlNet;
pub use text::TextEncoder;
pub use unet::UNet;
pub use vae::Vae;
