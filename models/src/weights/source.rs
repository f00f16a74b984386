//! Where the bytes of tensors come from: a mapped file, a file read piece by piece, or memory.
//!
//! Only regular files are opened: a device or a pipe would never end. A file that shrinks while it is in use is an
//! error, since every read asks for its length first.

use std::{
    borrow::Cow,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use memmap2::Mmap;

use super::{header, remote, sniff};
use crate::{Error, Result};

/// Bytes that are already in memory: embedded in the binary, or shared.
#[derive(Clone)]
pub enum Bytes {
    /// Part of the binary.
    Static(&'static [u8]),
    /// Shared.
    Shared(Arc<[u8]>),
}

impl From<&'static [u8]> for Bytes {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::Static(bytes)
    }
}

impl<const N: usize> From<&'static [u8; N]> for Bytes {
    fn from(bytes: &'static [u8; N]) -> Self {
        Bytes::Static(bytes)
    }
}

impl From<Arc<[u8]>> for Bytes {
    fn from(bytes: Arc<[u8]>) -> Self {
        Bytes::Shared(bytes)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::Shared(bytes.into())
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Static(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }
}

/// The bytes of one file.
pub struct Source {
    /// The file, or the name of an embedded one.
    pub path: PathBuf,
    /// How long it was when it was opened.
    pub length: u64,
    kind: Kind,
}

enum Kind {
    Memory(Bytes),
    File(File),
    Mapped(File, Mmap),
}

impl Source {
    /// Takes bytes that are in memory; `name` stands in for a path in messages.
    pub fn memory(name: &str, bytes: Bytes) -> Self {
        Self { path: name.into(), length: bytes.len() as u64, kind: Kind::Memory(bytes) }
    }

    /// Opens a regular file, mapped or to be read piece by piece.
    pub fn open(path: &Path, mmap: bool) -> Result<Self> {
        let file = open_regular(path)?;
        let length = file.metadata().map_err(|fault| Error::io(path, fault))?.len();
        let kind = if mmap && length > 0 && !remote::is_remote(&file) {
            // SAFETY: the map is only read, through `read`, which first makes sure that the file still has its length.
            // What stays is a file on a local disk that another process cuts short between that question and the copy:
            // `Options::mmap` turns maps off for those who expect it.
            let map = unsafe { Mmap::map(&file) }.map_err(|fault| Error::io(path, fault))?;
            Kind::Mapped(file, map)
        } else {
            Kind::File(file)
        };
        Ok(Self { path: path.into(), length, kind })
    }

    /// Returns `length` bytes from `offset` on, borrowed where they are mapped.
    pub fn read(&self, offset: u64, length: usize) -> Result<Cow<'_, [u8]>> {
        self.check_length()?;
        let outside = || Error::format(&self.path, format!("{length} bytes at {offset} lie outside of the file"));
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.length).ok_or_else(outside)?;
        match &self.kind {
            Kind::Memory(bytes) => Ok(Cow::Borrowed(&bytes[offset as usize..end as usize])),
            Kind::Mapped(_, map) => Ok(Cow::Borrowed(map.get(offset as usize..end as usize).ok_or_else(outside)?)),
            Kind::File(file) => {
                let mut bytes = vec![0; length];
                read_exact_at(file, &mut bytes, offset).map_err(|fault| Error::io(&self.path, fault))?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// Reads bytes from `offset` on into memory of the caller's: never through the map, so that a file that is cut short
    /// meanwhile is an error, and what was read does not count as mapped.
    pub fn read_into(&self, offset: u64, to: &mut [u8]) -> Result<()> {
        match &self.kind {
            Kind::Memory(bytes) => {
                let outside = || Error::format(&self.path, format!("{} bytes at {offset} lie outside", to.len()));
                let from = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..offset + to.len()));
                to.copy_from_slice(from.ok_or_else(outside)?);
                Ok(())
            }
            Kind::File(file) | Kind::Mapped(file, _) => {
                read_exact_at(file, to, offset).map_err(|fault| Error::io(&self.path, fault))
            }
        }
    }

    /// Asks the system to have some bytes at hand soon. A wish: where it is not heard they are read when they are wanted.
    pub fn want(&self, offset: u64, length: usize) {
        #[cfg(unix)]
        if let (Kind::Mapped(_, map), Ok(offset)) = (&self.kind, usize::try_from(offset)) {
            let _ = map.advise_range(memmap2::Advice::WillNeed, offset, length);
        }
        #[cfg(not(unix))]
        let _ = (offset, length);
    }

    /// Tells whether the file starts with these bytes.
    pub fn starts_with(&self, start: &[u8]) -> Result<bool> {
        Ok(self.read(0, self.length.min(start.len() as u64) as usize)?[..] == *start)
    }

    /// Returns the JSON header of a safetensors file, or why this is none.
    pub fn header(&self) -> Result<Vec<u8>> {
        let start = self.read(0, self.length.min(16) as usize)?;
        if let Some(refusal) = sniff::refuse(&self.path, &start) {
            return Err(refusal);
        }
        let length = header::header_length(&start, self.length);
        let length = length.map_err(|what| Error::format(&self.path, what))?;
        Ok(self.read(8, length)?.into_owned())
    }

    /// Makes sure that the file is as long as it was when it was opened.
    pub fn check_length(&self) -> Result<()> {
        let (Kind::File(file) | Kind::Mapped(file, _)) = &self.kind else {
            return Ok(());
        };
        let now = file.metadata().map_err(|fault| Error::io(&self.path, fault))?.len();
        if now == self.length {
            return Ok(());
        }
        let what = format!("the file had {} bytes when it was opened and has {now} now", self.length);
        Err(Error::format(&self.path, what).with_hint("open the model again once its file is complete"))
    }
}

/// Opens a file that is neither a folder nor a device nor a pipe.
pub fn open_regular(path: &Path) -> Result<File> {
    // Asked before opening, because opening a pipe waits for its other end.
    let asked = std::fs::metadata(path).map_err(|fault| Error::io(path, fault))?;
    check_regular(path, &asked)?;
    let file = File::open(path).map_err(|fault| Error::io(path, fault))?;
    check_regular(path, &file.metadata().map_err(|fault| Error::io(path, fault))?)?;
    Ok(file)
}

fn check_regular(path: &Path, found: &std::fs::Metadata) -> Result<()> {
    match found.is_file() {
        true => Ok(()),
        false if found.is_dir() => Err(Error::format(path, "a file is wanted, this is a folder")),
        false => Err(Error::format(path, "a regular file is wanted, this is a device or a pipe")),
    }
}

/// Reads a small regular file whole; more than `limit` bytes are refused before they are read.
pub fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open_regular(path)?;
    let length = file.metadata().map_err(|fault| Error::io(path, fault))?.len();
    let mut bytes = Vec::with_capacity(length.min(limit) as usize);
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|fault| Error::io(path, fault))?;
    if bytes.len() as u64 > limit {
        return Err(Error::format(
            path,
            format!("the file has more than {limit} bytes, the most that is read of its kind"),
        ));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        offset += n as u64;
    }
    Ok(())
}
