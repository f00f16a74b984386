//! The folder of the disk tier: where each file lies, and how one comes and goes while others look.
//!
//! ```text
//! v1/entries/ab/ab….safetensors   results, by the first byte of their recipe
//! v1/checkpoints/ab….safetensors  nodes in the middle of their work
//! v1/quarantine/…                 damaged entries, kept for a look
//! v1/aside/…                      files being written
//! v1/{lock,clock,gone}
//! ```
//! The protocol between processes is advisory locks of the system, which end with their process however it ends:
//! - a writer holds a *shared* lock of its file, aside and until it is renamed: what can be locked exclusively in
//!   `aside/` belongs to the dead;
//! - a lease is a shared lock of an entry;
//! - whoever takes an entry away, or puts another in its place, first locks it *exclusively*, without waiting: so a
//!   leased entry stays. A file that is open stays readable for whoever opened it, name or no name (POSIX).
//!
//! A file's time of change is its rank (see `worth`), not the hour: looking at the folder is enough to know who goes
//! first, and no clock is ever read.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::entry::FORMAT_VERSION;
use crate::fault::Fault;
use crate::files::next_number;
use crate::fingerprint::Fingerprint;

/// Rank zero: 2000-01-08, a date that every file system can hold.
const RANK_ZERO_S: i64 = 947_000_000;
/// Ranks end here, in 2017: a file with a later time was touched by another program, and its time says nothing.
const RANKS: i64 = 1 << 29;
/// The least a rank can be.
const LEAST_RANK: i64 = -10_000;
const SUFFIX: &str = ".safetensors";
/// How long to wait for another process that makes room.
const PATIENCE: (u32, Duration) = (200, Duration::from_millis(10));

/// Where things lie.
pub(super) struct Folder {
    root: PathBuf,
    entries: PathBuf,
}

impl Folder {
    /// Opens the folder, making it if need be, and proves that it can be written.
    ///
    /// # Errors
    /// A fault of the folder.
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        let root = folder.join(format!("v{FORMAT_VERSION}"));
        let this = Self { entries: root.join("entries"), root };
        let tried = this.make().and_then(|()| this.aside().map(drop));
        tried.map_err(|error| {
            let fault = Fault::io("write to the cache folder", folder, &error);
            if fault.hint.is_some() { fault } else { fault.hint("choose another folder for the cache") }
        })?;
        Ok(this)
    }

    fn make(&self) -> io::Result<()> {
        ["entries", "checkpoints", "quarantine", "aside"].iter().try_for_each(|name| fs::create_dir_all(self.at(name)))
    }

    /// Returns where something of this name lies.
    pub fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns where an entry lies, present or not.
    pub fn entry(&self, recipe: Fingerprint) -> PathBuf {
        let name = file_name(recipe);
        let mut path = PathBuf::with_capacity(self.entries.as_os_str().len() + name.len() + 4);
        path.push(&self.entries);
        path.push(&name[..2]);
        path.push(name);
        path
    }

    /// Returns where a checkpoint lies, present or not.
    pub fn checkpoint(&self, recipe: Fingerprint) -> PathBuf {
        self.at("checkpoints").join(file_name(recipe))
    }

    /// Starts a file that nobody sees before it is published.
    ///
    /// # Errors
    /// What the system says.
    pub fn aside(&self) -> io::Result<Aside> {
        loop {
            let path = self.at("aside").join(format!("{}-{}.tmp", std::process::id(), next_number()));
            let file = match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => file,
                // A process of the same number in another container, or before the last restart.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                // Somebody removed the folder under our feet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make()?;
                    File::options().write(true).create_new(true).open(&path)?
                }
                Err(error) => return Err(error),
            };
            // A file system without locks has no sweeper either: it deletes only what it could lock.
            let _ = file.try_lock_shared();
            // Between its making and its lock a sweeper may have taken the file for a dead one's.
            if path.exists() {
                return Ok(Aside { path: Some(path), file });
            }
        }
    }

    /// Removes what dead processes left half-written, and returns how many bytes that were.
    pub fn sweep(&self) -> u64 {
        let mut bytes = 0;
        for left in files_in(&self.at("aside")) {
            let Ok(file) = File::options().write(true).open(&left.path) else { continue };
            if file.try_lock().is_ok() && fs::remove_file(&left.path).is_ok() {
                bytes += left.bytes;
            }
        }
        bytes
    }

    /// Takes the one lock of those who make room; `None` if another process does not come to an end with it.
    pub fn lock(&self) -> io::Result<Option<File>> {
        let file = File::options().create(true).truncate(false).write(true).open(self.at("lock"))?;
        for _ in 0..PATIENCE.0 {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => std::thread::sleep(PATIENCE.1),
                // Without locks on this file system, removing is still safe: a reader meets a miss.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(file)),
            }
        }
        Ok(None)
    }

    /// Lists the entries, in no order.
    pub fn unsorted_entries(&self) -> Vec<(Fingerprint, Found)> {
        let shards = fs::read_dir(&self.entries).into_iter().flatten().flatten();
        let files = shards.flat_map(|shard| files_in(&shard.path()));
        files.filter_map(|found| Some((found.recipe()?, found))).collect()
    }

    /// Reads the logical clock.
    pub fn clock(&self) -> u64 {
        fs::read_to_string(self.at("clock")).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Writes the logical clock down, unless another process is ahead.
    pub fn set_clock(&self, clock: u64) {
        if clock > self.clock() {
            let _ = self.aside().and_then(|aside| {
                io::Write::write_all(&mut aside.file(), clock.to_string().as_bytes())?;
                aside.publish(&self.at("clock"))
            });
        }
    }
}

/// A file that nobody sees yet. Dropped, it is gone.
pub(super) struct Aside {
    path: Option<PathBuf>,
    file: File,
}

impl Aside {
    /// Returns the open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name, in place of what had it.
    ///
    /// # Errors
    /// What the system says; then the file is gone.
    pub fn publish(mut self, path: &Path) -> io::Result<()> {
        let aside = self.path.as_ref().expect("published once");
        if let Err(error) = fs::rename(aside, path) {
            let Some(folder) = path.parent().filter(|_| error.kind() == io::ErrorKind::NotFound) else {
                return Err(error);
            };
            fs::create_dir_all(folder)?;
            fs::rename(aside, path)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// A file in a listing.
pub(super) struct Found {
    pub path: PathBuf,
    pub bytes: u64,
    pub rank: i64,
}

impl Found {
    /// Returns the recipe that the file is named after.
    pub fn recipe(&self) -> Option<Fingerprint> {
        Fingerprint::from_hex(self.path.file_name()?.to_str()?.strip_suffix(SUFFIX)?)
    }
}

/// Lists the regular files of a folder, in no order; a folder that is not there is empty.
pub(super) fn files_in(folder: &Path) -> Vec<Found> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let found = files.filter_map(|file| {
        let about = file.metadata().ok().filter(Metadata::is_file)?;
        Some(Found { path: file.path(), bytes: about.len(), rank: rank_of(&about) })
    });
    found.collect()
}

/// Returns the rank that a file's time tells; the least for a time that is none of ours.
pub(super) fn rank_of(about: &Metadata) -> i64 {
    let since = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let rank = since.map_or(i64::MIN, |since| since.as_secs() as i64 - RANK_ZERO_S);
    if (LEAST_RANK..RANKS).contains(&rank) { rank } else { LEAST_RANK }
}

/// Writes the rank into a file's time.
///
/// # Errors
/// What the system says; the file then goes early.
pub(super) fn set_rank(file: &File, rank: i64) -> io::Result<()> {
    let seconds = RANK_ZERO_S + rank.clamp(LEAST_RANK, RANKS - 1);
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs());
    file.set_modified(time)
}

/// How taking an entry's name away went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is gone.
    Done,
    /// There was none.
    Nothing,
    /// Somebody needs it.
    Leased,
}

/// Does something to an entry's name that ends what it stood for, unless somebody leases the entry.
///
/// # Errors
/// What `change` says.
pub(super) fn unless_leased(path: &Path, change: impl FnOnce() -> io::Result<()>) -> io::Result<Taken> {
    loop {
        // Some network file systems lock exclusively only what is open for writing.
        let file = match File::options().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return change().map(|()| Taken::Nothing),
            Err(_) => return change().map(|()| Taken::Done),
            Ok(file) => file,
        };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Ok(Taken::Leased);
        }
        // Another process may have put another file there before the lock; it cannot any more.
        if leads_to(path, &file) {
            return change().map(|()| Taken::Done);
        }
    }
}

/// Tells whether a name still leads to the file that was opened under it.
pub(super) fn leads_to(path: &Path, file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let id = |about: Metadata| (about.dev(), about.ino());
        matches!((fs::metadata(path).map(id), file.metadata().map(id)), (Ok(named), Ok(opened)) if named == opened)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

fn file_name(recipe: Fingerprint) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut name = String::with_capacity(32 + SUFFIX.len());
    for byte in recipe.as_bytes() {
        name.push(char::from(DIGITS[usize::from(byte >> 4)]));
        name.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    name.push_str(SUFFIX);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_dead_left_is_swept() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(home.path()).expect("writable");
        let mine = folder.aside().expect("writable");
        fs::write(folder.at("aside").join("1-1.tmp"), b"left").expect("writable");
        assert_eq!(folder.sweep(), 4);
        assert_eq!(files_in(&folder.at("aside")).len(), 1);
        drop(mine);
        assert_eq!(files_in(&folder.at("aside")).len(), 0);
    }

    #[test]
    fn a_file_keeps_its_rank_and_a_foreign_time_is_none() {
        let file = tempfile::tempfile().expect("a file");
        assert_eq!(rank_of(&file.metadata().expect("there")), LEAST_RANK, "the hour of today is no rank");
        for rank in [-5000, 0, 77] {
            set_rank(&file, rank).expect("mine");
            assert_eq!(rank_of(&file.metadata().expect("there")), rank);
        }
    }

    #[test]
    fn a_name_is_its_fingerprint() {
        let recipe = Fingerprint::of_bytes(b"x");
        assert_eq!(file_name(recipe), format!("{recipe}.safetensors"));
        let found = Found { path: PathBuf::from("e").join(file_name(recipe)), bytes: 0, rank: 0 };
        assert_eq!(found.recipe(), Some(recipe));
    }
}
