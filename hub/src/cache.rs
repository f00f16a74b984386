//! Where things lie in the cache that the Python tools share.
//!
//! `models--owner--name/` holds `blobs/` (files by their hash), `snapshots/<commit>/` (links to them by their names),
//! `refs/<revision>` (the commit that a branch or tag was at), and `.no_exist/<commit>/` (files that were asked for in vain).
//! Locks lie in `.locks/` beside it. What the hub said is there lies in `.darkroom/`, which the others leave alone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hf_hub::Cache;

use crate::address::{Address, is_commit};
use crate::fault::HubFault;
use crate::lock::Lock;
use crate::parts::ENDING;

/// The folder of one repository in the cache.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    cache: PathBuf,
    name: String,
}

impl Folder {
    pub fn of(cache: &Path, address: &Address) -> Self {
        Self { cache: cache.to_owned(), name: address.as_repo().folder_name() }
    }

    /// Takes a folder by its name.
    pub fn named(cache: &Path, name: &str) -> Self {
        Self { cache: cache.to_owned(), name: name.to_owned() }
    }

    pub fn root(&self) -> PathBuf {
        self.cache.join(&self.name)
    }

    pub fn locks(&self) -> PathBuf {
        self.cache.join(".locks").join(&self.name)
    }

    pub fn blobs(&self) -> PathBuf {
        self.root().join("blobs")
    }

    pub fn blob(&self, hash: &str) -> PathBuf {
        self.blobs().join(hash)
    }

    pub fn partial(&self, hash: &str) -> PathBuf {
        self.blobs().join(format!("{hash}{ENDING}"))
    }

    pub fn lock(&self, hash: &str) -> PathBuf {
        self.locks().join(format!("{hash}.lock"))
    }

    /// Takes the lock of a blob, if nobody is at work on it.
    pub fn held(&self, hash: &str) -> Option<Lock> {
        Lock::attempt(&self.lock(hash)).ok().flatten()
    }

    pub fn snapshots(&self) -> PathBuf {
        self.root().join("snapshots")
    }

    pub fn refs(&self) -> PathBuf {
        self.root().join("refs")
    }

    pub fn not_there(&self, commit: &str) -> PathBuf {
        self.root().join(".no_exist").join(commit)
    }

    pub fn listing(&self, commit: &str) -> PathBuf {
        self.root().join(".darkroom").join(format!("{commit}.json"))
    }

    /// Returns where the files of a commit are, whether or not they are there.
    pub fn snapshot(&self, address: &Address, commit: &str) -> PathBuf {
        Cache::new(self.cache.clone()).repo(address.as_repo()).pointer_path(commit)
    }

    /// Returns the commit that a revision was at when the hub was last asked.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let text = fs::read_to_string(self.refs().join(revision)).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Remembers the commit of a revision. The Python tools take a commit without a snapshot for damage, so that is made first.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn set_commit(&self, address: &Address, commit: &str) -> Result<(), HubFault> {
        make(&self.snapshot(address, commit))?;
        if address.is_pinned() || self.commit(address.revision()).as_deref() == Some(commit) {
            return Ok(());
        }
        write_whole(&self.refs().join(address.revision()), commit.as_bytes())
    }

    /// Lets a file of a commit be seen.
    ///
    /// # Errors
    /// A fault of the link.
    pub fn link(&self, address: &Address, commit: &str, file: &str, hash: &str) -> Result<(), HubFault> {
        let link = self.snapshot(address, commit).join(file);
        make(link.parent().expect("a file lies in its snapshot"))?;
        let up = "../".repeat(2 + file.matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{hash}"));
        loop {
            match std::os::unix::fs::symlink(&target, &link) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(HubFault::io("make", &link)(error));
                }
                Err(_) if fs::read_link(&link).is_ok_and(|there| there == target) => return Ok(()),
                // A copy, or a link that leads nowhere.
                Err(_) => fs::remove_file(&link).map_err(HubFault::io("replace", &link))?,
            }
        }
    }

    /// Returns a file of a commit, if all of it is there.
    pub fn find(&self, address: &Address, commit: &str, file: &str) -> Option<PathBuf> {
        let path = self.snapshot(address, commit).join(file);
        path.metadata().is_ok_and(|about| about.is_file()).then_some(path)
    }
}

pub(crate) fn make(folder: &Path) -> Result<(), HubFault> {
    fs::create_dir_all(folder).map_err(HubFault::io("make", folder))
}

/// Writes a small file so that it is either the old one or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), HubFault> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().expect("a file lies in a folder");
    make(folder)?;
    // A name that begins with a dot and is not read: whoever lists this folder sees whole files only by their names.
    let aside = folder.join(format!(".tmp-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    fs::write(&aside, bytes).map_err(HubFault::io("write", &aside))?;
    fs::rename(&aside, path).map_err(HubFault::io("write", path))
}
