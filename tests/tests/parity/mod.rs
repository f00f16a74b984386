//! Everything that is held against numbers of the reference implementation.

mod comfyui;
mod rng;
mod schedulers;
