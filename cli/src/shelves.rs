//! Where models lie that a workflow does not bring along: the hub's cache, the user's own folder, and the folders of other
//! tools that `DARKROOM_MODELS` names.

use std::path::PathBuf;

use darkroom_core::fault::{Fault, FaultKind};
use darkroom_core::files::{Files, Finder};
use darkroom_hub::library::{self, Library};
use darkroom_hub::{Hub, HubFault, Kind, Settings};

use crate::folders::Folders;

/// How addresses on the hub begin.
const HUB: &str = "hub://";

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
    let named = std::env::var_os("DARKROOM_MODELS").unwrap_or_default();
    let named = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty());
    for root in named.chain([folders.models.clone()]) {
        library.add(&root).map_err(|fault| library_fault(&fault))?;
    }
    Ok(library)
}

/// Lets a workflow name models by their address, or by their name in the library.
///
/// # Errors
/// A fault of the environment.
pub fn with_shelves(files: Files, folders: &Folders) -> Result<Files, Fault> {
    let settings = Settings::from_environment().map_err(hub_fault)?;
    Ok(files.with_finder(OnHub(Hub::new(settings))).with_finder(InLibrary(library(folders)?)))
}

#[derive(Debug)]
struct OnHub(Hub);

impl Finder for OnHub {
    fn find(&self, name: &str) -> Option<Result<PathBuf, Fault>> {
        name.starts_with(HUB).then(|| self.0.find(&name.parse().map_err(hub_fault)?).map_err(hub_fault))
    }
}

#[derive(Debug)]
struct InLibrary(Library);

impl Finder for InLibrary {
    fn find(&self, name: &str) -> Option<Result<PathBuf, Fault>> {
        self.0.find(name).map_err(|fault| library_fault(&fault)).transpose()
    }
}
