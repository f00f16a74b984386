//! Half-done work, kept in memory for as long as a run lasts: a node that is tried again goes on where it was, without a
//! cache on disk too.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use crate::context::Checkpoints;
use crate::fingerprint::Fingerprint;
use crate::value::Record;

/// Half-done work of one run.
#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<Fingerprint, Record>>);

impl Kept {
    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Record>> {
        self.0.lock().expect("no thread panics while it keeps a record")
    }
}

impl Checkpoints for Kept {
    fn load(&self, recipe: Fingerprint) -> Option<Record> {
        self.lock().get(&recipe).cloned()
    }

    fn save(&self, recipe: Fingerprint, record: &Record) {
        self.lock().insert(recipe, record.clone());
    }

    fn forget(&self, recipe: Fingerprint) {
        self.lock().remove(&recipe);
    }
}
