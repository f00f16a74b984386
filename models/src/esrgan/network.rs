//! The network: dense blocks in residual blocks, then doublings.

use crate::{
    Progress, Result, Weights,
    esrgan::Layout,
    nn::{After, Conv2d, ConvShape, FeatureMap, Growth, Upsample},
};

/// How much of what a block adds is kept.
const RESIDUAL: f64 = 0.2;
/// What is left of negative values.
const SLOPE: f64 = 0.2;

/// All layers in the order of their use.
#[derive(Debug)]
pub struct Network {
    shuffle: usize,
    first: Conv2d,
    blocks: Vec<[Dense; 3]>,
    after_blocks: Conv2d,
    doublings: Vec<Upsample>,
    last: [Conv2d; 2],
}

/// Five convolutions, each of which sees what comes in and what all before it made.
#[derive(Debug)]
struct Dense([Conv2d; 5]);

impl Network {
    pub fn load(layout: &Layout, w: &Weights) -> Result<Self> {
        let Layout { features, growth, shuffle, .. } = *layout;
        let conv = |name: &str, inputs, outputs| Conv2d::load(&w.at(name), ConvShape::three(inputs, outputs));
        let layer = |block, dense, i: usize| {
            let outputs = if i < 4 { growth } else { features };
            conv(&layout.dense(block, dense, i), features + i * growth, outputs)
        };
        let dense = |block, i| -> Result<Dense> {
            let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|n| layer(block, i, n));
            Ok(Dense([a?, b?, c?, d?, e?]))
        };
        let block = |i| -> Result<[Dense; 3]> { Ok([dense(i, 0)?, dense(i, 1)?, dense(i, 2)?]) };
        let doubling = |i| Upsample::load(&w.at(layout.doubling(i)), (features, features), Growth::Twice);
        let [large, last] = layout.last();
        Ok(Self {
            shuffle,
            first: conv(&layout.first(), 3 * shuffle * shuffle, features)?,
            blocks: (0..layout.blocks).map(block).collect::<Result<_>>()?,
            after_blocks: conv(&layout.after_blocks(), features, features)?,
            doublings: (0..layout.doublings).map(doubling).collect::<Result<_>>()?,
            last: [conv(&large, features, features)?, conv(&last, features, 3)?],
        })
    }

    /// Returns how often a walk ticks.
    pub fn steps(&self) -> usize {
        self.blocks.len() + self.doublings.len() + 1
    }

    /// Makes pictures larger, whose edges are multiples of the shuffle.
    pub fn forward(&self, x: &FeatureMap, progress: &mut dyn Progress) -> Result<FeatureMap> {
        let of = self.steps();
        let first = self.first.forward(&x.unshuffled(self.shuffle)?)?;
        let mut x = first.clone();
        for (i, [a, b, c]) in self.blocks.iter().enumerate() {
            let added = c.forward(&b.forward(&a.forward(&x)?)?)?;
            x = added.affine(RESIDUAL, 0.0)?.add(&x)?;
            progress.tick(i + 1, of)?;
        }
        x = self.after_blocks.forward_then(&x, After { onto: Some(first), ..After::default() })?;
        for (i, conv) in self.doublings.iter().enumerate() {
            x = conv.forward(&x, bent())?;
            progress.tick(self.blocks.len() + i + 1, of)?;
        }
        let [large, last] = &self.last;
        x = large.forward_then(&x, bent())?;
        x = last.forward(&x)?;
        progress.tick(of, of)?;
        Ok(x)
    }
}

/// Negative values keep a share.
fn bent<'a>() -> After<'a> {
    After { slope: Some(SLOPE), ..After::default() }
}

impl Dense {
    fn forward(&self, x: &FeatureMap) -> Result<FeatureMap> {
        let [layers @ .., last] = &self.0;
        let mut seen = x.clone();
        for layer in layers {
            let grown = layer.forward_then(&seen, bent())?;
            seen = FeatureMap::concat_channels(&[&seen, &grown])?;
        }
        last.forward_then(&seen, After { factor: RESIDUAL, onto: Some(x.clone()), ..After::default() })
    }
}
