//! A ControlNet in one file without a configuration: built as its tensors' shapes say, with what its family was published
//! with for the rest.

use crate::{
    Error, Result, Weights,
    folder::Family,
    sdxl::config::{ChannelOrder, ControlNetConfig, Level, Transformer, UNetConfig},
    sdxl::published,
};

/// The first tensor of the part that only a ControlNet has, in diffusers' names.
pub const MARK: &str = "controlnet_cond_embedding.conv_in.weight";
/// The same in the names of its authors.
const LDM_MARKS: [&str; 2] = ["control_model.input_hint_block.0.weight", "input_hint_block.0.weight"];

/// Makes sure that a header is that of a ControlNet in diffusers' names.
pub fn check(w: &Weights) -> Result<()> {
    if w.contains(MARK) {
        return Ok(());
    }
    let fault = |what: &str| Error::format(w.path(), what);
    match LDM_MARKS.iter().any(|mark| w.contains(mark)) {
        true => Err(fault("this controlnet has the names of its authors' program, and those of diffusers are read")
            .with_hint(
                "take the version for diffusers, a repository with `config.json`, or convert it with diffusers' \
                 `scripts/convert_original_controlnet_to_diffusers.py`",
            )),
        false => Err(fault("this file holds no controlnet").with_hint(
            "a controlnet of SDXL or SD 1.5 in diffusers' layout is wanted; `darkroom models` says what files are",
        )),
    }
}

/// Tells whose ControlNet a header is, where it is one in diffusers' names.
pub fn family_of(w: &Weights) -> Option<Family> {
    config(w).ok().map(|(_, family)| family)
}

/// Reads the configuration off names and shapes.
///
/// # Errors
/// [`Error::Format`], where the shapes are those of no family.
pub fn config(w: &Weights) -> Result<(ControlNetConfig, Family)> {
    check(w)?;
    let context = axis(w, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1)?;
    let added = w.shape("add_embedding.linear_1.weight").and_then(|shape| shape.get(1).copied());
    let family = [Family::Sdxl, Family::Sd15].into_iter().find(|family| {
        let known = published::configs(*family).map(|configs| configs.unet);
        known.is_ok_and(|unet| unet.cross_attention_dim == context && unet.addition.map(|it| it.input_dim) == added)
    });
    let Some(family) = family else {
        let sizes = added.map_or("none".to_owned(), |width| width.to_string());
        let what = format!("no family knows this controlnet: it reads text of {context} channels and sizes of {sizes}");
        return Err(Error::format(w.path(), what).with_hint("controlnets of SDXL and SD 1.5 are built"));
    };
    let known = published::configs(family)?.unet;
    let unet = UNetConfig {
        in_channels: axis(w, "conv_in.weight", 1)?,
        mid: Transformer { depth: depth(w, "mid_block"), ..known.mid },
        levels: known.levels.iter().enumerate().map(|(i, level)| read(w, i, *level, known.mid.heads)).collect(),
        ..known
    };
    let hint_channels = hint_channels(w)?;
    let channel_order = ChannelOrder::Rgb;
    Ok((ControlNetConfig { picture_channels: axis(w, MARK, 1)?, hint_channels, channel_order, unet }, family))
}

/// What the header says of a level. Smaller makes of a ControlNet leave transformers out.
fn read(w: &Weights, i: usize, published: Level, heads: usize) -> Level {
    let heads = published.transformer.map_or(heads, |transformer| transformer.heads);
    let transformer = match depth(w, &format!("down_blocks.{i}")) {
        0 => None,
        depth => Some(Transformer { heads, depth }),
    };
    Level { transformer, ..published }
}

/// Counts the blocks of the first transformer of a level.
fn depth(w: &Weights, level: &str) -> usize {
    let there = |i: &usize| w.contains(&format!("{level}.attentions.0.transformer_blocks.{i}.norm1.weight"));
    (0..MAX_DEPTH).take_while(there).count()
}

/// The most blocks in a row that are looked for; published ones have ten.
const MAX_DEPTH: usize = 256;

fn hint_channels(w: &Weights) -> Result<Vec<usize>> {
    let halving = (0..MAX_HALVINGS).map(|i| format!("controlnet_cond_embedding.blocks.{}.weight", 2 * i + 1));
    let names = std::iter::once(MARK.to_owned()).chain(halving.take_while(|name| w.contains(name)));
    names.map(|name| axis(w, &name, 0)).collect()
}

/// The most times a picture is halved on its way in; published ones do it three times.
const MAX_HALVINGS: usize = 7;

/// Returns one extent of a tensor, which is above zero.
fn axis(w: &Weights, name: &str, axis: usize) -> Result<usize> {
    let found = w.shape(name).and_then(|shape| shape.get(axis).copied()).filter(|extent| *extent > 0);
    found.ok_or_else(|| {
        Error::format(w.path(), format!("this controlnet has no tensor `{name}` of a usable shape"))
            .with_hint("controlnets of SDXL and SD 1.5 with attention in the middle are built")
    })
}
