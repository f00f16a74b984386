//! The models that are built in: small, in the exact layout of SDXL, trained on pictures that the project renders itself
//! (`mini/MODEL_CARD.md`). They let a fresh machine develop a picture without a download.

use std::sync::OnceLock;

use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_models::checkpoint::Embedded;
use darkroom_models::sdxl::preview::Colours;

use crate::models::{MINI, MINI_REFINER};

/// One file of the model, by its path below the model's folder.
type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($($path:literal $(in $folder:literal)?),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../mini/weights/", $($folder,)? $path)))),*]
    };
}

/// The weights of the built-in upscaler, trained on the same pictures.
pub static UPSCALER: &[u8] = include_bytes!("../../../mini/weights/upscaler/model.safetensors");

/// The built-in ControlNet, for edges: how it is built, and its weights.
pub static CONTROLNET: [&[u8]; 2] = [
    include_bytes!("../../../mini/weights/controlnet/config.json"),
    include_bytes!("../../../mini/weights/controlnet/diffusion_pytorch_model.safetensors"),
];

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

/// The refiner has a denoiser of its own, and the rest of the base.
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

/// What their latents look like, fitted to renders by `mini/fit_preview.py`.
const COLOURS: Colours = Colours {
    of_channels: [
        [0.5443, 0.1492, 0.0853],
        [0.0776, 0.3874, 0.0556],
        [0.0301, 0.1298, 0.5111],
        [-0.0532, -0.1006, -0.0610],
    ],
    at_zero: [0.0319, 0.0058, 0.0565],
};

/// The model.
pub static MODEL: Embedded = Embedded::new(MINI, FILES, COLOURS);

/// Its refiner.
pub static REFINER: Embedded = Embedded::new(MINI_REFINER, REFINER_FILES, COLOURS);

/// Returns the name of the model's content.
pub fn digest() -> Fingerprint {
    static DIGEST: OnceLock<Fingerprint> = OnceLock::new();
    *DIGEST.get_or_init(|| digest_of(FILES))
}

/// Returns the name of the refiner's content.
pub fn refiner_digest() -> Fingerprint {
    static DIGEST: OnceLock<Fingerprint> = OnceLock::new();
    *DIGEST.get_or_init(|| digest_of(REFINER_FILES))
}

fn digest_of(files: &[File]) -> Fingerprint {
    let each = |hasher: Hasher, (name, bytes): &File| hasher.text(name).fingerprint(Fingerprint::of_bytes(bytes));
    files.iter().fold(Hasher::new("model"), each).finish()
}
