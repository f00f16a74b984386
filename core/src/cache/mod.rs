//! The cache: results of earlier runs under the names of their recipes, in memory and on disk.
//!
//! An entry is all outputs of one run of a node. It lies in the memory tier as it is, and in the disk tier as a file if
//! all of it can be written down. Both tiers keep a budget of bytes; whoever saves the fewest seconds per byte goes
//! first, and worth ages (`worth`). Several processes may share a folder (`folder` has the protocol), and nothing
//! read from it is believed before its digest is checked (`entry`). A cache must never change a picture, only the wait.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;

use crate::context::Checkpoints;
use crate::fault::Fault;
use crate::fingerprint::Fingerprint;
use crate::spec::Output;
use crate::value::Value;

mod at_hand;
mod books;
mod care;
mod checkpoints;
mod disk;
mod entry;
mod folder;
mod gone;
mod lease;
mod memory;
mod worth;

pub use at_hand::AtHand;
use at_hand::Hands;
use disk::Disk;
pub use gone::Gone;
use gone::Memories;
pub use lease::Lease;
use memory::Memory;

/// Where an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// In this process.
    Memory,
    /// In a file.
    Disk,
}

/// An entry in a listing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its name.
    pub recipe: Fingerprint,
    /// The type of the node that made it.
    pub label: String,
    /// What it takes of its tier's budget.
    pub bytes: u64,
    /// What it took to make.
    pub seconds: f64,
    /// When it was last used, counted in uses of its tier, never in hours.
    pub last_used: u64,
    /// Where it lies; an entry in both tiers is listed once, in memory.
    pub tier: Tier,
}

/// How full the cache is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Bytes that may lie in memory.
    pub memory_budget: u64,
    /// Entries in memory.
    pub memory_entries: usize,
    /// Bytes on disk, with checkpoints and quarantine.
    pub disk_bytes: u64,
    /// Bytes that may lie on disk.
    pub disk_budget: u64,
    /// Entries on disk.
    pub disk_entries: usize,
    /// Damaged entries that this process met and set aside.
    pub quarantined: u64,
    /// Results that this process could not write to disk.
    pub unwritten: u64,
}

/// What collecting removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Entries evicted.
    pub entries: usize,
    /// Bytes freed, with what dead processes had left.
    pub bytes: u64,
}

/// What a look at every file of the disk tier found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Entries that are what they say.
    pub good: usize,
    /// Entries that are not, and were set aside.
    pub damaged: Vec<Damage>,
    /// Why others could not be read.
    pub unreadable: Vec<String>,
}

/// A damaged entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The name it had.
    pub recipe: Fingerprint,
    /// What is wrong with it.
    pub why: String,
    /// Where it is kept for a look, unless it was too large for that.
    pub kept_at: Option<PathBuf>,
}

/// What clearing removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cleared {
    /// Entries removed.
    pub entries: usize,
    /// Bytes freed.
    pub bytes: u64,
    /// Entries that stay, since a running job counts on them.
    pub leased: usize,
}

/// Results of earlier runs. Every method may be called from any thread.
pub struct Cache {
    memory: Mutex<Memory>,
    hands: Hands,
    disk: Option<Disk>,
    memories: Arc<Memories>,
    unwritten: AtomicU64,
    warned: AtomicBool,
}

impl Cache {
    /// Makes an empty cache in memory, of at most so many bytes.
    pub fn in_memory(budget: u64) -> Self {
        Self {
            memory: Mutex::new(Memory::new(budget)),
            hands: Hands::default(),
            disk: None,
            memories: Arc::default(),
            unwritten: AtomicU64::new(0),
            warned: AtomicBool::new(false),
        }
    }

    /// Adds a tier on disk: opens the folder or makes it, and removes what dead processes left half-written.
    ///
    /// # Errors
    /// A fault of the folder: it cannot be made or written.
    pub fn with_disk(mut self, folder: &Path, budget: u64) -> Result<Self, Fault> {
        let disk = Disk::open(folder, budget)?;
        self.memories = Arc::clone(&disk.memories);
        self.disk = Some(disk);
        Ok(self)
    }

    /// Tells whether there is a tier on disk: storing and loading may then take long.
    pub fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Tells where an entry lies, without reading it. Entries of other processes are seen.
    pub fn find(&self, recipe: Fingerprint) -> Option<Tier> {
        if self.memory().has(recipe) || self.hands.has(recipe) {
            return Some(Tier::Memory);
        }
        self.disk.as_ref().filter(|disk| disk.has(recipe)).map(|_| Tier::Disk)
    }

    /// Keeps an entry of the disk tier from being evicted, by this process or another, while a job counts on it;
    /// `None` if it is not on disk.
    pub fn lease(&self, recipe: Fingerprint) -> Option<Lease> {
        self.disk.as_ref()?.lease(recipe)
    }

    /// Returns the outputs of a run: from memory, else from disk, checked. What is damaged is set aside and missed.
    pub fn load(&self, recipe: Fingerprint, outputs: &[Output]) -> Option<Vec<Value>> {
        if let Some(values) = self.recall(recipe) {
            return Some(values);
        }
        let (about, values) = self.disk.as_ref()?.load(recipe, outputs)?;
        self.remember(recipe, &about.label, &values, about.seconds);
        Some(values)
    }

    /// Returns the outputs of a run if they are in memory.
    pub fn recall(&self, recipe: Fingerprint) -> Option<Vec<Value>> {
        let kept = self.memory().get(recipe);
        kept.or_else(|| self.hands.get(recipe))
    }

    /// Tells whether an entry is on disk.
    pub fn is_on_disk(&self, recipe: Fingerprint) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.has(recipe))
    }

    /// Counts values as kept in memory, beside any budget, for as long as what is returned lives: a run has them in its
    /// hands anyway.
    pub fn at_hand(&self, all: impl IntoIterator<Item = (Fingerprint, Vec<Value>)>) -> AtHand {
        self.hands.take(all)
    }

    /// Lets go of the memory tier but for these entries.
    pub fn let_go(&self, keep: &HashSet<Fingerprint>) {
        // Large values are dropped with the lock already given back.
        let out = self.memory().let_go(keep);
        self.note_evicted(out.iter().map(|(recipe, _)| *recipe));
    }

    /// Lets go of models: they are opened again at no cost, and hold on to their files as long as they are there.
    pub fn let_go_of_models(&self) {
        let out = self.memory().let_go_of_models();
        self.note_evicted(out.iter().map(|(recipe, _)| *recipe));
    }

    /// Keeps the outputs of a run of a node of the type `label`, which took so many seconds. Returns what a person
    /// should know: that the disk cannot be written, once.
    pub fn store(&self, recipe: Fingerprint, label: &str, values: &[Value], seconds: f64) -> Vec<String> {
        self.remember(recipe, label, values, seconds);
        let Some(disk) = &self.disk else { return Vec::new() };
        let Err(error) = disk.store(recipe, label, values, seconds) else { return Vec::new() };
        self.unwritten.fetch_add(1, Ordering::Relaxed);
        if self.warned.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        let fault = Fault::io("keep results in", &disk.folder.at(""), &error);
        vec![format!("{}; results stay in memory until it can be written again", fault.message)]
    }

    /// Returns why an entry is not there, as far as is remembered.
    pub fn why_gone(&self, recipe: Fingerprint) -> Gone {
        self.memories.why(recipe)
    }

    /// Returns where half-done work is kept; nowhere without a disk tier.
    pub fn checkpoints(&self) -> Option<&dyn Checkpoints> {
        self.disk.as_ref().map(|disk| disk as &dyn Checkpoints)
    }

    /// Lists all entries, most recently used first within a tier, memory before disk.
    pub fn list(&self) -> Vec<Entry> {
        let mut all: Vec<_> = {
            let memory = self.memory();
            let entry = |(recipe, item): (Fingerprint, &worth::Item<memory::Kept>)| Entry {
                recipe,
                label: item.content.label.to_string(),
                bytes: item.bytes,
                seconds: item.content.seconds,
                last_used: item.content.last_used,
                tier: Tier::Memory,
            };
            memory.iter().map(entry).collect()
        };
        let here: HashSet<_> = all.iter().map(|entry| entry.recipe).collect();
        let on_disk = self.disk.iter().flat_map(Disk::list);
        all.extend(on_disk.filter(|entry| !here.contains(&entry.recipe)));
        all.sort_by_key(|entry| (entry.tier == Tier::Disk, std::cmp::Reverse(entry.last_used), entry.recipe));
        all
    }

    /// Tells how full the cache is.
    pub fn usage(&self) -> Usage {
        let (disk_bytes, disk_entries) = self.disk.as_ref().map(Disk::usage).unwrap_or_default();
        let memory = self.memory();
        Usage {
            memory_bytes: memory.bytes(),
            memory_budget: memory.budget(),
            memory_entries: memory.len(),
            disk_bytes,
            disk_budget: self.disk.as_ref().map_or(0, |disk| disk.budget),
            disk_entries,
            quarantined: self.disk.as_ref().map_or(0, |disk| disk.damaged.load(Ordering::Relaxed)),
            unwritten: self.unwritten.load(Ordering::Relaxed),
        }
    }

    /// Brings the disk tier down to its budget, and removes what dead processes left half-written.
    ///
    /// # Errors
    /// A fault of the folder: it cannot be locked.
    pub fn collect(&self) -> Result<Collected, Fault> {
        self.settle();
        self.disk.as_ref().map_or(Ok(Collected::default()), Disk::collect)
    }

    /// Reads every file of the disk tier and sets aside those that are damaged.
    pub fn verify(&self) -> Verified {
        self.disk.as_ref().map(Disk::verify).unwrap_or_default()
    }

    /// Removes everything but what a running job counts on.
    ///
    /// # Errors
    /// A fault of the folder: it cannot be locked.
    pub fn clear(&self) -> Result<Cleared, Fault> {
        let shelf = self.memory().clear();
        let names: Vec<_> = shelf.iter().map(|(recipe, _)| recipe).collect();
        self.memories.note(&names, Gone::Cleared);
        let mut cleared = self.disk.as_ref().map_or(Ok(Cleared::default()), Disk::clear)?;
        if self.disk.is_none() {
            cleared = Cleared { entries: shelf.len(), bytes: shelf.bytes(), leased: 0 };
        }
        Ok(cleared)
    }

    /// Removes one entry from its tier, unless a running job leases it; tells whether it is gone from there.
    ///
    /// # Errors
    /// A fault of the folder: it cannot be locked.
    pub fn remove(&self, recipe: Fingerprint, tier: Tier) -> Result<bool, Fault> {
        let gone = match (tier, &self.disk) {
            (Tier::Memory, _) => {
                // A large value is dropped with the lock already given back.
                let kept = self.memory().forget(recipe);
                drop(kept);
                true
            }
            (Tier::Disk, Some(disk)) => disk.remove_one(recipe)?,
            (Tier::Disk, None) => true,
        };
        if gone && self.find(recipe).is_none() {
            self.memories.note(&[recipe], Gone::Cleared);
        }
        Ok(gone)
    }

    fn remember(&self, recipe: Fingerprint, label: &str, values: &[Value], seconds: f64) {
        // Large values are dropped with the lock already given back.
        let out = self.memory().put(recipe, label, values, seconds);
        self.note_evicted(out.iter().map(|(recipe, _)| *recipe).filter(|gone| *gone != recipe));
    }

    fn note_evicted(&self, recipes: impl Iterator<Item = Fingerprint>) {
        let lost: Vec<_> = recipes.filter(|recipe| !self.is_on_disk(*recipe)).collect();
        self.memories.note(&lost, Gone::EvictedForRoom);
    }

    fn settle(&self) {
        let touched = self.memory().take_touched();
        if let Some(disk) = &self.disk {
            disk.settle(touched);
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no thread panics while it holds the memory tier")
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests;
