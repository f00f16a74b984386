//! Models in one file, as other programs save them: a folder's tensors under the names of a published single file.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{
    DType, Device, Tensor,
    quantized::{GgmlDType, QTensor, gguf_file},
};
use serde_json::Value;

use crate::archive;

/// Returns the tensors of a diffusers folder under the names and in the shapes of a published single file, by the file's
/// manifest, which knows nothing of our rules. The folder may be smaller than the published model, not otherwise built.
#[must_use]
pub fn tensors(folder: &Path, manifest: &str) -> BTreeMap<String, Tensor> {
    let mut parts: HashMap<String, HashMap<String, Tensor>> = HashMap::new();
    for entry in std::fs::read_dir(folder).expect("the folder of a model").flatten() {
        for file in ["model.safetensors", "diffusion_pytorch_model.safetensors"] {
            if let Ok(tensors) = candle_core::safetensors::load(entry.path().join(file), &Device::Cpu) {
                parts.insert(entry.file_name().to_string_lossy().into_owned(), tensors);
            }
        }
    }
    // Newer versions of transformers leave a level of the names out.
    let find = |component: &str, key: &str| {
        let tensors = parts.get(component)?;
        tensors.get(key).or_else(|| tensors.get(key.strip_prefix("text_model.")?)).cloned()
    };
    let mut made = BTreeMap::new();
    for (name, entry) in archive::single_file(manifest) {
        let targets = entry["to"].as_array().expect("a list of targets");
        let sources: Option<Vec<Tensor>> =
            targets.iter().map(|to| find(word(to, "component"), word(to, "key"))).collect();
        let Some(sources) = sources.filter(|sources| !sources.is_empty()) else { continue };
        let first = &sources[0];
        let tensor = match word(&targets[0], "op") {
            "copy" => Ok(first.clone()),
            "squeeze 1x1" => first.unsqueeze(2).and_then(|x| x.unsqueeze(3)),
            "transpose" => first.t().and_then(|x| x.contiguous()),
            _ => Tensor::cat(&sources, 0),
        };
        made.insert(name, tensor.expect("the shapes of the manifest"));
    }
    let taken: usize = made.len();
    assert!(taken > 100, "only {taken} tensors of {manifest} are in {}", folder.display());
    made
}

fn word<'a>(to: &'a Value, field: &str) -> &'a str {
    to[field].as_str().expect("a manifest says where tensors go in words")
}

/// Saves tensors as safetensors.
pub fn save(tensors: &BTreeMap<String, Tensor>, path: &Path) {
    let tensors: HashMap<String, Tensor> = tensors.iter().map(|(name, x)| (name.clone(), x.clone())).collect();
    candle_core::safetensors::save(&tensors, path).expect("a temporary folder can be written");
}

/// Makes big weights eight bits wide, each with a scale beside it that uses the whole range, as ComfyUI's files do.
#[must_use]
pub fn scaled_fp8(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let mut made = BTreeMap::new();
    for (name, x) in tensors {
        let Some(layer) = name.strip_suffix(".weight").filter(|_| x.rank() >= 2) else {
            made.insert(name.clone(), x.clone());
            continue;
        };
        let x = x.to_dtype(DType::F32).expect("a float");
        let most = x.abs().and_then(|x| x.flatten_all()).and_then(|x| x.max(0)).and_then(|x| x.to_scalar::<f32>());
        let scale = most.expect("a number").max(f32::MIN_POSITIVE) / 448.0;
        let small = (x / f64::from(scale)).and_then(|x| x.to_dtype(DType::F8E4M3)).expect("a float");
        made.insert(name.clone(), small);
        made.insert(format!("{layer}.scale_weight"), Tensor::new(scale, &Device::Cpu).expect("a number"));
    }
    let mark = Tensor::zeros(2, DType::F8E4M3, &Device::Cpu).expect("two numbers");
    made.insert("model.diffusion_model.scaled_fp8".into(), mark);
    made
}

/// Saves tensors as GGUF: matrices whose rows are whole blocks as `kind`, all else as f16 or f32.
///
/// Returns how many became blocks.
pub fn save_gguf(tensors: &BTreeMap<String, Tensor>, kind: GgmlDType, path: &Path) -> usize {
    let stored = |(name, x): (&String, &Tensor)| {
        let fits = x.rank() == 2 && x.dims()[1].is_multiple_of(kind.block_size());
        let kind = match x.rank() {
            _ if fits => kind,
            0 | 1 => GgmlDType::F32,
            _ => GgmlDType::F16,
        };
        let x = x.to_dtype(DType::F32).and_then(|x| QTensor::quantize(&x, kind)).expect("whole blocks");
        (name.clone(), x)
    };
    let stored: Vec<(String, QTensor)> = tensors.iter().map(stored).collect();
    let named: Vec<(&str, &QTensor)> = stored.iter().map(|(name, x)| (&name[..], x)).collect();
    let mut file = std::fs::File::create(path).expect("a temporary folder can be written");
    let architecture = gguf_file::Value::String("sdxl".into());
    gguf_file::write(&mut file, &[("general.architecture", &architecture)], &named).expect("a disk with room");
    stored.iter().filter(|(_, x)| x.dtype() == kind).count()
}

/// Writes the header of a published single file and no weights: a file of its full size that takes no room on disk.
pub fn save_sparse(manifest: &str, path: &Path) {
    let tensor = |(name, entry): (String, Value)| {
        let shape: Vec<usize> = serde_json::from_value(entry["shape"].clone()).expect("a shape");
        (name, shape, if entry["dtype"] == "I64" { ("I64", 8) } else { ("F16", 2) })
    };
    write_sparse(archive::single_file(manifest).into_iter().map(tensor), path);
}

/// Writes a header of f16 tensors of these shapes, and no weights.
pub fn save_shapes(tensors: Vec<(String, Vec<usize>)>, path: &Path) {
    write_sparse(tensors.into_iter().map(|(name, shape)| (name, shape, ("F16", 2))), path);
}

fn write_sparse(tensors: impl Iterator<Item = (String, Vec<usize>, (&'static str, usize))>, path: &Path) {
    let (start, data) = header(tensors);
    let length = (start.len() + data) as u64;
    std::fs::write(path, start).expect("a temporary folder can be written");
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("it was just written");
    file.set_len(length).expect("a file system of sparse files");
}

/// Returns what a safetensors file of tensors begins with that follow one another, and how many bytes follow. A tensor
/// is a name, a shape, and its format with the bytes of a value.
pub fn header(tensors: impl Iterator<Item = (String, Vec<usize>, (&'static str, usize))>) -> (Vec<u8>, usize) {
    let mut header = serde_json::Map::new();
    let mut at = 0;
    for (name, shape, (dtype, size)) in tensors {
        let end = at + shape.iter().product::<usize>() * size;
        header.insert(name, serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    let mut text = Value::from(header).to_string();
    // Published files fill the header up to a multiple of eight.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    ([&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat(), at)
}
