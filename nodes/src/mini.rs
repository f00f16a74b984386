//! The models that are built in: small, in the exact layout of SDXL, trained on pictures that the project renders itself
//! (`mini/MODEL_CARD.md`). They let a fresh machine develop a picture without a
//! download.

use std::path::PathBuf;
use std::sync::OnceLock;

use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_models::Result;
use darkroom_models::folder::{Component, Configs};
use darkroom_models::sdxl::config::{ModelIndex, TextEncoderConfig, UNetConfig, VaeConfig};

/// One file of the model, by its path below the model's folder.
type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($($path:literal $(in $folder:literal)?),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../mini/weights/", $($folder,)? $path)))),*]
    };
}

/// A model whose files are part of the program.
#[derive(Debug)]
pub struct Embedded {
    /// What a graph calls it.
    pub name: &'static str,
    files: &'static [File],
    digest: OnceLock<Fingerprint>,
}

/// The base: both text encoders.
pub static BASE: Embedded = Embedded { name: "mini", files: FILES, digest: OnceLock::new() };

/// The refiner: a denoiser of its own, the rest is the base's.
pub static REFINER: Embedded = Embedded { name: "mini-refiner", files: REFINER_FILES, digest: OnceLock::new() };

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

static REFINER_FILES: &[File] = files![
    "model_index.json" in "refiner/",
    "scheduler/scheduler_config.json",
    "text_encoder_2/config.json",
    "text_encoder_2/model.safetensors",
    "tokenizer_2/merges.txt",
    "tokenizer_2/special_tokens_map.json",
    "tokenizer_2/tokenizer_config.json",
    "tokenizer_2/vocab.json",
    "unet/config.json" in "refiner/",
    "unet/diffusion_pytorch_model.safetensors" in "refiner/",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
];

impl Embedded {
    /// Returns a file of the model.
    ///
    /// # Panics
    /// If the model has no such file: the lists above are complete.
    pub fn file(&self, component: Option<Component>, name: &str) -> &'static [u8] {
        let path = component.map_or(name.to_owned(), |component| format!("{}/{name}", component.name()));
        let found = self.files.iter().find(|(known, _)| *known == path);
        found.unwrap_or_else(|| panic!("the built-in {} has no `{path}`", self.name)).1
    }

    /// Reads the model's configurations.
    ///
    /// # Errors
    /// An error of a configuration, which would be a mistake of whoever trained the model.
    pub fn configs(&self) -> Result<Configs> {
        let config = |component: Component| {
            (PathBuf::from(format!("{}/{component}/config.json", self.name)), self.file(Some(component), "config.json"))
        };
        let text = |component: Component| {
            let there = self.files.iter().any(|(path, _)| *path == format!("{component}/config.json"));
            let parse = || config(component);
            there.then(parse).map(|(path, bytes)| TextEncoderConfig::parse(&path, bytes)).transpose()
        };
        let (unet, vae) = (config(Component::UNet), config(Component::Vae));
        let index = PathBuf::from(format!("{}/model_index.json", self.name));
        Ok(Configs {
            index: ModelIndex::parse(&index, self.file(None, "model_index.json"))?,
            unet: UNetConfig::parse(&unet.0, unet.1)?,
            vae: VaeConfig::parse(&vae.0, vae.1)?,
            text_encoder: text(Component::TextEncoder)?,
            text_encoder_2: text(Component::TextEncoder2)?,
        })
    }

    /// Returns the name of the model's content.
    pub fn digest(&self) -> Fingerprint {
        *self.digest.get_or_init(|| {
            let each =
                |hasher: Hasher, (name, bytes): &File| hasher.text(name).fingerprint(Fingerprint::of_bytes(bytes));
            self.files.iter().fold(Hasher::new("model"), each).finish()
        })
    }
}
