//! The disk tier: files within a budget, shared by several processes, believed only after a look at their digest.
//!
//! There is no index on disk that could be wrong. [`Books`] are what this process knows of the folder, to count bytes
//! and to find who goes first; whether an entry is there, the folder alone says.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};

use super::books::{Books, Room};
use super::entry::{self, About, Draft, Wrong};
use super::folder::{Folder, Taken, rank_of, set_rank, unless_leased};
use super::gone::{Gone, Memories};
use super::lease::Lease;
use super::worth::{Item, last_used, rank};
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

/// Files within a budget.
pub(super) struct Disk {
    pub folder: Folder,
    pub budget: u64,
    pub memories: Arc<Memories>,
    /// Damaged entries that this process met.
    pub damaged: AtomicU64,
    books: Mutex<Books>,
    leases: Arc<AtomicUsize>,
}

impl Disk {
    pub fn open(path: &Path, budget: u64) -> Result<Self, Fault> {
        let folder = Folder::open(path)?;
        folder.sweep();
        let books = Mutex::new(Books::new(folder.clock()));
        let memories = Arc::new(Memories::in_file(folder.at("gone")));
        Ok(Self { folder, budget, memories, damaged: AtomicU64::new(0), books, leases: Arc::default() })
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
    pub fn evict(&self, target: u64) -> (Vec<Fingerprint>, u64) {
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
    pub fn remove(&self, recipe: Fingerprint) -> bool {
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

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no thread panics while it holds the books")
    }
}

/// Makes values of records, each by its output's codec; `None` if they are not those of the node.
fn decode(recipe: Fingerprint, records: &[Record], outputs: &[Output]) -> Option<Vec<Value>> {
    let value = |(index, (record, output)): (usize, (&Record, &Output))| {
        Some((output.codec?.decode)(record)?.named(recipe.output(index)))
    };
    (records.len() == outputs.len()).then(|| records.iter().zip(outputs).enumerate().map(value).collect())?
}

/// Returns the bytes that may still be written to the disk of a folder, if the system tells.
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    return rustix::fs::statvfs(folder).ok().map(|about| about.f_bavail.saturating_mul(about.f_frsize));
    #[cfg(not(unix))]
    return None;
}
