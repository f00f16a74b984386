//! Pixels to the moments of latents.

use super::attention::{Bottom, resnet};
use crate::{
    Progress, Result, Weights,
    nn::{Blocks, Conv2d, ConvShape, FeatureMap, GroupNorm, Keep, Padding},
    sdxl::{config::VaeConfig, resnet::Resnet},
};

/// The half that encodes.
#[derive(Debug)]
pub struct Encoder {
    conv_in: Conv2d,
    levels: Blocks<Level>,
    bottom: Blocks<Bottom>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    /// Loads it.
    pub fn load(config: &VaeConfig, w: &Weights, keep: Keep) -> Result<Self> {
        let (finest, coarsest) = (config.channels[0], config.channels[config.channels.len() - 1]);
        let (shape, blocks) = (config.clone(), w.at("down_blocks"));
        let level = move |i: usize, w: &Weights| Level::load(w, &shape, i);
        let levels = (0..config.channels.len()).map(|i| blocks.at(i));
        let shape = config.clone();
        let bottom = move |_: usize, w: &Weights| Bottom::load(w, &shape);
        let norm_out = w.at("conv_norm_out");
        let out = ConvShape::three(coarsest, 2 * config.latent_channels);
        Ok(Self {
            conv_in: Conv2d::load(&w.at("conv_in"), ConvShape::three(config.in_channels, finest))?,
            levels: Blocks::load(keep, levels, level)?,
            bottom: Blocks::load(keep, [w.at("mid_block")], bottom)?,
            norm_out: GroupNorm::load(&norm_out, config.norm_groups, coarsest, config.norm_eps)?,
            conv_out: Conv2d::load(&w.at("conv_out"), out)?,
        })
    }

    /// Runs it.
    pub fn forward(&self, x: &FeatureMap, progress: &mut dyn Progress) -> Result<FeatureMap> {
        let of = self.levels.len() + 2;
        let mut x = self.conv_in.forward(x)?;
        for (i, level) in self.levels.iter().enumerate() {
            x = level?.forward(x)?;
            progress.tick(i + 1, of)?;
        }
        for bottom in self.bottom.iter() {
            x = bottom?.forward(x)?;
            progress.tick(of - 1, of)?;
        }
        let x = self.conv_out.forward(&self.norm_out.forward_silu(&x)?)?;
        progress.tick(of, of)?;
        Ok(x)
    }
}

/// Residual blocks, then half the size.
#[derive(Debug)]
struct Level {
    resnets: Vec<Resnet>,
    downsample: Option<Conv2d>,
}

impl Level {
    fn load(w: &Weights, config: &VaeConfig, i: usize) -> Result<Self> {
        let channels = config.channels[i];
        let before = config.channels[i.saturating_sub(1)];
        let block = |j: usize| {
            let inputs = if j == 0 { before } else { channels };
            Resnet::load(&w.at("resnets").at(j), resnet(config, inputs, channels))
        };
        let halve = ConvShape::halving(channels, Padding::RightBelow);
        let downsample = (i + 1 < config.channels.len()).then(|| Conv2d::load(&w.at("downsamplers.0.conv"), halve));
        Ok(Self { resnets: (0..config.layers).map(block).collect::<Result<_>>()?, downsample: downsample.transpose()? })
    }

    fn forward(&self, mut x: FeatureMap) -> Result<FeatureMap> {
        for resnet in &self.resnets {
            x = resnet.forward(x, None)?;
        }
        match &self.downsample {
            Some(downsample) => downsample.forward(&x),
            None => Ok(x),
        }
    }
}
