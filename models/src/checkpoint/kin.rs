//! What a file of weights goes with, in a word for a list: a checkpoint's family, whose model a LoRA changes, which text
//! encoder it is, how many times an upscaler enlarges.

use super::{Role, layout};
use crate::{
    Weights,
    esrgan::Layout,
    folder::{Component, Family},
    lora::Lora,
};

/// Tells what a file goes with, as far as its header does.
pub(super) fn kin(weights: &Weights, role: Role, family: Option<Family>) -> Option<String> {
    match role {
        Role::Checkpoint | Role::UNet => family.map(|family| family.to_string()),
        Role::Lora => Some(family_of_word(Lora::open(weights.path()).ok()?.family()?).to_owned()),
        Role::Vae => vae(weights),
        Role::TextEncoder => Some(text_encoders(weights)),
        Role::Embedding => embedding(weights),
        Role::Upscaler => Some(format!("x{}", Layout::read(weights).ok()?.scale)),
        Role::ControlNet | Role::Unknown => None,
    }
}

/// The words that LoRAs are told apart by, as they are written for people.
fn family_of_word(word: &str) -> &str {
    match word {
        "sdxl" => "SDXL",
        "sdxl-refiner" => "SDXL refiner",
        "sd15" => "SD 1.5",
        "sd2" => "SD 2",
        "sd3" => "SD 3",
        "flux" => "FLUX",
        "qwen-image" => "Qwen-Image",
        other => other,
    }
}

/// The channels of its latents. SD 1.5 and SDXL have autoencoders of one shape, which differ in their numbers alone.
fn vae(weights: &Weights) -> Option<String> {
    let prefix = layout::networks(weights).get(&Component::Vae)?.prefix;
    let shape = weights.shape(&format!("{prefix}decoder.conv_in.weight"))?;
    Some(match shape.get(1)? {
        4 => "SD 1.5 or SDXL".to_owned(),
        16 => "FLUX or SD 3".to_owned(),
        channels => format!("{channels} channels"),
    })
}

fn text_encoders(weights: &Weights) -> String {
    let name = |width: usize| match width {
        768 => "CLIP-L".to_owned(),
        1024 => "CLIP-H".to_owned(),
        1280 => "CLIP-G".to_owned(),
        _ => format!("CLIP of width {width}"),
    };
    layout::text_widths(weights).into_iter().map(name).collect::<Vec<_>>().join(" and ")
}

/// The width of its vectors is that of a text encoder.
fn embedding(weights: &Weights) -> Option<String> {
    if weights.contains("clip_g") {
        return Some("SDXL".to_owned());
    }
    let shape = weights.shape("emb_params").or_else(|| weights.shape("clip_l"))?;
    Some(match shape.last()? {
        768 => "SD 1.5".to_owned(),
        1024 => "SD 2".to_owned(),
        width => format!("width {width}"),
    })
}
