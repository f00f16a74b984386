//! The model that is built in: small, in the exact layout of SDXL, trained on pictures that the project renders itself
//! (`mini/MODEL_CARD.md`). It lets a fresh machine develop a picture without a download.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_models::Result;
use darkroom_models::folder::{Component, Configs};
use darkroom_models::sdxl::config::{ModelIndex, TextEncoderConfig, UNetConfig, VaeConfig};

/// One file of the model, by its path below the model's folder.
type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../mini/weights/", $path)))),*]
    };
}

/// The weights of the built-in upscaler, trained on the same pictures.
pub static UPSCALER: &[u8] = include_bytes!("../../mini/weights/upscaler/model.safetensors");

static FILES: &[File] = files![
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "text_encoder_2/config.json",
    "text_encoder_2/model.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "tokenizer_2/merges.txt",
    "tokenizer_2/special_tokens_map.json",
    "tokenizer_2/tokenizer_config.json",
    "tokenizer_2/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
];

/// Returns a file of the model.
///
/// # Panics
/// If the model has no such file: the list above is complete.
pub fn file(component: Option<Component>, name: &str) -> &'static [u8] {
    let path = component.map_or(name.to_owned(), |component| format!("{}/{name}", component.name()));
    FILES.iter().find(|(known, _)| *known == path).unwrap_or_else(|| panic!("the built-in model has no `{path}`")).1
}

/// Reads the model's configurations.
///
/// # Errors
/// An error of a configuration, which would be a mistake of whoever trained the model.
pub fn configs() -> Result<Configs> {
    let config = |component: Component| {
        (PathBuf::from(format!("mini/{component}/config.json")), file(Some(component), "config.json"))
    };
    let text = |component| {
        let (path, bytes) = config(component);
        TextEncoderConfig::parse(&path, bytes)
    };
    let (unet, vae) = (config(Component::UNet), config(Component::Vae));
    Ok(Configs {
        index: ModelIndex::parse(Path::new("mini/model_index.json"), file(None, "model_index.json"))?,
        unet: UNetConfig::parse(&unet.0, unet.1)?,
        vae: VaeConfig::parse(&vae.0, vae.1)?,
        text_encoder: Some(text(Component::TextEncoder)?),
        text_encoder_2: Some(text(Component::TextEncoder2)?),
    })
}

/// Returns the name of the model's content.
pub fn digest() -> Fingerprint {
    static DIGEST: OnceLock<Fingerprint> = OnceLock::new();
    *DIGEST.get_or_init(|| {
        let each = |hasher: Hasher, (name, bytes): &File| hasher.text(name).fingerprint(Fingerprint::of_bytes(bytes));
        FILES.iter().fold(Hasher::new("model"), each).finish()
    })
}
