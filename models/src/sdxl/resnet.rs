//! The residual block that the UNet and the autoencoder are made of.

use crate::{
    Result, Weights,
    nn::{After, Bias, Conv2d, ConvShape, FeatureMap, GroupNorm, Linear, Tokens},
};

/// Two convolutions around the time, added to what came in.
#[derive(Debug)]
pub struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    /// Brings what came in to the channels that go out, where they differ.
    shortcut: Option<Conv2d>,
}

/// What a residual block reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct ResnetShape {
    /// Channels read.
    pub inputs: usize,
    /// Channels written.
    pub outputs: usize,
    /// Width of the time vector; the autoencoder knows no time.
    pub time: Option<usize>,
    /// Groups of the norms.
    pub groups: usize,
    /// Added to the variance in the norms.
    pub eps: f64,
}

impl Resnet {
    /// Loads it.
    pub fn load(w: &Weights, shape: ResnetShape) -> Result<Self> {
        let ResnetShape { inputs, outputs, groups, eps, .. } = shape;
        let time = shape.time.map(|width| Linear::load(&w.at("time_emb_proj"), width, outputs, Bias::Yes));
        let shortcut =
            (inputs != outputs).then(|| Conv2d::load(&w.at("conv_shortcut"), ConvShape::point(inputs, outputs)));
        Ok(Self {
            norm1: GroupNorm::load(&w.at("norm1"), groups, inputs, eps)?,
            conv1: Conv2d::load(&w.at("conv1"), ConvShape::three(inputs, outputs))?,
            time: time.transpose()?,
            norm2: GroupNorm::load(&w.at("norm2"), groups, outputs, eps)?,
            conv2: Conv2d::load(&w.at("conv2"), ConvShape::three(outputs, outputs))?,
            shortcut: shortcut.transpose()?,
        })
    }

    /// Runs it; `time` has been through silu already, since all blocks bend it in the same way.
    pub fn forward(&self, x: FeatureMap, time: Option<&Tokens>) -> Result<FeatureMap> {
        let shift = match (&self.time, time) {
            (Some(project), Some(time)) => Some(project.forward(time)?),
            _ => None,
        };
        let after = After { shift: shift.as_ref(), ..After::default() };
        let h = self.conv1.forward_then(&self.norm1.forward_silu(&x)?, after)?;
        let onto = match &self.shortcut {
            Some(shortcut) => shortcut.forward(&x)?,
            None => x.clone(),
        };
        drop(x);
        self.conv2.forward_then(&self.norm2.forward_silu(&h)?, After { onto: Some(onto), ..After::default() })
    }
}
