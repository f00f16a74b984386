//! Puts the program together: which nodes there are, on which machine. The only place that sees all crates.

use std::path::Path;
use std::sync::Arc;

use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::fault::Fault;
use darkroom_core::files::{Files, Piece};
use darkroom_core::history::History;
use darkroom_core::host::Host;
use darkroom_core::registry::Registry;
use darkroom_core::residency::Ledger;
use darkroom_core::spec::FileSort;
use darkroom_models::Weights;
use darkroom_models::nn::Compute;
use darkroom_nodes::Devices;
use darkroom_nodes::pictures::parameters::Parameters;
pub use darkroom_nodes::pictures::picture_file::Making;

/// Returns the nodes there are.
pub fn registry() -> Registry {
    darkroom_nodes::registry()
}

/// Returns the machine, over the files that may be touched; networks compute as `devices` say.
pub fn host(files: Files, devices: impl Into<Devices>) -> Host {
    darkroom_nodes::host(files, devices)
}

/// Lists the files of a model, each with its part, as a lock takes them.
///
/// # Errors
/// A fault of the files.
pub fn pieces(model: &Path) -> Result<Vec<Piece>, Fault> {
    darkroom_nodes::models::pieces(model)
}

/// Returns the bytes of memory that a model needs at a time, as plans count them.
///
/// # Errors
/// A fault of the files.
pub fn needs(model: &Path, sort: FileSort, compute: &Compute) -> Result<u64, Fault> {
    match sort {
        FileSort::Model => darkroom_nodes::models::largest_part(model, compute),
        _ => Weights::open(model)
            .map(|weights| weights.with_compute(compute.clone()).loaded_bytes())
            .map_err(|error| Fault::file(error.to_string())),
    }
}

/// Returns what a picture says of its making.
///
/// # Errors
/// A fault of the file.
pub fn making(path: &Path) -> Result<Making, Fault> {
    darkroom_nodes::pictures::picture_file::making(path)
}

/// Makes a workflow of A1111's words, and says what could not be carried over.
pub fn workflow_of_parameters(text: &str) -> (String, Vec<String>) {
    darkroom_nodes::pictures::parameters::workflow(&Parameters::parse(text), &registry())
}

/// Returns an engine over all of this, on a machine.
pub fn engine(host: Host, cache: Cache, ledger: Arc<Ledger>, history: History) -> Engine {
    Engine::new(registry(), host, cache, ledger, history)
}
