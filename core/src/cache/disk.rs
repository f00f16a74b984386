//! The disk tier: files within a budget, shared by several processes, believed only after a look at their digest.
//!
//! There is no index on disk that could be wrong. [`Books`] are what this process knows of the folder, to count bytes
//! and to find who goes first; whether an entry is there, the folder alone says.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::entry::{self, About, Draft, Wrong};
use super::folder::{Folder, Found, Taken, files_in, rank_of, set_rank, unless_leased};
use super::gone::{Gone, Memories};
use super::lease::Lease;
use super::worth::{Item, Shelf, last_used, rank};
use super::{Cleared, Collected, Damage, Entry, Tier, Verified};
use crate::fault::Fault;
use crate::fingerprint::Fingerprint;
use crate::spec::Output;
use crate::value::{Record, Value};

/// Files from this size on reach the disk before they get their name. A smaller one may be torn by a power cut (never
/// by the end of a process): its digest then tells, and it is made again, which costs less than thousands of syncs. The
/// folder is never synced: a name that a power cut took back is a miss.
const SYNC_FROM: u64 = 64 << 10;
/// Uses between two notes of the clock; a killed process sets it back by no more.
const CLOCK_EVERY: u64 = 64;
/// Damaged files kept for a look.
const QUARANTINED: usize = 16;
/// Uses of entries after which nobody is expected to come back for a checkpoint.
const CHECKPOINT_AGE: i64 = 1 << 14;

/// Files within a budget.
pub(super) struct Disk {
    pub folder: Folder,
    budget: u64,
    books: Mutex<Books>,
    memories: Arc<Memories>,
    leases: Arc<AtomicUsize>,
    damaged: AtomicU64,
}

/// What this process knows of the folder.
struct Books {
    shelf: Shelf<()>,
    /// Bytes of checkpoints and of the quarantine.
    beside: u64,
    /// Bytes for which there is room, but which are not written yet.
    reserved: u64,
    /// Bytes written since the folder was last looked at; `None` before the first look.
    since_look: Option<u64>,
    /// Uses of entries, by all processes together as far as this one knows.
    clock: u64,
}

impl Disk {
    pub fn open(path: &Path, budget: u64) -> Result<Self, Fault> {
        let folder = Folder::open(path)?;
        folder.sweep();
        let books = Books { shelf: Shelf::default(), beside: 0, reserved: 0, since_look: None, clock: folder.clock() };
        let memories = Arc::new(Memories::in_file(folder.at("gone")));
        Ok(Self {
            folder,
            budget,
            books: Mutex::new(books),
            memories,
            leases: Arc::default(),
            damaged: AtomicU64::new(0),
        })
    }

    pub fn budget(&self) -> u64 {
        self.budget
    }

    pub fn memories(&self) -> Arc<Memories> {
        Arc::clone(&self.memories)
    }

    /// Returns how many entries this process found damaged.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    pub fn has(&self, recipe: Fingerprint) -> bool {
        fs::symlink_metadata(self.folder.entry(recipe)).is_ok()
    }

    pub fn lease(&self, recipe: Fingerprint) -> Option<Lease> {
        Lease::take(&self.folder, recipe, &self.leases)
    }

    /// Reads an entry and checks it; one that is damaged is set aside.
    pub fn load(&self, recipe: Fingerprint, outputs: &[Output]) -> Option<(About, Vec<Value>)> {
        let path = self.folder.entry(recipe);
        let Ok(file) = File::open(&path) else {
            self.books().shelf.remove(recipe);
            return None;
        };
        let read = entry::read(&file, recipe).and_then(|(about, records)| {
            let values = decode(recipe, &records, outputs);
            Ok((about, values.ok_or_else(|| Wrong::Damaged("its outputs are not those of the node".to_owned()))?))
        });
        match read {
            Ok((about, values)) => {
                self.note_use(recipe, &file, about.seconds, self.tick());
                Some((about, values))
            }
            Err(Wrong::Damaged(_)) => {
                self.quarantine(recipe);
                None
            }
            Err(Wrong::Io(_)) => None,
        }
    }

    /// Writes an entry, if all of it can be kept and there is room for it.
    ///
    /// # Errors
    /// What the system says; nothing is left behind.
    pub fn store(&self, recipe: Fingerprint, label: &str, values: &[Value], seconds: f64) -> io::Result<()> {
        if !values.iter().all(Value::is_storable) {
            return Ok(());
        }
        let Some(records) = values.iter().map(Value::record).collect::<Option<Vec<_>>>() else { return Ok(()) };
        let about = About { recipe, label: label.to_owned(), seconds, outputs: values.len() };
        let Some(draft) = Draft::new(&about, records) else { return Ok(()) };
        let bytes = draft.bytes();
        let Some(_room) = self.make_room(bytes) else { return Ok(()) };
        let clock = self.tick();
        let rank = rank(clock, seconds, bytes);
        let taken = self.publish(draft, &self.folder.entry(recipe), rank)?;
        if taken != Taken::Leased {
            self.books().insert(recipe, Item { bytes, rank, content: () });
        }
        Ok(())
    }

    /// Writes a file aside and gives it its name. If somebody leases the file that has that name, it stays: it is the
    /// same result.
    pub fn publish(&self, draft: Draft, path: &Path, rank: i64) -> io::Result<Taken> {
        let bytes = draft.bytes();
        let aside = self.folder.aside()?;
        if bytes >= SYNC_FROM && free_bytes(&self.folder.at("aside")).is_some_and(|free| free < bytes) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        draft.write(aside.file())?;
        // The time stands before the sync, which then keeps it too.
        let _ = set_rank(aside.file(), rank);
        if bytes >= SYNC_FROM {
            aside.file().sync_data()?;
        }
        unless_leased(path, || aside.publish(path))
    }

    /// Makes room for so many bytes more, and keeps it until they are written; `None` if there is none to be had.
    pub fn make_room(&self, bytes: u64) -> Option<Room<'_>> {
        let target = self.budget.checked_sub(bytes)?;
        let room = {
            let mut books = self.books();
            books.look_again(&self.folder, self.budget);
            books.reserve(self, bytes, target)
        };
        if room.is_some() {
            return room;
        }
        let _lock = self.folder.lock().ok()??;
        let (evicted, _) = self.evict(target);
        self.memories.note(&evicted, Gone::EvictedForRoom);
        self.books().reserve(self, bytes, target)
    }

    /// Removes entries until no more than `target` bytes are left, or only leased ones. Returns their names and bytes.
    fn evict(&self, target: u64) -> (Vec<Fingerprint>, u64) {
        let (mut evicted, mut bytes, mut past) = (Vec::new(), 0, None);
        let mut books = self.books();
        if books.beside + books.reserved > target {
            // All entries together would not be enough.
            return (evicted, bytes);
        }
        while books.used() > target {
            let Some(least) = books.shelf.least(past) else { break };
            past = Some(least);
            if self.remove(least.1) {
                bytes += books.shelf.remove(least.1).map_or(0, |item| item.bytes);
                evicted.push(least.1);
            }
        }
        (evicted, bytes)
    }

    /// Removes an entry's file; tells whether it is gone, by whoever's hand.
    fn remove(&self, recipe: Fingerprint) -> bool {
        let path = self.folder.entry(recipe);
        match unless_leased(&path, || fs::remove_file(&path)) {
            Ok(taken) => taken != Taken::Leased,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Notes that an entry was used: in its file's time, for all processes and for the next.
    fn note_use(&self, recipe: Fingerprint, file: &File, seconds: f64, clock: u64) {
        let Ok(about) = file.metadata() else { return };
        // Another process may be ahead.
        let before = rank_of(&about);
        let rank = rank(clock, seconds, about.len()).max(before);
        let mut books = self.books();
        books.clock = books.clock.max(last_used(before, seconds, about.len()));
        books.shelf.rerank(recipe, rank);
        drop(books);
        let _ = set_rank(file, rank);
    }

    /// Notes uses that the memory tier served, and writes the clock down.
    pub fn settle(&self, touched: impl IntoIterator<Item = (Fingerprint, f64)>) {
        let clock = self.tick();
        for (recipe, seconds) in touched {
            if let Ok(file) = File::open(self.folder.entry(recipe)) {
                self.note_use(recipe, &file, seconds, clock);
            }
        }
        self.folder.set_clock(self.clock());
    }

    /// Sets a damaged entry aside, and returns where it is kept for a look.
    fn quarantine(&self, recipe: Fingerprint) -> Option<PathBuf> {
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

    /// Counts what lies beside the entries anew.
    pub fn count_beside(&self) {
        self.books().count_beside(&self.folder);
    }

    /// Counts one use more.
    fn tick(&self) -> u64 {
        let clock = {
            let mut books = self.books();
            books.clock += 1;
            books.clock
        };
        if clock.is_multiple_of(CLOCK_EVERY) {
            self.folder.set_clock(clock);
        }
        clock
    }

    /// Returns the logical clock.
    pub fn clock(&self) -> u64 {
        self.books().clock
    }

    /// Returns bytes in all, and how many entries.
    pub fn usage(&self) -> (u64, usize) {
        let mut books = self.books();
        books.look_again(&self.folder, self.budget);
        (books.used(), books.shelf.len())
    }

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

    fn lock(&self) -> Result<File, Fault> {
        let path = self.folder.at("lock");
        let lock = self.folder.lock().map_err(|error| Fault::io("lock", &path, &error))?;
        lock.ok_or_else(|| {
            Fault::file(format!("another process holds `{}`", path.display())).hint("try again in a moment")
        })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no thread panics while it holds the books")
    }
}

/// Room for a file that is being written.
pub(super) struct Room<'a> {
    disk: &'a Disk,
    bytes: u64,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.disk.books().reserved -= self.bytes;
    }
}

impl Books {
    fn used(&self) -> u64 {
        self.shelf.bytes() + self.beside + self.reserved
    }

    fn reserve<'a>(&mut self, disk: &'a Disk, bytes: u64, target: u64) -> Option<Room<'a>> {
        (self.used() <= target).then(|| {
            self.reserved += bytes;
            Room { disk, bytes }
        })
    }

    fn insert(&mut self, recipe: Fingerprint, item: Item<()>) {
        self.since_look = self.since_look.map(|bytes| bytes.saturating_add(item.bytes));
        self.shelf.insert(recipe, item);
    }

    /// Looks at the folder if that was never done, or so long ago that other processes may have written much.
    fn look_again(&mut self, folder: &Folder, budget: u64) {
        if self.since_look.is_none_or(|bytes| bytes > budget / 16) {
            self.look(folder);
        }
    }

    fn look(&mut self, folder: &Folder) {
        self.shelf = Shelf::default();
        for (recipe, Found { bytes, rank, .. }) in folder.unsorted_entries() {
            self.shelf.insert(recipe, Item { bytes, rank, content: () });
            // Another process may be ahead, or the file of the clock may be lost.
            self.clock = self.clock.max(u64::try_from(rank).unwrap_or(0));
        }
        self.count_beside(folder);
        self.since_look = Some(0);
    }

    fn count_beside(&mut self, folder: &Folder) {
        let files = ["checkpoints", "quarantine"].into_iter().flat_map(|name| files_in(&folder.at(name)));
        self.beside = files.map(|found| found.bytes).sum();
    }
}

/// Makes values of records, each by its output's codec; `None` if they are not those of the node.
fn decode(recipe: Fingerprint, records: &[Record], outputs: &[Output]) -> Option<Vec<Value>> {
    let value = |(index, (record, output)): (usize, (&Record, &Output))| {
        Some((output.codec?.decode)(record)?.named(recipe.output(index)))
    };
    (records.len() == outputs.len()).then(|| records.iter().zip(outputs).enumerate().map(value).collect())?
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

/// Returns the bytes that may still be written to the disk of a folder, if the system tells.
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    return rustix::fs::statvfs(folder).ok().map(|about| about.f_bavail.saturating_mul(about.f_frsize));
    #[cfg(not(unix))]
    return None;
}
