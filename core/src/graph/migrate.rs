//! Files of older formats: brought up to date when read, kept when written over.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::fault::{Fault, Faults, Located};
use crate::graph::file::{self, FORMAT, Loaded};
use crate::graph::read::{self, read_with};

/// The sections of a file by name, each as the RON it was written in.
pub(super) type Sections = IndexMap<String, String>;

/// Brings the sections of one format into the next; `darkroom` is seen to.
pub(super) type Migration = fn(Sections) -> Result<Sections, Fault>;

/// The ways from older formats to this one, oldest first; the last leads to [`FORMAT`]. There is no older format yet.
pub(super) const MIGRATIONS: &[Migration] = &[];

/// Reads a file of an older format, by the migrations that lead from it to this one.
pub(super) fn read_older(format: u32, mut sections: Sections, migrations: &[Migration]) -> Result<Loaded, Faults> {
    for migration in migrations {
        sections = migration(sections)?;
    }
    sections.insert("darkroom".to_owned(), FORMAT.to_string());
    let lines: Vec<_> = sections.iter().map(|(name, value)| format!("{name}: {value},\n")).collect();
    let loaded = read_with(&format!("({})", lines.concat()), &[]).map_err(|faults| forget_positions(format, faults))?;
    Ok(Loaded { graph: loaded.graph, places: file::Places::default(), migrated_from: Some(format) })
}

/// Lines and columns of the migrated text would mislead.
fn forget_positions(format: u32, faults: Faults) -> Faults {
    let faults = faults.0.into_iter().map(|located| {
        let message = format!("after migration from format {format}: {}", located.fault.message);
        Located { fault: Fault { message, ..located.fault }, ..located }.position(None)
    });
    Faults(faults.collect())
}

/// Keeps a copy of a workflow file that is about to be written over, if its format is older.
pub(super) fn keep_older(path: &Path) -> Result<(), Fault> {
    let Some(format) = older_format(path) else { return Ok(()) };
    let copy = beside(path, format);
    let fail = |error| Fault::io("keep the original as", &copy, &error);
    let file = fs::OpenOptions::new().write(true).create_new(true).open(&copy);
    match file {
        Ok(mut file) => {
            let mut original = fs::File::open(path).map_err(fail)?;
            std::io::copy(&mut original, &mut file).and_then(|_| file.sync_all()).map_err(fail)
        }
        // It was kept before.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(fail(error)),
    }
}

/// The format of a file, if there is a workflow of an older one.
fn older_format(path: &Path) -> Option<u32> {
    let bytes = file::read_bytes(path).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    read::format_of(text).filter(|format| *format < FORMAT)
}

/// `a/landscape.ron` becomes `a/landscape.format-0.ron`.
fn beside(path: &Path, format: u32) -> PathBuf {
    path.with_extension(match path.extension() {
        Some(extension) => format!("format-{format}.{}", extension.to_string_lossy()),
        None => format!("format-{format}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLDER: &str = r#"(darkroom: 0, steps: {"a": (type: "toy", size: 3)}, layout: {"a": (4, 5)})"#;

    fn steps_became_nodes(mut sections: Sections) -> Result<Sections, Fault> {
        let steps = sections.shift_remove("steps").ok_or_else(|| Fault::file("there is no `steps` section"))?;
        sections.insert("nodes".to_owned(), steps);
        Ok(sections)
    }

    #[test]
    fn fault_24_an_older_format_is_migrated() {
        let loaded = read_with(OLDER, &[steps_became_nodes]).expect("it can be migrated");
        assert_eq!(loaded.migrated_from, Some(0));
        assert_eq!(loaded.graph.nodes["a"].kind, "toy");
        assert_eq!(loaded.graph.sections["layout"], r#"{"a": (4, 5)}"#);
        let saved = file::read(&file::write(&loaded.graph)).expect("it was just written");
        assert_eq!((saved.graph, saved.migrated_from), (loaded.graph, None));
    }

    #[test]
    fn fault_24_a_fault_after_migration_says_so() {
        let faults = read_with(&OLDER.replace("type", "typo"), &[steps_became_nodes]).expect_err("a node has no type");
        assert!(faults.to_string().starts_with("after migration from format 0: "), "{faults}");
        let faults = read_with("(darkroom: 0, nodes: {})", &[steps_became_nodes]).expect_err("there are no steps");
        assert!(faults.to_string().contains("no `steps` section"), "{faults}");
    }
}
