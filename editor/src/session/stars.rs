//! Pictures that somebody marked with a star. They are kept in a file of their own, which several windows may change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use darkroom_core::fault::Fault;
use darkroom_core::files::write_aside;

/// The file's name in the state folder.
const FILE: &str = "stars.ron";

/// Pictures with a star.
#[derive(Debug, Default)]
pub struct Stars {
    file: Option<PathBuf>,
    known: BTreeSet<PathBuf>,
}

impl Stars {
    /// Reads those that are kept in a folder; without one, they are known as long as the window lives.
    pub fn open(folder: Option<&Path>) -> Self {
        let file = folder.map(|folder| folder.join(FILE));
        let known = file.as_deref().and_then(read).unwrap_or_default();
        Self { file, known }
    }

    /// Tells whether a picture has a star.
    pub fn has(&self, path: &Path) -> bool {
        self.known.contains(path)
    }

    /// Gives a picture a star, or takes it away, and writes it down with what other windows have done meanwhile.
    ///
    /// # Errors
    /// A fault of the file; the star holds as long as the window lives.
    pub fn turn(&mut self, path: &Path) -> Result<(), Fault> {
        let has = self.has(path);
        if let Some(known) = self.file.as_deref().and_then(read) {
            self.known = known;
        }
        match has {
            true => drop(self.known.remove(path)),
            false => drop(self.known.insert(path.to_owned())),
        }
        let Some(file) = &self.file else { return Ok(()) };
        // A path that is no text cannot be written.
        let texts: Vec<_> = self.known.iter().filter_map(|path| path.to_str()).collect();
        let pretty = ron::ser::PrettyConfig::new();
        let text = ron::ser::to_string_pretty(&texts, pretty)
            .map_err(|error| Fault::bug(format!("the stars cannot be written: {error}")))?;
        write_aside(file, text.as_bytes())
    }
}

/// What is damaged counts as empty, and is written anew with the next star.
fn read(file: &Path) -> Option<BTreeSet<PathBuf>> {
    ron::from_str(&fs::read_to_string(file).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_outlive_the_window_and_two_windows_keep_those_of_both() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut one, mut two) = (Stars::open(Some(home.path())), Stars::open(Some(home.path())));
        one.turn(Path::new("/a.png")).expect("it is written");
        two.turn(Path::new("/b.png")).expect("it is written");
        one.turn(Path::new("/a.png")).expect("it is written");
        let later = Stars::open(Some(home.path()));
        assert!(later.has(Path::new("/b.png")) && !later.has(Path::new("/a.png")));
    }
}
