//! A workflow from a file, or from a picture that carries one.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use darkroom_core::fault::{Fault, Faults};
use darkroom_core::graph::file::{Loaded, read, read_file};

use crate::compose::{self, Making};
use crate::desk::Desk;

/// Reads the workflow of a file or picture.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn load(path: &Path, desk: &Desk) -> Result<Loaded, Faults> {
    let loaded = match picture_format(path) {
        Some(format) => read_picture(path, format)?,
        None => read_file(path)?,
    };
    if let Some(format) = loaded.migrated_from {
        desk.say(&format!("`{}` is of format {format}; it is read as a newer one, and stays as it is", path.display()));
    }
    Ok(loaded)
}

fn read_picture(path: &Path, format: &str) -> Result<Loaded, Faults> {
    let name = path.display();
    // A picture that cannot be read carries nothing either.
    let making = match compose::making(path) {
        Err(_) if format != "PNG" => Making::Nothing,
        making => making?,
    };
    let fault = match making {
        Making::Workflow(text) => return read(&text).map_err(|faults| faults.in_file(path)),
        Making::Parameters(_) => {
            Fault::file(format!("`{name}` carries the parameters of A1111 or its kin, which are no darkroom workflow"))
                .hint(format!("`darkroom init --from {name}` makes a workflow of them"))
        }
        Making::Comfyui => {
            Fault::file(format!("`{name}` carries a workflow of ComfyUI, which is no darkroom workflow"))
                .hint("build it anew from the nodes that `darkroom nodes` lists")
        }
        Making::Nothing if format == "PNG" => Fault::file(format!("`{name}` carries no workflow"))
            .hint("run a workflow file, or a PNG that darkroom saved and nothing else has saved since"),
        Making::Nothing => Fault::file(format!("`{name}` is a {format}, which carries no workflow"))
            .hint("darkroom puts workflows into PNG pictures"),
    };
    Err(fault.into())
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
