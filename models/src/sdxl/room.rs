//! How much memory networks take at work, beside their weights.
//!
//! No formula: a network without weights is walked, and every map, every vector and all scratch is asked for as ever and
//! counted, while nothing is computed ([`Compute::count`](crate::nn::Compute::count)). So the figures hold for every
//! configuration, mode, tier and number of threads, and change with the kernels by themselves.

use candle_core::{DType, Device, Tensor};

use super::{
    TextEncoder, UNet, Vae,
    config::{ControlNetConfig, TextEncoderConfig, UNetConfig, VaeConfig},
    controlnet::ControlNet,
    unet::{Added, Question},
};
use crate::{
    Result, Weights,
    nn::{FeatureMap, Keep, Tokens},
};

/// Tokens of a prompt that is not longer than usual.
const TOKENS: usize = 77;
/// The most places of a latent that a walk goes over: a picture of 2048². What is larger grows with its places.
const PLACES: usize = 256 * 256;

/// The size of latents: how many, of how many places down and across.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Latents {
    /// Latents that are asked about together; under guidance twice as many as pictures.
    pub batch: usize,
    /// Places down: an eighth of the picture's height.
    pub height: usize,
    /// Places across.
    pub width: usize,
}

impl Latents {
    /// Counts at a size that is quickly walked over, and scales what is found up to the size that is meant.
    fn counted(self, count: impl FnOnce(Self) -> Result<u64>) -> Result<u64> {
        let (mut small, mut factor) = (self, 1);
        while small.height * small.width > PLACES {
            (small.height, small.width) = (small.height.div_ceil(2), small.width.div_ceil(2));
            factor *= 4;
        }
        Ok(count(small)?.saturating_mul(factor))
    }

    fn map(self, channels: usize, factor: usize) -> Result<FeatureMap> {
        let shape = (self.batch, channels, self.height * factor, self.width * factor);
        FeatureMap::from_tensor(&Tensor::zeros(shape, DType::F32, &Device::Cpu)?)
    }
}

fn zeros(shape: (usize, usize, usize)) -> Result<Tokens> {
    Tokens::from_tensor(&Tensor::zeros(shape, DType::F32, &Device::Cpu)?)
}

/// Makes weights that are not there, for a walk that only counts.
fn hollow(w: &Weights) -> Weights {
    w.hollow().with_compute(w.compute().hollow())
}

/// What a network of a question is asked: zeros of its size.
struct Asked {
    sample: FeatureMap,
    context: Tokens,
    added: Option<Added>,
}

impl Asked {
    fn new(config: &UNetConfig, of: Latents) -> Result<Self> {
        let added = config.addition.map(|shape| {
            // How wide is told, not how it is put together; sizes are six numbers in all but the refiner.
            let numbers = 6.min(shape.input_dim.saturating_sub(1) / shape.time_dim.max(1));
            let pooled = shape.input_dim - numbers * shape.time_dim;
            Ok::<_, crate::Error>(Added {
                pooled: zeros((of.batch, 1, pooled))?,
                time_ids: vec![vec![0.0; numbers]; of.batch],
            })
        });
        Ok(Self {
            sample: of.map(config.in_channels, 1)?,
            context: zeros((of.batch, TOKENS, config.cross_attention_dim))?.remembering(),
            added: added.transpose()?,
        })
    }

    fn question(&self) -> Question<'_> {
        Question { sample: &self.sample, timestep: 1.0, context: &self.context, added: self.added.as_ref() }
    }
}

impl UNet {
    /// Returns the bytes that answers take at most, with what is remembered of the text; `w` has to have the names of the
    /// tensors, and is not read.
    ///
    /// # Errors
    /// An error if the network cannot be built of `w`.
    pub fn room(config: &UNetConfig, w: &Weights, of: Latents) -> Result<u64> {
        let w = hollow(w);
        let unet = Self::load(config, &w, Keep::All)?;
        of.counted(|of| {
            let asked = Asked::new(config, of)?;
            w.compute().count(|| unet.forward(asked.question(), &mut ()).map(drop))
        })
    }
}

impl ControlNet {
    /// The same of a control network, from its pictures to what it says.
    ///
    /// # Errors
    /// An error if the network cannot be built of `w`.
    pub fn room(config: &ControlNetConfig, w: &Weights, of: Latents) -> Result<u64> {
        let w = hollow(w);
        let net = Self::load(config, &w, Keep::All)?;
        of.counted(|of| {
            let asked = Asked::new(&config.unet, of)?;
            let pictures = of.map(config.picture_channels, 1 << (config.hint_channels.len() - 1))?;
            w.compute().count(|| {
                let hint = net.look(&pictures)?;
                net.forward(asked.question(), &hint, 1.0, &mut ()).map(drop)
            })
        })
    }
}

impl Vae {
    /// Returns the bytes that decoding a latent takes at most.
    ///
    /// # Errors
    /// An error if the network cannot be built of `w`.
    pub fn decoding_room(config: &VaeConfig, w: &Weights, of: Latents) -> Result<u64> {
        let w = hollow(w);
        let vae = Self::load(config, &w, Keep::All)?;
        of.counted(|of| {
            let latents = of.map(config.latent_channels, 1)?;
            w.compute().count(|| vae.decode(&latents, &mut ()).map(drop))
        })
    }

    /// Returns the bytes that encoding pictures takes at most.
    ///
    /// # Errors
    /// An error if the network cannot be built of `w`.
    pub fn encoding_room(config: &VaeConfig, w: &Weights, of: Latents) -> Result<u64> {
        let w = hollow(w);
        let vae = Self::load(config, &w, Keep::All)?;
        of.counted(|of| {
            let pixels = of.map(config.in_channels, config.reduction())?;
            w.compute().count(|| vae.encode(&pixels, &mut ()).map(drop))
        })
    }
}

impl TextEncoder {
    /// Returns the bytes that encoding so many rows of words takes at most.
    ///
    /// # Errors
    /// An error if the network cannot be built of `w`.
    pub fn room(config: &TextEncoderConfig, w: &Weights, rows: usize) -> Result<u64> {
        let w = hollow(w);
        let encoder = Self::load(config, &w, Keep::All)?;
        let words = vec![vec![0; TOKENS.min(config.positions)]; rows];
        w.compute().count(|| encoder.encode(&words, &mut ()).map(drop))
    }
}
