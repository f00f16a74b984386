//! What a model on the disk is, told from its headers alone.

use std::path::Path;

use darkroom_core::spec::FileSort;
use darkroom_models::checkpoint::{Role, describe};
use darkroom_models::folder::{Component, ModelFolder};
use darkroom_models::weights::Options;

/// What a model is.
#[derive(Debug)]
pub struct About {
    /// What it is good for; none for a folder as diffusers saves it.
    pub role: Option<Role>,
    /// What it goes with.
    pub family: Option<String>,
    /// The number format of most of its tensors.
    pub precision: Option<String>,
}

impl About {
    /// Describes a file, or a folder as diffusers saves it.
    ///
    /// # Errors
    /// Why nothing is known of it.
    pub fn of(path: &Path) -> Result<Self, String> {
        if !path.is_dir() {
            let found = describe(path).map_err(|error| error.to_string())?;
            return Ok(Self { role: Some(found.role), family: found.kin, precision: found.precision });
        }
        let folder = ModelFolder::open(path).map_err(|error| error.to_string())?;
        let weights = folder.weights(Component::UNet, Options::default()).map_err(|error| error.to_string())?;
        let precision = weights.formats().into_iter().next().map(|(format, _)| format);
        Ok(Self { role: None, family: Some(folder.family().to_string()), precision })
    }

    /// Returns which inputs of nodes take it, if any do.
    pub fn sort(&self) -> Option<FileSort> {
        Some(match self.role {
            None | Some(Role::Checkpoint | Role::UNet) => FileSort::Model,
            Some(Role::Vae) => FileSort::Vae,
            Some(Role::TextEncoder) => FileSort::TextEncoder,
            Some(Role::Lora) => FileSort::Lora,
            Some(Role::ControlNet) => FileSort::ControlNet,
            Some(Role::Upscaler) => FileSort::Upscaler,
            Some(Role::Embedding) => FileSort::Embedding,
            Some(Role::Unknown) => return None,
        })
    }

    /// Returns the word for what it is good for.
    pub fn role(&self) -> String {
        self.role.map_or_else(|| "folder".to_owned(), |role| role.to_string())
    }
}
