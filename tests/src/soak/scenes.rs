//! What a soak does over and over: runs that differ in model, size, LoRA and ending.

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// With a picture on disk.
    Picture,
    /// On request, in the middle.
    Stopped,
    /// Because a model's file is not what it should be.
    NotLoaded,
    /// With any other fault; never wanted.
    Fault,
}

/// One run of the cycle.
pub struct Scene {
    /// What it is, for the table.
    pub what: &'static str,
    /// The model: built in, or a folder.
    source: &'static str,
    /// A LoRA's file.
    lora: Option<&'static str>,
    /// Width and height in pixels.
    size: (u32, u32),
    /// Pictures at once.
    count: u32,
    /// How it ends.
    pub ending: Ending,
}

const PLAIN: Scene =
    Scene { what: "", source: "mini", lora: None, size: (256, 256), count: 1, ending: Ending::Picture };

/// The runs, in turn. The third is the one that the last is held against.
pub const CYCLE: [Scene; 9] = [
    Scene { what: "built in", ..PLAIN },
    Scene { what: "dawn with a LoRA, 128²", source: "dawn", lora: Some("haze"), size: (128, 128), ..PLAIN },
    Scene { what: "dusk", source: "dusk", ..PLAIN },
    Scene { what: "dusk, 320×192, two pictures", source: "dusk", size: (320, 192), count: 2, ..PLAIN },
    Scene { what: "dusk, stopped", source: "dusk", ending: Ending::Stopped, ..PLAIN },
    Scene { what: "a torn model", source: "torn", ending: Ending::NotLoaded, ..PLAIN },
    Scene { what: "dawn, stopped with a LoRA", source: "dawn", lora: Some("haze"), ending: Ending::Stopped, ..PLAIN },
    Scene { what: "dawn", source: "dawn", ..PLAIN },
    Scene { what: "built in with a LoRA", lora: Some("cyanotype"), ..PLAIN },
];

impl Scene {
    /// Returns the workflow, drawn from this seed.
    #[must_use]
    pub fn workflow(&self, seed: usize) -> String {
        let Self { source, size: (width, height), count, .. } = self;
        let (lora, model) = match self.lora {
            Some(file) => (
                format!(
                    r#""lora": (type: "load_lora", denoiser: (from: "model.denoiser"), encoder: (from: "model.encoder"), file: "{file}.safetensors", strength: 0.2),"#
                ),
                "lora",
            ),
            None => (String::new(), "model"),
        };
        format!(
            r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "{source}"),
    {lora}
    "prompt": (type: "encode_prompt", encoder: (from: "{model}.encoder"), text: "a lake at noon"),
    "blank": (type: "empty_latent", width: {width}, height: {height}, count: {count}),
    "denoise": (type: "denoise", denoiser: (from: "{model}.denoiser"), positive: (from: "prompt"), latent: (from: "blank"), steps: 3, seed: {seed}),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
    "save": (type: "save_image", image: (from: "decode"), name: "soak"),
}})"#
        )
    }
}
