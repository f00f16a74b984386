//! A model from whatever a user has: a folder of diffusers, one or several files of weights, or bytes in the program.
//!
//! Opening reads headers and configurations; no weight is touched. A file says what it is by the names and shapes of its
//! tensors alone: every family looks at the header and claims it or says why not. What a file does not carry
//! (configurations, vocabulary, schedule) is what its family was published with.

mod describe;
mod embedded;
mod kin;
pub mod layout;
mod recognise;
mod single;

use std::{fmt, path::Path};

pub use describe::{Description, Role, describe};
pub use recognise::{FAMILIES, Header};
pub use single::{Blueprint, Files};

use crate::{
    Error, Result, Weights,
    folder::{Component, Configs, Family, File, ModelFolder},
    sampling::SchedulerConfig,
    sdxl::preview::{self, Colours},
    tokenizer::Clip,
    weights::Options,
};
pub use embedded::Embedded;

/// A model, recognised, with its configurations; weights are read when they are asked for.
pub struct Checkpoint {
    name: String,
    family: Family,
    configs: Configs,
    scheduler: SchedulerConfig,
    origin: Origin,
    /// Files, each with one component that takes the place of the model's own.
    parts: Vec<(Component, Files)>,
    files: Vec<File>,
}

enum Origin {
    Folder(Box<ModelFolder>),
    Files(Box<Files>),
    Embedded(Embedded),
}

impl Checkpoint {
    /// Opens a folder as diffusers saves it, or a safetensors or GGUF file.
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        match path.is_dir() {
            true => Self::of_folder(ModelFolder::open(path)?),
            false => Ok(Self::of_files(Files::open(path, options)?)),
        }
    }

    /// Returns the same model with one component of each of these files in place of its own: another autoencoder, or the
    /// text encoders that a file of the UNet lacks.
    pub fn with_parts(mut self, parts: &[(Component, &Path)], options: Options) -> Result<Self> {
        for (component, path) in parts {
            let mut blueprint = Blueprint::published(self.family)?;
            blueprint.configs = self.configs.clone();
            let files = Files::open_as(&[*path], blueprint, options)?;
            // Asked for now, so that a file without it is told before anything runs.
            files.weights(*component)?;
            self.files.extend(files.files().iter().map(|file| File { name: component.to_string(), ..file.clone() }));
            self.parts.push((*component, files));
        }
        Ok(self)
    }

    /// Opens files of a model whose configurations are given, whatever family they look like.
    pub fn open_as(paths: &[&Path], blueprint: Blueprint, options: Options) -> Result<Self> {
        Ok(Self::of_files(Files::open_as(paths, blueprint, options)?))
    }

    /// Takes a model whose files are part of the program.
    pub fn embedded(embedded: Embedded) -> Result<Self> {
        let configs = embedded.configs()?;
        Ok(Self {
            name: embedded.name().to_owned(),
            family: Family::recognise(Path::new(embedded.name()), &configs)?,
            scheduler: embedded.scheduler()?,
            configs,
            origin: Origin::Embedded(embedded),
            parts: Vec::new(),
            files: Vec::new(),
        })
    }

    fn of_folder(folder: ModelFolder) -> Result<Self> {
        Ok(Self {
            name: file_name(folder.root()),
            family: folder.family(),
            configs: folder.configs().clone(),
            scheduler: folder.scheduler()?,
            files: folder.files().to_vec(),
            parts: Vec::new(),
            origin: Origin::Folder(Box::new(folder)),
        })
    }

    fn of_files(files: Files) -> Self {
        Self {
            name: file_name(files.path()),
            family: files.blueprint().family,
            configs: files.blueprint().configs.clone(),
            scheduler: files.blueprint().scheduler.clone(),
            files: files.files().to_vec(),
            parts: Vec::new(),
            origin: Origin::Files(Box::new(files)),
        }
    }

    /// Returns what a person calls it: the name of its folder or file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what model this is.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Returns the configurations of its networks.
    pub fn configs(&self) -> &Configs {
        &self.configs
    }

    /// Returns the configuration of the schedule that it was published with.
    pub fn scheduler(&self) -> &SchedulerConfig {
        &self.scheduler
    }

    /// Returns what colours the channels of its latents stand for, where that is known.
    pub fn colours(&self) -> Option<Colours> {
        let colours = match &self.origin {
            Origin::Embedded(embedded) => embedded.colours(),
            Origin::Folder(_) | Origin::Files(_) => self.family.colours(),
        };
        (self.configs.unet.out_channels == preview::CHANNELS).then_some(colours)
    }

    /// Lists the files that it depends on; what is part of the program has none.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Lists the tensors of its files that belong to no component: a warning.
    pub fn unused(&self) -> &[String] {
        if let Origin::Files(files) = &self.origin { files.unused() } else { &[] }
    }

    /// Tells whether it holds the weights of a component.
    pub fn has(&self, component: Component) -> bool {
        let own = match &self.origin {
            Origin::Folder(folder) => folder.component(component).is_some(),
            Origin::Files(files) => files.has(component),
            Origin::Embedded(embedded) => embedded.has(component),
        };
        own || self.part(component).is_some()
    }

    /// Opens the weights of a component, under diffusers' names.
    pub fn weights(&self, component: Component, options: Options) -> Result<Weights> {
        if let Some(files) = self.part(component) {
            return files.weights(component);
        }
        match &self.origin {
            Origin::Folder(folder) => folder.weights(component, options),
            Origin::Files(files) => files.weights(component),
            Origin::Embedded(embedded) => embedded.weights(component),
        }
    }

    fn part(&self, wanted: Component) -> Option<&Files> {
        self.parts.iter().rev().find(|(component, _)| *component == wanted).map(|(_, files)| files)
    }

    /// Opens the tokenizer of a text encoder.
    pub fn tokenizer(&self, component: Component) -> Result<Clip> {
        match &self.origin {
            Origin::Folder(folder) => folder.tokenizer(component),
            Origin::Files(files) => files.tokenizer(component),
            Origin::Embedded(embedded) => embedded.tokenizer(component),
        }
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checkpoint({}, {})", self.name, self.family)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads the text of a schedule's configuration.
fn scheduler(path: &Path, text: &str) -> Result<SchedulerConfig> {
    SchedulerConfig::from_json(text).map_err(|error| Error::config(path, error.to_string()))
}

impl ModelFolder {
    /// Reads the configuration of the schedule that the model was published with.
    pub fn scheduler(&self) -> Result<SchedulerConfig> {
        let folder = self.component(Component::Scheduler).unwrap_or_else(|| self.root().to_owned());
        let path = folder.join("scheduler_config.json");
        let text = String::from_utf8_lossy(&crate::json::read(&path)?).into_owned();
        scheduler(&path, &text)
    }
}
