//! Names of a model by its content, for caches that must never mistake one model for another.
//!
//! The content digest reads every byte, some seconds per gigabyte the first time. The provisional one reads headers and
//! dates, for plans that are not carried out; it must not name a result that is stored.

use std::{io::Read as _, time::UNIX_EPOCH};

use super::{File, ModelFolder};
use crate::{
    Error, Progress, Result,
    weights::source::{self, Source},
};

/// Bytes between two ticks.
const CHUNK: usize = 4 << 20;

impl ModelFolder {
    /// Returns BLAKE3 over names and bytes of all files; ticks in bytes.
    pub fn digest(&self, progress: &mut dyn Progress) -> Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key("darkroom 1 model folder, content");
        let of = self.files().iter().map(|file| file.bytes as usize).sum();
        let mut done = 0;
        for file in self.files() {
            head(&mut hasher, file);
            let mut reader = source::open_regular(&file.path)?;
            let mut chunk = vec![0; CHUNK.min(file.bytes as usize + 1)];
            let mut read = 0;
            loop {
                let n = reader.read(&mut chunk).map_err(|fault| Error::io(&file.path, fault))?;
                if n == 0 {
                    break;
                }
                hasher.update(&chunk[..n]);
                read += n as u64;
                done += n;
                progress.tick(done.min(of), of)?;
            }
            same_length(file, read)?;
        }
        Ok(*hasher.finalize().as_bytes())
    }

    /// Returns BLAKE3 over names, sizes, dates of change and headers of all files.
    pub fn provisional_digest(&self) -> Result<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key("darkroom 1 model folder, provisional");
        for file in self.files() {
            head(&mut hasher, file);
            let changed = std::fs::metadata(&file.path).and_then(|found| found.modified());
            let changed = changed.map_err(|fault| Error::io(&file.path, fault))?;
            let since = changed.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
            hasher.update(&since.to_le_bytes());
            let source = Source::open(&file.path, false)?;
            same_length(file, source.length)?;
            let bytes = match file.name.ends_with(".safetensors") {
                true => source.header()?,
                false => source.read(0, source.length as usize)?.into_owned(),
            };
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(&bytes);
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

/// Lengths go first, so that no two lists of files read the same.
fn head(hasher: &mut blake3::Hasher, file: &File) {
    hasher.update(&(file.name.len() as u64).to_le_bytes());
    hasher.update(file.name.as_bytes());
    hasher.update(&file.bytes.to_le_bytes());
}

fn same_length(file: &File, found: u64) -> Result<()> {
    match found == file.bytes {
        true => Ok(()),
        false => {
            let what = format!("the file had {} bytes when the model was opened and has {found} now", file.bytes);
            Err(Error::format(&file.path, what).with_hint("open the model again once its files are complete"))
        }
    }
}
