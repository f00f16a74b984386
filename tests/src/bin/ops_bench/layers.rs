//! The operations, done by the layers that networks are built of: one function for each kind.

use std::hint::black_box;

use anyhow::Result;
use darkroom_models::{
    Weights,
    nn::{
        Activation, Bias, Compute, Conv2d, ConvShape, FeatureMap, GroupNorm, Heads, LayerNorm, Linear, Mask, Mode,
        Padding,
    },
};
use darkroom_tests::bench::{
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
            attention(tokens(queries), tokens(sources), heads, mode)
        }
        Op::GroupNorm { picture, then } => group_norm(picture, then, mode),
        Op::LayerNorm(size) => layer_norm(size, mode),
        Op::Silu(size) => silu(size, mode),
        Op::Gelu(size) => gelu(size, mode),
        Op::Geglu { tokens, inner } => gate(tokens, inner, mode),
        Op::Upsample(size) => upsample(size, mode),
        Op::Add(size) => add(size, mode),
        Op::Concat(size) => concat(size, mode),
        Op::ToTokens(size) => to_tokens(size, mode),
    }
}

fn conv(shape: ConvShape, size: Picture, mode: Mode) -> Result<Run> {
    let ConvShape { inputs, outputs, kernel, .. } = shape;
    let layer = Conv2d::load(&weights(vec![outputs, inputs, kernel, kernel], mode), shape)?;
    let x = picture(size, mode)?;
    ready(move || Ok(layer.forward(&x)?))
}

fn linear(size: Tokens, outputs: usize, mode: Mode) -> Result<Run> {
    let layer = Linear::load(&weights(vec![outputs, size.channels], mode), size.channels, outputs, Bias::Yes)?;
    let x = factors(size, mode)?;
    ready(move || Ok(layer.forward(&x)?))
}

fn attention(queries: Tokens, sources: Tokens, heads: usize, mode: Mode) -> Result<Run> {
    let (q, k, v) = (factors(queries, mode)?, factors(sources, mode)?, factors(sources, mode)?);
    let heads = Heads::new(&Compute::new(mode), heads, Mask::Open);
    ready(move || Ok(heads.attend(&q, &k, &v)?))
}

fn group_norm(size: Picture, then: Then, mode: Mode) -> Result<Run> {
    let layer = GroupNorm::load(&weights(vec![size.channels], mode), 32, size.channels, 1e-5)?;
    let x = picture(size, mode)?;
    match then {
        Then::Nothing => ready(move || Ok(layer.forward(&x)?.settled())),
        Then::Silu => ready(move || Ok(layer.forward_silu(&x)?.settled())),
    }
}

fn layer_norm(size: Tokens, mode: Mode) -> Result<Run> {
    let layer = LayerNorm::load(&weights(vec![size.channels], mode), size.channels, 1e-5)?;
    let x = tokens(size, mode)?;
    ready(move || Ok(layer.forward_to_factors(&x)?))
}

/// The door to a lone curve is through tokens; the values are as many.
fn silu(size: Picture, mode: Mode) -> Result<Run> {
    let x = tokens(Tokens { batch: size.batch, length: size.edge * size.edge, channels: size.channels }, mode)?;
    ready(move || Ok(Activation::Silu.forward(&x)?))
}

fn gelu(size: Tokens, mode: Mode) -> Result<Run> {
    let x = tokens(size, mode)?;
    ready(move || Ok(Activation::Gelu.forward(&x)?))
}

fn gate(size: Tokens, inner: usize, mode: Mode) -> Result<Run> {
    let layer = Linear::load_gated(&weights(vec![2 * inner, size.channels], mode), size.channels, inner)?;
    let x = factors(size, mode)?;
    ready(move || Ok(layer.forward_to_factors(&x)?))
}

fn upsample(size: Picture, mode: Mode) -> Result<Run> {
    let x = picture(size, mode)?;
    ready(move || Ok(x.resize_nearest(2 * size.edge, 2 * size.edge)?))
}

fn add(size: Picture, mode: Mode) -> Result<Run> {
    let (x, y) = (picture(size, mode)?, picture(size, mode)?);
    ready(move || Ok(x.add(&y)?))
}

fn concat(size: Picture, mode: Mode) -> Result<Run> {
    let (x, y) = (picture(size, mode)?, picture(size, mode)?);
    ready(move || Ok(FeatureMap::concat_channels(&[&x, &y])?))
}

fn to_tokens(size: Picture, mode: Mode) -> Result<Run> {
    let x = picture(size, mode)?;
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
    Weights::random("op", tensors, 1).with_compute(compute(mode))
}

/// With what a layer computes of which nothing else is known.
fn compute(mode: Mode) -> Compute {
    Compute::new(mode).with_coarse_products()
}

/// As one layer leaves it to the next.
fn picture(size: Picture, mode: Mode) -> Result<FeatureMap> {
    let x = values(&[size.batch, size.channels, size.edge, size.edge])?;
    Ok(FeatureMap::from_tensor(&x)?.within(&compute(mode))?)
}

/// As one layer leaves them to the next.
fn tokens(size: Tokens, mode: Mode) -> Result<darkroom_models::nn::Tokens> {
    let x = values(&[size.batch, size.length, size.channels])?;
    Ok(darkroom_models::nn::Tokens::from_tensor(&x)?.within(&compute(mode))?)
}

/// As a norm leaves them to a matrix.
fn factors(size: Tokens, mode: Mode) -> Result<darkroom_models::nn::Tokens> {
    let norm = LayerNorm::load(&weights(vec![size.channels], mode), size.channels, 1e-5)?;
    Ok(norm.forward_to_factors(&tokens(size, mode)?)?)
}
