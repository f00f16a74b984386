//! The few convolutions that bring a picture of pixels to the size and width of a latent's first map.

use crate::{
    Result, Weights,
    nn::{Conv2d, ConvShape, FeatureMap},
};

/// The embedding of the picture that steers.
#[derive(Debug)]
pub struct HintEmbedding {
    conv_in: Conv2d,
    /// By turns one that keeps the size and one that halves it.
    blocks: Vec<Conv2d>,
    conv_out: Conv2d,
}

impl HintEmbedding {
    /// Loads it: from `inputs` over all of `channels` to `outputs`.
    pub fn load(w: &Weights, inputs: usize, channels: &[usize], outputs: usize) -> Result<Self> {
        let halving = |inputs, outputs| ConvShape { stride: 2, ..ConvShape::three(inputs, outputs) };
        let shapes =
            channels.windows(2).flat_map(|pair| [ConvShape::three(pair[0], pair[0]), halving(pair[0], pair[1])]);
        let block = |(i, shape)| Conv2d::load(&w.at("blocks").at(i), shape);
        let last = channels.last().copied().unwrap_or(inputs);
        Ok(Self {
            conv_in: Conv2d::load(&w.at("conv_in"), ConvShape::three(inputs, channels[0]))?,
            blocks: shapes.enumerate().map(block).collect::<Result<_>>()?,
            conv_out: Conv2d::load(&w.at("conv_out"), ConvShape::three(last, outputs))?,
        })
    }

    /// Runs it.
    pub fn forward(&self, picture: &FeatureMap) -> Result<FeatureMap> {
        let mut x = self.conv_in.forward(picture)?.silu()?;
        for block in &self.blocks {
            x = block.forward(&x)?.silu()?;
        }
        self.conv_out.forward(&x)
    }
}
