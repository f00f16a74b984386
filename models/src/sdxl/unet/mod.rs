//! The denoising network: SDXL base, refiner and 9-channel inpaint, and SD 1.5, by configuration alone.
//!
//! A noisy latent goes down through ever coarser levels, each keeping its results, and up again past what was kept.
//! Every residual block hears the time; every transformer reads the text. Names of weights and order of operations:
//! diffusers `models/unets/unet_2d_condition.py`.

mod blocks;
mod embed;
mod encoder;
mod plan;
mod residuals;
mod transformer;

use candle_core::Tensor;

pub use embed::Added;
pub use residuals::Residuals;

use crate::{
    Progress, Result, Weights,
    nn::{Blocks, Conv2d, ConvShape, FeatureMap, GroupNorm, Keep, Tokens},
    sdxl::config::UNetConfig,
};
use blocks::UpBlock;
pub(super) use encoder::{Encoded, Encoder};
use plan::Level;
pub(super) use plan::Plan;

/// The denoising network.
#[derive(Debug)]
pub struct UNet {
    encoder: Encoder,
    up: Blocks<UpBlock>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// What the network is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The noisy latent, scaled as the model wants it; 9 channels for inpaint.
    pub sample: &'a FeatureMap,
    /// The time, 0 to 999, whole or not.
    pub timestep: f64,
    /// The text, (batch, tokens, width).
    pub context: &'a Tokens,
    /// Pooled text and sizes, where the network wants them.
    pub added: Option<&'a Added>,
}

/// Who is shown every intermediate result, with the name that its module has in the weights.
type Trace<'a> = dyn FnMut(&str, &Tensor) + 'a;

impl UNet {
    /// Loads the network; fails with everything that is wrong with its weights at once.
    pub fn load(config: &UNetConfig, w: &Weights, keep: Keep) -> Result<Self> {
        let Plan { down, mid, up } = Plan::new(config);
        let finest = config.time_channels();
        let out = ConvShape::three(finest, config.out_channels);
        let unet = Self {
            encoder: Encoder::load(config, w, (down, mid), keep)?,
            up: load(keep, &w.at("up_blocks"), up, UpBlock::load)?,
            norm_out: GroupNorm::load(&w.at("conv_norm_out"), config.norm_groups, finest, config.norm_eps)?,
            conv_out: Conv2d::load(&w.at("conv_out"), out)?,
        };
        w.finish()?;
        Ok(unet)
    }

    /// Returns the configuration.
    pub fn config(&self) -> &UNetConfig {
        self.encoder.config()
    }

    /// Answers with what the training taught it to predict, in the size of the sample; ticks once per block.
    pub fn forward(&self, ask: Question<'_>, progress: &mut dyn Progress) -> Result<FeatureMap> {
        self.answer(ask, None, progress, None)
    }

    /// The same, steered by what one or several control networks say to the same question.
    ///
    /// # Errors
    /// Also [`Error::Shape`](crate::Error::Shape), where their residuals are not those of this network.
    pub fn forward_steered(
        &self,
        ask: Question<'_>,
        control: &Residuals,
        progress: &mut dyn Progress,
    ) -> Result<FeatureMap> {
        self.answer(ask, Some(control), progress, None)
    }

    /// Answers, showing every intermediate result with the name that its module has in the weights.
    pub fn forward_traced(
        &self,
        ask: Question<'_>,
        progress: &mut dyn Progress,
        trace: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<FeatureMap> {
        self.answer(ask, None, progress, Some(trace))
    }

    fn answer(
        &self,
        ask: Question<'_>,
        control: Option<&Residuals>,
        progress: &mut dyn Progress,
        mut trace: Option<&mut Trace<'_>>,
    ) -> Result<FeatureMap> {
        let hearing = self.encoder.hear(&ask, &mut |name, x| trace.iter_mut().for_each(|trace| trace(name, x)))?;
        let heard = hearing.heard();
        let of = self.encoder.steps() + self.up.len();
        let mut done = 0;
        let mut tick = |name: &str, x: &FeatureMap| {
            // A map that nobody looks at is not turned for it.
            if let Some(trace) = trace.as_mut() {
                trace(name, &x.to_tensor()?);
            }
            done += 1;
            progress.tick(done, of)
        };
        let mut encoded = self.encoder.forward(ask.sample, None, &heard, &mut tick)?;
        if let Some(control) = control {
            control.steer(&mut encoded)?;
        }
        let Encoded { mut skips, bottom: mut x } = encoded;
        for (i, block) in self.up.iter().enumerate() {
            x = block?.forward(x, &heard, &mut skips)?;
            tick(&format!("up_blocks.{i}"), &x)?;
        }
        self.conv_out.forward(&self.norm_out.forward_silu(&x)?)
    }
}

/// Loads a block for each level, named by its number.
fn load<B: 'static>(
    keep: Keep,
    w: &Weights,
    levels: Vec<Level>,
    build: fn(&Weights, &Level) -> Result<B>,
) -> Result<Blocks<B>> {
    let scopes: Vec<Weights> = (0..levels.len()).map(|i| w.at(i)).collect();
    Blocks::load(keep, scopes, move |i, w| build(w, &levels[i]))
}
