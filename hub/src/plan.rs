//! What a pull would do, before it does anything.

use std::path::PathBuf;

use crate::address::Address;
use crate::cache::Folder;
use crate::listing::Remote;
use crate::parts::About;

/// What a pull needs, and what of it is here.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What was asked for.
    pub address: Address,
    /// The commit that it is at.
    pub commit: String,
    /// Where it is, or will be: the file that the address names, or the folder of the snapshot.
    pub path: PathBuf,
    /// The files that are needed, sorted by name.
    pub files: Vec<Wanted>,
}

/// A file that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its path in the repository.
    pub file: String,
    /// Its size in bytes, if the hub tells.
    pub size: Option<u64>,
    /// Bytes of it that are here; all of them when it is whole.
    pub here: u64,
    /// It is whole and can be used.
    pub is_whole: bool,
    pub(crate) hash: Option<String>,
}

impl Plan {
    /// Returns the files that are not whole.
    pub fn missing(&self) -> impl Iterator<Item = &Wanted> {
        self.files.iter().filter(|file| !file.is_whole)
    }

    /// Returns the bytes that must be fetched.
    pub fn bytes_to_fetch(&self) -> u64 {
        self.missing().map(|file| file.size.unwrap_or_default().saturating_sub(file.here)).sum()
    }

    /// Returns the bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().filter_map(|file| file.size).sum()
    }

    pub(crate) fn remotes(&self) -> Vec<Remote> {
        let remote = |wanted: &Wanted| {
            let Wanted { file, size, hash, .. } = wanted;
            Remote { path: file.clone(), size: *size, hash: hash.clone() }
        };
        self.files.iter().map(remote).collect()
    }

    pub(crate) fn new(address: &Address, commit: &str, folder: &Folder, files: &[Remote]) -> Self {
        let files = files.iter().map(|remote| Wanted::look(address, commit, folder, remote)).collect();
        let snapshot = folder.snapshot(address, commit);
        let path = address.file().map_or(snapshot.clone(), |file| snapshot.join(file));
        Self { address: address.clone(), commit: commit.to_owned(), path, files }
    }
}

impl Wanted {
    fn look(address: &Address, commit: &str, folder: &Folder, remote: &Remote) -> Self {
        let Remote { path, size, hash } = remote.clone();
        let found = folder.find(address, commit, &path).and_then(|path| path.metadata().ok()).map(|about| about.len());
        let is_whole = found.is_some_and(|found| size.is_none_or(|size| size == found));
        // Another commit may have brought the bytes; then only the link is missing.
        let blob = || Some(folder.blob(hash.as_deref()?).metadata().ok()?.len());
        let half = || Some(About::of(&folder.partial(hash.as_deref()?))?.1.iter().sum());
        let here = if is_whole { found } else { blob().or_else(half) };
        Self { file: path, size: size.or(found.filter(|_| is_whole)), here: here.unwrap_or_default(), is_whole, hash }
    }
}
