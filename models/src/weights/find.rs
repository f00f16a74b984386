//! Which files of a component's folder hold its weights.
//!
//! One file, or an index that says which shard holds which tensor. The index is untrusted: it may name files beside
//! itself and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use super::{header::MAX_TENSORS, sniff, source::read_small};
use crate::{Error, Result, paths};

/// The largest index that is read.
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// The most shards of one component.
const MAX_SHARDS: usize = 1024;
/// Names as diffusers and transformers write them, the preferred ones first.
const NAMES: [&str; 4] = [
    "model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors.index.json",
];

/// The weight files of a component.
#[derive(Debug)]
pub struct Found {
    /// The index, where there is one.
    pub index: Option<Index>,
    /// The weight files, sorted.
    pub files: Vec<PathBuf>,
}

/// Which shard holds which tensor.
#[derive(Debug)]
pub struct Index {
    pub path: PathBuf,
    /// Tensor name to file name.
    pub shards: BTreeMap<String, String>,
}

/// Finds the weights in a component's folder.
pub fn in_folder(folder: &Path) -> Result<Found> {
    let names = list(folder)?;
    let chosen = choose(folder, &names)?;
    let path = folder.join(chosen);
    match is_index(chosen) {
        true => sharded(folder, path),
        false => {
            paths::inside(folder, &path)?;
            Ok(Found { index: None, files: vec![path] })
        }
    }
}

/// Lists the names in a folder, sorted.
fn list(folder: &Path) -> Result<Vec<String>> {
    let io = |fault| Error::io(folder, fault);
    let mut names = Vec::new();
    for item in std::fs::read_dir(folder).map_err(io)? {
        names.extend(item.map_err(io)?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Picks a well-known name, else the half-precision variant, else the only file there is.
fn choose<'a>(folder: &Path, names: &'a [String]) -> Result<&'a str> {
    let known = NAMES.iter().find_map(|known| names.iter().find(|name| name == known));
    let candidates: Vec<&String> = names.iter().filter(|name| is_index(name) || is_whole(name)).collect();
    let half = candidates.iter().find(|name| name.contains("fp16")).copied();
    if let Some(name) = known.or(half) {
        return Ok(name);
    }
    match candidates[..] {
        [only] => Ok(only),
        [] => Err(none_found(folder, names)),
        _ => {
            let all: Vec<&str> = candidates.iter().map(|name| name.as_str()).collect();
            let what = format!("several files could be the weights: {}", all.join(", "));
            Err(Error::format(folder, what).with_hint("keep one of them, or name the file itself"))
        }
    }
}

fn none_found(folder: &Path, names: &[String]) -> Error {
    match names.iter().find(|name| sniff::is_pickle_by_name(Path::new(name))) {
        Some(pickle) => {
            Error::format(folder, format!("no .safetensors here; `{pickle}` is a pickle, which is not read"))
                .with_hint("take the .safetensors of the same model")
        }
        None => Error::format(folder, "no .safetensors file here").with_hint("download the component's weights"),
    }
}

fn is_index(name: &str) -> bool {
    name.ends_with(".json") && name.contains(".safetensors.index")
}

/// Tells a file that stands alone from a shard, `…-00001-of-00002.safetensors`.
fn is_whole(name: &str) -> bool {
    name.strip_suffix(".safetensors").is_some_and(|stem| !stem.contains("-of-"))
}

fn sharded(folder: &Path, path: PathBuf) -> Result<Found> {
    let fault = |what: String| Error::format(&path, what);
    let bytes = read_small(&paths::inside(folder, &path)?, MAX_INDEX_BYTES)?;
    let read: IndexFile =
        serde_json::from_slice(&bytes).map_err(|what| fault(format!("the index cannot be read: {what}")))?;
    let names: BTreeSet<&String> = read.weight_map.0.values().collect();
    if names.is_empty() || names.len() > MAX_SHARDS {
        return Err(fault(format!("the index names {} shards, 1 to {MAX_SHARDS} are allowed", names.len())));
    }
    let mut files = Vec::new();
    for name in names {
        if !is_plain(name) {
            let what = format!("the index names `{name}`, and only .safetensors files beside it are allowed");
            return Err(fault(what).with_hint("take the index that belongs to the shards"));
        }
        let shard = folder.join(name);
        if !shard.exists() {
            return Err(fault(format!("shard `{name}` is missing")).with_hint("download it again"));
        }
        paths::inside(folder, &shard)?;
        files.push(shard);
    }
    Ok(Found { index: Some(Index { path, shards: read.weight_map.0 }), files })
}

/// A file name without any way out of its folder, and no index: an index cannot name itself.
fn is_plain(name: &str) -> bool {
    let way_out = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    name.len() <= 255 && !name.starts_with('.') && !name.contains(way_out) && name.ends_with(".safetensors")
}

#[derive(Deserialize)]
struct IndexFile {
    weight_map: Unique,
}

/// A map of names that refuses one standing twice.
struct Unique(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensor names and file names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut shards = BTreeMap::new();
        while let Some((name, shard)) = map.next_entry::<String, String>()? {
            if shards.len() == MAX_TENSORS {
                return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
            }
            if shards.contains_key(&name) {
                return Err(A::Error::custom(format!("tensor `{name}` stands twice")));
            }
            shards.insert(name, shard);
        }
        Ok(shards)
    }
}
