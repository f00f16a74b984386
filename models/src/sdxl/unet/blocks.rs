//! The three kinds of big blocks: on the way down, at the bottom, on the way up.

use super::{plan::Level, transformer::Transformer};
use crate::{
    Result, Weights,
    nn::{After, Conv2d, ConvShape, FeatureMap, Growth, Padding, Tokens, Upsample},
    sdxl::resnet::{Resnet, ResnetShape},
};

/// What every block hears besides the map.
pub struct Heard<'a> {
    /// The time (and the sizes), through silu: (batch, 1, width).
    pub time: &'a Tokens,
    /// The text.
    pub context: &'a Tokens,
}

/// Residual blocks, each followed by attention where the level has it.
#[derive(Debug)]
struct Layers {
    resnets: Vec<Resnet>,
    attentions: Vec<Transformer>,
}

impl Layers {
    /// Loads a residual block for each of `inputs`, and `attentions` transformers.
    fn load(w: &Weights, level: &Level, inputs: &[usize], attentions: usize) -> Result<Self> {
        // Their sums are added to maps that keep every bit.
        let resnets = w.at("resnets").with_compute(w.compute().clone().with_coarse_products());
        let resnet = |(i, inputs): (usize, &usize)| {
            let shape = ResnetShape { inputs: *inputs, ..level.resnet };
            Resnet::load(&resnets.at(i), shape)
        };
        let attention = |i| {
            let shape = level.attention?;
            let w = w.at("attentions").at(i);
            Some(Transformer::load(&w, level.resnet.outputs, shape))
        };
        Ok(Self {
            resnets: inputs.iter().enumerate().map(resnet).collect::<Result<_>>()?,
            attentions: (0..attentions).filter_map(attention).collect::<Result<_>>()?,
        })
    }

    /// Runs layer number `i`.
    fn layer(&self, i: usize, x: FeatureMap, heard: &Heard<'_>) -> Result<FeatureMap> {
        let x = self.resnets[i].forward(x, Some(heard.time))?;
        match self.attentions.get(i) {
            Some(attention) => attention.forward(x, heard.context),
            None => Ok(x),
        }
    }
}

/// A level on the way down.
#[derive(Debug)]
pub struct DownBlock {
    layers: Layers,
    downsample: Option<Conv2d>,
}

impl DownBlock {
    /// Loads it.
    pub fn load(w: &Weights, level: &Level) -> Result<Self> {
        let channels = level.resnet.outputs;
        let halve = ConvShape::halving(channels, Padding::Around(1));
        let downsample = level.resamples.then(|| Conv2d::load(&w.at("downsamplers.0.conv"), halve));
        Ok(Self {
            layers: Layers::load(w, level, &level.inputs, level.inputs.len())?,
            downsample: downsample.transpose()?,
        })
    }

    /// Runs it; every layer's result is also kept for the way up.
    pub fn forward(&self, mut x: FeatureMap, heard: &Heard<'_>, skips: &mut Vec<FeatureMap>) -> Result<FeatureMap> {
        for i in 0..self.layers.resnets.len() {
            x = self.layers.layer(i, x, heard)?;
            skips.push(x.clone());
        }
        if let Some(downsample) = &self.downsample {
            x = downsample.forward(&x)?;
            skips.push(x.clone());
        }
        Ok(x)
    }
}

/// The bottom: two residual blocks around attention.
#[derive(Debug)]
pub struct MidBlock {
    layers: Layers,
}

impl MidBlock {
    /// Loads it.
    pub fn load(w: &Weights, level: &Level) -> Result<Self> {
        Ok(Self { layers: Layers::load(w, level, &level.inputs, 1)? })
    }

    /// Runs it.
    pub fn forward(&self, mut x: FeatureMap, heard: &Heard<'_>) -> Result<FeatureMap> {
        for i in 0..self.layers.resnets.len() {
            x = self.layers.layer(i, x, heard)?;
        }
        Ok(x)
    }
}

/// A level on the way up.
#[derive(Debug)]
pub struct UpBlock {
    layers: Layers,
    upsample: Option<Upsample>,
}

impl UpBlock {
    /// Loads it.
    pub fn load(w: &Weights, level: &Level) -> Result<Self> {
        let channels = level.resnet.outputs;
        let upsample =
            level.resamples.then(|| Upsample::load(&w.at("upsamplers.0.conv"), (channels, channels), Growth::Nearly));
        Ok(Self { layers: Layers::load(w, level, &level.inputs, level.inputs.len())?, upsample: upsample.transpose()? })
    }

    /// Runs it, taking back one of `skips` per layer.
    pub fn forward(&self, mut x: FeatureMap, heard: &Heard<'_>, skips: &mut Vec<FeatureMap>) -> Result<FeatureMap> {
        for i in 0..self.layers.resnets.len() {
            let skip = skips.pop().expect("the way down left one per layer");
            let both = FeatureMap::concat_channels(&[&x, &skip])?;
            drop((x, skip));
            x = self.layers.layer(i, both, heard)?;
        }
        let Some(upsample) = &self.upsample else {
            return Ok(x);
        };
        // Twice the size, but for odd sizes on the way down: the next skip knows.
        let next = skips.last().expect("a level that grows is not the last").dims();
        upsample.forward_to(&x, (next.height, next.width), After::default())
    }
}
