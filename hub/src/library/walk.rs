//! Which files of a folder are models.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::{Fault, Item, Kind, Place};

/// How many folders deep models are looked for; a link that leads back up ends there.
const MAX_DEPTH: usize = 8;
/// The most models of one place.
const MAX_ITEMS: usize = 100_000;
/// How model files end. Pickles are listed too, so that a user sees why one is not taken.
const ENDINGS: [&str; 7] = ["safetensors", "gguf", "sft", "ckpt", "pt", "pth", "bin"];

/// Tells whether a name stays below the folder that it is joined to.
pub fn is_below(name: &str) -> bool {
    let path = Path::new(name);
    !name.is_empty()
        && !name.contains(['\0', '\\'])
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Adds the models of a place.
pub fn models(place: &Place, items: &mut Vec<Item>) -> Result<(), Fault> {
    let first = items.len();
    let mut folders = vec![(place.folder.clone(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for path in children(&folder)? {
            if items.len() - first == MAX_ITEMS {
                return Ok(());
            }
            // Whatever vanished meanwhile, or a link that leads nowhere, is no model.
            let Ok(about) = fs::metadata(&path) else { continue };
            if about.is_dir() && path.join("model_index.json").is_file() {
                items.push(item(place, Kind::Diffusers, path.clone(), size_below(&path, 0)));
            } else if about.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if about.is_file() && is_model(&path) && place.kind != Kind::Diffusers {
                items.push(item(place, place.kind, path, about.len()));
            }
        }
    }
    Ok(())
}

fn item(place: &Place, kind: Kind, path: PathBuf, bytes: u64) -> Item {
    let below = path.strip_prefix(&place.folder).unwrap_or(&path);
    let name = below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
    Item { kind, name, path, bytes }
}

/// Lists a folder; one that is not there is empty.
fn children(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let io = |source| Fault::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io)?,
    };
    entries.map(|entry| Ok(entry.map_err(io)?.path())).collect()
}

fn is_model(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
}

fn size_below(folder: &Path, depth: usize) -> u64 {
    let each = |path: PathBuf| match fs::metadata(&path) {
        Ok(about) if about.is_dir() && depth < MAX_DEPTH => size_below(&path, depth + 1),
        Ok(about) if about.is_file() => about.len(),
        _ => 0,
    };
    children(folder).unwrap_or_default().into_iter().map(each).sum()
}
