//! The shapes of all blocks, worked out from the configuration before anything is loaded.

use crate::sdxl::{
    config::{Transformer, UNetConfig},
    resnet::ResnetShape,
};

/// The blocks from first to last.
#[derive(Clone, Debug)]
pub struct Plan {
    /// From the finest level to the coarsest.
    pub down: Vec<Level>,
    /// At the coarsest.
    pub mid: Level,
    /// From the coarsest to the finest.
    pub up: Vec<Level>,
}

/// One block.
#[derive(Clone, Debug)]
pub struct Level {
    /// Its residual blocks but for the channels they read.
    pub resnet: ResnetShape,
    /// The channels that each residual block reads.
    pub inputs: Vec<usize>,
    /// The transformers, where the level has them.
    pub attention: Option<Attention>,
    /// Whether it ends with a change of size.
    pub resamples: bool,
}

/// A transformer.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Heads.
    pub heads: usize,
    /// Layers.
    pub depth: usize,
    /// Width of the text.
    pub context: usize,
    /// Groups of its norm.
    pub groups: usize,
    /// Entered and left through a matrix (SDXL) or a convolution of one point (SD 1.5).
    pub linear_projection: bool,
}

impl Plan {
    /// Works it out.
    pub fn new(config: &UNetConfig) -> Self {
        let widths: Vec<usize> = config.levels.iter().map(|level| level.channels).collect();
        let last = widths.len() - 1;
        let coarsest = widths[last];
        Self {
            down: (0..=last).map(|i| down(config, i)).collect(),
            mid: Level {
                resnet: resnet(config, coarsest),
                inputs: vec![coarsest; 2],
                attention: Some(attention(config, config.mid)),
                resamples: false,
            },
            up: (0..=last).rev().map(|i| up(config, i)).collect(),
        }
    }
}

fn down(config: &UNetConfig, i: usize) -> Level {
    let level = &config.levels[i];
    let before = config.levels[i.saturating_sub(1)].channels;
    let mut inputs = vec![level.channels; level.layers];
    inputs[0] = before;
    Level {
        resnet: resnet(config, level.channels),
        inputs,
        attention: level.transformer.map(|shape| attention(config, shape)),
        resamples: i + 1 < config.levels.len(),
    }
}

/// Each residual block reads what came up and one thing that was kept on the way down: one per layer of the level,
/// and first of all on the way down the result of the level before, which comes back last.
fn up(config: &UNetConfig, i: usize) -> Level {
    let level = &config.levels[i];
    let below = config.levels.get(i + 1).unwrap_or(level).channels;
    let before = config.levels[i.saturating_sub(1)].channels;
    let kept = |j| {
        if j == level.layers { before } else { level.channels }
    };
    let risen = |j| if j == 0 { below } else { level.channels };
    Level {
        resnet: resnet(config, level.channels),
        inputs: (0..=level.layers).map(|j| risen(j) + kept(j)).collect(),
        attention: level.transformer.map(|shape| attention(config, shape)),
        resamples: i > 0,
    }
}

fn resnet(config: &UNetConfig, outputs: usize) -> ResnetShape {
    ResnetShape {
        inputs: outputs,
        outputs,
        time: Some(config.time_embed_dim()),
        groups: config.norm_groups,
        eps: config.norm_eps,
    }
}

fn attention(config: &UNetConfig, shape: Transformer) -> Attention {
    Attention {
        heads: shape.heads,
        depth: shape.depth,
        context: config.cross_attention_dim,
        groups: config.norm_groups,
        linear_projection: config.linear_projection,
    }
}
