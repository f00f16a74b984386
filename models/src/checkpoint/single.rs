//! A model in one file of weights, or in several.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{layout, recognise};
use crate::{
    Error, Result, Weights,
    folder::{Component, Configs, Family, File, ModelFolder},
    sampling::SchedulerConfig,
    sdxl::published,
    tokenizer::Clip,
    weights::Options,
};

/// What a file of weights does not carry.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// What model it is.
    pub family: Family,
    /// How its networks are built.
    pub configs: Configs,
    /// The schedule that it was published with.
    pub scheduler: SchedulerConfig,
    tokenizers: Tokenizers,
}

#[derive(Clone, Debug)]
enum Tokenizers {
    Published,
    Folder(Box<ModelFolder>),
}

impl Blueprint {
    /// Returns what a family was published with.
    pub fn published(family: Family) -> Result<Self> {
        Ok(Self {
            family,
            configs: published::configs(family)?,
            scheduler: published::scheduler(family)?,
            tokenizers: Tokenizers::Published,
        })
    }

    /// Takes everything but the weights from a diffusers folder.
    pub fn of_folder(folder: &ModelFolder) -> Result<Self> {
        Ok(Self {
            family: folder.family(),
            configs: folder.configs().clone(),
            scheduler: folder.scheduler()?,
            tokenizers: Tokenizers::Folder(Box::new(folder.clone())),
        })
    }

    /// Takes over what the files say of their training.
    fn heed(&mut self, files: &[Weights]) {
        let marked = |mark: &str| files.iter().any(|weights| weights.contains(mark));
        if marked(layout::V_PREDICTION) {
            self.scheduler.prediction_type = Some("v_prediction".into());
        }
        if marked(layout::ZERO_SNR) {
            self.scheduler.rescale_betas_zero_snr = Some(true);
        }
    }
}

/// The components that one or several files of weights hold.
pub struct Files {
    blueprint: Blueprint,
    components: BTreeMap<Component, Weights>,
    files: Vec<File>,
    unused: Vec<String>,
}

impl Files {
    pub(super) fn open(path: &Path, options: Options) -> Result<Self> {
        let weights = Weights::open_with(path, options)?;
        let places = layout::networks(&weights);
        let family = recognise::family(&weights, &places)?;
        Self::with(&[path], &[weights], Blueprint::published(family)?)
    }

    pub(super) fn open_as(paths: &[&Path], blueprint: Blueprint, options: Options) -> Result<Self> {
        let headers: Result<Vec<Weights>> = paths.iter().map(|path| Weights::open_with(path, options)).collect();
        Self::with(paths, &headers?, blueprint)
    }

    fn with(paths: &[&Path], headers: &[Weights], mut blueprint: Blueprint) -> Result<Self> {
        blueprint.heed(headers);
        let mut found = Self { blueprint, components: BTreeMap::new(), files: files(paths)?, unused: Vec::new() };
        headers.iter().try_for_each(|weights| found.take(weights))?;
        Ok(found)
    }

    /// Takes the components of one file.
    fn take(&mut self, weights: &Weights) -> Result<()> {
        let mut places = layout::networks(weights);
        places.extend(layout::text_encoders(weights, &self.blueprint.configs));
        let mut taken = BTreeSet::new();
        for (component, place) in places {
            let found = layout::component(weights, component, place, &self.blueprint.configs)?;
            taken.extend(found.taken);
            self.components.insert(component, found.weights);
        }
        let unused = weights.tensors().map(|(name, _)| name).filter(|name| !taken.contains(*name));
        // The first encoder's projection is carried along by some and used by none.
        let is_idle = |name: &str| layout::is_idle(name) || name.ends_with("text_projection.weight");
        self.unused.extend(unused.filter(|name| !is_idle(name)).map(str::to_owned));
        Ok(())
    }

    /// Returns the first file.
    pub fn path(&self) -> &Path {
        &self.files[0].path
    }

    pub(super) fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    pub(super) fn unused(&self) -> &[String] {
        &self.unused
    }

    pub(super) fn has(&self, component: Component) -> bool {
        self.components.contains_key(&component)
    }

    pub(super) fn weights(&self, component: Component) -> Result<Weights> {
        let absent = || {
            let kind = self.blueprint.family;
            Error::format(self.path(), format!("this file of {kind} holds no `{component}`"))
                .with_hint("name a file that does, beside this one")
        };
        self.components.get(&component).cloned().ok_or_else(absent)
    }

    pub(super) fn tokenizer(&self, component: Component) -> Result<Clip> {
        match &self.blueprint.tokenizers {
            Tokenizers::Published => published::tokenizer(component),
            Tokenizers::Folder(folder) => folder.tokenizer(component),
        }
    }
}

/// Lists the files by their numbers: what a file is called says nothing of its content.
fn files(paths: &[&Path]) -> Result<Vec<File>> {
    let file = |(i, path): (usize, &&Path)| {
        let bytes = std::fs::metadata(path).map_err(|fault| Error::io(*path, fault))?.len();
        Ok(File { name: i.to_string(), path: PathBuf::from(path), bytes })
    };
    paths.iter().enumerate().map(file).collect()
}
