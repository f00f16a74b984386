//! The autoencoder between pixels and latents.
//!
//! Fields and defaults: diffusers `models/autoencoders/autoencoder_kl.py`.

use std::path::Path;

use serde_json::{Value, json};

use super::{MAX_CHANNELS, MAX_LAYERS, MAX_LEVELS, divides};
use crate::{Result, json, json::Fields};

/// Epsilon of every group norm of the autoencoder; it stands in the code, not in the file.
const NORM_EPS: f64 = 1e-6;

/// How the autoencoder is built.
#[derive(Clone, Debug, PartialEq)]
pub struct VaeConfig {
    /// Channels of the picture that is encoded.
    pub in_channels: usize,
    /// Channels of the picture that is decoded.
    pub out_channels: usize,
    /// Channels of the latent.
    pub latent_channels: usize,
    /// Width of each level, from the finest to the coarsest. Each level but the last halves the edge.
    pub channels: Vec<usize>,
    /// Residual blocks of a level in the encoder; the decoder has one more.
    pub layers: usize,
    /// Groups of every group norm.
    pub norm_groups: usize,
    /// Epsilon of every group norm.
    pub norm_eps: f64,
    /// What latents are multiplied by after encoding, for unit variance.
    pub scaling_factor: f64,
    /// What is taken from latents before that; 0 in SDXL and SD 1.5.
    pub shift_factor: f64,
    /// Whether f16 overflows in this network, so that it must run in f32 or bf16.
    pub force_upcast: bool,
    /// Whether a 1×1 convolution follows the encoder.
    pub quant_conv: bool,
    /// Whether a 1×1 convolution comes before the decoder.
    pub post_quant_conv: bool,
    /// The edge in pixels that the network was made for.
    pub sample_size: Option<usize>,
}

impl VaeConfig {
    /// Reads `vae/config.json`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &json::read(path)?)
    }

    /// Reads a configuration in memory; `path` is its name in messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let fields = Fields::parse(path, bytes)?;
        refuse_unknown_networks(&fields)?;
        let channels = fields.list("block_out_channels", 1..=MAX_LEVELS, 1..=MAX_CHANNELS)?;
        let norm_groups = fields.count("norm_num_groups", Some(32), 1..=MAX_CHANNELS)?;
        channels.iter().try_for_each(|width| divides(&fields, "norm_num_groups", norm_groups, *width))?;
        for (name, kind) in [("down_block_types", "DownEncoderBlock2D"), ("up_block_types", "UpDecoderBlock2D")] {
            let kinds = fields.words(name, channels.len()..=channels.len())?;
            if kinds.iter().any(|one| *one != kind) {
                return Err(fields.fault(name, format_args!("must be {kind} throughout, no other is built")));
            }
        }
        Ok(Self {
            in_channels: fields.count("in_channels", Some(3), 1..=MAX_CHANNELS)?,
            out_channels: fields.count("out_channels", Some(3), 1..=MAX_CHANNELS)?,
            latent_channels: fields.count("latent_channels", Some(4), 1..=MAX_CHANNELS)?,
            channels,
            layers: fields.count("layers_per_block", Some(1), 1..=MAX_LAYERS)?,
            norm_groups,
            norm_eps: NORM_EPS,
            scaling_factor: fields.number("scaling_factor", 0.18215, 1e-6..=1e6)?,
            shift_factor: fields.number("shift_factor", 0.0, -1e6..=1e6)?,
            force_upcast: fields.flag("force_upcast", true)?,
            quant_conv: fields.flag("use_quant_conv", true)?,
            post_quant_conv: fields.flag("use_post_quant_conv", true)?,
            sample_size: fields.get("sample_size").as_u64().and_then(|n| usize::try_from(n).ok()),
        })
    }

    /// Returns how many pixels one latent pixel is wide: 8 in SDXL and SD 1.5.
    pub fn reduction(&self) -> usize {
        1 << (self.channels.len() - 1)
    }
}

/// Fields that change the network, with the values that ours is built for.
fn refuse_unknown_networks(fields: &Fields) -> Result<()> {
    let none: &[Value] = &[];
    let known: [(&str, &[Value]); 4] = [
        ("act_fn", &[json!("silu"), json!("swish")]),
        ("mid_block_add_attention", &[json!(true)]),
        ("latents_mean", none),
        ("latents_std", none),
    ];
    known.iter().try_for_each(|(name, allowed)| fields.only(name, allowed))
}
