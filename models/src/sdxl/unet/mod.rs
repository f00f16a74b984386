//! The denoising network: SDXL base, refiner and 9-channel inpaint, and SD 1.5, by configuration alone.
//!
//! A noisy latent goes down through ever coarser levels, each keeping its results, and up again past what was kept.
//! Every residual block hears the time; every transformer reads the text. Names of weights and order of operations:
//! diffusers `models/unets/unet_2d_condition.py`.

mod blocks;
mod embed;
mod plan;
mod transformer;

use candle_core::Tensor;

pub use embed::Added;

use crate::{
    Error, Progress, Result, Weights,
    nn::{Activation, Blocks, Conv2d, ConvShape, FeatureMap, GroupNorm, Keep, Sinusoid, Tokens},
    sdxl::config::UNetConfig,
};
use blocks::{DownBlock, Heard, MidBlock, UpBlock};
use embed::{AddEmbedding, TimeEmbedding};
use plan::{Level, Plan};

/// The denoising network.
#[derive(Debug)]
pub struct UNet {
    config: UNetConfig,
    conv_in: Conv2d,
    time: TimeEmbedding,
    added: Option<AddEmbedding>,
    down: Blocks<DownBlock>,
    mid: Blocks<MidBlock>,
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

impl UNet {
    /// Loads the network; fails with everything that is wrong with its weights at once.
    pub fn load(config: &UNetConfig, w: &Weights, keep: Keep) -> Result<Self> {
        let Plan { down, mid, up } = Plan::new(config);
        let finest = config.time_channels();
        let width = config.time_embed_dim();
        let waves =
            |channels| Sinusoid { channels, flip_sin_to_cos: config.flip_sin_to_cos, freq_shift: config.freq_shift };
        let added = config.addition.map(|shape| {
            let w = w.at("add_embedding");
            AddEmbedding::load(&w, waves(shape.time_dim), shape.input_dim, width)
        });
        let out = ConvShape::three(finest, config.out_channels);
        let unet = Self {
            conv_in: Conv2d::load(&w.at("conv_in"), ConvShape::three(config.in_channels, finest))?,
            time: TimeEmbedding::load(&w.at("time_embedding"), waves(finest), width)?,
            added: added.transpose()?,
            down: load(keep, &w.at("down_blocks"), down, DownBlock::load)?,
            mid: Blocks::load(keep, [w.at("mid_block")], move |_, w| MidBlock::load(w, &mid))?,
            up: load(keep, &w.at("up_blocks"), up, UpBlock::load)?,
            norm_out: GroupNorm::load(&w.at("conv_norm_out"), config.norm_groups, finest, config.norm_eps)?,
            conv_out: Conv2d::load(&w.at("conv_out"), out)?,
            config: config.clone(),
        };
        w.finish()?;
        Ok(unet)
    }

    /// Returns the configuration.
    pub fn config(&self) -> &UNetConfig {
        &self.config
    }

    /// Answers with what the training taught it to predict, in the size of the sample; ticks once per block.
    pub fn forward(&self, ask: Question<'_>, progress: &mut dyn Progress) -> Result<FeatureMap> {
        self.forward_traced(ask, progress, &mut |_, _| ())
    }

    /// The same, showing every intermediate result with the name that its module has in the weights.
    pub fn forward_traced(
        &self,
        ask: Question<'_>,
        progress: &mut dyn Progress,
        trace: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<FeatureMap> {
        self.check(&ask)?;
        let time = Activation::Silu.forward(&self.embed(&ask, trace)?)?;
        let context = ask.context.repeat_for(ask.sample.dims().batch)?;
        let heard = Heard { time: &time, context: &context };
        let of = self.down.len() + self.mid.len() + self.up.len() + 1;
        let mut done = 0;
        let mut tick = |name: &str, x: &FeatureMap| {
            trace(name, &x.to_tensor());
            done += 1;
            progress.tick(done, of)
        };

        let mut x = self.conv_in.forward(ask.sample)?;
        tick("conv_in", &x)?;
        let mut skips = vec![x.clone()];
        for (i, block) in self.down.iter().enumerate() {
            x = block?.forward(x, &heard, &mut skips)?;
            tick(&format!("down_blocks.{i}"), &x)?;
        }
        for block in self.mid.iter() {
            x = block?.forward(x, &heard)?;
            tick("mid_block", &x)?;
        }
        for (i, block) in self.up.iter().enumerate() {
            x = block?.forward(x, &heard, &mut skips)?;
            tick(&format!("up_blocks.{i}"), &x)?;
        }
        self.conv_out.forward(&self.norm_out.forward_silu(&x)?)
    }

    /// The time, and what is added to it, as one vector per picture.
    fn embed(&self, ask: &Question<'_>, trace: &mut dyn FnMut(&str, &Tensor)) -> Result<Tokens> {
        let batch = ask.sample.dims().batch;
        let time = self.time.forward(ask.timestep, batch)?;
        trace("time_embedding", &time.to_vectors()?);
        match (&self.added, ask.added) {
            (None, _) => Ok(time),
            (Some(embedding), Some(added)) => {
                let added = embedding.forward(added, batch)?;
                trace("add_embedding", &added.to_vectors()?);
                time.add(&added)
            }
            (Some(_), None) => Err(Error::Shape("this UNet wants pooled text and sizes, and got none".into())),
        }
    }

    fn check(&self, ask: &Question<'_>) -> Result<()> {
        let (sample, (rows, _, width)) = (ask.sample.dims(), ask.context.dims());
        let config = &self.config;
        if sample.channels != config.in_channels {
            return Err(Error::Shape(format!(
                "this UNet reads {} channels, the sample has {}",
                config.in_channels, sample.channels
            )));
        }
        if sample.batch == 0 || sample.height == 0 || sample.width == 0 {
            return Err(Error::Shape(format!("the sample is empty: {sample:?}")));
        }
        if width != config.cross_attention_dim {
            return Err(Error::Shape(format!(
                "this UNet reads text of {} channels, the prompt has {width}",
                config.cross_attention_dim
            )));
        }
        if rows != 1 && rows != sample.batch {
            return Err(Error::Shape(format!("{rows} prompts do not fit {} pictures", sample.batch)));
        }
        Ok(())
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
