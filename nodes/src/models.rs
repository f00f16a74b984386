//! Models as nodes see them: opened eagerly as far as configurations and tokenizers go, lazily as far as weights go.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::literal::Literal;
use darkroom_core::observe::Cancel;
use darkroom_core::param::Param;
use darkroom_core::residency::{PartId, Place, Resident};
use darkroom_core::types::Kind;
use darkroom_models::folder::{Component, Configs, Family, ModelFolder};
use darkroom_models::nn::Keep;
use darkroom_models::sampling::SchedulerConfig;
use darkroom_models::sdxl::config::TextEncoderConfig;
use darkroom_models::sdxl::{TextEncoder, UNet, Vae};
use darkroom_models::tokenizer::{self, Clip};
use darkroom_models::weights::{Options, Weights};
use darkroom_models::{Error, Result};

use crate::fault::fault;
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
    /// A folder as diffusers saves it.
    Folder {
        /// What the graph calls it.
        name: String,
        /// Where it lies.
        path: PathBuf,
    },
}

impl Param for ModelSource {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "`mini`, `mini-refiner` or the folder of a model";
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
        Ok(Self::Folder { name, path })
    }

    fn literal(&self) -> Literal {
        Literal::from(match self {
            Self::Mini => MINI,
            Self::MiniRefiner => MINI_REFINER,
            Self::Folder { name, .. } => name,
        })
    }

    /// The name of a model is its content: the digests of all files that matter, each read once per machine.
    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        match Self::parse(literal, files)? {
            Self::Mini => Ok(mini::BASE.digest()),
            Self::MiniRefiner => Ok(mini::REFINER.digest()),
            Self::Folder { path, .. } => {
                let folder = ModelFolder::open(&path).map_err(fault)?;
                let each = |hasher: Hasher, file: &darkroom_models::folder::File| {
                    Ok(hasher.text(&file.name).fingerprint(files.digest(&file.path)?))
                };
                Ok(folder.files().iter().try_fold(Hasher::new("model"), each)?.finish())
            }
        }
    }
}

/// The models that are open, so that each is opened once.
#[derive(Default)]
pub struct Models(Mutex<HashMap<ModelSource, Arc<Model>>>);

impl Models {
    /// Opens a model: reads its configurations and tokenizers, and the headers of its weights.
    ///
    /// # Errors
    /// A fault of the model's files.
    pub fn open(&self, source: &ModelSource) -> Result<Arc<Model>, Fault> {
        let mut open = self.0.lock().expect("no thread panics while it opens a model");
        if let Some(model) = open.get(source) {
            return Ok(Arc::clone(model));
        }
        let model = Arc::new(Model::open(source).map_err(fault)?);
        open.insert(source.clone(), Arc::clone(&model));
        Ok(model)
    }
}

/// A model, without its weights.
pub struct Model {
    source: Source,
    configs: Configs,
    family: Family,
    scheduler: SchedulerConfig,
    towers: Vec<(Component, Clip)>,
    /// Bytes of the denoiser, the text encoders and the autoencoder, once loaded.
    bytes: [u64; 3],
}

enum Source {
    Embedded(&'static mini::Embedded),
    Folder(Box<ModelFolder>),
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

/// The word for whose latents a family draws: an encoder, a denoiser and an autoencoder of one word go together.
fn latents_of(family: Family) -> &'static str {
    match family {
        Family::Sdxl | Family::SdxlInpaint | Family::SdxlRefiner => "sdxl",
        Family::Sd15 | Family::Sd15Inpaint => "sd15",
    }
}

fn embedded(model: &'static mini::Embedded) -> Result<(Source, Configs, Family)> {
    let configs = model.configs()?;
    let family = Family::recognise(Path::new(model.name), &configs)?;
    Ok((Source::Embedded(model), configs, family))
}

impl Model {
    fn open(source: &ModelSource) -> Result<Self> {
        let (source, configs, family) = match source {
            ModelSource::Mini => embedded(&mini::BASE)?,
            ModelSource::MiniRefiner => embedded(&mini::REFINER)?,
            ModelSource::Folder { path, .. } => {
                let folder = ModelFolder::open(path)?;
                let (configs, family) = (folder.configs().clone(), folder.family());
                (Source::Folder(Box::new(folder)), configs, family)
            }
        };
        let scheduler = source.scheduler()?;
        let mut towers = Vec::new();
        for (encoder, tokenizer) in ENCODERS {
            if text_config(&configs, encoder).is_some() {
                towers.push((encoder, source.tokenizer(tokenizer)?));
            }
        }
        let bytes = |component| Ok::<_, Error>(source.weights(component)?.loaded_bytes());
        let encoders = towers.iter().map(|(encoder, _)| bytes(*encoder)).sum::<Result<u64>>()?;
        let bytes = [bytes(Component::UNet)?, encoders, bytes(Component::Vae)?];
        Ok(Self { source, configs, family, scheduler, towers, bytes })
    }

    /// Returns the word for the family and its latents.
    pub fn family(&self) -> &'static str {
        latents_of(self.family)
    }

    /// Returns the configurations.
    pub fn configs(&self) -> &Configs {
        &self.configs
    }

    /// Returns the configuration of the schedule that the model was published with.
    pub fn scheduler(&self) -> &SchedulerConfig {
        &self.scheduler
    }

    /// Returns the tokenizer of each text encoder.
    pub fn tokenizers(&self) -> impl Iterator<Item = &Clip> {
        self.towers.iter().map(|(_, tokenizer)| tokenizer)
    }

    /// Returns the bytes of a part, once loaded.
    pub fn bytes(&self, part: Part) -> u64 {
        self.bytes[part as usize]
    }
}

impl Source {
    fn weights(&self, component: Component) -> Result<Weights> {
        match self {
            Self::Folder(folder) => folder.weights(component, Options::default()),
            Self::Embedded(model) => {
                let file = match component {
                    Component::TextEncoder | Component::TextEncoder2 => "model.safetensors",
                    _ => "diffusion_pytorch_model.safetensors",
                };
                Weights::from_bytes(&format!("{}/{component}", model.name), model.file(Some(component), file))
            }
        }
    }

    fn tokenizer(&self, component: Component) -> Result<Clip> {
        match self {
            Self::Folder(folder) => folder.tokenizer(component),
            Self::Embedded(model) => {
                let file = |name| model.file(Some(component), name);
                let files = tokenizer::Files {
                    vocab: file("vocab.json"),
                    merges: file("merges.txt"),
                    config: file("tokenizer_config.json"),
                    special_tokens: Some(file("special_tokens_map.json")),
                };
                Clip::from_bytes(&format!("{}/{component}", model.name), &files)
            }
        }
    }

    fn scheduler(&self) -> Result<SchedulerConfig> {
        const NAME: &str = "scheduler_config.json";
        let (path, text) = match self {
            Self::Folder(folder) => {
                let folder = folder.component(Component::Scheduler).unwrap_or_else(|| folder.root().to_owned());
                let path = folder.join(NAME);
                let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
                (path, text)
            }
            Self::Embedded(model) => {
                let bytes = model.file(Some(Component::Scheduler), NAME);
                (PathBuf::from(format!("{}/{NAME}", model.name)), String::from_utf8_lossy(bytes).into_owned())
            }
        };
        SchedulerConfig::from_json(&text).map_err(|error| Error::config(path, error.to_string()))
    }
}

/// The weights of one part of a model.
pub struct PartOf {
    /// The model.
    pub model: Arc<Model>,
    /// The name of its content.
    pub digest: Fingerprint,
}

impl PartOf {
    fn id(&self, part: Part) -> PartId {
        PartId(Hasher::new("part").fingerprint(self.digest).text(part.title()).finish())
    }

    fn title(&self, part: Part) -> String {
        format!("the {} of {} ({})", part.title(), self.model.name(), self.model.family())
    }
}

impl Model {
    /// Returns what a person calls it.
    pub fn name(&self) -> String {
        match &self.source {
            Source::Embedded(model) => model.name.to_owned(),
            Source::Folder(folder) => folder.root().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

macro_rules! resident {
    ($(#[$doc:meta])* $name:ident, $part:expr, $loaded:ty, |$of:ident, $cancel:ident| $load:expr) => {
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

            fn load(&self, _: Place, $cancel: &Cancel) -> Result<$loaded, Fault> {
                $cancel.check()?;
                let $of = &*self.0.model;
                $load.map_err(fault)
            }
        }
    };
}

resident! {
    /// The denoiser of a model.
    Denoiser, Part::Denoiser, UNet, |model, cancel|
    model.source.weights(Component::UNet).and_then(|weights| UNet::load(&model.configs.unet, &weights, Keep::All))
}

resident! {
    /// The text encoders of a model.
    Encoder, Part::Encoder, Vec<TextEncoder>, |model, cancel| {
        let tower = |(component, _): &(Component, Clip)| {
            let config = text_config(&model.configs, *component).expect("a tower is a component with a configuration");
            TextEncoder::load(config, &model.source.weights(*component)?, Keep::All)
        };
        model.towers.iter().map(tower).collect::<Result<Vec<_>>>()
    }
}

resident! {
    /// The autoencoder of a model.
    Autoencoder, Part::Vae, Vae, |model, cancel|
    model.source.weights(Component::Vae).and_then(|weights| Vae::load(&model.configs.vae, &weights, Keep::All))
}
