//! Latents to pixels.

use super::attention::{Bottom, resnet};
use crate::{
    Progress, Result, Weights,
    nn::{After, Blocks, Conv2d, ConvShape, FeatureMap, GroupNorm, Growth, Keep, Upsample},
    sdxl::{config::VaeConfig, resnet::Resnet},
};

/// The half that decodes.
#[derive(Debug)]
pub struct Decoder {
    conv_in: Conv2d,
    bottom: Blocks<Bottom>,
    levels: Blocks<Level>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    /// Loads it.
    pub fn load(config: &VaeConfig, w: &Weights, keep: Keep) -> Result<Self> {
        let (finest, coarsest) = (config.channels[0], config.channels[config.channels.len() - 1]);
        let (shape, blocks) = (config.clone(), w.at("up_blocks"));
        let level = move |i: usize, w: &Weights| Level::load(w, &shape, i);
        let levels = (0..config.channels.len()).map(|i| blocks.at(i));
        let shape = config.clone();
        let bottom = move |_: usize, w: &Weights| Bottom::load(w, &shape);
        let enter = ConvShape::three(config.latent_channels, coarsest);
        let norm_out = w.at("conv_norm_out");
        let leave = ConvShape::three(finest, config.out_channels);
        Ok(Self {
            conv_in: Conv2d::load(&w.at("conv_in"), enter)?,
            bottom: Blocks::load(keep, [w.at("mid_block")], bottom)?,
            levels: Blocks::load(keep, levels, level)?,
            norm_out: GroupNorm::load(&norm_out, config.norm_groups, finest, config.norm_eps)?,
            conv_out: Conv2d::load(&w.at("conv_out"), leave)?,
        })
    }

    /// Runs it.
    pub fn forward(&self, z: &FeatureMap, progress: &mut dyn Progress) -> Result<FeatureMap> {
        let of = self.levels.len() + 2;
        let mut x = self.conv_in.forward(z)?;
        for bottom in self.bottom.iter() {
            x = bottom?.forward(x)?;
            progress.tick(1, of)?;
        }
        for (i, level) in self.levels.iter().enumerate() {
            x = level?.forward(x)?;
            progress.tick(i + 2, of)?;
        }
        let x = self.conv_out.forward(&self.norm_out.forward_silu(&x)?)?;
        progress.tick(of, of)?;
        Ok(x)
    }
}

/// Residual blocks, then twice the size.
#[derive(Debug)]
struct Level {
    resnets: Vec<Resnet>,
    upsample: Option<Upsample>,
}

impl Level {
    /// Loads level `i` of the decoder, the coarsest being number 0.
    fn load(w: &Weights, config: &VaeConfig, i: usize) -> Result<Self> {
        let widths: Vec<usize> = config.channels.iter().rev().copied().collect();
        let (before, channels) = (widths[i.saturating_sub(1)], widths[i]);
        let block = |j: usize| {
            let inputs = if j == 0 { before } else { channels };
            Resnet::load(&w.at("resnets").at(j), resnet(config, inputs, channels))
        };
        let upsample = (i + 1 < widths.len())
            .then(|| Upsample::load(&w.at("upsamplers.0.conv"), (channels, channels), Growth::Twice));
        Ok(Self { resnets: (0..=config.layers).map(block).collect::<Result<_>>()?, upsample: upsample.transpose()? })
    }

    fn forward(&self, mut x: FeatureMap) -> Result<FeatureMap> {
        for resnet in &self.resnets {
            x = resnet.forward(x, None)?;
        }
        let Some(upsample) = &self.upsample else {
            return Ok(x);
        };
        upsample.forward(&x, After::default())
    }
}
