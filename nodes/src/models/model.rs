//! A model that is open: its configurations, its tokenizers, and the headers of its weights.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use darkroom_core::fault::Fault;
use darkroom_core::types::Task;
use darkroom_models::checkpoint::Checkpoint;
use darkroom_models::folder::{Component, Configs, Family};
use darkroom_models::lora::Names;
use darkroom_models::nn::Compute;
use darkroom_models::sampling::SchedulerConfig;
use darkroom_models::sdxl::config::TextEncoderConfig;
use darkroom_models::sdxl::preview::Colours;
use darkroom_models::sdxl::room::Latents;
use darkroom_models::sdxl::text::Depth;
use darkroom_models::sdxl::{TextEncoder, UNet, Vae};
use darkroom_models::tokenizer::Clip;
use darkroom_models::weights::{Options, Weights};
use darkroom_models::{Error, Result};

use super::adapters::{Kept, Wearer};
use super::input_file::InputFile;
use super::mini;
use super::parts::Part;
use super::placing::{Home, PartBytes, Placing};
use super::source::ModelSource;
use crate::devices::Devices;
use crate::fault::fault;
use crate::wires::REDUCTION;

/// The models that are open, so that each is opened once for as long as its files stay what they are.
/// Clones share them.
#[derive(Clone, Default)]
pub struct Models {
    /// The last one that was asked for comes last.
    open: Arc<Mutex<Vec<Opened>>>,
    devices: Devices,
}

/// An open model, and by what its files are recognised as unchanged.
struct Opened {
    request: Request,
    stamps: Stamps,
    model: Arc<Model>,
}

/// So many models stay open that nobody uses.
const SPARE: usize = 4;

/// A model, files that take the place of its parts, and what is said of it.
type Request = (ModelSource, Vec<(Component, InputFile)>, Placing);

/// Length and time of each file; none where it is gone.
type Stamps = Vec<Option<(u64, Option<SystemTime>)>>;

impl Models {
    /// Opens models whose networks compute on these devices.
    pub fn new(devices: Devices) -> Self {
        Self { open: Arc::default(), devices }
    }

    /// Closes models that nobody uses: their files are no longer mapped.
    pub fn close_unused(&self) {
        close(&mut self.open.lock().expect("no thread panics while it opens a model"), 0);
    }

    /// Opens a model, with what the files of `parts` hold in place of its own: reads its configurations and tokenizers,
    /// and the headers of its weights.
    ///
    /// # Errors
    /// A fault of the model's files.
    pub fn open(
        &self,
        source: &ModelSource,
        parts: Vec<(Component, InputFile)>,
        placing: Placing,
    ) -> Result<Arc<Model>, Fault> {
        let mut open = self.open.lock().expect("no thread panics while it opens a model");
        let request = (source.clone(), parts, placing);
        let known = open.iter().position(|opened| opened.request == request).map(|index| open.remove(index));
        let opened = match known.filter(|opened| opened.stamps == opened.model.stamps(source)) {
            Some(opened) => opened,
            None => {
                let model = Arc::new(Model::open(&request, placing.compute(&self.devices)?).map_err(fault)?);
                Opened { stamps: model.stamps(source), request, model }
            }
        };
        let model = Arc::clone(&opened.model);
        open.push(opened);
        close(&mut open, SPARE);
        Ok(model)
    }
}

/// Closes models that nobody uses, but for the last few.
fn close(open: &mut Vec<Opened>, mut spare: usize) {
    for index in (0..open.len()).rev() {
        if Arc::strong_count(&open[index].model) == 1 {
            match spare {
                0 => drop(open.remove(index)),
                _ => spare -= 1,
            }
        }
    }
}

/// A model, without its weights.
pub struct Model {
    checkpoint: Checkpoint,
    compute: Compute,
    towers: Vec<(Component, Clip)>,
    /// Of the denoiser, the text encoders and the autoencoder.
    bytes: [PartBytes; 3],
    /// What parts take at work, as far as somebody asked.
    rooms: Mutex<HashMap<(Part, Task), u64>>,
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

/// Returns the bytes of the denoiser, the text encoders and the autoencoder.
fn bytes_of(checkpoint: &Checkpoint, compute: &Compute, home: Home) -> Result<[PartBytes; 3]> {
    // A file may hold the denoiser alone; what it lacks is told when it is wanted.
    let bytes = |component| match checkpoint.has(component) {
        true => Ok::<_, Error>(PartBytes::of(&weights_of(checkpoint, component, compute)?, home)),
        false => Ok(PartBytes::default()),
    };
    let encoders = ENCODERS.iter().filter(|(encoder, _)| text_config(checkpoint.configs(), *encoder).is_some());
    let encoders = encoders.map(|(encoder, _)| bytes(*encoder)).sum::<Result<PartBytes>>()?;
    Ok([bytes(Component::UNet)?, encoders, bytes(Component::Vae)?])
}

/// Returns the bytes of the largest part of a model, once loaded: no two of its parts need be there together.
///
/// # Errors
/// A fault of the model's files.
pub fn largest_part(path: &Path, compute: &Compute) -> std::result::Result<u64, Fault> {
    let bytes =
        Checkpoint::open(path, Options::default()).and_then(|checkpoint| bytes_of(&checkpoint, compute, Home::Auto));
    Ok(bytes.map_err(fault)?.into_iter().map(|part| part.whole).max().unwrap_or_default())
}

impl Model {
    fn open((source, parts, placing): &Request, compute: Compute) -> Result<Self> {
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
        let bytes = bytes_of(&checkpoint, &compute, placing.home)?;
        Ok(Self { checkpoint, compute, towers, bytes, rooms: Mutex::default() })
    }

    /// Returns by what its files are recognised as unchanged. Where it is a folder, so are the folders that they lie in: a
    /// file that is new there may come before another one.
    fn stamps(&self, source: &ModelSource) -> Stamps {
        let mut paths: Vec<_> = self.checkpoint.files().iter().map(|file| file.path.as_path()).collect();
        if let ModelSource::Path { path, .. } = source
            && path.is_dir()
        {
            let folders = paths.iter().filter_map(|file| file.parent()).filter(|folder| folder.starts_with(path));
            let folders: Vec<_> = folders.collect();
            paths.extend(folders);
        }
        let stamp = |path: &Path| fs::metadata(path).ok().map(|about| (about.len(), about.modified().ok()));
        paths.into_iter().map(stamp).collect()
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

    /// Returns the weights of a part's components without their values: what is built of them is only checked.
    pub(super) fn hollow(&self, part: Part) -> Result<Vec<(Component, Weights)>> {
        let hollow = |weights: Weights| weights.hollow().with_compute(self.compute.hollow());
        self.components(part).into_iter().map(|each| Ok((each, hollow(self.weights(each)?)))).collect()
    }

    /// Returns the weights of a part's components, of which so many bytes may stay in memory.
    pub(super) fn weights_within(&self, part: Part, mut bytes: u64) -> Result<Vec<(Component, Weights)>> {
        let components = self.components(part);
        let all = components.into_iter().map(|component| Ok((component, self.weights(component)?)));
        let all = all.collect::<Result<Vec<_>>>()?;
        // Each has its least; of the rest the first takes what it wants.
        let mut least: u64 = all.iter().map(|(_, weights)| weights.least_bytes()).sum();
        let within = |(component, weights): (Component, Weights)| {
            least -= weights.least_bytes();
            let share = weights.loaded_bytes().min(bytes.saturating_sub(least));
            bytes = bytes.saturating_sub(share);
            (component, weights.staying_within(share))
        };
        Ok(all.into_iter().map(within).collect())
    }

    pub(super) fn kept<R: Wearer>(&self, wearer: &R, part: Part, bytes: u64) -> Result<Kept<R::Network>> {
        Kept::build(self.weights_within(part, bytes)?, |weights| wearer.network(weights))
    }

    /// Returns the bytes of a part.
    pub fn bytes(&self, part: Part) -> PartBytes {
        self.bytes[part as usize]
    }

    /// Returns the bytes that a part takes at work beside its weights. Of one whose weights do not fit it, which is told
    /// when it is loaded, nothing.
    pub fn room(&self, part: Part, task: Task) -> u64 {
        let open = || self.rooms.lock().expect("no thread panics while it holds the rooms");
        if let Some(bytes) = open().get(&(part, task)) {
            return *bytes;
        }
        let bytes = self.count(part, task).unwrap_or(0);
        open().insert((part, task), bytes);
        bytes
    }

    fn count(&self, part: Part, task: Task) -> Result<u64> {
        let configs = self.configs();
        let of = latents(task);
        let weights = |component| self.weights(component);
        match (part, task.what) {
            (Part::Denoiser, _) => UNet::room(&configs.unet, &weights(Component::UNet)?, of),
            (Part::Vae, ENCODE) => Vae::encoding_room(&configs.vae, &weights(Component::Vae)?, of),
            (Part::Vae, _) => Vae::decoding_room(&configs.vae, &weights(Component::Vae)?, of),
            // One after the other.
            (Part::Encoder, _) => self.components(part).into_iter().try_fold(0, |most, component| {
                let config = text_config(configs, component).expect("a tower is a component with a configuration");
                Ok(most.max(TextEncoder::room(config, &weights(component)?, of.batch)?))
            }),
        }
    }
}

/// Returns the latents that a task is about.
pub(super) fn latents(task: Task) -> Latents {
    let edge = |pixels: u32| pixels.div_ceil(REDUCTION).max(1) as usize;
    let (width, height) = task.size;
    Latents { batch: task.count.max(1) as usize, height: edge(height), width: edge(width) }
}

/// The word for what a denoiser does at each step: about as many latents as are asked about together.
pub const ASK: &str = "ask";
/// The word for making latents of pictures.
pub const ENCODE: &str = "encode";
/// The word for making pictures of latents.
pub const DECODE: &str = "decode";
/// The word for reading so many texts together.
pub const READ: &str = "read";
