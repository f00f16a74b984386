//! What the repository keeps whichever reference set is used: manifests here, published configurations and vocabularies
//! where the program itself has them.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use darkroom_models::Weights;

/// Returns the repository's own reference folder.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reference")
}

/// Returns the folder of the published configurations, which are part of the program.
#[must_use]
pub fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/src/sdxl/published")
}

/// Unpacks a gzipped file of the reference folder.
#[must_use]
pub fn unpacked(name: &str) -> Vec<u8> {
    unpacked_at(&folder().join(name))
}

/// Unpacks a file of the full CLIP vocabulary, which is part of the program: `vocab.json` or `merges.txt`.
#[must_use]
pub fn clip(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/src/tokenizer/published");
    unpacked_at(&folder.join(format!("clip_{name}.gz")))
}

fn unpacked_at(path: &Path) -> Vec<u8> {
    let file = File::open(path).unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()));
    let mut bytes = Vec::new();
    let read = flate2::read::GzDecoder::new(file).read_to_end(&mut bytes);
    read.unwrap_or_else(|error| panic!("cannot unpack {}: {error}", path.display()));
    bytes
}

/// Returns the tensors of a published model, from its manifest: name and shape.
#[must_use]
pub fn manifest(name: &str) -> BTreeMap<String, Vec<usize>> {
    let bytes = unpacked(&format!("manifests/{name}.json.gz"));
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).expect("a manifest is JSON");
    serde_json::from_value(json["tensors"].take()).expect("a manifest lists names and shapes")
}

/// Returns the tensors of a published single file, `sd_xl_base_1.0`, and what becomes of each: `shape`, and in `to` the
/// component, key and op of every tensor that it is made into.
#[must_use]
pub fn single_file(name: &str) -> BTreeMap<String, serde_json::Value> {
    let bytes = unpacked(&format!("manifests/single-file-{name}.json.gz"));
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).expect("a manifest is JSON");
    serde_json::from_value(json["tensors"].take()).expect("a manifest lists names")
}

/// Opens a manifest as weights that take no memory.
#[must_use]
pub fn dry(name: &str) -> Weights {
    Weights::dry(name, manifest(name))
}
