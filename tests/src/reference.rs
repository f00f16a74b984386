//! The reference data: where it lies, how it is read, how a result is held against it.
//!
//! Another set laid out like `tests/reference/golden` is named with `DARKROOM_REFERENCE`; nothing here or in the
//! tests knows the sizes, names or seeds of the set in the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

/// Returns the folder of the reference set, which holds `models/`, `expected/` and `tokenizer/`.
///
/// `DARKROOM_REFERENCE` names it; a relative path starts at the workspace root. Panics if the folder is missing: a
/// set that is not there must fail the tests, not skip them.
#[must_use]
pub fn root() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("`tests` lies in the workspace");
    let named = std::env::var_os("DARKROOM_REFERENCE").filter(|name| !name.is_empty());
    let folder = workspace.join(named.map_or_else(|| PathBuf::from("tests/reference/golden"), PathBuf::from));
    assert!(
        folder.is_dir(),
        "no reference data at {}: set DARKROOM_REFERENCE to a folder like tests/reference/golden",
        folder.display()
    );
    folder
}

/// Returns the repository's own `tests/reference`: manifests, configurations, vocabularies and ComfyUI's tables, which
/// are the same for every set.
#[must_use]
pub fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reference")
}

/// Loads the tensors of one topic, such as `schedulers/tables`, on the CPU.
#[must_use]
pub fn tensors(topic: &str) -> Tensors {
    tensors_at(&root().join("expected").join(format!("{topic}.safetensors")))
}

/// Loads any safetensors file of the reference data on the CPU.
#[must_use]
pub fn tensors_at(path: &Path) -> Tensors {
    let map = candle_core::safetensors::load(path, &Device::Cpu)
        .unwrap_or_else(|error| panic!("cannot read the reference tensors at {}: {error}", path.display()));
    Tensors { place: path.display().to_string(), map: map.into_iter().collect() }
}

/// Loads what was called to make one topic: `expected/<topic>.json`.
#[must_use]
pub fn facts(topic: &str) -> serde_json::Value {
    json_at(&root().join("expected").join(format!("{topic}.json")))
}

/// Loads a JSON file of the reference data.
#[must_use]
pub fn json_at(path: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_str(&without_infinities(text))
        .unwrap_or_else(|error| panic!("not JSON: {}: {error}", path.display()))
}

/// Python writes infinite numbers as words that are not JSON, behind a colon or on lines of their own.
fn without_infinities(text: String) -> String {
    let words = ["-Infinity", "Infinity", "NaN"].into_iter();
    let places = words.flat_map(|word| [": ", "\n"].map(|before| (before, word)));
    places.fold(text, |text, (before, word)| text.replace(&format!("{before}{word}"), &format!("{before}null")))
}

/// Returns the seed the set was made with.
#[must_use]
pub fn seed() -> u64 {
    json_at(&root().join("PROVENANCE.json"))["seed"].as_u64().expect("PROVENANCE.json names the seed")
}

/// Named tensors of one file, sorted by name.
pub struct Tensors {
    place: String,
    map: BTreeMap<String, Tensor>,
}

impl Tensors {
    /// Returns one tensor; panics with the names that are there if it is missing.
    #[must_use]
    pub fn get(&self, name: &str) -> &Tensor {
        self.find(name).unwrap_or_else(|| {
            panic!("no tensor `{name}` in {}; it holds {:?}", self.place, self.names().take(40).collect::<Vec<_>>())
        })
    }

    /// Returns one tensor if it is there.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.map.get(name)
    }

    /// Returns all names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }
}

/// Returns all elements in order, widened to f64.
#[must_use]
pub fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.to_dtype(DType::F64).and_then(|wide| wide.flatten_all()).and_then(|flat| flat.to_vec1());
    flat.expect("a tensor of numbers can be read as f64")
}

/// Returns the largest absolute difference; infinity if any element is not a number. Panics if the shapes differ.
#[must_use]
pub fn max_abs(got: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(got.dims(), wanted.dims(), "shapes differ (got, wanted)");
    values(got).iter().zip(values(wanted)).map(|(a, b)| distance(*a, b)).fold(0.0, f64::max)
}

fn distance(a: f64, b: f64) -> f64 {
    let gap = (a - b).abs();
    if gap.is_nan() { f64::INFINITY } else { gap }
}

/// Returns how near a picture is to another in decibels, both in [0, 1]; infinity where they are the same, minus infinity
/// where any element is not a number. Panics if the shapes differ.
#[must_use]
pub fn psnr(got: &Tensor, wanted: &Tensor) -> f64 {
    assert_eq!(got.dims(), wanted.dims(), "shapes differ (got, wanted)");
    let squares = values(got).iter().zip(values(wanted)).map(|(a, b)| distance(*a, b).powi(2)).sum::<f64>();
    -10.0 * (squares / got.elem_count() as f64).log10()
}

/// Returns the standard deviation over all elements.
#[must_use]
pub fn std_dev(tensor: &Tensor) -> f64 {
    let all = values(tensor);
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt()
}

/// Panics unless both have one shape and differ nowhere by more than `limit`. Says what was compared and how far off it is.
pub fn assert_close(what: &str, got: &Tensor, wanted: &Tensor, limit: f64) {
    assert_eq!(got.dims(), wanted.dims(), "{what}: shapes differ (got, wanted)");
    assert!(wanted.elem_count() > 0, "{what}: the reference is empty");
    let gap = max_abs(got, wanted);
    assert!(
        gap <= limit,
        "{what}: off by {gap:.3e}, the limit is {limit:.3e} (standard deviation of the reference {:.3e})",
        std_dev(wanted)
    );
}
