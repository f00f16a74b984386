//! The models that the editor lists and fetches: the user's own, those of the hub's cache, and those beside the workflow.

use std::path::{Path, PathBuf};

use darkroom_core::fault::Fault;
use darkroom_core::observe::Cancel;
use darkroom_core::spec::FileSort;
use darkroom_editor::session::{Model, Store};
use darkroom_hub::library::{Item, Kind};
use darkroom_hub::{Address, Event, Hub, Settings, Tuning, Watch};
use darkroom_models::nn::Compute;

use crate::about::About;
use crate::folders::Folders;
use crate::shelves::{Found, HUB, hub_fault, is_weights, library, library_fault, on_hub};
use crate::{compose, job};

/// So deep below a folder that a workflow may read are models looked for.
const DEEPEST: usize = 3;
/// So many entries of such a folder are looked at: it may be a whole disk.
const MOST_ENTRIES: usize = 5000;

/// All places where models lie.
pub struct Shelves {
    folders: Folders,
    allow: Vec<PathBuf>,
    settings: Settings,
    tuning: Tuning,
    compute: Compute,
}

impl Shelves {
    /// Looks at the places that the environment names.
    ///
    /// # Errors
    /// A fault of the environment.
    pub fn new(folders: Folders, allow: Vec<PathBuf>, compute: Compute) -> Result<Self, Fault> {
        let settings = Settings::from_environment().map_err(hub_fault)?;
        Ok(Self { folders, allow, settings, tuning: Tuning::default(), compute })
    }

    fn hub(&self) -> Hub {
        Hub::new(self.settings.clone()).with(self.tuning.clone())
    }

    /// The models of the user's own folders.
    fn own(&self) -> Result<Vec<Model>, Fault> {
        let items = library(&self.folders)?.list().map_err(|fault| library_fault(&fault))?;
        let one = |Item { kind, name, path, bytes }: Item| {
            self.model(format!("{kind}/{name}"), &path, bytes, Some(sort(kind)))
        };
        Ok(items.into_iter().map(one).collect())
    }

    /// The models of the hub's cache: pipelines whole, and files of weights alone.
    fn of_hub(&self) -> Vec<Model> {
        let found = on_hub(&self.settings).into_iter();
        found.map(|Found { name, path, bytes }| self.model(name, &path, bytes, None)).collect()
    }

    /// The models in the folders that a workflow may read, by their names below them.
    fn beside(&self, workflow: Option<&Path>) -> Result<Vec<Model>, Fault> {
        let roots = job::roots(workflow.unwrap_or(Path::new("untitled.ron")), &self.allow)?;
        let mut all = Vec::new();
        for (index, root) in roots.iter().enumerate() {
            let mut left = MOST_ENTRIES;
            for path in walk(root, DEEPEST, &mut left) {
                // Only what lies below the workflow's own folder is called by the way there.
                let near = path.strip_prefix(root).ok().filter(|_| index == 0).unwrap_or(&path);
                let bytes = size(&path);
                all.push(self.model(near.to_string_lossy().into_owned(), &path, bytes, None));
            }
        }
        Ok(all)
    }

    /// Describes a model. What its header does not tell, the folder does that it lies in.
    fn model(&self, name: String, path: &Path, bytes: u64, lies_in: Option<FileSort>) -> Model {
        match About::of(path) {
            Ok(about) => {
                let sort = about.sort().or(lies_in);
                let needs = sort.and_then(|sort| compose::needs(path, sort, &self.compute).ok());
                Model { name, sort, family: about.family, precision: about.precision, bytes, needs, fault: None }
            }
            Err(fault) => {
                Model { name, sort: lies_in, family: None, precision: None, bytes, needs: None, fault: Some(fault) }
            }
        }
    }
}

/// Lists files of weights and folders of whole models.
fn walk(folder: &Path, deep: usize, left: &mut usize) -> Vec<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().take(*left).collect();
    *left -= entries.len();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let (path, hidden) = (entry.path(), entry.file_name().to_string_lossy().starts_with('.'));
        // A link to a folder is not entered: it may lead in a circle.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if path.join("model_index.json").is_file() || (!path.is_dir() && is_weights(&path)) {
            found.push(path);
        } else if is_folder && !hidden && deep > 0 {
            found.extend(walk(&path, deep - 1, left));
        }
    }
    found
}

/// The bytes of a file, or of all files of a folder and its folders.
fn size(path: &Path) -> u64 {
    if !path.is_dir() {
        return path.metadata().map_or(0, |about| about.len());
    }
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum()
}

fn sort(kind: Kind) -> FileSort {
    match kind {
        Kind::Checkpoint | Kind::Diffusers | Kind::DiffusionModel => FileSort::Model,
        Kind::TextEncoder => FileSort::TextEncoder,
        Kind::Vae => FileSort::Vae,
        Kind::Lora => FileSort::Lora,
        Kind::Embedding => FileSort::Embedding,
        Kind::ControlNet => FileSort::ControlNet,
        Kind::Upscaler => FileSort::Upscaler,
    }
}

/// Passes on how far a pull is.
struct Passing<'p> {
    watch: &'p (dyn Fn(u64, u64, f64) + Sync),
    cancel: &'p Cancel,
}

impl Watch for Passing<'_> {
    fn see(&self, event: &Event<'_>) {
        if let Event::Progress { pace, .. } = event {
            (self.watch)(pace.done, pace.of, pace.bytes_per_sec);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_asked()
    }
}

impl Store for Shelves {
    fn list(&self, workflow: Option<&Path>) -> Result<Vec<Model>, Fault> {
        let mut all = self.own()?;
        all.extend(self.of_hub());
        all.extend(self.beside(workflow)?);
        Ok(all)
    }

    fn can_pull(&self, name: &str) -> bool {
        name.starts_with(HUB) && name.parse::<Address>().is_ok()
    }

    fn pull(&self, name: &str, watch: &(dyn Fn(u64, u64, f64) + Sync), cancel: &Cancel) -> Result<(), Fault> {
        let address: Address = name.parse().map_err(hub_fault)?;
        let pulled = self.hub().pull(&address, &Passing { watch, cancel });
        pulled.map(drop).map_err(hub_fault)
    }
}

#[cfg(test)]
mod tests;
