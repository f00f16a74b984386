//! What is cached, looked after: listed, checked against its names, and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::address::{Address, is_commit};
use crate::cache::Folder;
use crate::fault::HubFault;
use crate::hash;
use crate::parts::{ENDING, remove_file};
use crate::progress::{Event, Watch};
use crate::select::INDEX;
use crate::settings::Settings;
use crate::stop::Stop;

/// How the folder of a model begins.
const MODEL: &str = "models--";

/// The cache, as somebody who tidies up sees it.
#[derive(Debug, Clone)]
pub struct Shelf {
    cache: PathBuf,
}

/// A repository of which something is cached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// `owner/name`.
    pub repo: String,
    /// Its commits.
    pub revisions: Vec<Revision>,
    /// Bytes of its whole files, each counted once.
    pub bytes: u64,
    /// Bytes of files that are half here.
    pub partial_bytes: u64,
}

/// A commit of which something is cached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The commit.
    pub commit: String,
    /// Branches and tags that were at it when the hub was last asked.
    pub refs: Vec<String>,
    /// Its files and their sizes in bytes, sorted.
    pub files: Vec<(String, u64)>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Commits.
    pub revisions: usize,
    /// Bytes.
    pub bytes: u64,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files whose bytes are what their names say.
    pub good: usize,
    /// Files whose bytes are not, with what they are.
    pub damaged: Vec<Damage>,
    /// Links of snapshots that lead nowhere.
    pub dangling: Vec<PathBuf>,
}

/// A file whose bytes are not what its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, named by the hash that it should have.
    pub path: PathBuf,
    /// The hash that it has.
    pub found: String,
}

impl Shelf {
    /// Looks at the cache of the settings.
    pub fn new(settings: &Settings) -> Self {
        Self { cache: settings.cache.clone() }
    }

    /// Lists what is cached, sorted by name. A cache that is not there is empty.
    pub fn list(&self) -> Vec<Cached> {
        self.names().iter().map(|name| self.cached(name)).collect()
    }

    /// Lists files of a size, by their names in snapshots. Of those that the hub knows by a SHA-256, only that one.
    pub fn files_of(&self, bytes: u64, sha256: &str) -> Vec<PathBuf> {
        let is_other = |path: &Path| {
            let blob = fs::read_link(path).ok().and_then(|target| Some(target.file_name()?.to_str()?.to_owned()));
            blob.is_some_and(|blob| blob.len() == sha256.len() && hash::is_hash(&blob) && blob != sha256)
        };
        let files = self.snapshots().into_iter().flat_map(|snapshot| {
            let files = files_below(&snapshot).into_iter().filter(|(_, size)| *size == bytes);
            files.map(move |(file, _)| snapshot.join(file))
        });
        files.filter(|path| !is_other(path)).collect()
    }

    /// Lists the snapshots that hold a pipeline.
    pub fn pipelines(&self) -> Vec<PathBuf> {
        self.snapshots().into_iter().filter(|snapshot| snapshot.join(INDEX).is_file()).collect()
    }

    fn snapshots(&self) -> Vec<PathBuf> {
        let of = |name: String| {
            let folder = Folder::named(&self.cache, &name).snapshots();
            names_in(&folder).into_iter().map(move |commit| folder.join(commit))
        };
        self.names().into_iter().flat_map(of).collect()
    }

    fn names(&self) -> Vec<String> {
        let names = names_in(&self.cache).into_iter().filter(|name| name.starts_with(MODEL));
        names.filter(|name| self.cache.join(name).is_dir()).collect()
    }

    fn cached(&self, name: &str) -> Cached {
        let folder = Folder::named(&self.cache, name);
        let mut refs: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (revision, _) in files_below(&folder.refs()) {
            if let Some(commit) = folder.commit(&revision) {
                refs.entry(commit).or_default().push(revision);
            }
        }
        let revision = |commit: String| Revision {
            refs: refs.get(&commit).cloned().unwrap_or_default(),
            files: files_below(&folder.snapshots().join(&commit)),
            commit,
        };
        let revisions =
            names_in(&folder.snapshots()).into_iter().filter(|name| is_commit(name)).map(revision).collect();
        let size = |path: PathBuf| path.metadata().map_or(0, |about| about.len());
        let blobs = names_in(&folder.blobs()).into_iter();
        let (partial, whole): (Vec<_>, Vec<_>) = blobs.partition(|name| name.ends_with(ENDING));
        let bytes = whole.iter().filter(|name| hash::is_hash(name)).map(|name| size(folder.blob(name))).sum();
        let half = |name: &String| Some(crate::parts::About::of(&folder.blob(name))?.1.iter().sum::<u64>());
        let partial_bytes = partial.iter().filter_map(half).sum();
        let repo = name[MODEL.len()..].replace("--", "/");
        Cached { repo, revisions, bytes, partial_bytes }
    }

    /// Removes a repository from the cache, or the revision that the address names with the files that no other one has. With
    /// its last revision a repository goes altogether.
    ///
    /// # Errors
    /// A fault if nothing of it is there, another process is fetching it, or a file cannot be removed.
    pub fn remove(&self, address: &Address, what: Remove) -> Result<Removed, HubFault> {
        let folder = Folder::of(&self.cache, address);
        let nothing = || HubFault::Missing { what: format!("`{address}` in the cache") };
        if !folder.root().is_dir() {
            return Err(nothing());
        }
        let name = folder.root().file_name().expect("a repository's folder has a name").to_string_lossy().into_owned();
        let before = self.cached(&name);
        // Held until the end: nobody goes on with what is being removed.
        let mut locks = Vec::new();
        for hash in partials(&folder) {
            let busy = || HubFault::Busy { what: address.to_string(), lock: folder.lock(&hash) };
            locks.push(folder.held(&hash).ok_or_else(busy)?);
        }
        let commit = folder.commit(address.revision());
        let others = before.revisions.iter().filter(|revision| Some(&revision.commit) != commit.as_ref()).count();
        if what == Remove::Repository || (others == 0 && before.revisions.len() == 1 && commit.is_some()) {
            remove_folder(&folder.root())?;
            remove_folder(&folder.locks())?;
            return Ok(Removed { revisions: before.revisions.len(), bytes: before.bytes + before.partial_bytes });
        }
        let commit =
            commit.filter(|commit| before.revisions.iter().any(|one| one.commit == *commit)).ok_or_else(nothing)?;
        for (revision, _) in files_below(&folder.refs()) {
            if folder.commit(&revision).as_ref() == Some(&commit) {
                remove_file(&folder.refs().join(revision))?;
            }
        }
        remove_folder(&folder.snapshots().join(&commit))?;
        remove_folder(&folder.not_there(&commit))?;
        remove_file(&folder.listing(&commit))?;
        self.sweep(&folder)?;
        let after = self.cached(&name);
        Ok(Removed { revisions: 1, bytes: before.bytes - after.bytes })
    }

    /// Removes blobs that no snapshot leads to.
    fn sweep(&self, folder: &Folder) -> Result<(), HubFault> {
        let snapshots = folder.snapshots();
        let target = |(file, _): &(String, u64)| fs::read_link(snapshots.join(file)).ok();
        let used: BTreeSet<_> = files_below(&snapshots).iter().filter_map(target).collect();
        let used: BTreeSet<_> = used.iter().filter_map(|target| target.file_name()).collect();
        for name in names_in(&folder.blobs()) {
            if !hash::is_hash(&name) || used.contains(name.as_ref() as &OsStr) {
                continue;
            }
            if let Some(_held) = folder.held(&name) {
                remove_file(&folder.blob(&name))?;
            }
        }
        Ok(())
    }

    /// Reads every blob, of one repository or of all, and holds it against its name. Changes nothing.
    ///
    /// # Errors
    /// A fault of a file that cannot be read; the stop.
    pub fn verify(&self, address: Option<&Address>, watch: &dyn Watch) -> Result<Checked, HubFault> {
        let stop = Stop::default();
        stop.follow(watch, || self.checked(address, watch, &stop))
    }

    fn checked(&self, address: Option<&Address>, watch: &dyn Watch, stop: &Stop) -> Result<Checked, HubFault> {
        let mut checked = Checked::default();
        let wanted = address.map(|address| Folder::of(&self.cache, address).root());
        for name in self.names() {
            let folder = Folder::named(&self.cache, &name);
            if wanted.as_ref().is_some_and(|wanted| *wanted != folder.root()) {
                continue;
            }
            for name in names_in(&folder.blobs()).into_iter().filter(|name| hash::is_hash(name)) {
                let path = folder.blob(&name);
                watch.see(&Event::Verifying { file: &name });
                let found = hash::of_file(&path, &name, stop)?;
                if found == name {
                    checked.good += 1;
                } else {
                    checked.damaged.push(Damage { path, found });
                }
            }
            let snapshots = folder.snapshots();
            let paths = files_below(&snapshots).into_iter().map(|(file, _)| snapshots.join(file));
            checked.dangling.extend(paths.filter(|path| !path.exists()));
        }
        Ok(checked)
    }
}

/// How much is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remove {
    /// The revision that the address names.
    Revision,
    /// All of the repository.
    Repository,
}

fn partials(folder: &Folder) -> Vec<String> {
    names_in(&folder.blobs()).iter().filter_map(|name| name.strip_suffix(ENDING)).map(str::to_owned).collect()
}

/// Names in a folder, sorted; none if it is not there.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Files below a folder with their sizes in bytes, links followed, sorted by path; one that leads nowhere has none.
pub(crate) fn files_below(folder: &Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    for name in names_in(folder) {
        let path = folder.join(&name);
        // A link to a folder is not entered: it may lead in a circle.
        if path.symlink_metadata().is_ok_and(|about| about.is_dir()) {
            files.extend(files_below(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            files.push((name, path.metadata().map_or(0, |about| about.len())));
        }
    }
    files.sort();
    files
}

fn remove_folder(path: &Path) -> Result<(), HubFault> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(HubFault::io("remove", path)(error)),
        _ => Ok(()),
    }
}
