//! A file that is half here, so that a process killed at any byte loses next to nothing.
//!
//! The bytes lie where they belong. Behind them lies, for each chunk, how many of its bytes are whole, and at the very end
//! what the file is. A chunk's number is written after its bytes: when the process dies, the number may be too small, never
//! too large. (When the machine dies, it may be; the hash tells.) Data and numbers are one file, so they cannot part.
//! The Python tools end theirs in `.incomplete` too, and leave this one alone for its middle name.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::fault::HubFault;

/// How the name of such a file ends, behind the hash.
pub(crate) const ENDING: &str = ".darkroom.incomplete";

/// Bytes of what the file is, at its end.
const ABOUT: u64 = 4096;

/// A number of chunks that no honest file has.
const MOST_CHUNKS: u64 = 1 << 22;

/// A half-fetched file.
#[derive(Debug)]
pub(crate) struct Parts {
    path: PathBuf,
    file: File,
    about: Mutex<About>,
    chunk: u64,
    size: u64,
    done: Vec<AtomicU64>,
}

/// What a half-fetched file is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// Its path in the repository.
    pub path: String,
    /// Its size when it is whole.
    pub size: u64,
    /// Bytes in a chunk.
    pub chunk: u64,
    /// What the server called this version of it, as `If-Range` wants it.
    pub validator: Option<String>,
}

impl About {
    fn read(value: &Value) -> Option<Self> {
        let about = Self {
            path: value["path"].as_str()?.to_owned(),
            size: value["size"].as_u64()?,
            chunk: value["chunk"].as_u64().filter(|chunk| *chunk > 0)?,
            validator: value["validator"].as_str().map(str::to_owned),
        };
        (about.chunks() <= MOST_CHUNKS).then_some(about)
    }

    fn chunks(&self) -> u64 {
        self.size.div_ceil(self.chunk)
    }

    /// Bytes of the file with everything behind the data.
    fn whole(&self) -> u64 {
        self.size + 8 * self.chunks() + ABOUT
    }

    /// Reads what a half-fetched file says about itself, and how much of each chunk it holds; `None` if it is not sound.
    pub fn of(path: &Path) -> Option<(Self, Vec<u64>)> {
        let file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        let mut end = vec![0; ABOUT as usize];
        file.read_exact_at(&mut end, length.checked_sub(ABOUT)?).ok()?;
        let about = Self::read(&serde_json::from_slice(end.trim_ascii_end()).ok()?)?;
        if about.whole() != length {
            return None;
        }
        let mut numbers = vec![0; 8 * about.chunks() as usize];
        file.read_exact_at(&mut numbers, about.size).ok()?;
        let numbers = numbers.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        let numbers: Vec<_> = numbers.collect();
        let fits = |(index, done): (usize, &u64)| *done <= range_of(index, about.chunk, about.size).1;
        numbers.iter().enumerate().all(fits).then_some((about, numbers))
    }
}

/// Returns first byte and length of a chunk.
fn range_of(index: usize, chunk: u64, size: u64) -> (u64, u64) {
    let start = index as u64 * chunk;
    (start, chunk.min(size - start))
}

impl Parts {
    /// Goes on with a half-fetched file, or begins one. One that is not sound, or of another size, is begun anew; one that
    /// was cut into other chunks stays so.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn open(path: &Path, wanted: About) -> Result<Self, HubFault> {
        let known = About::of(path).filter(|(about, _)| about.size == wanted.size && about.path == wanted.path);
        let open = File::options().read(true).write(true).create(true).truncate(known.is_none()).open(path);
        let file = open.map_err(HubFault::io("write", path))?;
        let is_new = known.is_none();
        let (about, done) = known.unwrap_or_else(|| {
            let none = vec![0; wanted.chunks() as usize];
            (wanted, none)
        });
        let done = done.into_iter().map(AtomicU64::new).collect();
        let (chunk, size) = (about.chunk, about.size);
        let parts = Self { path: path.to_owned(), file, about: Mutex::new(about), chunk, size, done };
        if is_new {
            parts.write_about()?;
        }
        Ok(parts)
    }

    /// Writes what the file is, at its end; this makes it as long as it must be, without taking room on the disk.
    fn write_about(&self) -> Result<(), HubFault> {
        let about = self.about.lock().expect("nothing panics in between");
        let About { path, size, chunk, validator } = &*about;
        let text = json!({"path": path, "size": size, "chunk": chunk, "validator": validator}).to_string();
        let mut bytes = text.into_bytes();
        // A path or validator of thousands of letters leaves a file that is not sound, and begun anew next time.
        bytes.resize(ABOUT as usize, b' ');
        self.put(&bytes, about.whole() - ABOUT)
    }

    fn put(&self, bytes: &[u8], at: u64) -> Result<(), HubFault> {
        self.file.write_all_at(bytes, at).map_err(HubFault::io("write", &self.path))
    }

    /// Returns what the server called this version.
    pub fn validator(&self) -> Option<String> {
        self.about.lock().expect("nothing panics in between").validator.clone()
    }

    /// Remembers what the server calls this version.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn set_validator(&self, validator: &str) -> Result<(), HubFault> {
        self.about.lock().expect("nothing panics in between").validator = Some(validator.to_owned());
        self.write_about()
    }

    /// Returns the chunks that are not whole.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.done.len()).filter(|index| self.left(*index) > 0).collect()
    }

    /// Returns the next byte of a chunk that is wanted, in the file.
    pub fn next(&self, index: usize) -> u64 {
        range_of(index, self.chunk, self.size).0 + self.done(index)
    }

    /// Returns how many bytes of a chunk are here.
    pub fn done(&self, index: usize) -> u64 {
        self.done[index].load(Ordering::Relaxed)
    }

    /// Returns how many bytes of a chunk are wanted still.
    pub fn left(&self, index: usize) -> u64 {
        range_of(index, self.chunk, self.size).1 - self.done(index)
    }

    /// Returns how many bytes are here.
    pub fn all_done(&self) -> u64 {
        (0..self.done.len()).map(|index| self.done(index)).sum()
    }

    pub fn chunks(&self) -> usize {
        self.done.len()
    }

    /// Puts the next bytes of a chunk where they belong. One thread at a time fills a chunk.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn add(&self, index: usize, bytes: &[u8]) -> Result<(), HubFault> {
        self.put(bytes, self.next(index))?;
        self.set_done(index, self.done(index) + bytes.len() as u64)
    }

    /// Forgets a chunk.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn forget(&self, index: usize) -> Result<(), HubFault> {
        self.set_done(index, 0)
    }

    fn set_done(&self, index: usize, done: u64) -> Result<(), HubFault> {
        self.put(&done.to_le_bytes(), self.size + 8 * index as u64)?;
        self.done[index].store(done, Ordering::Relaxed);
        Ok(())
    }

    /// Cuts off what lies behind the bytes, now that all are here, and waits until they are on the disk.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn finish(self) -> Result<(), HubFault> {
        let cut = self.file.set_len(self.size).and_then(|()| self.file.sync_all());
        cut.map_err(HubFault::io("write", &self.path))
    }
}

/// Removes half-fetched versions of a file of the repository other than the one named, if nobody is at work on them: `lock`
/// gives what is held meanwhile, or nothing if somebody is.
///
/// # Errors
/// A fault of the folder.
pub(crate) fn sweep<L>(blobs: &Path, file: &str, keep: &str, lock: impl Fn(&str) -> Option<L>) -> Result<(), HubFault> {
    let Ok(entries) = fs::read_dir(blobs) else { return Ok(()) };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Some(hash) = name.to_str().and_then(|name| name.strip_suffix(ENDING)) else { continue };
        let is_old = || About::of(&path).is_none_or(|(about, _)| about.path == file);
        if hash == keep || !is_old() {
            continue;
        }
        let Some(_held) = lock(hash) else { continue };
        // Before the lock was ours, it may have been begun, or made whole: it is looked at again.
        if is_old() {
            remove_file(&path)?;
        }
    }
    Ok(())
}

/// Removes a file that may be gone already.
///
/// # Errors
/// A fault of the file.
pub(crate) fn remove_file(path: &Path) -> Result<(), HubFault> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(HubFault::io("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { path: "a/b".to_owned(), size: 10, chunk: 4, validator: None }
    }

    #[test]
    fn row_50_what_is_whole_is_known_after_reopening() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("x");
        let parts = Parts::open(&path, about()).expect("made");
        parts.add(1, b"efg").expect("written");
        parts.add(2, b"ij").expect("written");
        parts.set_validator("\"v\"").expect("written");
        drop(parts);
        // Somebody with other chunks goes on with those of the file.
        let parts = Parts::open(&path, About { chunk: 7, ..about() }).expect("there");
        assert_eq!((parts.missing(), parts.next(1), parts.left(1), parts.all_done()), (vec![0, 1], 7, 1, 5));
        assert_eq!(parts.validator().as_deref(), Some("\"v\""));
        parts.add(0, b"abcd").expect("written");
        parts.add(1, b"h").expect("written");
        parts.finish().expect("cut");
        assert_eq!(fs::read(&path).expect("readable"), b"abcdefghij");
    }

    #[test]
    fn row_50_what_is_not_sound_is_begun_anew() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("x");
        let parts = Parts::open(&path, about()).expect("made");
        parts.add(0, b"abcd").expect("written");
        drop(parts);
        let good = fs::read(&path).expect("readable");
        let again = |bytes: &[u8], about: About| {
            fs::write(&path, bytes).expect("written");
            Parts::open(&path, about).expect("made").all_done()
        };
        assert_eq!(again(&good, about()), 4);
        assert_eq!(again(&good, About { size: 11, ..about() }), 0, "another size");
        assert_eq!(again(&good, About { path: "c".to_owned(), ..about() }), 0, "another file");
        assert_eq!(again(&good[..10], about()), 0, "the end was cut off");
        assert_eq!(again(&good[1..], about()), 0, "a byte is missing");
        let mut lying = good.clone();
        lying[10] = 5;
        assert_eq!(again(&lying, about()), 0, "a chunk of more bytes than it has");
        assert_eq!(again(&[], about()), 0);
    }

    #[test]
    fn half_fetched_older_versions_are_swept() {
        let home = tempfile::tempdir().expect("a folder");
        let at = |hash: &str| home.path().join(format!("{hash}{ENDING}"));
        for (hash, path) in [("old", "a/b"), ("busy", "a/b"), ("new", "a/b"), ("other", "c")] {
            Parts::open(&at(hash), About { path: path.to_owned(), ..about() }).expect("made");
        }
        fs::write(at("broken"), "?").expect("written");
        fs::write(home.path().join("old.incomplete"), "a Python tool is at work").expect("written");
        sweep(home.path(), "a/b", "new", |hash| (hash != "busy").then_some(())).expect("swept");
        let left = ["old", "busy", "new", "other", "broken"].map(|hash| at(hash).exists());
        assert_eq!(left, [false, true, true, true, false]);
        assert!(home.path().join("old.incomplete").exists());
        Parts::open(&at("old"), about()).expect("made");
        let becomes_whole = |hash: &str| Some(fs::rename(at(hash), home.path().join(hash)));
        sweep(home.path(), "a/b", "new", becomes_whole).expect("somebody was through with it in this moment");
        assert!(home.path().join("old").exists());
    }
}
