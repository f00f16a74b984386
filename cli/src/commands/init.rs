//! `darkroom init`: a first workflow to read, run and change: an example, or that of a picture.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use darkroom_core::fault::{Fault, Faults};

use crate::compose::{self, Making};
use crate::desk::Desk;

/// The workflow, with its comments.
const EXAMPLE: &str = include_str!("../example.ron");

/// Writes the example, or the workflow of a picture; a file that is there stays as it is.
///
/// # Errors
/// A fault of the file or the picture.
pub fn init(file: &Path, from: Option<&Path>, desk: &Desk) -> Result<(), Faults> {
    let (text, warnings) = match from {
        Some(picture) => workflow_of(picture)?,
        None => (EXAMPLE.to_owned(), Vec::new()),
    };
    let fail = |error: &std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Fault::file(format!("`{}` is there already, and stays as it is", file.display())).hint("name another file")
        }
        _ => Fault::io("write", file, error),
    };
    let mut made = File::create_new(file).map_err(|error| fail(&error))?;
    if let Err(error) = made.write_all(text.as_bytes()).and_then(|()| made.sync_all()) {
        let _ = std::fs::remove_file(file);
        return Err(fail(&error).into());
    }
    warnings.iter().for_each(|warning| desk.warn(warning));
    desk.answer(&file.display().to_string())?;
    desk.say(&format!("now: darkroom run {}", file.display()));
    Ok(())
}

/// Returns the workflow that a picture carries, or one made of A1111's words, with what could not be carried over.
///
/// # Errors
/// A fault of the picture, or that it carries none.
pub fn workflow_of(picture: &Path) -> Result<(String, Vec<String>), Fault> {
    match compose::making(picture)? {
        Making::Workflow(text) => Ok((text, Vec::new())),
        Making::Parameters(text) => Ok(compose::workflow_of_parameters(&text)),
        Making::Comfyui => {
            let message = format!("`{}` carries a workflow of ComfyUI, which is not read", picture.display());
            Err(Fault::file(message).hint("build it anew from the nodes that `darkroom nodes` lists"))
        }
        Making::Nothing => {
            let message = format!("`{}` does not say how it was made", picture.display());
            Err(Fault::file(message)
                .hint("take a picture that darkroom or A1111 saved and nothing else has saved since"))
        }
    }
}
