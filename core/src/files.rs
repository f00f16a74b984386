//! Files that a graph may touch: it reads below known roots and writes below one folder, and a file is named by its
//! content. Whatever points elsewhere (`..`, a link, a device, a URL) is refused.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::fingerprint::{Fingerprint, Hasher};
use crate::observe::Cancel;

/// Knows where things lie that a graph does not bring along: models of a hub's cache, of other tools' folders.
pub trait Finder: std::fmt::Debug + Send + Sync {
    /// Finds what `name` calls; `None` if it calls nothing of this finder's.
    fn find(&self, name: &str) -> Option<Result<PathBuf, Fault>>;
}

/// The roots that may be read, the folder that may be written, and the memory of digests; a clone shares the memory.
#[derive(Debug, Default, Clone)]
pub struct Files {
    roots: Vec<PathBuf>,
    finders: Vec<Arc<dyn Finder>>,
    output: PathBuf,
    memo: Arc<Memo>,
    names: Names,
    watch: Option<Watch>,
}

/// By what files are named that nobody has read yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Names {
    /// By their content: the only names that a result may be stored under. A model of 7 GB takes some seconds.
    #[default]
    Content,
    /// By size, time of change and beginning, for plans that are only looked at. No content ever has such a name.
    Provisional,
}

/// Somebody who waits while a large file is read.
#[derive(Debug, Clone)]
pub struct Watch {
    /// Hears how far it is.
    pub tell: Sender<Reading>,
    /// May end it.
    pub cancel: Cancel,
}

/// How far the reading of a file has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The file.
    pub path: PathBuf,
    /// Bytes read.
    pub done: u64,
    /// Bytes in all.
    pub of: u64,
}

impl Files {
    /// Makes the rules. A relative path in a graph is looked for below each root in turn.
    pub fn new(roots: Vec<PathBuf>, output: PathBuf) -> Self {
        Self { roots, output, ..Self::default() }
    }

    /// Asks `finder` too, after the roots and those that came before it. Whatever it finds may be read.
    #[must_use]
    pub fn with_finder(mut self, finder: impl Finder + 'static) -> Self {
        self.finders.push(Arc::new(finder));
        self
    }

    /// Keeps digests in a file, so that each large file is read once per machine.
    #[must_use]
    pub fn with_memo(mut self, path: PathBuf) -> Self {
        self.memo = Arc::new(Memo::load(path));
        self
    }

    /// Returns the same files, named otherwise.
    #[must_use]
    pub fn named(&self, names: Names) -> Self {
        Self { names, ..self.clone() }
    }

    /// Returns the same files, with somebody who waits.
    #[must_use]
    pub fn watched(&self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self.clone() }
    }

    /// Returns the folder that may be written.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Finds the file or folder that a graph names.
    ///
    /// # Errors
    /// A fault of the file: not there, or outside the roots.
    pub fn resolve(&self, name: &str) -> Result<PathBuf, Fault> {
        if name.is_empty() || name.contains('\0') {
            return Err(Fault::file(format!("`{}` is not the name of a file", name.escape_debug())));
        }
        let address = name.contains("://");
        let below = |root: &PathBuf| root.join(name).canonicalize().ok();
        let Some(found) = self.roots.iter().filter(|_| !address).find_map(below) else {
            let found = self.finders.iter().find_map(|finder| finder.find(name));
            return found.unwrap_or_else(|| Err(self.not_found(name, address)));
        };
        let inside = self.roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| found.starts_with(root));
        if !inside {
            return Err(Fault::file(format!("`{name}` lies outside the folders that a graph may read"))
                .hint("allow its folder with --allow DIR"));
        }
        Ok(found)
    }

    fn not_found(&self, name: &str, address: bool) -> Fault {
        if address {
            return Fault::file(format!("`{name}` is an address, not a file")).hint("download it, then name the file");
        }
        let roots: Vec<_> = self.roots.iter().map(|root| root.display().to_string()).collect();
        Fault::file(format!("there is no `{name}`")).hint(format!("looked below {}", roots.join(", ")))
    }

    /// Finds a regular file that a graph names.
    ///
    /// # Errors
    /// A fault of the file: not there, outside the roots, or a folder or device.
    pub fn resolve_file(&self, name: &str) -> Result<PathBuf, Fault> {
        let path = self.resolve(name)?;
        let about = fs::metadata(&path).map_err(|error| Fault::io("read", &path, &error))?;
        if about.is_file() { Ok(path) } else { Err(Fault::file(format!("`{name}` is not a regular file"))) }
    }

    /// Returns the digest of a file's content, read once per path, size and time of change; or a provisional name, where
    /// that is enough and the content is not known yet.
    ///
    /// # Errors
    /// A fault of the file, or [`Fault::cancelled`].
    pub fn digest(&self, path: &Path) -> Result<Fingerprint, Fault> {
        let stamp = Stamp::of(path)?;
        if let Some(known) = self.memo.get(path, &stamp) {
            return Ok(known);
        }
        if self.names == Names::Provisional {
            return provisional(path, &stamp);
        }
        let digest = hash_file(path, stamp.bytes, self.watch.as_ref())?;
        self.memo.put(path, stamp, digest);
        Ok(digest)
    }

    /// Writes the memory of digests down, if it changed.
    ///
    /// # Errors
    /// A fault of the memo's file; nothing is lost but time.
    pub fn save_memo(&self) -> Result<(), Fault> {
        self.memo.save()
    }

    /// Returns where below the output folder a relative name leads; `None` if it would leave it.
    pub fn below_output(&self, relative: &Path) -> Option<PathBuf> {
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        (plain && relative.components().next().is_some()).then(|| self.output.join(relative))
    }
}

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// Bytes after which whoever waits hears of it.
const TOLD: u64 = 16 << 20;

fn hash_file(path: &Path, of: u64, watch: Option<&Watch>) -> Result<Fingerprint, Fault> {
    let fail = |error: &std::io::Error| Fault::io("read", path, error);
    let mut file = fs::File::open(path).map_err(|error| fail(&error))?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE];
    let (mut done, mut told) = (0, 0);
    loop {
        match file.read(&mut piece).map_err(|error| fail(&error))? {
            0 => return Ok(Fingerprint::cut(hasher.finalize())),
            read => {
                hasher.update(&piece[..read]);
                done += read as u64;
            }
        }
        let Some(watch) = watch else { continue };
        watch.cancel.check()?;
        if done - told >= TOLD {
            told = done;
            // Whoever has gone away need not hear.
            let _ = watch.tell.send(Reading { path: path.to_owned(), done, of });
        }
    }
}

/// Names a file by what can be had at once. The headers of models lie at their beginning.
fn provisional(path: &Path, stamp: &Stamp) -> Result<Fingerprint, Fault> {
    let mut start = Vec::with_capacity(PIECE);
    let read = fs::File::open(path).and_then(|file| file.take(PIECE as u64).read_to_end(&mut start));
    read.map_err(|error| Fault::io("read", path, &error))?;
    let hasher = Hasher::new("provisional").integer(i128::from(stamp.bytes)).text(&stamp.changed_ns.to_string());
    Ok(hasher.bytes(&start).finish())
}

/// By what a file is recognised as unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    changed_ns: u128,
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, Fault> {
        let about = fs::metadata(path).map_err(|error| Fault::io("read", path, &error))?;
        let changed = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Self { bytes: about.len(), changed_ns: changed.map_or(0, |time| time.as_nanos()) })
    }
}

/// Digests already computed, by path.
#[derive(Debug, Default)]
struct Memo {
    path: Option<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    digests: HashMap<PathBuf, (Stamp, Fingerprint)>,
    changed: bool,
}

impl Memo {
    /// Reads the memo; one that is missing or damaged is an empty one.
    fn load(path: PathBuf) -> Self {
        let digests = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path: Some(path), known: Mutex::new(Known { digests, changed: false }) }
    }

    fn get(&self, path: &Path, stamp: &Stamp) -> Option<Fingerprint> {
        let known = self.known.lock().expect("no thread panics while it holds the memo");
        known.digests.get(path).filter(|(known, _)| known == stamp).map(|(_, digest)| *digest)
    }

    fn put(&self, path: &Path, stamp: Stamp, digest: Fingerprint) {
        let mut known = self.known.lock().expect("no thread panics while it holds the memo");
        known.digests.insert(path.to_owned(), (stamp, digest));
        known.changed = true;
    }

    fn save(&self) -> Result<(), Fault> {
        let mut known = self.known.lock().expect("no thread panics while it holds the memo");
        let Some(path) = self.path.as_ref().filter(|_| known.changed) else { return Ok(()) };
        let text = serde_json::to_vec(&known.digests).expect("paths and numbers are always valid JSON");
        write_aside(path, &text)?;
        known.changed = false;
        Ok(())
    }
}

/// Writes a file so that a reader sees the old content or the new, never half: aside, synced, renamed.
///
/// # Errors
/// A fault of the file or the disk; what was there stays.
pub fn write_aside(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| Fault::io("make the folder", folder, &error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = folder.join(format!(".{name}.{}-{}.tmp", std::process::id(), next_number()));
    let written = write_synced(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&aside);
        Fault::io("write", path, &error)
    })
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A number that no other call in this process gets.
pub fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_reads_below_its_roots_only() {
        let home = tempfile::tempdir().expect("a folder");
        let (root, out) = (home.path().join("in"), home.path().join("out"));
        fs::create_dir_all(&root).expect("a folder");
        fs::write(root.join("a.png"), b"x").expect("a file");
        fs::write(home.path().join("secret"), b"x").expect("a file");
        let files = Files::new(vec![root.clone()], out);
        assert!(files.resolve_file("a.png").is_ok());
        for name in ["../secret", "nothing.png", "https://example.org/a.png", "", "a\0b", "/etc/passwd"] {
            assert!(files.resolve_file(name).is_err(), "{name}");
        }
        assert!(files.resolve_file(".").is_err(), "a folder is no file");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_out() {
        let home = tempfile::tempdir().expect("a folder");
        let root = home.path().join("in");
        fs::create_dir_all(&root).expect("a folder");
        fs::write(home.path().join("secret"), b"x").expect("a file");
        std::os::unix::fs::symlink(home.path().join("secret"), root.join("link")).expect("a link");
        assert!(Files::new(vec![root], PathBuf::new()).resolve("link").is_err());
    }

    #[test]
    fn a_finder_is_asked_after_the_roots() {
        #[derive(Debug)]
        struct Attic(PathBuf);
        impl Finder for Attic {
            fn find(&self, name: &str) -> Option<Result<PathBuf, Fault>> {
                match name {
                    "a.png" | "attic://a" => Some(Ok(self.0.clone())),
                    "attic://b" => Some(Err(Fault::file("the attic is locked"))),
                    _ => None,
                }
            }
        }
        let home = tempfile::tempdir().expect("a folder");
        let (root, attic) = (home.path().join("in"), home.path().join("attic.png"));
        fs::create_dir_all(&root).expect("a folder");
        fs::write(&attic, b"x").expect("a file");
        let files = Files::new(vec![root.clone()], PathBuf::new()).with_finder(Attic(attic.clone()));
        assert_eq!(files.resolve("a.png"), Ok(attic.clone()));
        assert_eq!(files.resolve("attic://a"), Ok(attic));
        assert_eq!(files.resolve("attic://b").expect_err("locked").message, "the attic is locked");
        assert!(files.resolve("attic://c").is_err() && files.resolve("c.png").is_err());
        fs::write(root.join("a.png"), b"x").expect("a file");
        assert_eq!(files.resolve("a.png"), root.join("a.png").canonicalize().map_err(|_| Fault::bug("just written")));
    }

    #[test]
    fn output_stays_below_its_folder() {
        let files = Files::new(Vec::new(), PathBuf::from("/out"));
        assert_eq!(files.below_output(Path::new("a/b.png")), Some(PathBuf::from("/out/a/b.png")));
        for name in ["../a", "/a", "a/../../b", ""] {
            assert_eq!(files.below_output(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn a_changed_file_has_another_digest() {
        let home = tempfile::tempdir().expect("a folder");
        let (path, memo) = (home.path().join("a"), home.path().join("memo.json"));
        fs::write(&path, b"one").expect("a file");
        let files = Files::new(Vec::new(), PathBuf::new()).with_memo(memo.clone());
        let one = files.digest(&path).expect("readable");
        files.save_memo().expect("writable");
        fs::write(&path, b"three").expect("a file");
        let later = Files::new(Vec::new(), PathBuf::new()).with_memo(memo);
        assert_ne!(later.digest(&path).expect("readable"), one);
        assert_eq!(one, Fingerprint::of_bytes(b"one"));
    }

    #[test]
    fn a_provisional_name_is_never_that_of_a_content_and_gives_way_to_it() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("a");
        fs::write(&path, b"one").expect("a file");
        let files = Files::new(Vec::new(), PathBuf::new());
        let dry = files.named(Names::Provisional);
        let before = dry.digest(&path).expect("readable");
        assert_eq!(before, dry.digest(&path).expect("readable"), "it is kept nowhere, and the same again");
        let content = files.digest(&path).expect("readable");
        assert_ne!(before, content);
        assert_eq!(dry.digest(&path).expect("readable"), content, "what is known is no longer provisional");
        fs::write(&path, b"three").expect("a file");
        let after = dry.digest(&path).expect("readable");
        assert!(after != content && after != before);
    }

    #[test]
    fn whoever_waits_for_a_large_file_hears_of_it_and_may_stop() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("a");
        fs::File::create(&path).and_then(|file| file.set_len(40 << 20)).expect("a sparse file");
        let (tell, hear) = std::sync::mpsc::channel();
        let cancel = Cancel::new();
        let files = Files::new(Vec::new(), PathBuf::new()).watched(Watch { tell, cancel: cancel.clone() });
        cancel.ask();
        assert!(files.digest(&path).expect_err("somebody asked to stop").kind == crate::fault::FaultKind::Cancelled);
        let waiting = Files::new(Vec::new(), PathBuf::new());
        let (tell, heard) = std::sync::mpsc::channel();
        waiting.watched(Watch { tell, cancel: Cancel::new() }).digest(&path).expect("readable");
        let heard: Vec<_> = heard.iter().map(|reading| (reading.done >> 20, reading.of >> 20)).collect();
        assert_eq!(heard, [(16, 40), (32, 40)]);
        drop(files);
        assert_eq!(hear.iter().count(), 0);
    }
}
