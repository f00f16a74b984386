//! A model whose files are part of the program.

use std::path::{Path, PathBuf};

use crate::{
    Result, Weights,
    folder::{Component, Configs},
    sampling::SchedulerConfig,
    sdxl::config::{ModelIndex, TextEncoderConfig, UNetConfig, VaeConfig},
    sdxl::preview::Colours,
    tokenizer::{self, Clip},
};

/// The files of a diffusers folder in memory.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    name: &'static str,
    files: &'static [(&'static str, &'static [u8])],
    colours: Colours,
}

impl Embedded {
    /// Takes all files of a model of one or both text encoders, by their paths below its folder; `name` stands for that
    /// folder. Its autoencoder is its own, and so are the `colours` that its latents stand for.
    pub const fn new(name: &'static str, files: &'static [(&'static str, &'static [u8])], colours: Colours) -> Self {
        Self { name, files, colours }
    }

    /// Returns the name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns a file. Panics where it is not there: the list is part of the program.
    fn file(&self, component: Option<Component>, name: &str) -> (PathBuf, &'static [u8]) {
        let below = component.map_or(name.to_owned(), |component| format!("{component}/{name}"));
        let found = self.files.iter().find(|(known, _)| *known == below);
        let (_, bytes) = found.unwrap_or_else(|| panic!("the model that is built in has no `{below}`"));
        (Path::new(self.name).join(below), bytes)
    }

    pub(super) fn colours(&self) -> Colours {
        self.colours
    }

    /// Tells whether it has a network.
    pub(super) fn has(&self, component: Component) -> bool {
        let config = format!("{component}/config.json");
        self.files.iter().any(|(known, _)| *known == config)
    }

    pub(super) fn configs(&self) -> Result<Configs> {
        let config = |component| self.file(Some(component), "config.json");
        let text = |component| {
            let read = |(path, bytes): (PathBuf, _)| TextEncoderConfig::parse(&path, bytes);
            self.has(component).then(|| read(config(component))).transpose()
        };
        let (index, unet, vae) = (self.file(None, "model_index.json"), config(Component::UNet), config(Component::Vae));
        Ok(Configs {
            index: ModelIndex::parse(&index.0, index.1)?,
            unet: UNetConfig::parse(&unet.0, unet.1)?,
            vae: VaeConfig::parse(&vae.0, vae.1)?,
            text_encoder: text(Component::TextEncoder)?,
            text_encoder_2: text(Component::TextEncoder2)?,
        })
    }

    pub(super) fn weights(&self, component: Component) -> Result<Weights> {
        let name = match component {
            Component::TextEncoder | Component::TextEncoder2 => "model.safetensors",
            _ => "diffusion_pytorch_model.safetensors",
        };
        Weights::from_bytes(&format!("{}/{component}", self.name), self.file(Some(component), name).1)
    }

    pub(super) fn tokenizer(&self, component: Component) -> Result<Clip> {
        let file = |name| self.file(Some(component), name).1;
        let files = tokenizer::Files {
            vocab: file("vocab.json"),
            merges: file("merges.txt"),
            config: file("tokenizer_config.json"),
            special_tokens: Some(file("special_tokens_map.json")),
        };
        Clip::from_bytes(&format!("{}/{component}", self.name), &files)
    }

    pub(super) fn scheduler(&self) -> Result<SchedulerConfig> {
        let (path, bytes) = self.file(Some(Component::Scheduler), "scheduler_config.json");
        super::scheduler(&path, &String::from_utf8_lossy(bytes))
    }
}
