//! Where a ControlNet comes from: a folder as diffusers saves it, one file of safetensors, or bytes in the program.
//!
//! Opening reads the configuration and the header, and makes sure that they go together; no weight is touched.

use std::path::{Path, PathBuf};

use super::{ControlNet, header};
use crate::{
    Error, Result, Weights,
    folder::Family,
    nn::{Compute, Keep},
    paths,
    sdxl::{
        config::{ControlNetConfig, UNetConfig},
        room::Latents,
    },
    weights::{Options, find},
};

/// A ControlNet that is open, without its weights.
#[derive(Clone, Debug)]
pub struct File {
    config: ControlNetConfig,
    family: Family,
    weights: Weights,
    parts: Vec<(String, PathBuf)>,
}

impl File {
    /// Opens a folder with `config.json` and weights, or a file of weights alone.
    ///
    /// # Errors
    /// An error of the files: not there, of another network, or not what the configuration says.
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        if !path.is_dir() {
            let weights = Weights::open_with(path, options)?;
            let (config, family) = header::config(&weights)?;
            return Self::checked(config, family, weights, vec![("weights".into(), path.into())]);
        }
        if path.join("model_index.json").is_file() {
            return Err(Error::format(path, "this folder holds a whole model, not a controlnet")
                .with_hint("name the controlnet's own folder, with `config.json` and its weights"));
        }
        let settings = path.join("config.json");
        if !settings.is_file() {
            return Err(Error::format(path, "there is no `config.json`").with_hint(
                "a controlnet is a folder with `config.json` and weights, as diffusers saves it, or one file",
            ));
        }
        let config = ControlNetConfig::parse(&settings, &crate::json::read(&paths::inside(path, &settings)?)?)?;
        let found = find::in_folder(path)?;
        let weights = Weights::open_with(path, options)?;
        header::check(&weights)?;
        let files = found.index.map(|index| index.path).into_iter().chain(found.files);
        let parts = std::iter::once(settings.clone()).chain(files).map(|file| (name(&file), file)).collect();
        Self::checked(config.clone(), family(&settings, &config.unet)?, weights, parts)
    }

    /// Takes a ControlNet whose configuration and weights are part of the program; `name` stands for its folder.
    ///
    /// # Errors
    /// As those of a folder.
    pub fn embedded(name: &str, config: &[u8], weights: &'static [u8]) -> Result<Self> {
        let settings = Path::new(name).join("config.json");
        let config = ControlNetConfig::parse(&settings, config)?;
        let weights = Weights::from_bytes(name, weights)?;
        Self::checked(config.clone(), family(&settings, &config.unet)?, weights, Vec::new())
    }

    /// Builds the network of names and shapes alone, so that what does not fit is told before anything runs.
    fn checked(
        config: ControlNetConfig,
        family: Family,
        weights: Weights,
        parts: Vec<(String, PathBuf)>,
    ) -> Result<Self> {
        let shapes = weights.tensors().map(|(name, shape)| (name.to_owned(), shape.to_vec()));
        ControlNet::load(&config, &Weights::dry(&weights.path().to_string_lossy(), shapes), Keep::All)?;
        Ok(Self { config, family, weights, parts })
    }

    /// Says with what the network computes that is loaded from here.
    #[must_use]
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { weights: self.weights.with_compute(compute), ..self }
    }

    /// Returns the bytes that it takes at most to say something of latents.
    ///
    /// # Errors
    /// None: the network was built once already, without its weights.
    pub fn room(&self, of: Latents) -> Result<u64> {
        ControlNet::room(&self.config, &self.weights, of)
    }

    /// Returns how it is built.
    pub fn config(&self) -> &ControlNetConfig {
        &self.config
    }

    /// Returns whose UNets it steers.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Returns its weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Lists the files that it depends on, by their role; what is part of the program has none.
    pub fn parts(&self) -> &[(String, PathBuf)] {
        &self.parts
    }

    /// Loads the network, of which so many bytes may stay in memory ([`Weights::staying_within`]).
    ///
    /// # Errors
    /// An error of the weights.
    pub fn load_within(&self, bytes: u64, keep: Keep) -> Result<ControlNet> {
        ControlNet::load(&self.config, &self.weights.clone().staying_within(bytes), keep)
    }
}

/// Tells the family by what the network is told beside the picture.
fn family(path: &Path, unet: &UNetConfig) -> Result<Family> {
    // Widths of other families that are built alike: SD 2, and SDXL's refiner.
    match (&unet.addition, unet.cross_attention_dim) {
        (Some(_), 1280) | (None, 1024) => {
            let width = unet.cross_attention_dim;
            Err(Error::format(
                path,
                format!("this controlnet reads text of {width} channels, which no family it could steer has"),
            )
            .with_hint("controlnets of SDXL and SD 1.5 are built"))
        }
        (Some(_), _) => Ok(Family::Sdxl),
        (None, _) => Ok(Family::Sd15),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
