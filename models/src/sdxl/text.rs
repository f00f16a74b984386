//! The text encoders: CLIP's, and OpenCLIP's of the same build.
//!
//! A causal transformer without a padding mask. SDXL makes pictures from a layer before the last, without the final norm
//! ([`Encoded::hidden`]), and from one pooled row, with it; SD 1.5 from the last layer, with it ([`Depth`]). Names and order: transformers
//! `models/clip/modeling_clip.py`.

use candle_core::Tensor;

use crate::{
    Error, Progress, Result, Weights,
    nn::{self, Bias, Blocks, Embedding, Heads, Keep, LayerNorm, Linear, Mask, Tokens},
    sdxl::config::{self, TextEncoderConfig},
};

/// A text encoder.
#[derive(Debug)]
pub struct TextEncoder {
    config: TextEncoderConfig,
    words: Embedding,
    places: Embedding,
    layers: Blocks<Layer>,
    final_norm: LayerNorm,
    projection: Option<Linear>,
}

/// Which layer pictures are made from, before any are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// The last but one, as it comes: SDXL.
    #[default]
    LastButOne,
    /// The last, with the final norm: SD 1.5.
    Last,
}

/// What an encoder makes of some rows of words.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The sum of the embeddings, then what each layer made of it, without the final norm.
    pub hidden: Vec<Tokens>,
    /// The last of them, with the final norm.
    pub last: Tokens,
    /// The row at the end of each text, with the final norm, and projected where the encoder has a projection:
    /// (batch, 1, width).
    pub pooled: Tokens,
    /// Whether the encoder has a projection, so that its pooled text is meant for the denoiser.
    pub projected: bool,
}

impl Encoded {
    /// Returns the layer that pictures are made from, `clip_skip` layers before the usual one.
    fn layer(&self, depth: Depth, clip_skip: usize) -> Result<&Tokens> {
        let usual = match depth {
            Depth::LastButOne => 2,
            Depth::Last => 1,
        };
        let place = self.hidden.len().checked_sub(clip_skip.saturating_add(usual));
        place.map(|i| &self.hidden[i]).ok_or_else(|| {
            let layers = self.hidden.len() - 1;
            let most = self.hidden.len().saturating_sub(usual);
            Error::Shape(format!(
                "a clip skip of {clip_skip} is too much for a text encoder of {layers} layers, the most is {most}"
            ))
        })
    }
}

impl TextEncoder {
    /// Loads the encoder, with names below `text_model.` or without; fails with everything that is wrong with its
    /// weights at once.
    pub fn load(config: &TextEncoderConfig, w: &Weights, keep: Keep) -> Result<Self> {
        let bare = w.contains("embeddings.token_embedding.weight");
        let model = if bare { w.clone() } else { w.at("text_model") };
        let width = config.hidden_size;
        let tables = model.at("embeddings");
        let (layers, shape) = (model.at("encoder.layers"), config.clone());
        let scopes = (0..config.layers).map(|i| layers.at(i));
        let projection =
            config.projection_dim.map(|outputs| Linear::load(&w.at("text_projection"), width, outputs, Bias::No));
        let final_norm = model.at("final_layer_norm");
        let encoder = Self {
            words: Embedding::load(&tables.at("token_embedding"), config.vocab_size, width)?,
            places: Embedding::load(&tables.at("position_embedding"), config.positions, width)?,
            layers: Blocks::load(keep, scopes, move |_, w| Layer::load(w, &shape))?,
            final_norm: LayerNorm::load(&final_norm, width, config.layer_norm_eps)?,
            projection: projection.transpose()?,
            config: config.clone(),
        };
        w.finish()?;
        Ok(encoder)
    }

    /// Returns the configuration.
    pub fn config(&self) -> &TextEncoderConfig {
        &self.config
    }

    /// Returns how many layers there are, which is how often [`TextEncoder::encode`] ticks.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Returns what pictures are made from: a layer, with the final norm where the model was trained with it.
    ///
    /// diffusers `pipelines/stable_diffusion/pipeline_stable_diffusion.py`, `encode_prompt`: SD 1.5 normalises whichever
    /// layer is taken.
    pub fn for_pictures(&self, encoded: &Encoded, depth: Depth, clip_skip: usize) -> Result<Tokens> {
        let layer = encoded.layer(depth, clip_skip)?;
        match depth {
            Depth::LastButOne => Ok(layer.clone()),
            Depth::Last if clip_skip == 0 => Ok(encoded.last.clone()),
            Depth::Last => self.final_norm.forward(layer),
        }
    }

    /// Encodes rows of words, all of one length; ticks once per layer.
    pub fn encode(&self, rows: &[Vec<u32>], progress: &mut dyn Progress) -> Result<Encoded> {
        self.encode_with(rows, None, progress)
    }

    /// Encodes rows of words of which some may have their vectors, (words, width), behind the vocabulary.
    pub fn encode_with(
        &self,
        rows: &[Vec<u32>],
        more: Option<&Tensor>,
        progress: &mut dyn Progress,
    ) -> Result<Encoded> {
        let length = rows.first().map_or(0, Vec::len);
        if length == 0 || length > self.config.positions {
            return Err(Error::Shape(format!(
                "this text encoder reads 1 to {} tokens at a time, these are {length}",
                self.config.positions
            )));
        }
        let places: Vec<u32> = (0..length as u32).collect();
        let places = self.places.forward(&vec![places; rows.len()])?;
        let mut x = self.words.forward_with(rows, more)?.add(&places)?;
        let mut hidden = vec![x.clone()];
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer?.forward(&x)?;
            hidden.push(x.clone());
            progress.tick(i + 1, self.layers.len())?;
        }
        let last = self.final_norm.forward(&x)?;
        let pooled = last.pick(&self.ends(rows))?;
        let pooled = match &self.projection {
            Some(projection) => projection.forward(&pooled)?,
            None => pooled,
        };
        Ok(Encoded { hidden, last, pooled, projected: self.projection.is_some() })
    }

    /// Finds the end of each text.
    ///
    /// Old configurations give 2 as the end's id, which is wrong, and the reference then takes the first of the
    /// highest ids, which is the end in CLIP's vocabulary. Words behind the vocabulary do not count: the reference, which
    /// would pool one of them, is not followed there.
    fn ends(&self, rows: &[Vec<u32>]) -> Vec<usize> {
        let end = |row: &Vec<u32>| {
            let id = match self.config.eos_token_id {
                2 => row.iter().copied().filter(|word| (*word as usize) < self.config.vocab_size).max(),
                id => Some(id),
            };
            row.iter().position(|word| Some(*word) == id).unwrap_or(0)
        };
        rows.iter().map(end).collect()
    }
}

/// Attention to what came before, and a feed-forward, each after a norm and added to what came in.
#[derive(Debug)]
struct Layer {
    norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    heads: Heads,
    norm2: LayerNorm,
    fc1: Linear,
    act: nn::Activation,
    fc2: Linear,
}

impl Layer {
    fn load(w: &Weights, config: &TextEncoderConfig) -> Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let norm = |name: &str| LayerNorm::load(&w.at(name), width, config.layer_norm_eps);
        let attention = w.at("self_attn");
        let project = |name: &str| Linear::load(&attention.at(name), width, width, Bias::Yes);
        Ok(Self {
            norm1: norm("layer_norm1")?,
            q_proj: project("q_proj")?,
            k_proj: project("k_proj")?,
            v_proj: project("v_proj")?,
            out_proj: project("out_proj")?,
            heads: Heads::new(w.compute(), config.heads, Mask::Causal),
            norm2: norm("layer_norm2")?,
            fc1: Linear::load(&w.at("mlp.fc1"), width, inner, Bias::Yes)?,
            act: match config.activation {
                config::Activation::QuickGelu => nn::Activation::QuickGelu,
                config::Activation::Gelu => nn::Activation::Gelu,
            },
            fc2: Linear::load(&w.at("mlp.fc2"), inner, width, Bias::Yes)?,
        })
    }

    fn forward(&self, x: &Tokens) -> Result<Tokens> {
        let h = self.norm1.forward_to_factors(x)?;
        let project = |linear: &Linear| linear.forward_to_factors(&h);
        let (q, k, v) = (project(&self.q_proj)?, project(&self.k_proj)?, project(&self.v_proj)?);
        let seen = self.heads.attend(&q, &k, &v)?;
        let x = self.out_proj.forward_onto(&seen, x.clone())?;
        let h = self.fc1.forward_bent(&self.norm2.forward_to_factors(&x)?, self.act)?;
        self.fc2.forward_onto(&h, x)
    }
}
