//! What each node of a workflow was made of when it last had a result. It answers "why does this run again?" and "how
//! long will it take?", and nothing depends on it: a lost history costs only the answers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::files::write_aside;
use crate::fingerprint::Fingerprint;

/// The last results of one workflow, by node.
#[derive(Debug, Default)]
pub struct History {
    path: Option<PathBuf>,
    nodes: HashMap<String, Past>,
    changed: bool,
}

/// What a node's last result was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The recipe's name.
    pub recipe: Fingerprint,
    /// The node's type.
    pub kind: String,
    /// Its version.
    pub version: u32,
    /// The arithmetic of the machine, for nodes that compute.
    pub numerics: String,
    /// The name of what stood at each input.
    pub inputs: Vec<(String, Fingerprint)>,
    /// Seconds it took when it last ran.
    pub seconds: Option<f64>,
    /// Memory that it took when it last ran; files of earlier versions do not tell.
    #[serde(default)]
    pub memory: Option<Measured>,
}

/// The most bytes that were in memory at once while a node ran: what other nodes keep there for later included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The recipe that it ran by.
    pub recipe: Fingerprint,
    /// What was planned: weights, scratch and values.
    pub planned: u64,
    /// What the account of memory gave out: weights and scratch.
    pub booked: u64,
    /// What the process held beyond what it had held in no account when the run began, where the system tells.
    pub held: Option<u64>,
}

impl History {
    /// Remembers nothing beyond this process.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Opens the history of a workflow file below a folder. One that is missing or damaged is an empty one.
    pub fn open(folder: &Path, workflow: &Path) -> Self {
        let name = Fingerprint::of_bytes(workflow.as_os_str().as_encoded_bytes());
        let path = folder.join(format!("{name}.json"));
        let nodes = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path: Some(path), nodes, changed: false }
    }

    /// Returns a node's last result.
    pub fn past(&self, node: &str) -> Option<&Past> {
        self.nodes.get(node)
    }

    /// Notes a node's result; keeps what was measured when it last ran, if it was not run again.
    pub fn note(&mut self, node: &str, mut past: Past) {
        if let Some(before) = self.nodes.get(node).filter(|before| before.kind == past.kind) {
            past.seconds = past.seconds.or(before.seconds);
            past.memory = past.memory.or(before.memory);
        }
        self.changed |= self.nodes.get(node) != Some(&past);
        self.nodes.insert(node.to_owned(), past);
    }

    /// Writes the history down, if it has a file and something changed.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn save(&mut self) -> Result<(), Fault> {
        let Some(path) = self.path.as_ref().filter(|_| self.changed) else { return Ok(()) };
        let text = serde_json::to_vec(&self.nodes).expect("names and numbers are always valid JSON");
        write_aside(path, &text)?;
        self.changed = false;
        Ok(())
    }
}
