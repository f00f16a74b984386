//! Diffusion networks, samplers and weight formats on candle; knows no graph.

pub mod rng;
pub mod sampling;
