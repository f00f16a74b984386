//! A model that is open: its configurations, its tokenizers, and the headers of its weights.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use darkroom_core::fault::Fault;
use darkroom_models::checkpoint::Checkpoint;
use darkroom_models::folder::{Component, Configs, Family};
use darkroom_models::lora::Names;
use darkroom_models::nn::Compute;
use darkroom_models::sampling::SchedulerConfig;
use darkroom_models::sdxl::config::TextEncoderConfig;
use darkroom_models::sdxl::preview::Colours;
use darkroom_models::sdxl::text::Depth;
use darkroom_models::tokenizer::Clip;
use darkroom_models::weights::{Options, Weights};
use darkroom_models::{Error, Result};

use super::adapters::{Kept, Wearer};
use super::input_file::InputFile;
use super::mini;
use super::parts::Part;
use super::source::ModelSource;
use crate::fault::fault;

/// The models that are open, so that each is opened once.
#[derive(Default)]
pub struct Models {
    open: Mutex<HashMap<Request, Arc<Model>>>,
    compute: Compute,
}

/// A model, and files that take the place of its parts.
type Request = (ModelSource, Vec<(Component, InputFile)>);

impl Models {
    /// Opens models whose networks compute with `compute`.
    pub fn new(compute: Compute) -> Self {
        Self { open: Mutex::default(), compute }
    }

    /// Opens a model, with what the files of `parts` hold in place of its own: reads its configurations and tokenizers,
    /// and the headers of its weights.
    ///
    /// # Errors
    /// A fault of the model's files.
    pub fn open(&self, source: &ModelSource, parts: Vec<(Component, InputFile)>) -> Result<Arc<Model>, Fault> {
        let mut open = self.open.lock().expect("no thread panics while it opens a model");
        let request = (source.clone(), parts);
        if let Some(model) = open.get(&request) {
            return Ok(Arc::clone(model));
        }
        let model = Arc::new(Model::open(&request, &self.compute).map_err(fault)?);
        open.insert(request, Arc::clone(&model));
        Ok(model)
    }
}

/// A model, without its weights.
pub struct Model {
    checkpoint: Checkpoint,
    compute: Compute,
    towers: Vec<(Component, Clip)>,
    /// Bytes of the denoiser, the text encoders and the autoencoder, once loaded.
    bytes: [u64; 3],
}

const ENCODERS: [(Component, Component); 2] =
    [(Component::TextEncoder, Component::Tokenizer), (Component::TextEncoder2, Component::Tokenizer2)];

/// Returns the configuration of a text encoder, if the model has it.
pub fn text_config(configs: &Configs, component: Component) -> Option<&TextEncoderConfig> {
    match component {
        Component::TextEncoder => configs.text_encoder.as_ref(),
        _ => configs.text_encoder_2.as_ref(),
    }
}

/// The words for what a family reads prompts and denoises with, and for whose latents it draws: parts of one word go
/// together. A refiner draws on the base's latents, and reads prompts in its own way.
fn words_of(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::Sdxl | Family::SdxlInpaint => ("sdxl", "sdxl"),
        Family::SdxlRefiner => ("sdxl-refiner", "sdxl"),
        Family::Sd15 | Family::Sd15Inpaint => ("sd15", "sd15"),
    }
}

fn weights_of(checkpoint: &Checkpoint, component: Component, compute: &Compute) -> Result<Weights> {
    Ok(checkpoint.weights(component, Options::default())?.with_compute(compute.clone()))
}

/// Returns the bytes of the denoiser, the text encoders and the autoencoder, once loaded.
fn bytes_of(checkpoint: &Checkpoint, compute: &Compute) -> Result<[u64; 3]> {
    // A file may hold the denoiser alone; what it lacks is told when it is wanted.
    let bytes = |component| match checkpoint.has(component) {
        true => Ok::<_, Error>(weights_of(checkpoint, component, compute)?.loaded_bytes()),
        false => Ok(0),
    };
    let encoders = ENCODERS.iter().filter(|(encoder, _)| text_config(checkpoint.configs(), *encoder).is_some());
    let encoders = encoders.map(|(encoder, _)| bytes(*encoder)).sum::<Result<u64>>()?;
    Ok([bytes(Component::UNet)?, encoders, bytes(Component::Vae)?])
}

/// Returns the bytes of the largest part of a model, once loaded: no two of its parts need be there together.
///
/// # Errors
/// A fault of the model's files.
pub fn largest_part(path: &Path, compute: &Compute) -> std::result::Result<u64, Fault> {
    let bytes = Checkpoint::open(path, Options::default()).and_then(|checkpoint| bytes_of(&checkpoint, compute));
    Ok(bytes.map_err(fault)?.into_iter().max().unwrap_or_default())
}

impl Model {
    fn open((source, parts): &Request, compute: &Compute) -> Result<Self> {
        let checkpoint = match source {
            ModelSource::Mini => Checkpoint::embedded(mini::MODEL)?,
            ModelSource::MiniRefiner => Checkpoint::embedded(mini::REFINER)?,
            ModelSource::Path { path, .. } => Checkpoint::open(path, Options::default())?,
        };
        let parts: Vec<_> = parts.iter().map(|(component, file)| (*component, &*file.path)).collect();
        let checkpoint = checkpoint.with_parts(&parts, Options::default())?;
        let mut towers = Vec::new();
        for (encoder, tokenizer) in ENCODERS {
            if text_config(checkpoint.configs(), encoder).is_some() {
                towers.push((encoder, checkpoint.tokenizer(tokenizer)?));
            }
        }
        let bytes = bytes_of(&checkpoint, compute)?;
        Ok(Self { checkpoint, compute: compute.clone(), towers, bytes })
    }

    pub(super) fn weights(&self, component: Component) -> Result<Weights> {
        weights_of(&self.checkpoint, component, &self.compute)
    }

    /// Returns with what its networks compute.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Returns what a person calls it.
    pub fn name(&self) -> &str {
        self.checkpoint.name()
    }

    /// Says which tensors of its file belong to no part, if there are any.
    pub fn leftovers(&self) -> Option<String> {
        const SHOWN: usize = 5;
        let unused = self.checkpoint.unused();
        let names: Vec<_> = unused.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        let more = if unused.len() > SHOWN { ", …" } else { "" };
        let told = || {
            format!(
                "{} tensors of {} are left over, they belong to no part: {}{more}",
                unused.len(),
                self.name(),
                names.join(", ")
            )
        };
        (!unused.is_empty()).then(told)
    }

    /// Returns the word for the family of a part; that of an autoencoder is that of its latents.
    pub fn family(&self, part: Part) -> &'static str {
        let (prompts, latents) = words_of(self.checkpoint.family());
        if part == Part::Vae { latents } else { prompts }
    }

    /// Tells whether the model finishes what another began, and wants to hear how well a picture is to be liked.
    pub fn is_refiner(&self) -> bool {
        self.checkpoint.family() == Family::SdxlRefiner
    }

    /// Returns the configurations.
    pub fn configs(&self) -> &Configs {
        self.checkpoint.configs()
    }

    /// Returns the configuration of the schedule that the model was published with.
    pub fn scheduler(&self) -> &SchedulerConfig {
        self.checkpoint.scheduler()
    }

    /// Returns what colours the channels of its latents stand for, where that is known.
    pub fn colours(&self) -> Option<Colours> {
        self.checkpoint.colours()
    }

    /// Returns the tokenizer of each text encoder.
    pub fn tokenizers(&self) -> impl Iterator<Item = &Clip> {
        self.towers.iter().map(|(_, tokenizer)| tokenizer)
    }

    /// Returns which layer of the text encoders pictures are made from.
    pub fn depth(&self) -> Depth {
        match self.checkpoint.family() {
            Family::Sd15 | Family::Sd15Inpaint => Depth::Last,
            Family::Sdxl | Family::SdxlInpaint | Family::SdxlRefiner => Depth::LastButOne,
        }
    }

    /// Tells whether no negative prompt means zeros. The field is SDXL's; without it the encoded empty text is meant.
    pub fn forces_zeros(&self) -> bool {
        self.depth() == Depth::LastButOne && self.configs().index.force_zeros_for_empty_prompt
    }

    /// Returns the width and the entries of the vocabulary of each text encoder.
    pub fn encoder_sizes(&self) -> Vec<(usize, usize)> {
        let config = |(component, _): &(Component, Clip)| text_config(self.configs(), *component);
        self.towers.iter().filter_map(config).map(|config| (config.hidden_size, config.vocab_size)).collect()
    }

    /// Adds the layers of the denoiser, or those of the text encoders.
    ///
    /// # Errors
    /// An error of the weights' headers.
    pub fn spell(&self, part: Part, names: &mut Names) -> Result<()> {
        for component in self.components(part) {
            let weights = self.weights(component)?;
            match part {
                Part::Encoder => names.add_text_encoder(&weights, component),
                _ => names.add_unet(&weights),
            }
        }
        Ok(())
    }

    fn components(&self, part: Part) -> Vec<Component> {
        match part {
            Part::Denoiser => vec![Component::UNet],
            Part::Encoder => self.towers.iter().map(|(encoder, _)| *encoder).collect(),
            Part::Vae => vec![Component::Vae],
        }
    }

    pub(super) fn kept<R: Wearer>(&self, wearer: &R, part: Part) -> Result<Kept<R::Network>> {
        let weights = |component| Ok((component, self.weights(component)?));
        let weights = self.components(part).into_iter().map(weights).collect::<Result<Vec<_>>>()?;
        Kept::build(weights, |weights| wearer.network(weights))
    }

    /// Returns the bytes of a part, once loaded.
    pub fn bytes(&self, part: Part) -> u64 {
        self.bytes[part as usize]
    }
}
