//! Facts of the machine: what is there, and how much of it. Nothing here judges; `checks` does.
//!
//! Whatever the system tells of itself in files is read below a [`System`], which is `/` but in tests; what a program
//! tells is asked of a [`graphics::Driver`].

pub mod disks;
pub mod graphics;
pub mod groups;
pub mod memory;
pub mod mounts;
pub mod processor;
pub mod speed;

use std::fs;
use std::path::{Path, PathBuf};

/// The files in which a system tells of itself.
#[derive(Debug, Clone)]
pub struct System {
    root: PathBuf,
}

impl System {
    /// The system that runs this program.
    pub fn here() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// Reads a file; `None` if it is not there, or holds no text.
    fn text(&self, path: &Path) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }

    /// Reads a file that holds one number.
    fn number(&self, path: &Path) -> Option<u64> {
        self.text(path)?.trim().parse().ok()
    }

    fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

#[cfg(test)]
pub mod testing {
    //! Systems for tests: files by their paths.

    use tempfile::TempDir;

    use super::*;

    /// A system in a folder of its own.
    pub struct Played {
        _folder: TempDir,
        /// What it tells.
        pub system: System,
    }

    /// Makes a system of such files.
    pub fn system(files: &[(&str, &str)]) -> Played {
        let folder = tempfile::tempdir().expect("a folder");
        let system = System { root: folder.path().to_owned() };
        for (path, text) in files {
            let path = system.at(Path::new(path));
            fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        Played { _folder: folder, system }
    }
}
