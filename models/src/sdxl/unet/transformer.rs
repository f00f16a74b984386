//! Attention over a feature map: every place looks at every other, and at the text.

use super::plan::Attention;
use crate::{
    Result, Weights,
    nn::{Bias, FeatureMap, GroupNorm, Heads, LayerNorm, Linear, Mask, Tokens},
};

/// Not in the configurations: the reference has 1e-6 here and `norm_eps` (1e-5) in the residual blocks.
const GROUP_EPS: f64 = 1e-6;
/// torch's default.
const LAYER_EPS: f64 = 1e-5;

/// Layers of attention between two projections, added to what came in.
#[derive(Debug)]
pub struct Transformer {
    norm: GroupNorm,
    proj_in: Linear,
    layers: Vec<Layer>,
    proj_out: Linear,
}

impl Transformer {
    /// Loads it for a map of `channels`.
    pub fn load(w: &Weights, channels: usize, shape: Attention) -> Result<Self> {
        let project = |name: &str| match shape.linear_projection {
            true => Linear::load(&w.at(name), channels, channels, Bias::Yes),
            // A convolution of one point before the map is read as tokens is this matrix after it.
            false => Linear::load_pointwise(&w.at(name), channels, channels),
        };
        let blocks = w.at("transformer_blocks");
        let layer = |i| Layer::load(&blocks.at(i), channels, shape);
        Ok(Self {
            norm: GroupNorm::load(&w.at("norm"), shape.groups, channels, GROUP_EPS)?,
            proj_in: project("proj_in")?,
            layers: (0..shape.depth).map(layer).collect::<Result<_>>()?,
            proj_out: project("proj_out")?,
        })
    }

    /// Runs it; `context` is the text.
    pub fn forward(&self, x: FeatureMap, context: &Tokens) -> Result<FeatureMap> {
        let dims = x.dims();
        let mut tokens = self.proj_in.forward(&self.norm.forward(&x)?.to_tokens()?)?;
        for layer in &self.layers {
            tokens = layer.forward(tokens, context)?;
        }
        let onto = x.to_tokens()?;
        drop(x);
        self.proj_out.forward_onto(&tokens, onto)?.to_map(dims.height, dims.width)
    }
}

/// Self attention, attention to the text, and a gated feed-forward, each added to what came in.
#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    attn1: Attend,
    norm2: LayerNorm,
    attn2: Attend,
    norm3: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl Layer {
    fn load(w: &Weights, channels: usize, shape: Attention) -> Result<Self> {
        // Between their norms and what they are added to, these bear the coarsest numbers.
        let w = &w.clone().with_compute(w.compute().clone().with_coarse_products());
        let norm = |name: &str| LayerNorm::load(&w.at(name), channels, LAYER_EPS);
        let attend = |name: &str, context| Attend::load(&w.at(name), channels, context, shape);
        let inner = 4 * channels;
        Ok(Self {
            norm1: norm("norm1")?,
            attn1: attend("attn1", channels)?,
            norm2: norm("norm2")?,
            attn2: attend("attn2", shape.context)?,
            norm3: norm("norm3")?,
            widen: Linear::load_gated(&w.at("ff.net.0.proj"), channels, inner)?,
            narrow: Linear::load(&w.at("ff.net.2"), inner, channels, Bias::Yes)?,
        })
    }

    fn forward(&self, x: Tokens, context: &Tokens) -> Result<Tokens> {
        let h = self.norm1.forward_to_factors(&x)?;
        let x = self.attn1.forward((&h, &h), x)?;
        let h = self.norm2.forward_to_factors(&x)?;
        let x = self.attn2.forward((&h, context), x)?;
        let h = self.widen.forward_to_factors(&self.norm3.forward_to_factors(&x)?)?;
        self.narrow.forward_onto(&h, x)
    }
}

/// Attention with its projections.
#[derive(Debug)]
struct Attend {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: Heads,
}

impl Attend {
    fn load(w: &Weights, channels: usize, context: usize, shape: Attention) -> Result<Self> {
        Ok(Self {
            to_q: Linear::load(&w.at("to_q"), channels, channels, Bias::No)?,
            to_k: Linear::load(&w.at("to_k"), context, channels, Bias::No)?,
            to_v: Linear::load(&w.at("to_v"), context, channels, Bias::No)?,
            to_out: Linear::load(&w.at("to_out.0"), channels, channels, Bias::Yes)?,
            heads: Heads::new(w.compute(), shape.heads, Mask::Open),
        })
    }

    /// Looks from `x` at `context`, and adds what is seen to `onto`.
    fn forward(&self, (x, context): (&Tokens, &Tokens), onto: Tokens) -> Result<Tokens> {
        let q = self.to_q.forward_to_factors(x)?;
        let (k, v) = (self.to_k.forward_once(context)?, self.to_v.forward_once(context)?);
        self.to_out.forward_onto(&self.heads.attend(&q, &k, &v)?, onto)
    }
}
