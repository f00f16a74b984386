//! The bottom of encoder and decoder: two residual blocks around attention of one head.

use crate::{
    Result, Weights,
    nn::{Bias, FeatureMap, GroupNorm, Heads, Linear, Mask},
    sdxl::{
        config::VaeConfig,
        resnet::{Resnet, ResnetShape},
    },
};

/// Two residual blocks around attention.
#[derive(Debug)]
pub struct Bottom {
    before: Resnet,
    attention: Attention,
    after: Resnet,
}

impl Bottom {
    /// Loads it at the width of the coarsest level.
    pub fn load(w: &Weights, config: &VaeConfig) -> Result<Self> {
        let channels = *config.channels.last().expect("there is at least one level");
        let shape = resnet(config, channels, channels);
        Ok(Self {
            before: Resnet::load(&w.at("resnets.0"), shape)?,
            attention: Attention::load(&w.at("attentions.0"), channels, config)?,
            after: Resnet::load(&w.at("resnets.1"), shape)?,
        })
    }

    /// Runs it.
    pub fn forward(&self, x: FeatureMap) -> Result<FeatureMap> {
        let x = self.before.forward(x, None)?;
        self.after.forward(self.attention.forward(x)?, None)
    }
}

/// The residual block of an autoencoder.
pub fn resnet(config: &VaeConfig, inputs: usize, outputs: usize) -> ResnetShape {
    ResnetShape { inputs, outputs, time: None, groups: config.norm_groups, eps: config.norm_eps }
}

/// Every place looks at every other.
#[derive(Debug)]
struct Attention {
    norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: Heads,
}

impl Attention {
    /// Loads it under today's names or those of files from before 2023.
    fn load(w: &Weights, channels: usize, config: &VaeConfig) -> Result<Self> {
        let names = match w.contains("query.weight") {
            true => ["query", "key", "value", "proj_attn"],
            false => ["to_q", "to_k", "to_v", "to_out.0"],
        };
        let project = |name: &str| Linear::load(&w.at(name), channels, channels, Bias::Yes);
        Ok(Self {
            norm: GroupNorm::load(&w.at("group_norm"), config.norm_groups, channels, config.norm_eps)?,
            to_q: project(names[0])?,
            to_k: project(names[1])?,
            to_v: project(names[2])?,
            to_out: project(names[3])?,
            heads: Heads::new(w.compute(), 1, Mask::Open),
        })
    }

    fn forward(&self, x: FeatureMap) -> Result<FeatureMap> {
        let dims = x.dims();
        let tokens = self.norm.forward(&x)?.to_tokens()?;
        let project = |linear: &Linear| linear.forward_to_factors(&tokens);
        let seen = self.heads.attend(&project(&self.to_q)?, &project(&self.to_k)?, &project(&self.to_v)?)?;
        let onto = x.to_tokens()?;
        drop(x);
        self.to_out.forward_onto(&seen, onto)?.to_map(dims.height, dims.width)
    }
}
