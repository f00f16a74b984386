//! The operations, done by the layers that networks are built of: one function for each kind.

use std::hint::black_box;

use anyhow::Result;
use candle_core::DType;
use darkroom_models::{
    Weights,
    nn::{
        Activation, Bias, Conv2d, ConvShape, FeatureMap, GroupNorm, Heads, LayerNorm, Linear, Mask, Padding, attend,
        geglu,
    },
};
use darkroom_tests::bench::{
    Mode,
    op::{Op, Picture, Then, Tokens},
    values,
};

/// An operation with its weights and inputs at hand; what it makes is thrown away, as between layers.
pub type Run = Box<dyn Fn() -> Result<()>>;

/// Makes weights and inputs for an operation.
pub fn prepare(op: Op, mode: Mode) -> Result<Run> {
    match op {
        Op::Conv { batch, inputs, outputs, edge, kernel, stride } => {
            let shape = match (kernel, stride) {
                (1, _) => ConvShape::point(inputs, outputs),
                (_, 2) => ConvShape { stride, padding: Padding::Around(1), ..ConvShape::three(inputs, outputs) },
                _ => ConvShape::three(inputs, outputs),
            };
            conv(shape, Picture { batch, channels: inputs, edge }, mode)
        }
        Op::Linear { batch, tokens, inputs, outputs } => {
            linear(Tokens { batch, length: tokens, channels: inputs }, outputs, mode)
        }
        Op::Attention { batch, queries, sources, heads, head } => {
            let tokens = |length| Tokens { batch, length, channels: heads * head };
            attention(tokens(queries), tokens(sources), heads)
        }
        Op::GroupNorm { picture, then } => group_norm(picture, then, mode),
        Op::LayerNorm(size) => layer_norm(size, mode),
        Op::Silu(size) => silu(size),
        Op::Gelu(size) => gelu(size),
        Op::Geglu(size) => gate(size),
        Op::Upsample(size) => upsample(size),
        Op::Add(size) => add(size),
        Op::Concat(size) => concat(size),
        Op::ToTokens(size) => to_tokens(size),
    }
}

fn conv(shape: ConvShape, size: Picture, mode: Mode) -> Result<Run> {
    let ConvShape { inputs, outputs, kernel, .. } = shape;
    let layer = Conv2d::load(&weights(vec![outputs, inputs, kernel, kernel], mode), shape)?;
    let x = picture(size)?;
    ready(move || Ok(layer.forward(&x)?))
}

fn linear(size: Tokens, outputs: usize, mode: Mode) -> Result<Run> {
    let layer = Linear::load(&weights(vec![outputs, size.channels], mode), size.channels, outputs, Bias::Yes)?;
    let x = tokens(size)?;
    ready(move || Ok(layer.forward(&x)?))
}

fn attention(queries: Tokens, sources: Tokens, heads: usize) -> Result<Run> {
    let (q, k, v) = (tokens(queries)?, tokens(sources)?, tokens(sources)?);
    ready(move || Ok(attend(&q, &k, &v, Heads(heads), Mask::Open)?))
}

fn group_norm(size: Picture, then: Then, mode: Mode) -> Result<Run> {
    let layer = GroupNorm::load(&weights(vec![size.channels], mode), 32, size.channels, 1e-5)?;
    let x = picture(size)?;
    match then {
        Then::Nothing => ready(move || Ok(layer.forward(&x)?)),
        Then::Silu => ready(move || Ok(layer.forward_silu(&x)?)),
    }
}

fn layer_norm(size: Tokens, mode: Mode) -> Result<Run> {
    let layer = LayerNorm::load(&weights(vec![size.channels], mode), size.channels, 1e-5)?;
    let x = tokens(size)?;
    ready(move || Ok(layer.forward(&x)?))
}

/// The door to a lone curve is through tokens; the values are as many.
fn silu(size: Picture) -> Result<Run> {
    let x = tokens(Tokens { batch: size.batch, length: size.edge * size.edge, channels: size.channels })?;
    ready(move || Ok(Activation::Silu.forward(&x)?))
}

fn gelu(size: Tokens) -> Result<Run> {
    let x = tokens(size)?;
    ready(move || Ok(Activation::Gelu.forward(&x)?))
}

fn gate(size: Tokens) -> Result<Run> {
    let x = tokens(Tokens { channels: 2 * size.channels, ..size })?;
    ready(move || Ok(geglu(&x)?))
}

fn upsample(size: Picture) -> Result<Run> {
    let x = picture(size)?;
    ready(move || Ok(x.resize_nearest(2 * size.edge, 2 * size.edge)?))
}

fn add(size: Picture) -> Result<Run> {
    let (x, y) = (picture(size)?, picture(size)?);
    ready(move || Ok(x.add(&y)?))
}

fn concat(size: Picture) -> Result<Run> {
    let (x, y) = (picture(size)?, picture(size)?);
    ready(move || Ok(FeatureMap::concat_channels(&[&x, &y])?))
}

fn to_tokens(size: Picture) -> Result<Run> {
    let x = picture(size)?;
    ready(move || Ok(x.to_tokens()?))
}

fn ready<T>(run: impl Fn() -> Result<T> + 'static) -> Result<Run> {
    Ok(Box::new(move || {
        black_box(run()?);
        Ok(())
    }))
}

/// Weights of one layer: `weight`, and a `bias` for each of its outputs.
fn weights(weight: Vec<usize>, mode: Mode) -> Weights {
    let bias = vec![weight[0]];
    let tensors = [("weight".to_owned(), weight), ("bias".to_owned(), bias)];
    mode.prepare(Weights::random("op", tensors, 1), DType::F32)
}

fn picture(size: Picture) -> Result<FeatureMap> {
    Ok(FeatureMap::from_tensor(&values(&[size.batch, size.channels, size.edge, size.edge])?)?)
}

fn tokens(size: Tokens) -> Result<darkroom_models::nn::Tokens> {
    Ok(darkroom_models::nn::Tokens::from_tensor(&values(&[size.batch, size.length, size.channels])?)?)
}
