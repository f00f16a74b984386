//! Nodes in the middle of their work, on disk: a killed run resumes from the last step that was kept.
//!
//! A checkpoint has the form of an entry with one output and lies in a folder of its own. It takes an eighth of the disk
//! budget at most, the newest first; what goes wrong costs only the comfort.

use std::fs::{self, File};

use super::disk::Disk;
use super::entry::{self, About, Draft, Wrong};
use crate::context::Checkpoints;
use crate::fingerprint::Fingerprint;
use crate::value::Record;

impl Checkpoints for Disk {
    fn load(&self, recipe: Fingerprint) -> Option<Record> {
        let path = self.folder.checkpoint(recipe);
        let read = File::open(&path).map_err(Wrong::from).and_then(|file| entry::read(&file, recipe));
        match read {
            Ok((_, records)) => records.into_iter().next(),
            Err(Wrong::Damaged(_)) => {
                self.forget(recipe);
                None
            }
            Err(Wrong::Io(_)) => None,
        }
    }

    fn save(&self, recipe: Fingerprint, record: &Record) {
        let about = About { recipe, label: "checkpoint".to_owned(), seconds: 0.0, outputs: 1 };
        let Some(draft) = Draft::new(&about, vec![record.clone()]) else { return };
        if !self.trim_checkpoints(draft.bytes()) {
            return;
        }
        if let Some(_room) = self.make_room(draft.bytes()) {
            let _ = self.publish(draft, &self.folder.checkpoint(recipe), self.clock() as i64);
            self.count_beside();
        }
    }

    fn forget(&self, recipe: Fingerprint) {
        if fs::remove_file(self.folder.checkpoint(recipe)).is_ok() {
            self.count_beside();
        }
    }
}
