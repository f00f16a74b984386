//! What a file of weights is good for, told from its header alone: cheap enough for a whole folder.

use std::{fmt, path::Path};

use super::{layout, recognise};
use crate::{
    Error, Result, Weights,
    folder::{Component, Family},
    sdxl::controlnet,
    weights::Options,
};

/// What a file of weights is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it is good for.
    pub role: Role,
    /// Whose it is, where the header tells: it does for denoising networks and ControlNets of a known family.
    pub family: Option<Family>,
    /// The number format of most of its tensors, `F16`; nothing where it has none.
    pub precision: Option<String>,
    /// Its size.
    pub bytes: u64,
}

/// What a file of weights is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A denoising network and what goes with it.
    Checkpoint,
    /// A denoising network alone.
    UNet,
    /// An autoencoder alone.
    Vae,
    /// Text encoders alone.
    TextEncoder,
    /// A change to a model's weights.
    Lora,
    /// A network that steers a denoising network by a picture.
    ControlNet,
    /// A network that enlarges pictures.
    Upscaler,
    /// New words for a text encoder.
    Embedding,
    /// None of these.
    Unknown,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checkpoint => "checkpoint",
            Self::UNet => "unet",
            Self::Vae => "vae",
            Self::TextEncoder => "text encoder",
            Self::Lora => "lora",
            Self::ControlNet => "controlnet",
            Self::Upscaler => "upscaler",
            Self::Embedding => "embedding",
            Self::Unknown => "unknown",
        })
    }
}

/// Describes a safetensors or GGUF file.
pub fn describe(path: &Path) -> Result<Description> {
    let bytes = std::fs::metadata(path).map_err(|fault| Error::io(path, fault))?.len();
    // A header is read once: there is nothing to gain from a map.
    let weights = Weights::open_with(path, Options { mmap: false })?;
    let role = role(&weights);
    let family = match role {
        Role::Checkpoint | Role::UNet => recognise::family(&weights, &layout::networks(&weights)).ok(),
        Role::ControlNet => controlnet::family_of(&weights),
        _ => None,
    };
    let precision = weights.formats().into_iter().next().map(|(format, _)| format);
    Ok(Description { role, family, precision, bytes })
}

fn role(weights: &Weights) -> Role {
    if weights.tensors().any(|(name, _)| is_of_lora(name)) {
        return Role::Lora;
    }
    let holds = |names: &[&str]| names.iter().any(|name| weights.contains(name));
    if holds(&CONTROL_NETS) {
        return Role::ControlNet;
    }
    let places = layout::networks(weights);
    let (unet, vae) = (places.contains_key(&Component::UNet), places.contains_key(&Component::Vae));
    match (unet, vae, layout::has_text_encoder(weights)) {
        (true, false, false) => Role::UNet,
        (true, _, _) => Role::Checkpoint,
        (false, true, false) => Role::Vae,
        (false, false, true) => Role::TextEncoder,
        (false, true, true) => Role::Unknown,
        (false, false, false) if holds(&UPSCALERS) => Role::Upscaler,
        (false, false, false) if holds(&EMBEDDINGS) => Role::Embedding,
        (false, false, false) => Role::Unknown,
    }
}

/// The first tensors of ControlNets, in the names of diffusers and of their authors.
const CONTROL_NETS: [&str; 3] = [
    "controlnet_cond_embedding.conv_in.weight",
    "control_model.input_hint_block.0.weight",
    "input_hint_block.0.weight",
];
/// The first tensors of ESRGAN in its three namings, and of its compact kin.
const UPSCALERS: [&str; 4] = [
    "body.0.rdb1.conv1.weight",
    "RRDB_trunk.0.RDB1.conv1.weight",
    "model.1.sub.0.RDB1.conv1.0.weight",
    "body.0.weight",
];
/// Under which embeddings are kept, for one text encoder or for both.
const EMBEDDINGS: [&str; 3] = ["emb_params", "clip_l", "clip_g"];

/// Tells the tensors of a change to weights: low-rank, as a product of Hadamard, or of Kronecker.
fn is_of_lora(name: &str) -> bool {
    const PARTS: [&str; 7] = ["lora_down", "lora_up", "lora_A", "lora_B", "hada_w1_a", "lokr_w1", "lokr_w1_a"];
    name.split('.').any(|part| PARTS.contains(&part))
}
