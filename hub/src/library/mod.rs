//! Model files that are on the disk already: folders laid out as ComfyUI does, its `extra_model_paths.yaml`, and plain
//! folders of models.
//!
//! A library is a list of places; a place is a folder that holds models of one [`Kind`]. A model is called by its path below
//! its place (`sd_xl_base_1.0.safetensors`, `styles/ink.safetensors`), or with the kind before it where two places hold the
//! same name (`loras/ink.safetensors`).

mod comfyui;
mod walk;

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What kind of model a folder holds. ComfyUI's categories, as far as this program reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Whole models in one file.
    Checkpoint,
    /// Whole models as folders of components.
    Diffusers,
    /// Denoisers alone.
    DiffusionModel,
    /// Text encoders alone.
    TextEncoder,
    /// Autoencoders alone.
    Vae,
    /// Small changes to a model.
    Lora,
    /// Words learned from pictures.
    Embedding,
    /// Networks that steer by a picture.
    ControlNet,
    /// Upscalers.
    Upscaler,
}

impl Kind {
    /// All kinds, in the order in which a name without a kind is looked for.
    pub const ALL: [Kind; 9] = [
        Kind::Checkpoint,
        Kind::Diffusers,
        Kind::DiffusionModel,
        Kind::TextEncoder,
        Kind::Vae,
        Kind::Lora,
        Kind::Embedding,
        Kind::ControlNet,
        Kind::Upscaler,
    ];

    /// Returns the names of its folder, the usual one first; the others are ComfyUI's older ones.
    pub fn folders(self) -> &'static [&'static str] {
        match self {
            Kind::Checkpoint => &["checkpoints"],
            Kind::Diffusers => &["diffusers"],
            Kind::DiffusionModel => &["diffusion_models", "unet"],
            Kind::TextEncoder => &["text_encoders", "clip"],
            Kind::Vae => &["vae"],
            Kind::Lora => &["loras"],
            Kind::Embedding => &["embeddings"],
            Kind::ControlNet => &["controlnet"],
            Kind::Upscaler => &["upscale_models"],
        }
    }

    /// Returns the kind whose folder has this name.
    pub fn of_folder(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folders().contains(&name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folders()[0])
    }
}

/// A folder that holds models of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it holds.
    pub kind: Kind,
    /// Where it is.
    pub folder: PathBuf,
}

/// A model of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its kind, as its folder says.
    pub kind: Kind,
    /// Its path below its place, with `/` between the parts.
    pub name: String,
    /// The file, or the folder of a model in several files.
    pub path: PathBuf,
    /// Its size; of a folder, that of all its files.
    pub bytes: u64,
}

/// What can be wrong with a library.
#[derive(Debug, Error)]
pub enum Fault {
    /// A place cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A list of places is not what it should be.
    #[error("`{}` is no list of model folders: {what}", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A name that several models have.
    #[error("`{name}` is the name of several models: {all}")]
    Ambiguous {
        /// The name.
        name: String,
        /// Their names with their kinds before.
        all: String,
    },
}

impl Fault {
    /// Returns the way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Fault::Io { .. } => "name a folder of models that can be read",
            Fault::List { .. } => "write it as ComfyUI's `extra_model_paths.yaml`",
            Fault::Ambiguous { .. } => "name the one with its kind before it",
        }
    }
}

/// The places where models lie.
#[derive(Debug, Clone, Default)]
pub struct Library {
    places: Vec<Place>,
}

impl Library {
    /// Adds a folder of models, a ComfyUI installation, or a list of folders in the form of `extra_model_paths.yaml`.
    /// A folder that is not there yet holds nothing.
    ///
    /// # Errors
    /// A fault of the list.
    pub fn add(&mut self, root: &Path) -> Result<(), Fault> {
        let is_list = root.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let found = if is_list { comfyui::places_of_list(root)? } else { comfyui::places_below(root)? };
        for place in found {
            if !self.places.contains(&place) {
                self.places.push(place);
            }
        }
        Ok(())
    }

    /// Returns the places, in the order in which they are asked.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Finds the model of a name: its path below its place, with or without the kind before it.
    ///
    /// # Errors
    /// [`Fault::Ambiguous`] if several kinds have a model of that name.
    pub fn find(&self, name: &str) -> Result<Option<PathBuf>, Fault> {
        if !walk::is_below(name) {
            return Ok(None);
        }
        let of_kind = name.split_once('/').and_then(|(kind, rest)| self.find_of_kind(Kind::of_folder(kind)?, rest));
        if of_kind.is_some() {
            return Ok(of_kind);
        }
        let found = Kind::ALL.into_iter().filter_map(|kind| Some((kind, self.find_of_kind(kind, name)?)));
        let found: Vec<_> = found.collect();
        match &found[..] {
            [] => Ok(None),
            [(_, only)] => Ok(Some(only.clone())),
            several => {
                let all: Vec<_> = several.iter().map(|(kind, _)| format!("`{kind}/{name}`")).collect();
                Err(Fault::Ambiguous { name: name.to_owned(), all: all.join(", ") })
            }
        }
    }

    fn find_of_kind(&self, kind: Kind, name: &str) -> Option<PathBuf> {
        let of_kind = self.places.iter().filter(|place| place.kind == kind);
        of_kind.map(|place| place.folder.join(name)).find(|path| path.exists())
    }

    /// Lists all models, by kind and name. A place that is not there holds none.
    ///
    /// # Errors
    /// A fault of a folder that cannot be read.
    pub fn list(&self) -> Result<Vec<Item>, Fault> {
        let mut items = Vec::new();
        for place in &self.places {
            walk::models(place, &mut items)?;
        }
        items.sort_by(|a, b| (a.kind, &a.name, &a.path).cmp(&(b.kind, &b.name, &b.path)));
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(root: &Path, name: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
        fs::write(path, name).expect("a file");
    }

    fn listed(library: &Library) -> Vec<String> {
        let items = library.list().expect("readable");
        items.iter().map(|item| format!("{}: {} ({})", item.kind, item.name, item.bytes)).collect()
    }

    #[test]
    fn a_comfyui_installation_is_listed_by_kind() {
        let home = tempfile::tempdir().expect("a folder");
        for name in [
            "models/checkpoints/xl/base.safetensors",
            "models/checkpoints/put_checkpoints_here",
            "models/loras/ink.safetensors",
            "models/unet/flux.gguf",
            "models/upscale_models/4x.pth",
            "models/diffusers/tiny/model_index.json",
            "models/diffusers/tiny/unet/config.json",
            "models/gligen/other.safetensors",
        ] {
            write(home.path(), name);
        }
        let mut library = Library::default();
        library.add(home.path()).expect("a folder");
        library.add(&home.path().join("models")).expect("the same folder");
        let expected = [
            "checkpoints: xl/base.safetensors (38)",
            "diffusers: tiny (76)",
            "diffusion_models: flux.gguf (21)",
            "loras: ink.safetensors (28)",
            "upscale_models: 4x.pth (28)",
        ];
        assert_eq!(listed(&library), expected);
    }

    #[test]
    fn a_name_is_found_below_its_place_and_a_double_one_wants_its_kind() {
        let home = tempfile::tempdir().expect("a folder");
        for name in ["checkpoints/a.safetensors", "vae/a.safetensors", "loras/sub/b.safetensors"] {
            write(home.path(), name);
        }
        write(home.path(), "secret.safetensors");
        let mut library = Library::default();
        library.add(home.path()).expect("a folder");
        let find = |name: &str| library.find(name).map(|found| found.map(|path| path.display().to_string()));
        assert!(find("loras/sub/b.safetensors").expect("one").expect("there").ends_with("loras/sub/b.safetensors"));
        assert!(find("sub/b.safetensors").expect("one").is_some());
        assert!(find("vae/a.safetensors").expect("one").expect("there").ends_with("vae/a.safetensors"));
        let fault = find("a.safetensors").expect_err("two").to_string();
        assert!(fault.contains("`checkpoints/a.safetensors`, `vae/a.safetensors`"), "{fault}");
        for name in ["../secret.safetensors", "/etc/passwd", "", "c.safetensors", "loras/../../secret.safetensors"] {
            assert_eq!(find(name).expect("nothing"), None, "{name}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_holds_nothing() {
        let mut library = Library::default();
        library.add(Path::new("/no/such/folder")).expect("nothing is wrong with it");
        assert_eq!(listed(&library), Vec::<String>::new());
    }
}
