//! Names of tensors in the files of other programs, turned into diffusers' names by rule.
//!
//! Single files name their tensors as the programs did that trained the networks: UNet and autoencoder as in CompVis'
//! latent diffusion (`ldm/modules/diffusionmodules/{openaimodel,model}.py`), the second text encoder as OpenCLIP does.
//! A name that no rule knows is answered with nothing, and the tensor is then told as left over.

use crate::{
    sdxl::config::{UNetConfig, VaeConfig},
    weights::Op,
};

/// What becomes of a stored tensor: new names, and how the tensor of each is made.
pub type Targets = Vec<(String, Op)>;

/// Names a tensor of a UNet, `input_blocks.4.1.proj_in.weight`, by the number of residual blocks of each level.
pub fn unet(config: &UNetConfig, name: &str) -> Option<Targets> {
    let renamed = match split(name) {
        ("input_blocks", rest) => input_block(config, rest),
        ("middle_block", rest) => middle_block(rest),
        ("output_blocks", rest) => output_block(config, rest),
        ("time_embed", rest) => linear(rest, "time_embedding"),
        ("label_emb", rest) => linear(rest.strip_prefix("0.")?, "add_embedding"),
        ("out", rest) => match split(rest) {
            ("0", leaf) => Some(format!("conv_norm_out.{leaf}")),
            ("2", leaf) => Some(format!("conv_out.{leaf}")),
            _ => None,
        },
        _ => None,
    };
    Some(vec![(renamed?, Op::Copy)])
}

/// Input blocks count through all levels: one residual block after the other, then the change of size.
fn input_block(config: &UNetConfig, rest: &str) -> Option<String> {
    let (block, rest) = number(rest)?;
    let (part, tail) = number(rest)?;
    if block == 0 {
        return (part == 0).then(|| format!("conv_in.{tail}"));
    }
    let (level, i) = place(config.levels.iter().map(|level| level.layers + 1), block - 1)?;
    match (part, tail.strip_prefix("op.")) {
        (0, Some(leaf)) => Some(format!("down_blocks.{level}.downsamplers.0.conv.{leaf}")),
        (0, None) => Some(format!("down_blocks.{level}.resnets.{i}.{}", resnet(tail)?)),
        (1, None) => Some(format!("down_blocks.{level}.attentions.{i}.{tail}")),
        _ => None,
    }
}

fn middle_block(rest: &str) -> Option<String> {
    match number(rest)? {
        (0, tail) => Some(format!("mid_block.resnets.0.{}", resnet(tail)?)),
        (1, tail) => Some(format!("mid_block.attentions.0.{tail}")),
        (2, tail) => Some(format!("mid_block.resnets.1.{}", resnet(tail)?)),
        _ => None,
    }
}

/// Output blocks count likewise; the change of size belongs to the last block of its level, behind the transformer where
/// there is one.
fn output_block(config: &UNetConfig, rest: &str) -> Option<String> {
    let (block, rest) = number(rest)?;
    let (part, tail) = number(rest)?;
    let (level, i) = place(config.levels.iter().rev().map(|level| level.layers + 1), block)?;
    match (part, tail.strip_prefix("conv.")) {
        (1 | 2, Some(leaf)) => Some(format!("up_blocks.{level}.upsamplers.0.conv.{leaf}")),
        (0, None) => Some(format!("up_blocks.{level}.resnets.{i}.{}", resnet(tail)?)),
        (1, None) => Some(format!("up_blocks.{level}.attentions.{i}.{tail}")),
        _ => None,
    }
}

/// Finds the level that a block belongs to, and its number within.
fn place(sizes: impl Iterator<Item = usize>, block: usize) -> Option<(usize, usize)> {
    let mut rest = block;
    for (level, size) in sizes.enumerate() {
        match rest.checked_sub(size) {
            Some(beyond) => rest = beyond,
            None => return Some((level, rest)),
        }
    }
    None
}

fn resnet(tail: &str) -> Option<String> {
    const LAYERS: [(&str, &str); 6] = [
        ("in_layers.0.", "norm1."),
        ("in_layers.2.", "conv1."),
        ("emb_layers.1.", "time_emb_proj."),
        ("out_layers.0.", "norm2."),
        ("out_layers.3.", "conv2."),
        ("skip_connection.", "conv_shortcut."),
    ];
    renamed(tail, &LAYERS)
}

fn linear(rest: &str, name: &str) -> Option<String> {
    match split(rest) {
        ("0", leaf) => Some(format!("{name}.linear_1.{leaf}")),
        ("2", leaf) => Some(format!("{name}.linear_2.{leaf}")),
        _ => None,
    }
}

/// Names a tensor of an autoencoder, `decoder.up.3.block.0.conv1.weight`. The attention's matrices may be stored as
/// convolutions of one point.
pub fn vae(config: &VaeConfig, name: &str, shape: &[usize]) -> Option<Targets> {
    let levels = config.channels.len();
    let renamed = match split(name) {
        ("quant_conv" | "post_quant_conv", _) => name.to_owned(),
        (side @ ("encoder" | "decoder"), rest) => format!("{side}.{}", half(levels, side, rest)?),
        _ => return None,
    };
    let is_matrix = renamed.contains(".attentions.0.to_") && renamed.ends_with(".weight");
    let op = if is_matrix && shape.len() == 4 { Op::Squeeze } else { Op::Copy };
    Some(vec![(renamed, op)])
}

fn half(levels: usize, side: &str, rest: &str) -> Option<String> {
    match split(rest) {
        ("conv_in" | "conv_out", _) => Some(rest.to_owned()),
        ("norm_out", leaf) => Some(format!("conv_norm_out.{leaf}")),
        ("mid", rest) => match split(rest) {
            ("block_1", tail) => Some(format!("mid_block.resnets.0.{}", block(tail))),
            ("block_2", tail) => Some(format!("mid_block.resnets.1.{}", block(tail))),
            ("attn_1", tail) => Some(format!("mid_block.attentions.0.{}", attention(tail)?)),
            _ => None,
        },
        ("down", rest) if side == "encoder" => {
            let (level, rest) = number(rest)?;
            match split(rest) {
                ("block", tail) => {
                    let (i, tail) = number(tail)?;
                    Some(format!("down_blocks.{level}.resnets.{i}.{}", block(tail)))
                }
                ("downsample", tail) => Some(format!("down_blocks.{level}.downsamplers.0.{tail}")),
                _ => None,
            }
        }
        // Levels are counted from the finest here, and from the first that runs there.
        ("up", rest) if side == "decoder" => {
            let (level, rest) = number(rest)?;
            let level = levels.checked_sub(level + 1)?;
            match split(rest) {
                ("block", tail) => {
                    let (i, tail) = number(tail)?;
                    Some(format!("up_blocks.{level}.resnets.{i}.{}", block(tail)))
                }
                ("upsample", tail) => Some(format!("up_blocks.{level}.upsamplers.0.{tail}")),
                _ => None,
            }
        }
        _ => None,
    }
}

fn block(tail: &str) -> String {
    renamed(tail, &[("nin_shortcut.", "conv_shortcut.")]).unwrap_or_else(|| tail.to_owned())
}

fn attention(tail: &str) -> Option<String> {
    const LAYERS: [(&str, &str); 5] =
        [("norm.", "group_norm."), ("q.", "to_q."), ("k.", "to_k."), ("v.", "to_v."), ("proj_out.", "to_out.0.")];
    renamed(tail, &LAYERS)
}

/// Names a tensor of a diffusers autoencoder: as it is, but for the attention of files from before 2023.
pub fn diffusers_vae(name: &str, shape: &[usize]) -> Option<Targets> {
    const LAYERS: [(&str, &str); 4] =
        [("query.", "to_q."), ("key.", "to_k."), ("value.", "to_v."), ("proj_attn.", "to_out.0.")];
    let Some((before, tail)) = name.split_once(".attentions.0.") else {
        return Some(vec![(name.to_owned(), Op::Copy)]);
    };
    let tail = renamed(tail, &LAYERS).unwrap_or_else(|| tail.to_owned());
    let op = if shape.len() == 4 { Op::Squeeze } else { Op::Copy };
    Some(vec![(format!("{before}.attentions.0.{tail}"), op)])
}

/// Names a tensor of a text encoder in transformers' names, with its `text_model.` or without.
pub fn clip(name: &str) -> Option<Targets> {
    let renamed = match split(name) {
        ("text_model" | "text_projection", _) => name.to_owned(),
        ("embeddings" | "encoder" | "final_layer_norm", _) => format!("text_model.{name}"),
        _ => return None,
    };
    Some(vec![(renamed, Op::Copy)])
}

/// Names a tensor of a text encoder in OpenCLIP's names. Queries, keys and values lie in one matrix, and the projection
/// is multiplied from the other side.
pub fn openclip(name: &str, shape: &[usize]) -> Option<Targets> {
    const LAYERS: [(&str, &str); 6] = [
        ("ln_1.", "layer_norm1."),
        ("ln_2.", "layer_norm2."),
        ("mlp.c_fc.", "mlp.fc1."),
        ("mlp.c_proj.", "mlp.fc2."),
        ("attn.out_proj.", "self_attn.out_proj."),
        ("attn.in_proj_", "self_attn."),
    ];
    let copy = |renamed: String| Some(vec![(renamed, Op::Copy)]);
    if let Some(rest) = name.strip_prefix("transformer.resblocks.") {
        let (layer, tail) = number(rest)?;
        let renamed = renamed(tail, &LAYERS)?;
        let at = format!("text_model.encoder.layers.{layer}");
        let Some(leaf) = tail.strip_prefix("attn.in_proj_") else { return copy(format!("{at}.{renamed}")) };
        let width = shape.first()? / 3;
        let part = |(i, part): (usize, &str)| {
            (format!("{at}.self_attn.{part}_proj.{leaf}"), Op::Rows(i * width..(i + 1) * width))
        };
        return Some(["q", "k", "v"].into_iter().enumerate().map(part).collect());
    }
    match split(name) {
        ("token_embedding", leaf) => copy(format!("text_model.embeddings.token_embedding.{leaf}")),
        ("positional_embedding", "") => copy("text_model.embeddings.position_embedding.weight".into()),
        ("ln_final", leaf) => copy(format!("text_model.final_layer_norm.{leaf}")),
        ("text_projection", "") => Some(vec![("text_projection.weight".into(), Op::Transpose)]),
        ("text_projection", "weight") => copy(name.into()),
        _ => None,
    }
}

/// Returns what stands before the first dot, and what behind.
fn split(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or((name, ""))
}

/// Splits a number off the front.
fn number(name: &str) -> Option<(usize, &str)> {
    let (number, rest) = name.split_once('.')?;
    Some((number.parse().ok()?, rest))
}

/// Replaces the first beginning that fits.
fn renamed(name: &str, rules: &[(&str, &str)]) -> Option<String> {
    rules.iter().find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)))
}
