//! The way down and the middle: what a UNet and the networks that steer it have in common.

use candle_core::Tensor;

use super::{
    Question,
    blocks::{DownBlock, Heard, MidBlock},
    embed::{AddEmbedding, TimeEmbedding},
    load,
    plan::Level,
};
use crate::{
    Error, Result, Weights,
    nn::{Activation, Blocks, Conv2d, ConvShape, FeatureMap, Keep, Sinusoid, Tokens},
    sdxl::config::UNetConfig,
};

/// The first half of a UNet.
#[derive(Debug)]
pub struct Encoder {
    config: UNetConfig,
    conv_in: Conv2d,
    time: TimeEmbedding,
    added: Option<AddEmbedding>,
    down: Blocks<DownBlock>,
    mid: Blocks<MidBlock>,
}

/// What every block hears, made once for all of them.
pub struct Hearing {
    time: Tokens,
    context: Tokens,
}

impl Hearing {
    /// Returns it as blocks take it.
    pub fn heard(&self) -> Heard<'_> {
        Heard { time: &self.time, context: &self.context }
    }
}

/// What a way down leaves.
pub struct Encoded {
    /// What was kept, from the finest to the coarsest.
    pub skips: Vec<FeatureMap>,
    /// What stands in the middle.
    pub bottom: FeatureMap,
}

impl Encoder {
    /// Loads it: every level on the way down, and the middle.
    pub fn load(config: &UNetConfig, w: &Weights, (down, mid): (Vec<Level>, Level), keep: Keep) -> Result<Self> {
        let finest = config.time_channels();
        let width = config.time_embed_dim();
        let waves =
            |channels| Sinusoid { channels, flip_sin_to_cos: config.flip_sin_to_cos, freq_shift: config.freq_shift };
        let added = config.addition.map(|shape| {
            let w = w.at("add_embedding");
            AddEmbedding::load(&w, waves(shape.time_dim), shape.input_dim, width)
        });
        Ok(Self {
            conv_in: Conv2d::load(&w.at("conv_in"), ConvShape::three(config.in_channels, finest))?,
            time: TimeEmbedding::load(&w.at("time_embedding"), waves(finest), width)?,
            added: added.transpose()?,
            down: load(keep, &w.at("down_blocks"), down, DownBlock::load)?,
            mid: Blocks::load(keep, [w.at("mid_block")], move |_, w| MidBlock::load(w, &mid))?,
            config: config.clone(),
        })
    }

    /// Returns the configuration.
    pub fn config(&self) -> &UNetConfig {
        &self.config
    }

    /// Returns how many blocks it has; the first convolution counts as one.
    pub fn steps(&self) -> usize {
        self.down.len() + self.mid.len() + 1
    }

    /// Makes of a question what the blocks hear.
    ///
    /// # Errors
    /// [`Error::Shape`], where the question does not fit the network.
    pub fn hear(&self, ask: &Question<'_>, trace: &mut dyn FnMut(&str, &Tensor)) -> Result<Hearing> {
        self.check(ask)?;
        let time = Activation::Silu.forward(&self.embed(ask, trace)?)?;
        Ok(Hearing { time, context: ask.context.repeat_for(ask.sample.dims().batch)? })
    }

    /// Goes down; `hint` is added behind the first convolution, `tick` is told every block by name.
    pub fn forward(
        &self,
        sample: &FeatureMap,
        hint: Option<&FeatureMap>,
        heard: &Heard<'_>,
        tick: &mut dyn FnMut(&str, &FeatureMap) -> Result<()>,
    ) -> Result<Encoded> {
        let mut x = self.conv_in.forward(sample)?;
        if let Some(hint) = hint {
            x = x.add(hint)?;
        }
        tick("conv_in", &x)?;
        let mut skips = vec![x.clone()];
        for (i, block) in self.down.iter().enumerate() {
            x = block?.forward(x, heard, &mut skips)?;
            tick(&format!("down_blocks.{i}"), &x)?;
        }
        for block in self.mid.iter() {
            x = block?.forward(x, heard)?;
            tick("mid_block", &x)?;
        }
        Ok(Encoded { skips, bottom: x })
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
            (Some(_), None) => Err(Error::Shape("this network wants pooled text and sizes, and got none".into())),
        }
    }

    fn check(&self, ask: &Question<'_>) -> Result<()> {
        let (sample, (rows, _, width)) = (ask.sample.dims(), ask.context.dims());
        let config = &self.config;
        if sample.channels != config.in_channels {
            return Err(Error::Shape(format!(
                "this network reads {} channels, the sample has {}",
                config.in_channels, sample.channels
            )));
        }
        if sample.batch == 0 || sample.height == 0 || sample.width == 0 {
            return Err(Error::Shape(format!("the sample is empty: {sample:?}")));
        }
        if width != config.cross_attention_dim {
            return Err(Error::Shape(format!(
                "this network reads text of {} channels, the prompt has {width}",
                config.cross_attention_dim
            )));
        }
        if rows != 1 && rows != sample.batch {
            return Err(Error::Shape(format!("{rows} prompts do not fit {} pictures", sample.batch)));
        }
        Ok(())
    }
}
