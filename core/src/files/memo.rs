//! The memory of digests: each large file is read once per machine, as long as it does not change.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::content::Sha256;
use super::write_aside;
use crate::fault::Fault;
use crate::fingerprint::Fingerprint;

/// By what a file is recognised as unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub bytes: u64,
    pub changed_ns: u128,
}

impl Stamp {
    pub fn of(path: &Path) -> Result<Self, Fault> {
        let about = fs::metadata(path).map_err(|error| Fault::io("read", path, &error))?;
        let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Self { bytes: about.len(), changed_ns: changed.map_or(0, |time| time.as_nanos()) })
    }
}

/// What is known of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digests {
    /// By which results are named.
    pub name: Fingerprint,
    /// By which others know it, once somebody has asked.
    pub sha256: Option<Sha256>,
}

/// Digests already computed, by path.
#[derive(Debug, Default)]
pub(super) struct Memo {
    path: Option<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    digests: HashMap<PathBuf, (Stamp, Digests)>,
    changed: bool,
}

impl Memo {
    /// Reads the memo; one that is missing or damaged is an empty one.
    pub fn load(path: PathBuf) -> Self {
        let digests = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path: Some(path), known: Mutex::new(Known { digests, changed: false }) }
    }

    pub fn get(&self, path: &Path, stamp: &Stamp) -> Option<Digests> {
        self.known().digests.get(path).filter(|(known, _)| known == stamp).map(|(_, digests)| *digests)
    }

    pub fn put(&self, path: &Path, stamp: Stamp, digests: Digests) {
        let mut known = self.known();
        known.digests.insert(path.to_owned(), (stamp, digests));
        known.changed = true;
    }

    pub fn save(&self) -> Result<(), Fault> {
        let mut known = self.known();
        let Some(path) = self.path.as_ref().filter(|_| known.changed) else { return Ok(()) };
        let text = serde_json::to_vec(&known.digests).expect("paths and numbers are always valid JSON");
        write_aside(path, &text)?;
        known.changed = false;
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no thread panics while it holds the memo")
    }
}
