//! The text encoders: CLIP-L, OpenCLIP bigG, and any other of that build.
//!
//! Fields and defaults: transformers `models/clip/configuration_clip.py`.

use std::path::Path;

use serde_json::Value;

use super::{EPS, MAX_CHANNELS, MAX_LAYERS, divides};
use crate::{Result, json, json::Fields};

/// The most entries of a vocabulary.
const MAX_VOCABULARY: usize = 1_000_000;

/// How a text encoder is built.
#[derive(Clone, Debug, PartialEq)]
pub struct TextEncoderConfig {
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Width.
    pub hidden_size: usize,
    /// Width inside the feed-forward layers.
    pub intermediate_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of heads, which divides the width.
    pub heads: usize,
    /// Length of the text in tokens, 77.
    pub positions: usize,
    /// The curve of the feed-forward layers.
    pub activation: Activation,
    /// Epsilon of every norm.
    pub layer_norm_eps: f64,
    /// Width of the pooled text, where the encoder has a projection.
    pub projection_dim: Option<usize>,
    /// The token whose row is pooled; 2 is an old mistake of the published files and means the first one of the highest
    /// id (transformers `models/clip/modeling_clip.py`).
    pub eos_token_id: u32,
}

/// The curve of CLIP's feed-forward layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · sigmoid(1.702 x), of OpenAI's CLIP.
    QuickGelu,
    /// The exact one, with erf.
    Gelu,
}

impl TextEncoderConfig {
    /// Reads `text_encoder/config.json`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &json::read(path)?)
    }

    /// Reads a configuration in memory; `path` is its name in messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let fields = Fields::parse(path, bytes)?;
        let hidden_size = fields.count("hidden_size", Some(512), 1..=MAX_CHANNELS)?;
        let heads = fields.count("num_attention_heads", Some(8), 1..=MAX_CHANNELS)?;
        divides(&fields, "num_attention_heads", heads, hidden_size)?;
        let activation = match fields.get("hidden_act") {
            Value::Null => Activation::QuickGelu,
            _ => activation(&fields)?,
        };
        let projection_dim = match has_projection(&fields)? {
            true => Some(fields.count("projection_dim", Some(512), 1..=MAX_CHANNELS)?),
            false => None,
        };
        Ok(Self {
            vocab_size: fields.count("vocab_size", Some(49_408), 1..=MAX_VOCABULARY)?,
            hidden_size,
            intermediate_size: fields.count("intermediate_size", Some(2048), 1..=MAX_CHANNELS)?,
            layers: fields.count("num_hidden_layers", Some(12), 1..=MAX_LAYERS)?,
            heads,
            positions: fields.count("max_position_embeddings", Some(77), 2..=MAX_CHANNELS)?,
            activation,
            layer_norm_eps: fields.number("layer_norm_eps", 1e-5, EPS)?,
            projection_dim,
            eos_token_id: fields.count("eos_token_id", Some(49_407), 0..=MAX_VOCABULARY)? as u32,
        })
    }
}

fn activation(fields: &Fields) -> Result<Activation> {
    match fields.word("hidden_act")? {
        "quick_gelu" => Ok(Activation::QuickGelu),
        "gelu" => Ok(Activation::Gelu),
        other => Err(fields.fault("hidden_act", format_args!("is `{other}`, and only quick_gelu and gelu are built"))),
    }
}

/// Tells from the class that wrote the file whether pooled text is projected.
fn has_projection(fields: &Fields) -> Result<bool> {
    if fields.get("architectures").is_null() {
        return Ok(false);
    }
    let classes = fields.words("architectures", 0..=16)?;
    match classes.iter().find(|class| !matches!(**class, "CLIPTextModel" | "CLIPTextModelWithProjection")) {
        Some(other) => {
            Err(fields.fault("architectures", format_args!("names `{other}`, which is no CLIP text encoder")))
        }
        None => Ok(classes.contains(&"CLIPTextModelWithProjection")),
    }
}
