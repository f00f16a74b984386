//! The real nodes over temporary folders: what a person has, without the command line.

use std::path::{Path, PathBuf};

use darkroom_core::cache::Cache;
use darkroom_core::engine::{Engine, Report};
use darkroom_core::fault::Faults;
use darkroom_core::files::Files;
use darkroom_core::graph;
use darkroom_core::history::History;
use darkroom_core::observe::{Cancel, Observer};
use darkroom_core::plan::Wish;
use darkroom_core::residency::Ledger;
use darkroom_models::nn::{Compute, Mode};

/// Folders for input, output and cache below one home.
pub struct Studio {
    /// Where a graph's files are.
    pub input: PathBuf,
    /// Where pictures go.
    pub output: PathBuf,
    cache: PathBuf,
    history: PathBuf,
    mode: Mode,
    ram: u64,
}

impl Studio {
    /// Makes the folders below `home`; networks compute exactly, as those of the reference do.
    ///
    /// # Panics
    /// If a folder cannot be made.
    #[must_use]
    pub fn at(home: &Path) -> Self {
        let [input, output, cache, history] = ["input", "output", "cache", "history"].map(|name| home.join(name));
        for folder in [&input, &output] {
            std::fs::create_dir_all(folder).expect("a folder below a temporary one");
        }
        Self { input, output, cache, history, mode: Mode::Exact, ram: 8 << 30 }
    }

    /// Computes in another mode from here on.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Gives weights and scratch so many bytes from here on.
    #[must_use]
    pub fn with_ram(self, ram: u64) -> Self {
        Self { ram, ..self }
    }

    /// Opens an engine, as a new process would.
    ///
    /// # Panics
    /// If the cache cannot be opened.
    #[must_use]
    pub fn engine(&self) -> Engine {
        let files = Files::new(vec![self.input.clone()], self.output.clone());
        let cache = Cache::in_memory(1 << 28).with_disk(&self.cache, 1 << 30).expect("a folder below a temporary one");
        let history = History::open(&self.history, Path::new("workflow"));
        let host = darkroom_nodes::host(files, &Compute::new(self.mode));
        Engine::new(darkroom_nodes::registry(), host, cache, Ledger::new(self.ram), history)
    }

    /// Runs a workflow in a new engine.
    ///
    /// # Errors
    /// Everything that is wrong with the text or the run.
    pub fn run(&self, workflow: &str) -> Result<Report, Faults> {
        self.run_watched(workflow, &(), &Cancel::new())
    }

    /// Runs a workflow in a new engine under somebody's eyes.
    ///
    /// # Errors
    /// Everything that is wrong with the text or the run.
    pub fn run_watched(&self, workflow: &str, observer: &dyn Observer, cancel: &Cancel) -> Result<Report, Faults> {
        let loaded = graph::read(workflow)?;
        self.engine()
            .run(&loaded.graph, &Wish::default(), observer, cancel)
            .map_err(|faults| loaded.places.locate(faults))
    }

    /// Lists what lies in the output folder and below, sorted, as paths below it.
    #[must_use]
    pub fn saved(&self) -> Vec<String> {
        files_below(&self.output)
    }
}

/// Lists the files below a folder, sorted, as paths below it.
#[must_use]
pub fn files_below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    list(root, root, &mut found);
    found.sort();
    found
}

fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            list(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap_or(&path).display().to_string());
        }
    }
}

/// Writes the workflow of a picture by the built-in model; `denoise` and `save` take more fields.
#[must_use]
pub fn landscape(size: u32, denoise: &str, save: &str) -> String {
    format!(
        r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "mini"),
    "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "a lake at noon"),
    "blank": (type: "empty_latent", width: {size}, height: {size}),
    "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "blank"), {denoise}),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
    "save": (type: "save_image", image: (from: "decode"), {save}),
}})"#
    )
}
