//! The denoising network: SDXL base, refiner and 9-channel inpaint, and SD 1.5.
//!
//! Fields and defaults: diffusers `models/unets/unet_2d_condition.py`.

use std::path::Path;

use serde_json::{Value, json};

use super::{EPS, MAX_CHANNELS, MAX_LAYERS, MAX_LEVELS, divides};
use crate::{Result, json, json::Fields};

/// How the UNet is built.
#[derive(Clone, Debug, PartialEq)]
pub struct UNetConfig {
    /// Channels that come in: 4, or 9 with mask and masked picture.
    pub in_channels: usize,
    /// Channels that go out.
    pub out_channels: usize,
    /// The levels from the finest to the coarsest; the way up mirrors the way down.
    pub levels: Vec<Level>,
    /// The transformer in the middle, at the width of the coarsest level. It stands there even where that level has
    /// none: the refiner's is four deep between two levels without.
    pub mid: Transformer,
    /// Width of the text that is attended to.
    pub cross_attention_dim: usize,
    /// Whether transformers are entered and left through a linear layer (SDXL) or a 1×1 convolution (SD 1.5).
    pub linear_projection: bool,
    /// Groups of every group norm.
    pub norm_groups: usize,
    /// Epsilon of the residual blocks' norms; that of the transformers' is 1e-6.
    pub norm_eps: f64,
    /// Whether the embedding of the timestep is (cos, sin) instead of (sin, cos).
    pub flip_sin_to_cos: bool,
    /// Shift in the frequencies of that embedding.
    pub freq_shift: f64,
    /// What else is embedded beside the timestep: nothing in SD 1.5.
    pub addition: Option<TextTime>,
    /// The edge in latent pixels that the network was made for.
    pub sample_size: Option<usize>,
}

/// One resolution of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Width in channels.
    pub channels: usize,
    /// Residual blocks on the way down; the way up has one more.
    pub layers: usize,
    /// The transformer after each residual block, where the level attends.
    pub transformer: Option<Transformer>,
}

/// The shape of a transformer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transformer {
    /// Number of heads, which divides the channels.
    pub heads: usize,
    /// Blocks in a row.
    pub depth: usize,
}

/// SDXL's second conditioning: pooled text and a few sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextTime {
    /// Width of each size's sinusoidal embedding.
    pub time_dim: usize,
    /// Width of pooled text and all sizes together.
    pub input_dim: usize,
}

impl TextTime {
    /// Returns how many sizes are embedded beside a pooled text of `pooled` channels: 6 in the base, 5 in the refiner.
    pub fn ids(&self, pooled: usize) -> Option<usize> {
        let rest = self.input_dim.checked_sub(pooled)?;
        rest.is_multiple_of(self.time_dim).then(|| rest / self.time_dim)
    }
}

impl UNetConfig {
    /// Reads `unet/config.json`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &json::read(path)?)
    }

    /// Reads a configuration in memory; `path` is its name in messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let fields = Fields::parse(path, bytes)?;
        refuse_unknown_networks(&fields)?;
        let attends = attending(&fields)?;
        Self::with_levels(&fields, &attends)
    }

    /// Reads what a UNet and a copy of its way down are both told; `attends` says of each level whether it has
    /// transformers.
    pub(super) fn with_levels(fields: &Fields, attends: &[bool]) -> Result<Self> {
        let levels = levels(fields, attends)?;
        let coarsest = levels.last().expect("there is at least one level").channels;
        let heads = fields.counts("attention_head_dim", levels.len(), Some(8), 1..=MAX_CHANNELS)?;
        let depths = depths(fields, levels.len())?;
        let mid = Transformer { heads: heads[levels.len() - 1], depth: depths[levels.len() - 1] };
        if mid.depth == 0 {
            return Err(fields.fault("transformer_layers_per_block", "ends with 0, and the middle attends"));
        }
        divides(fields, "attention_head_dim", mid.heads, coarsest)?;
        let width = fields.counts("cross_attention_dim", levels.len(), Some(1280), 1..=MAX_CHANNELS)?;
        if width.iter().any(|one| *one != width[0]) {
            return Err(fields.fault("cross_attention_dim", "differs between levels, which is not supported"));
        }
        Ok(Self {
            in_channels: fields.count("in_channels", Some(4), 1..=MAX_CHANNELS)?,
            out_channels: fields.count("out_channels", Some(4), 1..=MAX_CHANNELS)?,
            mid,
            cross_attention_dim: width[0],
            linear_projection: fields.flag("use_linear_projection", false)?,
            norm_groups: fields.count("norm_num_groups", Some(32), 1..=MAX_CHANNELS)?,
            norm_eps: fields.number("norm_eps", 1e-5, EPS)?,
            flip_sin_to_cos: fields.flag("flip_sin_to_cos", true)?,
            freq_shift: fields.number("freq_shift", 0.0, 0.0..=1.0)?,
            addition: addition(fields)?,
            sample_size: fields.get("sample_size").as_u64().and_then(|n| usize::try_from(n).ok()),
            levels,
        })
    }

    /// Returns the width of the timestep's sinusoidal embedding.
    pub fn time_channels(&self) -> usize {
        self.levels[0].channels
    }

    /// Returns the width of the embedding that every residual block is given.
    pub fn time_embed_dim(&self) -> usize {
        4 * self.time_channels()
    }
}

fn levels(fields: &Fields, attends: &[bool]) -> Result<Vec<Level>> {
    let channels = widths(fields)?;
    let n = channels.len();
    let groups = fields.count("norm_num_groups", Some(32), 1..=MAX_CHANNELS)?;
    let layers = fields.counts("layers_per_block", n, Some(2), 1..=MAX_LAYERS)?;
    let heads = fields.counts("attention_head_dim", n, Some(8), 1..=MAX_CHANNELS)?;
    let depths = depths(fields, n)?;
    let mut levels = Vec::with_capacity(n);
    for i in 0..n {
        divides(fields, "norm_num_groups", groups, channels[i])?;
        if attends[i] {
            divides(fields, "attention_head_dim", heads[i], channels[i])?;
            if depths[i] == 0 {
                return Err(fields.fault("transformer_layers_per_block", "is 0 at a level that attends"));
            }
        }
        let transformer = attends[i].then(|| Transformer { heads: heads[i], depth: depths[i] });
        levels.push(Level { channels: channels[i], layers: layers[i], transformer });
    }
    Ok(levels)
}

fn widths(fields: &Fields) -> Result<Vec<usize>> {
    fields.list("block_out_channels", 1..=MAX_LEVELS, 1..=MAX_CHANNELS)
}

/// Levels without transformers may have a depth of 0, which nothing asks for.
fn depths(fields: &Fields, levels: usize) -> Result<Vec<usize>> {
    fields.counts("transformer_layers_per_block", levels, Some(1), 0..=MAX_LAYERS)
}

/// Tells for each level whether it attends, from the names of its blocks.
fn attending(fields: &Fields) -> Result<Vec<bool>> {
    let down = attending_down(fields)?;
    let up = kinds(fields, "up_block_types", ["CrossAttnUpBlock2D", "UpBlock2D"])?;
    if !down.iter().eq(up.iter().rev()) {
        return Err(fields.fault("up_block_types", "must mirror `down_block_types`"));
    }
    Ok(down)
}

/// The same of the way down alone.
pub(super) fn attending_down(fields: &Fields) -> Result<Vec<bool>> {
    kinds(fields, "down_block_types", ["CrossAttnDownBlock2D", "DownBlock2D"])
}

fn kinds(fields: &Fields, name: &str, [with, without]: [&str; 2]) -> Result<Vec<bool>> {
    let levels = widths(fields)?.len();
    let kind = |word: &str| match word {
        word if word == with => Ok(true),
        word if word == without => Ok(false),
        word => Err(fields.fault(name, format_args!("asks for `{word}`, and only {with} and {without} are built"))),
    };
    fields.words(name, levels..=levels)?.into_iter().map(kind).collect()
}

fn addition(fields: &Fields) -> Result<Option<TextTime>> {
    if fields.get("addition_embed_type").is_null() {
        return Ok(None);
    }
    let time_dim = fields.count("addition_time_embed_dim", None, 2..=MAX_CHANNELS)?;
    let input_dim = fields.count("projection_class_embeddings_input_dim", None, 1..=MAX_CHANNELS)?;
    if time_dim % 2 != 0 {
        return Err(fields.fault("addition_time_embed_dim", "must be even: half sine, half cosine"));
    }
    Ok(Some(TextTime { time_dim, input_dim }))
}

/// Fields that change the network, with the values that ours is built for.
pub(super) fn refuse_unknown_networks(fields: &Fields) -> Result<()> {
    let none: &[Value] = &[];
    let off = &[json!(false)][..];
    let known: [(&str, &[Value]); 26] = [
        ("act_fn", &[json!("silu"), json!("swish")]),
        ("addition_embed_type", &[json!("text_time")]),
        ("attention_type", &[json!("default")]),
        ("center_input_sample", off),
        ("class_embed_type", none),
        ("class_embeddings_concat", off),
        ("conv_in_kernel", &[json!(3)]),
        ("conv_out_kernel", &[json!(3)]),
        ("cross_attention_norm", none),
        ("downsample_padding", &[json!(1)]),
        ("dual_cross_attention", off),
        ("encoder_hid_dim", none),
        ("encoder_hid_dim_type", none),
        ("mid_block_only_cross_attention", off),
        ("mid_block_scale_factor", &[json!(1)]),
        ("mid_block_type", &[json!("UNetMidBlock2DCrossAttn")]),
        ("num_attention_heads", none),
        ("num_class_embeds", none),
        ("only_cross_attention", off),
        ("resnet_out_scale_factor", &[json!(1)]),
        ("resnet_skip_time_act", off),
        ("resnet_time_scale_shift", &[json!("default")]),
        ("reverse_transformer_layers_per_block", none),
        ("time_cond_proj_dim", none),
        ("time_embedding_type", &[json!("positional")]),
        ("timestep_post_act", none),
    ];
    known.iter().try_for_each(|(name, allowed)| fields.only(name, allowed))?;
    ["time_embedding_act_fn", "time_embedding_dim"].iter().try_for_each(|name| fields.only(name, none))
}
