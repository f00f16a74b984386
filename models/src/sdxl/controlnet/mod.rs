//! ControlNet: a network that steers the denoising network by a picture, as edges or depth.
//!
//! It is a copy of the UNet's way down that also sees the picture, and says through convolutions of one point what is to
//! be added to each skip of the UNet (Zhang et al., arXiv 2302.05543). Names of weights and order of operations:
//! diffusers `models/controlnets/controlnet.py`; its `guess_mode` is not built.

mod file;
mod header;
mod hint;

pub use file::File;
pub use header::family_of;

use crate::{
    Error, Progress, Result, Weights,
    nn::{Conv2d, ConvShape, FeatureMap, Keep},
    sdxl::{
        config::{ChannelOrder, ControlNetConfig},
        unet::{Encoded, Encoder, Plan, Question, Residuals},
    },
};
use hint::HintEmbedding;

/// The network.
#[derive(Debug)]
pub struct ControlNet {
    config: ControlNetConfig,
    encoder: Encoder,
    hint: HintEmbedding,
    down: Vec<Conv2d>,
    mid: Conv2d,
}

/// A picture as the network takes it at every step.
#[derive(Clone, Debug)]
pub struct Hint(FeatureMap);

impl ControlNet {
    /// Loads the network; fails with everything that is wrong with its weights at once.
    ///
    /// # Errors
    /// An error of the weights: of another network, or with tensors that this one has no place for.
    pub fn load(config: &ControlNetConfig, w: &Weights, keep: Keep) -> Result<Self> {
        let Plan { down, mid, .. } = Plan::new(&config.unet);
        let (finest, coarsest) = (config.unet.time_channels(), mid.resnet.outputs);
        // One for the first convolution, one for each layer, and one for each change of size.
        let kept = down.iter().flat_map(|level| {
            std::iter::repeat_n(level.resnet.outputs, level.inputs.len() + usize::from(level.resamples))
        });
        let kept: Vec<usize> = std::iter::once(finest).chain(kept).collect();
        let point = |w: Weights, channels| Conv2d::load(&w, ConvShape::point(channels, channels));
        let scope = w.at("controlnet_down_blocks");
        let net = Self {
            encoder: Encoder::load(&config.unet, w, (down, mid), keep)?,
            hint: HintEmbedding::load(
                &w.at("controlnet_cond_embedding"),
                config.picture_channels,
                &config.hint_channels,
                finest,
            )?,
            down: kept.iter().enumerate().map(|(i, channels)| point(scope.at(i), *channels)).collect::<Result<_>>()?,
            mid: point(w.at("controlnet_mid_block"), coarsest)?,
            config: config.clone(),
        };
        match w.finish()?.unexpected.first() {
            None => Ok(net),
            // Variants, as those for several kinds of pictures, add layers; without them the picture would be wrong.
            Some(name) => Err(Error::format(
                w.path(),
                format!("this variant of a controlnet is not built, it has a tensor `{name}`"),
            )
            .with_hint("take a controlnet that was trained for one kind of picture")),
        }
    }

    /// Returns the configuration.
    pub fn config(&self) -> &ControlNetConfig {
        &self.config
    }

    /// Reads pictures (batch, 3, height, width), red, green and blue from 0 to 1: once for all steps.
    ///
    /// # Errors
    /// [`Error::Shape`], where they have other channels.
    pub fn look(&self, pictures: &FeatureMap) -> Result<Hint> {
        let dims = pictures.dims();
        if dims.channels != self.config.picture_channels {
            let wanted = self.config.picture_channels;
            return Err(Error::Shape(format!(
                "this controlnet reads pictures of {wanted} channels, these have {}",
                dims.channels
            )));
        }
        Ok(Hint(match self.config.channel_order {
            ChannelOrder::Rgb => self.hint.forward(pictures)?,
            ChannelOrder::Bgr => self.hint.forward(&reversed(pictures)?)?,
        }))
    }

    /// Says what is to be added to a UNet that is asked the same question, `strength` times; ticks once per block.
    ///
    /// A hint of fewer pictures than the question has is repeated in turn.
    ///
    /// # Errors
    /// [`Error::Shape`], where question, hint and network do not fit; [`Error::Stopped`].
    pub fn forward(
        &self,
        ask: Question<'_>,
        hint: &Hint,
        strength: f64,
        progress: &mut dyn Progress,
    ) -> Result<Residuals> {
        let hearing = self.encoder.hear(&ask, &mut |_, _| ())?;
        let of = self.encoder.steps();
        let mut done = 0;
        let mut tick = |_: &str, _: &FeatureMap| {
            done += 1;
            progress.tick(done, of)
        };
        let hint = hint.for_sample(ask.sample)?;
        let Encoded { skips, bottom } = self.encoder.forward(ask.sample, Some(&hint), &hearing.heard(), &mut tick)?;
        let say = |(point, x): (&Conv2d, &FeatureMap)| point.forward(x)?.affine(strength, 0.0);
        Ok(Residuals {
            skips: self.down.iter().zip(&skips).map(say).collect::<Result<_>>()?,
            bottom: say((&self.mid, &bottom))?,
        })
    }
}

impl Hint {
    /// Returns the map (pictures, channels, height, width), in the size of the latent.
    pub fn map(&self) -> &FeatureMap {
        &self.0
    }

    /// The hint of each picture of a sample.
    fn for_sample(&self, sample: &FeatureMap) -> Result<FeatureMap> {
        let (hint, sample) = (self.0.dims(), sample.dims());
        if (hint.height, hint.width) != (sample.height, sample.width) {
            return Err(Error::Shape(format!(
                "the picture of the control covers {}×{} of a latent of {}×{}",
                hint.width, hint.height, sample.width, sample.height
            )));
        }
        if hint.batch == 0 || !sample.batch.is_multiple_of(hint.batch) {
            return Err(Error::Shape(format!("{} control pictures do not fit {} latents", hint.batch, sample.batch)));
        }
        FeatureMap::from_tensor(&self.0.to_tensor()?.repeat((sample.batch / hint.batch, 1, 1, 1))?)
    }
}

/// The same pictures with their channels in the other order.
fn reversed(pictures: &FeatureMap) -> Result<FeatureMap> {
    let x = pictures.to_tensor()?;
    let order: Vec<u32> = (0..pictures.dims().channels as u32).rev().collect();
    FeatureMap::from_tensor(&x.index_select(&candle_core::Tensor::new(order, x.device())?, 1)?)
}
