//! Files read for their digests, piece by piece, while somebody waits.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use sha2::Digest as _;

use super::content::Sha256;
use super::memo::{Digests, Stamp};
use crate::fault::Fault;
use crate::fingerprint::{Fingerprint, Hasher};
use crate::observe::Cancel;

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

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// Bytes after which whoever waits hears of it.
const TOLD: u64 = 16 << 20;

/// What is asked of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// The name that results are named by.
    Name,
    /// That, and the one that others know.
    Sha256,
}

/// Reads a file once for all that is asked of it.
pub(super) fn digests(path: &Path, of: u64, ask: Ask, watch: Option<&Watch>) -> Result<Digests, Fault> {
    let fail = |error: &std::io::Error| Fault::io("read", path, error);
    let mut file = fs::File::open(path).map_err(|error| fail(&error))?;
    let mut name = blake3::Hasher::new();
    let mut sha256 = (ask == Ask::Sha256).then(sha2::Sha256::new);
    let mut piece = vec![0; PIECE];
    let (mut done, mut told) = (0, 0);
    loop {
        let read = match file.read(&mut piece).map_err(|error| fail(&error))? {
            0 => {
                let sha256 = sha256.map(Sha256::finish);
                return Ok(Digests { name: Fingerprint::cut(name.finalize()), sha256 });
            }
            read => &piece[..read],
        };
        name.update(read);
        if let Some(sha256) = &mut sha256 {
            sha256.update(read);
        }
        done += read.len() as u64;
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
pub(super) fn provisional(path: &Path, stamp: &Stamp) -> Result<Fingerprint, Fault> {
    let mut start = Vec::with_capacity(PIECE);
    let read = fs::File::open(path).and_then(|file| file.take(PIECE as u64).read_to_end(&mut start));
    read.map_err(|error| Fault::io("read", path, &error))?;
    let hasher = Hasher::new("provisional").integer(i128::from(stamp.bytes)).text(&stamp.changed_ns.to_string());
    Ok(hasher.bytes(&start).finish())
}
