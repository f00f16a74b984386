//! The autoencoder between pixels and latents.
//!
//! Pixels are (batch, 3, height, width) from -1 to 1. Latents are as samplers use them, scaled to unit variance: the
//! factor is applied here, in one place. Leaving it out looks washed out, not wrong. Names and order: diffusers
//! `models/autoencoders/autoencoder_kl.py`.

mod attention;
mod decoder;
mod encoder;
mod tiles;

use candle_core::Tensor;

pub use tiles::Tiling;

use crate::{
    Error, Progress, Result, Weights,
    nn::{Conv2d, ConvShape, FeatureMap, Keep},
    sdxl::config::VaeConfig,
};
use decoder::Decoder;
use encoder::Encoder;

/// Between these the logarithm of the variance is held.
const LOG_VARIANCE: (f32, f32) = (-30.0, 20.0);

/// The autoencoder.
#[derive(Debug)]
pub struct Vae {
    config: VaeConfig,
    encoder: Encoder,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    decoder: Decoder,
}

/// The normal distribution that a picture is encoded to.
#[derive(Clone, Debug)]
pub struct Moments {
    /// The mean, as the network gives it: unscaled, (batch, latent channels, height, width).
    pub raw_mean: Tensor,
    /// The logarithm of the variance, likewise, held between -30 and 20.
    pub raw_logvar: Tensor,
    scale: f64,
    shift: f64,
}

impl Moments {
    /// Splits what the encoder gives into mean and logarithm of variance.
    fn new(both: &FeatureMap, config: &VaeConfig) -> Result<Self> {
        let both = both.to_tensor()?;
        let channels = config.latent_channels;
        let logvar = both.narrow(1, channels, channels)?;
        Ok(Self {
            raw_mean: both.narrow(1, 0, channels)?.contiguous()?,
            raw_logvar: logvar.contiguous()?.clamp(LOG_VARIANCE.0, LOG_VARIANCE.1)?,
            scale: config.scaling_factor,
            shift: config.shift_factor,
        })
    }

    /// Returns the likeliest latent, scaled.
    pub fn mean(&self) -> Result<FeatureMap> {
        self.scaled(&self.raw_mean)
    }

    /// Returns the latent that `noise` (of the size of the mean, unit variance) picks, scaled.
    pub fn sample(&self, noise: &FeatureMap) -> Result<FeatureMap> {
        let noise = noise.to_tensor()?;
        if noise.dims() != self.raw_mean.dims() {
            return Err(Error::Shape(format!(
                "noise of {:?} does not fit latents of {:?}",
                noise.dims(),
                self.raw_mean.dims()
            )));
        }
        let spread = (&self.raw_logvar * 0.5)?.exp()?;
        self.scaled(&(&self.raw_mean + (spread * noise)?)?)
    }

    /// Returns how far a sample may be off the mean: what unit noise is multiplied with, scaled.
    pub fn spread(&self) -> Result<Tensor> {
        Ok(((&self.raw_logvar * 0.5)?.exp()? * self.scale)?)
    }

    fn scaled(&self, raw: &Tensor) -> Result<FeatureMap> {
        FeatureMap::from_tensor(raw)?.affine(self.scale, -self.shift * self.scale)
    }
}

impl Vae {
    /// Loads the autoencoder; fails with everything that is wrong with its weights at once.
    pub fn load(config: &VaeConfig, w: &Weights, keep: Keep) -> Result<Self> {
        let latent = config.latent_channels;
        // At the size of the picture maps are larger than all weights together.
        let w = &w.clone().with_compute(w.compute().clone().with_narrow_maps());
        let point = |name: &str, wanted: bool, channels: usize| {
            let conv = || Conv2d::load(&w.at(name), ConvShape::point(channels, channels));
            wanted.then(conv).transpose()
        };
        let vae = Self {
            encoder: Encoder::load(config, &w.at("encoder"), keep)?,
            quant_conv: point("quant_conv", config.quant_conv, 2 * latent)?,
            post_quant_conv: point("post_quant_conv", config.post_quant_conv, latent)?,
            decoder: Decoder::load(config, &w.at("decoder"), keep)?,
            config: config.clone(),
        };
        w.finish()?;
        Ok(vae)
    }

    /// Returns the configuration.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// Encodes pixels, -1 to 1, in one piece; ticks once per block.
    pub fn encode(&self, pixels: &FeatureMap, progress: &mut dyn Progress) -> Result<Moments> {
        self.check(pixels, self.config.in_channels, "pictures")?;
        Moments::new(&self.encode_piece(pixels, progress)?, &self.config)
    }

    /// Encodes pixels tile by tile, in bounded memory; ticks once per tile.
    ///
    /// Not the same as in one piece: norms see a tile only.
    pub fn encode_tiled(&self, pixels: &FeatureMap, tiling: Tiling, progress: &mut dyn Progress) -> Result<Moments> {
        self.check(pixels, self.config.in_channels, "pictures")?;
        let walk = tiling.encoding(self.config.reduction())?;
        let piece = |tile: &FeatureMap| self.encode_piece(tile, &mut ());
        Moments::new(&walk.run(pixels, piece, progress)?, &self.config)
    }

    /// Decodes scaled latents to pixels, about -1 to 1, in one piece; ticks once per block.
    pub fn decode(&self, latents: &FeatureMap, progress: &mut dyn Progress) -> Result<FeatureMap> {
        self.check(latents, self.config.latent_channels, "latents")?;
        self.decode_piece(&self.unscaled(latents)?, progress)
    }

    /// Decodes scaled latents tile by tile, in bounded memory; ticks once per tile.
    ///
    /// Not the same as in one piece: norms see a tile only.
    pub fn decode_tiled(
        &self,
        latents: &FeatureMap,
        tiling: Tiling,
        progress: &mut dyn Progress,
    ) -> Result<FeatureMap> {
        self.check(latents, self.config.latent_channels, "latents")?;
        let walk = tiling.decoding(self.config.reduction())?;
        let piece = |tile: &FeatureMap| self.decode_piece(tile, &mut ());
        walk.run(&self.unscaled(latents)?, piece, progress)
    }

    fn encode_piece(&self, x: &FeatureMap, progress: &mut dyn Progress) -> Result<FeatureMap> {
        let both = self.encoder.forward(x, progress)?;
        match &self.quant_conv {
            Some(conv) => conv.forward(&both),
            None => Ok(both),
        }
    }

    fn decode_piece(&self, z: &FeatureMap, progress: &mut dyn Progress) -> Result<FeatureMap> {
        match &self.post_quant_conv {
            Some(conv) => self.decoder.forward(&conv.forward(z)?, progress),
            None => self.decoder.forward(z, progress),
        }
    }

    fn unscaled(&self, latents: &FeatureMap) -> Result<FeatureMap> {
        latents.affine(self.config.scaling_factor.recip(), self.config.shift_factor)
    }

    fn check(&self, x: &FeatureMap, channels: usize, what: &str) -> Result<()> {
        let dims = x.dims();
        if dims.channels != channels {
            return Err(Error::Shape(format!(
                "this autoencoder reads {what} of {channels} channels, these have {}",
                dims.channels
            )));
        }
        if dims.batch * dims.height * dims.width == 0 {
            return Err(Error::Shape(format!("these {what} are empty: {dims:?}")));
        }
        Ok(())
    }
}
