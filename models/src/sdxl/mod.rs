//! Stable Diffusion XL: base, refiner and inpaint; the same builders take Stable Diffusion 1.5.

pub mod config;
