//! The model that is built in: small, in the exact layout of SDXL, trained on pictures that the project renders itself
//! (`mini/MODEL_CARD.md`). It lets a fresh machine develop a picture without a download.

use std::sync::OnceLock;

use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_models::checkpoint::Embedded;

use crate::models::MINI;

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

/// The model.
pub static MODEL: Embedded = Embedded::new(MINI, FILES);

/// Returns the name of the model's content.
pub fn digest() -> Fingerprint {
    static DIGEST: OnceLock<Fingerprint> = OnceLock::new();
    *DIGEST.get_or_init(|| {
        let each = |hasher: Hasher, (name, bytes): &File| hasher.text(name).fingerprint(Fingerprint::of_bytes(bytes));
        FILES.iter().fold(Hasher::new("model"), each).finish()
    })
}
