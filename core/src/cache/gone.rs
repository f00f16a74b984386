//! Why an entry that was once there is there no more, so that a second run of a node can be explained. A memory of
//! comfort: it may forget, and losing it costs an explanation.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;

use crate::fingerprint::Fingerprint;

/// Beyond this the file starts anew.
const FILE_BYTES: u64 = 1 << 20;
/// Beyond this the memory starts anew.
const NAMES: usize = 1 << 15;

/// Why a result is not in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// Nobody remembers that it ever was.
    Never,
    /// It had to make room for others.
    EvictedForRoom,
    /// Its file was damaged and was set aside.
    Damaged,
    /// Somebody cleared the cache.
    Cleared,
}

impl Gone {
    /// Returns the word for reports and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::EvictedForRoom => "evicted",
            Self::Damaged => "damaged",
            Self::Cleared => "cleared",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::EvictedForRoom, Self::Damaged, Self::Cleared].into_iter().find(|gone| gone.word() == word)
    }
}

/// What is remembered, in this process and (with a file) by those before it.
#[derive(Default)]
pub(super) struct Memories {
    file: Option<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    names: HashMap<Fingerprint, Gone>,
    read: bool,
}

impl Memories {
    /// Remembers in a file as well.
    pub fn in_file(file: PathBuf) -> Self {
        Self { file: Some(file), known: Mutex::default() }
    }

    /// Remembers why entries went.
    pub fn note(&self, recipes: &[Fingerprint], gone: Gone) {
        if recipes.is_empty() {
            return;
        }
        let mut known = self.known();
        if known.names.len() + recipes.len() > NAMES {
            known.names.clear();
        }
        known.names.extend(recipes.iter().map(|recipe| (*recipe, gone)));
        drop(known);
        let _ = self.append(recipes, gone);
    }

    /// Returns why an entry went.
    pub fn why(&self, recipe: Fingerprint) -> Gone {
        let mut known = self.known();
        if !known.read {
            known.read = true;
            for (recipe, gone) in self.read() {
                known.names.entry(recipe).or_insert(gone);
            }
        }
        known.names.get(&recipe).copied().unwrap_or(Gone::Never)
    }

    /// The last word on each name counts, and `or_insert` above takes the first: hence the other way round.
    fn read(&self) -> Vec<(Fingerprint, Gone)> {
        let text = self.file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let line = |line: &str| {
            let (recipe, word) = line.split_once(' ')?;
            Some((Fingerprint::from_hex(recipe)?, Gone::of_word(word)?))
        };
        text.lines().rev().filter_map(line).collect()
    }

    fn append(&self, recipes: &[Fingerprint], gone: Gone) -> std::io::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        if fs::metadata(path).is_ok_and(|about| about.len() > FILE_BYTES) {
            fs::remove_file(path)?;
        }
        let lines: String = recipes.iter().map(|recipe| format!("{recipe} {}\n", gone.word())).collect();
        fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(lines.as_bytes())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no thread panics while it remembers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_remembers() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("gone");
        let (a, b) = (Fingerprint::of_bytes(b"a"), Fingerprint::of_bytes(b"b"));
        let memories = Memories::in_file(file.clone());
        memories.note(&[a], Gone::EvictedForRoom);
        memories.note(&[a], Gone::Damaged);
        fs::OpenOptions::new().append(true).open(&file).and_then(|mut file| file.write_all(b"torn li")).expect("there");
        let later = Memories::in_file(file);
        assert_eq!((later.why(a), later.why(b)), (Gone::Damaged, Gone::Never));
    }
}
