//! What the repository keeps packed, whichever reference set is used: vocabularies, manifests, published configurations.

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

/// Unpacks a gzipped file of that folder.
#[must_use]
pub fn unpacked(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()));
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

/// Opens a manifest as weights that take no memory.
#[must_use]
pub fn dry(name: &str) -> Weights {
    Weights::dry(name, manifest(name))
}
