//! Where models lie that a workflow does not bring along: the hub's cache, the user's own folder, and the folders of other
//! tools that `DARKROOM_MODELS` names.

use std::path::{Path, PathBuf};

use darkroom_core::fault::{Fault, FaultKind};
use darkroom_core::files::{Content, Files, Finder};
use darkroom_hub::fault::Offline;
use darkroom_hub::library::{self, Item, Library};
use darkroom_hub::shelf::Revision;
use darkroom_hub::{Address, Hub, HubFault, Kind, Settings, Shelf};

use crate::folders::Folders;

/// How addresses on the hub begin.
pub const HUB: &str = "hub://";

/// Makes a fault of the command line out of one of the hub.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands errors over by value")]
pub fn hub_fault(fault: HubFault) -> Fault {
    let kind = match fault.kind() {
        Kind::Asked => FaultKind::Graph,
        Kind::File => FaultKind::File,
        Kind::Space => FaultKind::Memory,
        Kind::Cancelled => return Fault::cancelled(),
    };
    let (message, hint) = (fault.to_string(), fault.hint());
    hint.into_iter().fold(Fault::new(kind, message), Fault::hint)
}

/// Makes a fault of the command line out of one of a library.
pub fn library_fault(fault: &library::Fault) -> Fault {
    let kind = match fault {
        library::Fault::Ambiguous { .. } => FaultKind::Graph,
        _ => FaultKind::File,
    };
    Fault::new(kind, fault.to_string()).hint(fault.hint())
}

/// Returns the user's models: those in `models` below the data folder, and those that `DARKROOM_MODELS` names.
///
/// # Errors
/// A fault of a list of folders.
pub fn library(folders: &Folders) -> Result<Library, Fault> {
    let mut library = Library::default();
    for root in named_roots().iter().chain([&folders.models]) {
        library.add(root).map_err(|fault| library_fault(&fault))?;
    }
    Ok(library)
}

/// Lists what `DARKROOM_MODELS` names.
pub fn named_roots() -> Vec<PathBuf> {
    let named = std::env::var_os("DARKROOM_MODELS").unwrap_or_default();
    std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// A model of the hub's cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What a workflow calls it.
    pub name: String,
    /// The file, or the folder of a pipeline.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Lists the models of the hub's cache that are all there: pipelines whole, and files of weights alone.
pub fn on_hub(settings: &Settings) -> Vec<Found> {
    let hub = Hub::new(settings.clone());
    let mut all = Vec::new();
    for cached in Shelf::new(settings).list() {
        for revision in &cached.revisions {
            let address = format!("{HUB}{}{}", cached.repo, reference(revision));
            for (name, bytes) in named(&address, &revision.files) {
                let path = name.parse::<Address>().and_then(|address| hub.find(&address));
                all.extend(path.ok().map(|path| Found { name, path, bytes }));
            }
        }
    }
    all
}

/// What a revision is called behind its repository: the branch that is meant without a name is not named.
fn reference(revision: &Revision) -> String {
    if revision.refs.iter().any(|name| name == "main") {
        return String::new();
    }
    let name = revision.refs.first().cloned().unwrap_or_else(|| revision.commit.clone());
    format!("@{}", name.replace('/', "%2F"))
}

/// The models of a revision: the whole pipeline, if it is one, or else each file of weights.
fn named(address: &str, files: &[(String, u64)]) -> Vec<(String, u64)> {
    if files.iter().any(|(file, _)| file == "model_index.json") {
        return vec![(address.to_owned(), files.iter().map(|(_, bytes)| bytes).sum())];
    }
    let weights = files.iter().filter(|(file, _)| is_weights(Path::new(file)));
    weights.map(|(file, bytes)| (format!("{address}/{file}"), *bytes)).collect()
}

/// Tells whether a file is one of weights, by its name.
pub fn is_weights(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "safetensors" || ending == "gguf")
}

/// Lets a workflow name models by their address, or by their name in the library, and finds what it is locked to.
///
/// # Errors
/// A fault of the environment.
pub fn with_shelves(files: Files, folders: &Folders, workflow: &Path) -> Result<Files, Fault> {
    with_hub(files, folders, workflow, Settings::from_environment().map_err(hub_fault)?)
}

/// The same, with settings of the hub that are known.
///
/// # Errors
/// A fault of a list of folders.
pub fn with_hub(files: Files, folders: &Folders, workflow: &Path, settings: Settings) -> Result<Files, Fault> {
    let (shelf, cache) = (Shelf::new(&settings), settings.cache.clone());
    let on_hub = OnHub { hub: Hub::new(settings), shelf, cache, workflow: workflow.to_owned() };
    Ok(files.with_finder(on_hub).with_finder(InLibrary(library(folders)?)))
}

#[derive(Debug)]
struct OnHub {
    hub: Hub,
    shelf: Shelf,
    cache: PathBuf,
    /// Who asks.
    workflow: PathBuf,
}

impl OnHub {
    fn found(&self, name: &str) -> Result<PathBuf, Fault> {
        self.hub.find(&name.parse().map_err(hub_fault)?).map_err(|fault| {
            let can_fetch = matches!(fault, HubFault::Offline { why: Offline::NotAsked, .. });
            let fault = hub_fault(fault);
            let way = format!("fetch all that it lacks with `darkroom models pull {}`", self.workflow.display());
            if can_fetch { fault.hint(format!("{way}, or run it with --pull")) } else { fault }
        })
    }
}

impl Finder for OnHub {
    fn find(&self, name: &str) -> Option<Result<PathBuf, Fault>> {
        name.starts_with(HUB).then(|| self.found(name))
    }

    fn candidates(&self, content: &Content) -> Vec<PathBuf> {
        match content.files {
            1 => self.shelf.files_of(content.bytes, &content.sha256.to_string()),
            _ => self.shelf.pipelines(),
        }
    }

    fn places(&self) -> Vec<String> {
        vec![self.cache.display().to_string()]
    }
}

#[derive(Debug)]
struct InLibrary(Library);

impl Finder for InLibrary {
    fn find(&self, name: &str) -> Option<Result<PathBuf, Fault>> {
        self.0.find(name).map_err(|fault| library_fault(&fault)).transpose()
    }

    fn candidates(&self, content: &Content) -> Vec<PathBuf> {
        let fits = |item: &Item| match item.kind {
            library::Kind::Diffusers => content.files > 1,
            _ => content.files == 1 && item.bytes == content.bytes,
        };
        // A folder that cannot be read has nothing to offer; `models ls` tells of it.
        self.0.list().unwrap_or_default().into_iter().filter(fits).map(|item| item.path).collect()
    }

    fn places(&self) -> Vec<String> {
        let mut folders: Vec<_> = self.0.places().iter().filter_map(|place| place.folder.parent()).collect();
        folders.dedup();
        folders.iter().map(|folder| folder.display().to_string()).collect()
    }
}
