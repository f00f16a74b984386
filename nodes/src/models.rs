//! Models as nodes see them: opened eagerly as far as configurations and tokenizers go, lazily as far as weights go.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::literal::Literal;
use darkroom_core::observe::Cancel;
use darkroom_core::param::Param;
use darkroom_core::residency::{PartId, Place, Resident};
use darkroom_core::types::Kind;
use darkroom_models::checkpoint::Checkpoint;
use darkroom_models::folder::{Component, Configs, Family};
use darkroom_models::lora::Names;
use darkroom_models::nn::Keep;
use darkroom_models::prompt::Inversion;
use darkroom_models::sampling::SchedulerConfig;
use darkroom_models::sdxl::config::TextEncoderConfig;
use darkroom_models::sdxl::text::Depth;
use darkroom_models::sdxl::{TextEncoder, UNet, Vae};
use darkroom_models::tokenizer::Clip;
use darkroom_models::weights::{Options, Weights};
use darkroom_models::{Error, Result};

use crate::adapters::{Kept, Wearer};
use crate::fault::fault;
use crate::input_file::InputFile;
use crate::mini;

/// The word for the model that is built in.
pub const MINI: &str = "mini";

/// The word for the refiner that is built in.
pub const MINI_REFINER: &str = "mini-refiner";

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ModelSource {
    /// The one that is built in.
    Mini,
    /// The refiner that is built in.
    MiniRefiner,
    /// A folder as diffusers saves it, or a file of weights.
    Path {
        /// What the graph calls it.
        name: String,
        /// Where it lies.
        path: PathBuf,
    },
}

impl Param for ModelSource {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "`mini`, `mini-refiner` or the folder or file of a model";
    const OUTSIDE: bool = true;

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        let name = String::parse(literal, files)?;
        match name.as_str() {
            MINI => return Ok(Self::Mini),
            MINI_REFINER => return Ok(Self::MiniRefiner),
            _ => (),
        }
        let path = files.resolve(&name).map_err(|fault| match fault.hint.clone() {
            Some(hint) => fault.hint(format!("{hint}; the built-in model is `{MINI}`")),
            None => fault,
        })?;
        Ok(Self::Path { name, path })
    }

    fn literal(&self) -> Literal {
        Literal::from(match self {
            Self::Mini => MINI,
            Self::MiniRefiner => MINI_REFINER,
            Self::Path { name, .. } => name,
        })
    }

    /// The name of a model is its content: the digests of all files that matter, each read once per machine.
    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        match Self::parse(literal, files)? {
            Self::Mini => Ok(mini::digest()),
            Self::MiniRefiner => Ok(mini::refiner_digest()),
            Self::Path { path, .. } => {
                let checkpoint = Checkpoint::open(&path, Options::default()).map_err(fault)?;
                let each = |hasher: Hasher, file: &darkroom_models::folder::File| {
                    Ok(hasher.text(&file.name).fingerprint(files.digest(&file.path)?))
                };
                Ok(checkpoint.files().iter().try_fold(Hasher::new("model"), each)?.finish())
            }
        }
    }
}

/// The models that are open, so that each is opened once.
#[derive(Default)]
pub struct Models(Mutex<HashMap<Request, Arc<Model>>>);

/// A model, and files that take the place of its parts.
type Request = (ModelSource, Vec<(Component, InputFile)>);

impl Models {
    /// Opens a model, with what the files of `parts` hold in place of its own: reads its configurations and tokenizers,
    /// and the headers of its weights.
    ///
    /// # Errors
    /// A fault of the model's files.
    pub fn open(&self, source: &ModelSource, parts: Vec<(Component, InputFile)>) -> Result<Arc<Model>, Fault> {
        let mut open = self.0.lock().expect("no thread panics while it opens a model");
        let request = (source.clone(), parts);
        if let Some(model) = open.get(&request) {
            return Ok(Arc::clone(model));
        }
        let model = Arc::new(Model::open(&request).map_err(fault)?);
        open.insert(request, Arc::clone(&model));
        Ok(model)
    }
}

/// A model, without its weights.
pub struct Model {
    checkpoint: Checkpoint,
    towers: Vec<(Component, Clip)>,
    /// Bytes of the denoiser, the text encoders and the autoencoder, once loaded.
    bytes: [u64; 3],
}

/// A part of a model that is loaded by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The UNet.
    Denoiser,
    /// All text encoders.
    Encoder,
    /// The autoencoder.
    Vae,
}

impl Part {
    /// Returns what a person calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Denoiser => "unet",
            Self::Encoder => "text encoders",
            Self::Vae => "vae",
        }
    }
}

const ENCODERS: [(Component, Component); 2] =
    [(Component::TextEncoder, Component::Tokenizer), (Component::TextEncoder2, Component::Tokenizer2)];

fn text_config(configs: &Configs, component: Component) -> Option<&TextEncoderConfig> {
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

impl Model {
    fn open((source, parts): &Request) -> Result<Self> {
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
        // A file may hold the denoiser alone; what it lacks is told when it is wanted.
        let bytes = |component| match checkpoint.has(component) {
            true => Ok::<_, Error>(checkpoint.weights(component, Options::default())?.loaded_bytes()),
            false => Ok(0),
        };
        let encoders = towers.iter().map(|(encoder, _)| bytes(*encoder)).sum::<Result<u64>>()?;
        let bytes = [bytes(Component::UNet)?, encoders, bytes(Component::Vae)?];
        Ok(Self { checkpoint, towers, bytes })
    }

    fn weights(&self, component: Component) -> Result<Weights> {
        self.checkpoint.weights(component, Options::default())
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

    fn kept<R: Wearer>(&self, wearer: &R, part: Part) -> Result<Kept<R::Network>> {
        let weights = |component| Ok((component, self.weights(component)?));
        let weights = self.components(part).into_iter().map(weights).collect::<Result<Vec<_>>>()?;
        Kept::build(weights, |weights| wearer.network(weights))
    }

    /// Returns the bytes of a part, once loaded.
    pub fn bytes(&self, part: Part) -> u64 {
        self.bytes[part as usize]
    }
}

/// The weights of one part of a model.
pub struct PartOf {
    /// The model.
    pub model: Arc<Model>,
    /// The name of its content.
    pub digest: Fingerprint,
    /// Words of prompts that stand for trained vectors; they change what is read, not the weights.
    pub words: Vec<Arc<Inversion>>,
}

impl PartOf {
    fn id(&self, part: Part) -> PartId {
        PartId(Hasher::new("part").fingerprint(self.digest).text(part.title()).finish())
    }

    fn title(&self, part: Part) -> String {
        format!("the {} of {} ({})", part.title(), self.model.name(), self.model.family(part))
    }
}

macro_rules! resident {
    ($(#[$doc:meta])* $name:ident, $part:expr, $loaded:ty, |$this:ident, $model:ident| $load:expr) => {
        $(#[$doc])*
        pub struct $name(pub PartOf);

        impl Resident for $name {
            type Loaded = $loaded;

            fn part(&self) -> PartId {
                self.0.id($part)
            }

            fn title(&self) -> String {
                self.0.title($part)
            }

            fn bytes(&self, _: Place) -> u64 {
                self.0.model.bytes($part)
            }

            fn load(&self, _: Place, cancel: &Cancel) -> Result<$loaded, Fault> {
                cancel.check()?;
                let ($this, $model) = (self, &*self.0.model);
                $load.map_err(fault)
            }
        }
    };
}

resident! {
    /// The denoiser of a model.
    Denoiser, Part::Denoiser, Kept<UNet>, |this, model| model.kept(this, Part::Denoiser)
}

impl Wearer for Denoiser {
    type Network = UNet;

    fn network(&self, weights: &[(Component, Weights)]) -> Result<UNet> {
        let [(_, weights)] = weights else { unreachable!("a denoiser is one component") };
        UNet::load(&self.0.model.configs().unet, weights, Keep::All)
    }
}

resident! {
    /// The text encoders of a model.
    Encoder, Part::Encoder, Kept<Vec<TextEncoder>>, |this, model| model.kept(this, Part::Encoder)
}

impl Wearer for Encoder {
    type Network = Vec<TextEncoder>;

    fn network(&self, weights: &[(Component, Weights)]) -> Result<Vec<TextEncoder>> {
        let tower = |(component, weights): &(Component, Weights)| {
            let config = text_config(self.0.model.configs(), *component);
            let config = config.expect("a tower is a component with a configuration");
            TextEncoder::load(config, weights, Keep::All)
        };
        weights.iter().map(tower).collect()
    }
}

resident! {
    /// The autoencoder of a model.
    Autoencoder, Part::Vae, Vae, |_this, model|
    model.weights(Component::Vae).and_then(|weights| Vae::load(&model.configs().vae, &weights, Keep::All))
}
