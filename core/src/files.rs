//! Files that a graph may touch: it reads below known roots and writes below one folder, and a file is named by its
//! content. Whatever points elsewhere (`..`, a link, a device, a URL) is refused.

mod content;
mod memo;
mod reading;
mod search;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::fault::Fault;
use crate::fingerprint::Fingerprint;

use memo::{Digests, Memo, Stamp};
use reading::Ask;

pub use content::{Content, Piece, Sha256};
pub use reading::{Reading, Watch};

/// Knows where things lie that a graph does not bring along: models of a hub's cache, of other tools' folders.
pub trait Finder: std::fmt::Debug + Send + Sync {
    /// Finds what `name` calls; `None` if it calls nothing of this finder's.
    fn find(&self, name: &str) -> Option<Result<PathBuf, Fault>>;

    /// Lists what could have a content, by size alone and whatever it is called: files of its length, or folders where it is
    /// several files. Whoever asks reads them.
    fn candidates(&self, content: &Content) -> Vec<PathBuf> {
        let _ = content;
        Vec::new()
    }

    /// Says where it looks, for a sentence.
    fn places(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What names are held to, by the names: where they lead, and what is there.
type Held = HashMap<String, (PathBuf, Content)>;

/// The roots that may be read, the folder that may be written, and the memory of digests; a clone shares the memory.
#[derive(Debug, Default, Clone)]
pub struct Files {
    roots: Vec<PathBuf>,
    finders: Vec<Arc<dyn Finder>>,
    output: PathBuf,
    memo: Arc<Memo>,
    names: Names,
    watch: Option<Watch>,
    held: Arc<Mutex<Held>>,
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

    /// Returns the same files, in which no name is held to anything: for another graph.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { held: Arc::default(), ..self.clone() }
    }

    /// Returns the same files, in which one name leads to a path.
    pub(crate) fn standing_in(&self, name: &str, path: PathBuf, content: Content) -> Self {
        Self { held: Arc::new(Mutex::new(HashMap::from([(name.to_owned(), (path, content))]))), ..self.clone() }
    }

    /// Lets a name lead to a path from now on, for all clones.
    pub(crate) fn hold(&self, name: &str, path: PathBuf, content: Content) {
        self.table().insert(name.to_owned(), (path, content));
    }

    /// Returns the content that a name is held to.
    pub(crate) fn held(&self, name: &str) -> Option<Content> {
        self.table().get(name).map(|(_, content)| *content)
    }

    fn table(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no thread panics while it holds the table")
    }

    /// Lists what could have a content, by size alone: first what finders know of, then what lies below the roots, which are
    /// not looked through before they must be.
    pub(crate) fn candidates(&self, content: &Content) -> impl Iterator<Item = PathBuf> {
        let known = self.finders.iter().flat_map(|finder| finder.candidates(content));
        let below = self.roots.iter().flat_map(|root| search::below(root, content));
        let mut seen = BTreeSet::new();
        known.chain(below).filter(move |path| seen.insert(path.clone()))
    }

    /// Says where contents are looked for.
    pub(crate) fn places(&self) -> Vec<String> {
        let roots = self.roots.iter().map(|root| root.display().to_string());
        roots.chain(self.finders.iter().flat_map(|finder| finder.places())).collect()
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
        if let Some((path, _)) = self.table().get(name) {
            return Ok(path.clone());
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
            return Ok(known.name);
        }
        if self.names == Names::Provisional {
            return reading::provisional(path, &stamp);
        }
        Ok(self.read(path, stamp, Ask::Name)?.name)
    }

    /// Returns the hash by which others know a file, read once per path, size and time of change.
    ///
    /// # Errors
    /// A fault of the file, or [`Fault::cancelled`].
    pub fn sha256(&self, path: &Path) -> Result<Sha256, Fault> {
        let stamp = Stamp::of(path)?;
        if let Some(known) = self.memo.get(path, &stamp).and_then(|known| known.sha256) {
            return Ok(known);
        }
        let read = self.read(path, stamp, Ask::Sha256)?;
        Ok(read.sha256.expect("it was asked for"))
    }

    fn read(&self, path: &Path, stamp: Stamp, ask: Ask) -> Result<Digests, Fault> {
        let digests = reading::digests(path, stamp.bytes, ask, self.watch.as_ref())?;
        self.memo.put(path, stamp, digests);
        Ok(digests)
    }

    /// Returns what files are together, whatever they are called.
    ///
    /// # Errors
    /// A fault of a file, or [`Fault::cancelled`].
    pub fn content(&self, pieces: &[Piece]) -> Result<Content, Fault> {
        let each = |piece: &'_ Piece| Ok((self.sha256(&piece.path)?, piece.role.clone()));
        let hashes = pieces.iter().map(each).collect::<Result<Vec<_>, Fault>>()?;
        let sha256 = match &hashes[..] {
            [(only, role)] if role.is_empty() => *only,
            _ => content::together(&hashes),
        };
        Ok(Content { sha256, bytes: Self::bytes(pieces)?, files: pieces.len() })
    }

    /// Returns the bytes of all files.
    ///
    /// # Errors
    /// A fault of a file.
    pub fn bytes(pieces: &[Piece]) -> Result<u64, Fault> {
        pieces.iter().map(|piece| Ok(Stamp::of(&piece.path)?.bytes)).sum()
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
    use crate::observe::Cancel;

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
    fn a_file_is_read_once_for_both_of_its_hashes() {
        let home = tempfile::tempdir().expect("a folder");
        let (path, memo) = (home.path().join("a"), home.path().join("memo.json"));
        fs::write(&path, b"one").expect("a file");
        let files = Files::new(Vec::new(), PathBuf::new()).with_memo(memo.clone());
        let alone = files.content(&Piece::alone(path.clone())).expect("readable");
        assert_eq!(alone, Content { sha256: Sha256::of_bytes(b"one"), bytes: 3, files: 1 });
        files.save_memo().expect("writable");
        let stamp = Stamp::of(&path).expect("it is there");
        let later = Memo::load(memo).get(&path, &stamp).expect("remembered");
        let name = Fingerprint::of_bytes(b"one");
        assert_eq!(later, Digests { name, sha256: Some(Sha256::of_bytes(b"one")) });
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
