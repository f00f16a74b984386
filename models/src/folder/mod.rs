//! A model as diffusers saves it: a folder with `model_index.json` and one folder per component.
//!
//! Opening reads configurations and lists files; no weight is touched. What the model is, its [`Family`], follows from
//! the configurations alone, and everything that is missing is told together.

mod digest;
mod family;
mod files;

use std::{
    fmt,
    path::{Path, PathBuf},
};

pub use family::Family;
pub use files::File;

use crate::{
    Error, Result,
    checkpoint::layout,
    json, paths,
    sdxl::config::{ModelIndex, TextEncoderConfig, UNetConfig, VaeConfig},
    tokenizer::Clip,
    weights::{Options, Weights},
};

/// A model folder, recognised and complete.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    root: PathBuf,
    family: Family,
    configs: Configs,
    /// The folder of each component; the refiner's encoder may lie in that of the first.
    components: Vec<(Component, String)>,
    files: Vec<File>,
}

/// What the configurations of a folder say.
#[derive(Clone, Debug, PartialEq)]
pub struct Configs {
    /// The pipeline and its components.
    pub index: ModelIndex,
    /// The denoising network.
    pub unet: UNetConfig,
    /// The autoencoder.
    pub vae: VaeConfig,
    /// CLIP-L; the refiner has none.
    pub text_encoder: Option<TextEncoderConfig>,
    /// OpenCLIP bigG; SD 1.5 has none.
    pub text_encoder_2: Option<TextEncoderConfig>,
}

/// A part of a model that has a folder of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The denoising network.
    UNet,
    /// The autoencoder.
    Vae,
    /// The first text encoder.
    TextEncoder,
    /// The second text encoder.
    TextEncoder2,
    /// The first text encoder's tokenizer.
    Tokenizer,
    /// The second text encoder's tokenizer.
    Tokenizer2,
    /// The noise schedule's configuration.
    Scheduler,
}

impl Component {
    const ALL: [Component; 7] = [
        Component::UNet,
        Component::Vae,
        Component::TextEncoder,
        Component::TextEncoder2,
        Component::Tokenizer,
        Component::Tokenizer2,
        Component::Scheduler,
    ];

    /// Returns the name that the index and the folder have.
    pub fn name(self) -> &'static str {
        match self {
            Component::UNet => "unet",
            Component::Vae => "vae",
            Component::TextEncoder => "text_encoder",
            Component::TextEncoder2 => "text_encoder_2",
            Component::Tokenizer => "tokenizer",
            Component::Tokenizer2 => "tokenizer_2",
            Component::Scheduler => "scheduler",
        }
    }

    fn has_weights(self) -> bool {
        matches!(self, Component::UNet | Component::Vae | Component::TextEncoder | Component::TextEncoder2)
    }

    /// Returns the files other than weights, and whether the component can do without each.
    fn small_files(self) -> &'static [(&'static str, bool)] {
        match self {
            Component::Tokenizer | Component::Tokenizer2 => &[
                ("vocab.json", false),
                ("merges.txt", false),
                ("tokenizer_config.json", false),
                ("special_tokens_map.json", true),
            ],
            Component::Scheduler => &[("scheduler_config.json", false)],
            _ => &[("config.json", false)],
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ModelFolder {
    /// Opens a diffusers folder: SDXL base, refiner or inpaint, or SD 1.5.
    pub fn open(root: &Path) -> Result<Self> {
        let index_path = root.join("model_index.json");
        if !index_path.is_file() {
            let hint = "a model is a folder with `model_index.json`, as diffusers saves it";
            return Err(Error::format(root, "there is no `model_index.json`").with_hint(hint));
        }
        let index = ModelIndex::parse(&index_path, &json::read(&paths::inside(root, &index_path)?)?)?;
        let components = files::components(&index);
        let files = files::list(root, &components)?;
        let configs = Configs::read(root, index, &components)?;
        let family = Family::recognise(root, &configs)?;
        Ok(Self { root: root.into(), family, configs, components, files })
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns what model this is.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Returns what the configurations say.
    pub fn configs(&self) -> &Configs {
        &self.configs
    }

    /// Returns the folder of a component, if the model has it.
    pub fn component(&self, component: Component) -> Option<PathBuf> {
        files::folder_of(&self.components, component).map(|name| self.root.join(name))
    }

    /// Returns the files that the model depends on, sorted by name.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Opens the weights of a component. The attention of an autoencoder from before 2023 has other names, and is handed
    /// out under today's.
    pub fn weights(&self, component: Component, options: Options) -> Result<Weights> {
        let weights = Weights::open_with(&self.present(component)?, options)?;
        match component == Component::Vae && weights.contains("decoder.mid_block.attentions.0.query.weight") {
            true => layout::renamed_vae(&weights, &self.configs),
            false => Ok(weights),
        }
    }

    /// Opens a tokenizer, and makes sure that its encoder knows all of its tokens.
    pub fn tokenizer(&self, component: Component) -> Result<Clip> {
        let folder = self.present(component)?;
        let clip = Clip::open(&folder)?;
        let encoder = match component {
            Component::Tokenizer2 => &self.configs.text_encoder_2,
            _ => &self.configs.text_encoder,
        };
        match encoder {
            Some(encoder) if clip.vocab_size() > encoder.vocab_size => {
                let (ours, theirs) = (clip.vocab_size(), encoder.vocab_size);
                Err(Error::tokenizer(folder, format!("it has {ours} tokens, the text encoder knows {theirs}")))
            }
            _ => Ok(clip),
        }
    }

    fn present(&self, component: Component) -> Result<PathBuf> {
        let absent = || Error::format(&self.root, format!("a model of {} has no `{component}`", self.family));
        self.component(component).ok_or_else(absent)
    }
}

impl Configs {
    fn read(root: &Path, index: ModelIndex, components: &[(Component, String)]) -> Result<Self> {
        let path = |component| files::folder_of(components, component).map(|name| root.join(name).join("config.json"));
        let encoder = |component| path(component).map(|path| TextEncoderConfig::read(&path)).transpose();
        let needed = |component| path(component).expect("files are listed only where these are there");
        Ok(Self {
            unet: UNetConfig::read(&needed(Component::UNet))?,
            vae: VaeConfig::read(&needed(Component::Vae))?,
            text_encoder: encoder(Component::TextEncoder)?,
            text_encoder_2: encoder(Component::TextEncoder2)?,
            index,
        })
    }
}
