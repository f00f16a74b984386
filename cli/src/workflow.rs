//! A workflow from a file, or from a picture that carries one.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use darkroom_core::fault::{Fault, Faults};
use darkroom_core::graph::file::{Loaded, read, read_file};

use crate::compose;
use crate::desk::Desk;

/// Reads the workflow of a file or picture.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn load(path: &Path, desk: &Desk) -> Result<Loaded, Faults> {
    let loaded = match picture_format(path) {
        Some("PNG") => read_picture(path)?,
        Some(format) => {
            let fault = Fault::file(format!("`{}` is a {format}, which carries no workflow", path.display()));
            return Err(fault.hint("darkroom puts workflows into PNG pictures").into());
        }
        None => read_file(path)?,
    };
    if let Some(format) = loaded.migrated_from {
        desk.say(&format!("`{}` is of format {format}; it is read as a newer one, and stays as it is", path.display()));
    }
    Ok(loaded)
}

fn read_picture(path: &Path) -> Result<Loaded, Faults> {
    let text = compose::picture_workflow(path)?.ok_or_else(|| {
        Fault::file(format!("`{}` carries no workflow", path.display()))
            .hint("run a workflow file, or a PNG that darkroom saved and nothing else has saved since")
    })?;
    read(&text).map_err(|faults| faults.in_file(path))
}

/// Tells the format of a picture by its first bytes; `None` if it is none, or cannot be read.
fn picture_format(path: &Path) -> Option<&'static str> {
    let mut first = [0; 12];
    // A pipe would wait for ever; what cannot be opened is told by whoever reads the file next.
    let file = path.metadata().ok().filter(std::fs::Metadata::is_file).and_then(|_| File::open(path).ok())?;
    let count = file.take(first.len() as u64).read(&mut first).ok()?;
    match &first[..count] {
        [0x89, b'P', b'N', b'G', ..] => Some("PNG"),
        [0xff, 0xd8, 0xff, ..] => Some("JPEG"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some("WebP"),
        _ => None,
    }
}
