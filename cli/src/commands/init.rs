//! `darkroom init`: a first workflow to read, run and change.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use darkroom_core::fault::{Fault, Faults};

use crate::desk::Desk;

/// The workflow, with its comments.
const EXAMPLE: &str = include_str!("../example.ron");

/// Writes the example; a file that is there stays as it is.
///
/// # Errors
/// A fault of the file.
pub fn init(file: &Path, desk: &Desk) -> Result<(), Faults> {
    let fail = |error: &std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Fault::file(format!("`{}` is there already, and stays as it is", file.display())).hint("name another file")
        }
        _ => Fault::io("write", file, error),
    };
    let mut made = File::create_new(file).map_err(|error| fail(&error))?;
    if let Err(error) = made.write_all(EXAMPLE.as_bytes()).and_then(|()| made.sync_all()) {
        let _ = std::fs::remove_file(file);
        return Err(fail(&error).into());
    }
    desk.answer(&file.display().to_string())?;
    desk.say(&format!("now: darkroom run {}", file.display()));
    Ok(())
}
