//! Looking after the folder: what a person asks for (list, collect, verify, clear), and what lies beside the entries.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::disk::Disk;
use super::entry::{self, Wrong};
use super::folder::{Found, files_in, set_rank};
use super::gone::Gone;
use super::worth::last_used;
use super::{Cleared, Collected, Damage, Entry, Tier, Verified};
use crate::fault::Fault;
use crate::fingerprint::Fingerprint;

/// Damaged files kept for a look.
const QUARANTINED: usize = 16;
/// Uses of entries after which nobody is expected to come back for a checkpoint.
const CHECKPOINT_AGE: i64 = 1 << 14;

impl Disk {
    pub fn list(&self) -> Vec<Entry> {
        let entry = |(recipe, found): (Fingerprint, Found)| {
            let about = File::open(&found.path).map_err(Wrong::from).and_then(|file| entry::read_about(&file)).ok()?;
            let last_used = last_used(found.rank, about.seconds, found.bytes);
            let (label, seconds) = (about.label, about.seconds);
            Some(Entry { recipe, label, bytes: found.bytes, seconds, last_used, tier: Tier::Disk })
        };
        self.folder.unsorted_entries().into_iter().filter_map(entry).collect()
    }

    pub fn collect(&self) -> Result<Collected, Fault> {
        let _lock = self.lock()?;
        let swept = self.folder.sweep();
        self.trim_checkpoints(0);
        self.books().look(&self.folder);
        let (evicted, bytes) = self.evict(self.budget);
        self.memories.note(&evicted, Gone::EvictedForRoom);
        Ok(Collected { entries: evicted.len(), bytes: bytes + swept })
    }

    pub fn verify(&self) -> Verified {
        let mut verified = Verified::default();
        let mut entries = self.folder.unsorted_entries();
        entries.sort_by_key(|(recipe, _)| *recipe);
        for (recipe, found) in entries {
            match File::open(&found.path).map_err(Wrong::from).and_then(|file| entry::read(&file, recipe)) {
                Ok(_) => verified.good += 1,
                Err(Wrong::Damaged(why)) => {
                    verified.damaged.push(Damage { recipe, why, kept_at: self.quarantine(recipe) });
                }
                Err(Wrong::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(Wrong::Io(error)) => verified.unreadable.push(Fault::io("read", &found.path, &error).message),
            }
        }
        verified
    }

    pub fn clear(&self) -> Result<Cleared, Fault> {
        let _lock = self.lock()?;
        let (mut cleared, mut names) = (Cleared::default(), Vec::new());
        cleared.bytes += self.folder.sweep();
        for (recipe, found) in self.folder.unsorted_entries() {
            if self.remove(recipe) {
                cleared.bytes += found.bytes;
                names.push(recipe);
            } else {
                cleared.leased += 1;
            }
        }
        for folder in ["checkpoints", "quarantine"] {
            cleared.bytes += trim(&self.folder.at(folder), 0, 0, i64::MAX);
        }
        cleared.entries = names.len();
        self.memories.note(&names, Gone::Cleared);
        self.books().look(&self.folder);
        Ok(cleared)
    }

    /// Removes an entry, unless it is leased; tells whether it is gone.
    pub fn remove_one(&self, recipe: Fingerprint) -> Result<bool, Fault> {
        let _lock = self.lock()?;
        let gone = self.remove(recipe);
        if gone {
            self.books().shelf.remove(recipe);
        }
        Ok(gone)
    }

    /// Sets a damaged entry aside, and returns where it is kept for a look.
    pub fn quarantine(&self, recipe: Fingerprint) -> Option<PathBuf> {
        self.damaged.fetch_add(1, Ordering::Relaxed);
        self.memories.note(&[recipe], Gone::Damaged);
        let path = self.folder.entry(recipe);
        let aside = path.file_name().map(|name| self.folder.at("quarantine").join(name))?;
        let small = fs::metadata(&path).is_ok_and(|about| about.len() <= self.budget / 16);
        let kept = small && fs::rename(&path, &aside).is_ok();
        if !kept {
            let _ = fs::remove_file(&path);
        }
        let mut books = self.books();
        books.shelf.remove(recipe);
        if kept && let Ok(file) = File::open(&aside) {
            let _ = set_rank(&file, books.clock as i64);
        }
        trim(&self.folder.at("quarantine"), QUARANTINED, self.budget / 16, i64::MIN);
        books.count_beside(&self.folder);
        kept.then_some(aside)
    }

    /// Lets go of the oldest checkpoints until those left and `need` bytes more fit their share of the budget.
    pub fn trim_checkpoints(&self, need: u64) -> bool {
        let Some(target) = (self.budget / 8).checked_sub(need) else { return false };
        let mut books = self.books();
        let oldest = books.clock as i64 - CHECKPOINT_AGE;
        trim(&self.folder.at("checkpoints"), usize::MAX, target, oldest);
        books.count_beside(&self.folder);
        true
    }

    fn lock(&self) -> Result<File, Fault> {
        let path = self.folder.at("lock");
        let lock = self.folder.lock().map_err(|error| Fault::io("lock", &path, &error))?;
        lock.ok_or_else(|| {
            Fault::file(format!("another process holds `{}`", path.display())).hint("try again in a moment")
        })
    }
}

/// Removes files, the lowest rank first: all below `oldest`, and until no more than `files` and `bytes` are left.
/// Returns the bytes removed.
fn trim(folder: &Path, files: usize, bytes: u64, oldest: i64) -> u64 {
    let mut found = files_in(folder);
    found.sort_by_key(|found| found.rank);
    let (mut left, mut left_bytes) = (found.len(), found.iter().map(|found| found.bytes).sum::<u64>());
    let mut removed = 0;
    for found in found {
        if left <= files && left_bytes <= bytes && found.rank >= oldest {
            break;
        }
        if fs::remove_file(&found.path).is_ok() {
            removed += found.bytes;
        }
        (left, left_bytes) = (left - 1, left_bytes - found.bytes);
    }
    removed
}
