//! Models of noise on disk, in real names and shapes: for benches and soaks, where networks have to compute and nobody
//! looks at what.
//!
//! The noise is [`Weights::random`]'s: the same for the same seed and name, matrices and convolutions keep the size of
//! what goes through them, gains are 1 and biases 0. Files are written tensor by tensor, so that 7 GB on disk take the
//! memory of the largest tensor, and appear under their name only when they are whole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use candle_core::{CpuStorage, DType, Storage, Tensor};
use darkroom_models::{
    Error, Weights,
    nn::Keep,
    sdxl::{UNet, config::UNetConfig},
};
use serde_json::{Value, json};

use crate::{archive, single};

/// Values that are turned into bytes at a time.
const CHUNK: usize = 1 << 20;
/// The rank of a made-up LoRA.
const RANK: usize = 4;

/// Names and shapes.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// Writes SDXL base as it was published, in one file of the names of latent diffusion. Returns its bytes.
///
/// # Errors
/// Whatever the disk says, and formats that no such file has.
pub fn base_file(path: &Path, dtype: DType, seed: u64) -> Result<u64> {
    save(path, base_shapes()?, dtype, seed)
}

fn base_shapes() -> Result<Shapes> {
    let shape = |(name, entry): (String, Value)| Ok((name, serde_json::from_value(entry["shape"].clone())?));
    archive::single_file("sd_xl_base_1.0").into_iter().map(shape).collect()
}

/// Writes a small model as diffusers lays it out: that which is built in, with `width` times the channels in its UNet.
/// Returns the bytes of its weights.
///
/// # Errors
/// Whatever the disk says, and widths that make no network.
pub fn folder(path: &Path, width: u64, dtype: DType, seed: u64) -> Result<u64> {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/weights");
    fs::create_dir_all(path)?;
    fs::copy(mini.join("model_index.json"), path.join("model_index.json"))?;
    for part in ["scheduler", "tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2", "vae"] {
        copy_words(&mini.join(part), &path.join(part))?;
    }
    let mut bytes = 0;
    for (part, file) in [("text_encoder", "model"), ("text_encoder_2", "model"), ("vae", "diffusion_pytorch_model")] {
        let file = format!("{part}/{file}.safetensors");
        let shapes = Weights::open(&mini.join(&file))?;
        let shapes = shapes.tensors().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
        bytes += save(&path.join(file), shapes, dtype, seed)?;
    }
    let config = widened(&mini.join("unet/config.json"), width)?;
    fs::create_dir_all(path.join("unet"))?;
    fs::write(path.join("unet/config.json"), &config)?;
    bytes += save(&unet_file(path), unet_shapes(config.as_bytes())?, dtype, seed)?;
    Ok(bytes)
}

/// Returns where the UNet of a folder lies.
#[must_use]
pub fn unet_file(folder: &Path) -> PathBuf {
    folder.join("unet/diffusion_pytorch_model.safetensors")
}

/// Writes a LoRA over all that attends in the UNet of a folder, in the names of peft. Returns its bytes.
///
/// # Errors
/// Whatever the disk says, and folders without a UNet.
pub fn lora(path: &Path, folder: &Path, seed: u64) -> Result<u64> {
    let unet = Weights::open(&unet_file(folder))?;
    let mut shapes = Shapes::new();
    for (name, shape) in unet.tensors().filter(|(name, shape)| name.contains(".attn") && shape.len() == 2) {
        let layer = name.strip_suffix(".weight").with_context(|| format!("`{name}` is no layer's weight"))?;
        shapes.insert(format!("unet.{layer}.lora_A.weight"), vec![RANK, shape[1]]);
        shapes.insert(format!("unet.{layer}.lora_B.weight"), vec![shape[0], RANK]);
    }
    save(path, shapes, DType::F16, seed)
}

/// Copies what is not weights.
fn copy_words(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let file = entry?.path();
        if file.extension().is_none_or(|extension| extension != "safetensors") {
            fs::copy(&file, to.join(file.file_name().context("a file has a name")?))?;
        }
    }
    Ok(())
}

/// Reads the configuration of a UNet and gives it more channels, and as many more heads, whose size stays.
fn widened(config: &Path, width: u64) -> Result<String> {
    let mut config: Value = serde_json::from_slice(&fs::read(config)?)?;
    for field in ["block_out_channels", "attention_head_dim"] {
        let levels = config[field].as_array_mut().with_context(|| format!("`{field}` is no list"))?;
        for level in levels {
            *level = json!(level.as_u64().context("a level is a number")? * width);
        }
    }
    Ok(config.to_string())
}

/// Returns what a UNet asks for: all that is missing where there is nothing.
fn unet_shapes(config: &[u8]) -> Result<Shapes> {
    let config = UNetConfig::parse(Path::new("unet/config.json"), config)?;
    match UNet::load(&config, &Weights::dry("nothing", []), Keep::All) {
        Err(Error::Weights(report)) => Ok(report.missing),
        Err(error) => Err(error.into()),
        Ok(_) => bail!("a UNet without weights asks for nothing"),
    }
}

/// Writes tensors of noise as safetensors. Returns the bytes of the file.
///
/// # Errors
/// Whatever the disk says, and formats that are no float.
pub fn save(path: &Path, shapes: Shapes, dtype: DType, seed: u64) -> Result<u64> {
    let mut name = path.file_name().context("the file wants a name")?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = write(&part, shapes, dtype, seed).and_then(|bytes| Ok((bytes, fs::rename(&part, path)?).0));
    if written.is_err() {
        // What is half a file helps nobody; why it is half is what is told.
        let _ = fs::remove_file(&part);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn write(path: &Path, shapes: Shapes, dtype: DType, seed: u64) -> Result<u64> {
    let (start, data) = start(&shapes, dtype)?;
    let noise = Weights::random("noise", shapes.clone(), seed).with_precision(dtype);
    let mut file = File::create(path)?;
    file.write_all(&start)?;
    for (name, shape) in shapes {
        if counts(&name) {
            let numbers: Vec<i64> = (0..shape.iter().product::<usize>() as i64).collect();
            write_bytes(&mut file, &numbers, |n| n.to_le_bytes())?;
        } else {
            write_values(&mut file, &noise.get(&name, shape)?)?;
        }
    }
    file.sync_all()?;
    Ok((start.len() + data) as u64)
}

/// Returns what the file begins with, and how many bytes follow: the tensors in the order of their names.
fn start(shapes: &Shapes, dtype: DType) -> Result<(Vec<u8>, usize)> {
    let word = match dtype {
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::F32 => "F32",
        _ => bail!("weights of noise are f16, bf16 or f32, not {}", dtype.as_str()),
    };
    let format = |name: &str| if counts(name) { ("I64", 8) } else { (word, dtype.size_in_bytes()) };
    Ok(single::header(shapes.iter().map(|(name, shape)| (name.clone(), shape.clone(), format(name)))))
}

/// Tells whether a tensor holds the numbers from 0 on, as old exports of text encoders do.
fn counts(name: &str) -> bool {
    name.ends_with(".position_ids")
}

fn write_values(file: &mut impl Write, x: &Tensor) -> Result<()> {
    let (storage, _) = x.storage_and_layout();
    let Storage::Cpu(values) = &*storage else { bail!("noise lies in memory") };
    match values {
        CpuStorage::F16(values) => write_bytes(file, values, |x| x.to_le_bytes()),
        CpuStorage::BF16(values) => write_bytes(file, values, |x| x.to_le_bytes()),
        CpuStorage::F32(values) => write_bytes(file, values, |x| x.to_le_bytes()),
        _ => bail!("noise is f16, bf16 or f32"),
    }
}

fn write_bytes<T: Copy, const N: usize>(
    file: &mut impl Write,
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
) -> Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK.min(values.len()) * N);
    for chunk in values.chunks(CHUNK) {
        buffer.resize(chunk.len() * N, 0);
        for (out, value) in buffer.chunks_exact_mut(N).zip(chunk) {
            out.copy_from_slice(&bytes(*value));
        }
        file.write_all(&buffer)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use darkroom_models::folder::{Family, ModelFolder};

    use super::*;

    #[test]
    fn a_file_of_noise_is_the_same_for_the_same_seed_and_reads_back() {
        let home = tempfile::tempdir().unwrap();
        let shapes = || {
            let shapes =
                [("a.bias", vec![8]), ("a.weight", vec![8, 64]), ("b.position_ids", vec![1, 5]), ("c", vec![])];
            shapes.map(|(name, shape)| (name.to_owned(), shape)).into_iter().collect::<Shapes>()
        };
        let file = |name: &str, seed| {
            let path = home.path().join(name);
            let bytes = save(&path, shapes(), DType::F16, seed).unwrap();
            assert_eq!(bytes, fs::metadata(&path).unwrap().len());
            (fs::read(&path).unwrap(), path)
        };
        let (first, path) = file("x", 1);
        assert!(first == file("y", 1).0 && first != file("z", 2).0);
        let numbers: Vec<u8> = (0..5i64).flat_map(i64::to_le_bytes).collect();
        assert!(first.windows(40).any(|window| window == numbers));
        let read = Weights::open(&path).unwrap();
        let expected = Weights::random("noise", shapes(), 1).with_precision(DType::F16);
        let values = |w: &Weights| w.get("a.weight", (8, 64)).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let expected = expected.get("a.weight", (8, 64)).unwrap().to_dtype(DType::F32).unwrap();
        assert_eq!(values(&read), expected.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    }

    #[test]
    fn nothing_is_left_of_a_file_that_cannot_be_written() {
        let home = tempfile::tempdir().unwrap();
        let shapes = Shapes::from([("a.weight".to_owned(), vec![8, 8])]);
        let fault = save(&home.path().join("x"), shapes.clone(), DType::U8, 1).unwrap_err();
        assert!(format!("{fault:#}").contains("f16, bf16 or f32"), "{fault:#}");
        assert!(save(&home.path().join("no/such/x"), shapes, DType::F16, 1).is_err());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_wider_folder_is_a_model_of_the_same_family_whose_unet_fits() {
        let home = tempfile::tempdir().unwrap();
        let narrow = folder(&home.path().join("narrow"), 1, DType::F16, 1).unwrap();
        let wide = folder(&home.path().join("wide"), 2, DType::F16, 1).unwrap();
        assert!(wide > 2 * narrow, "{wide} and {narrow}");
        let model = ModelFolder::open(&home.path().join("wide")).unwrap();
        assert_eq!(model.family(), Family::Sdxl);
        let unet = Weights::open(&unet_file(&home.path().join("wide"))).unwrap();
        UNet::load(&model.configs().unet, &unet, Keep::All).unwrap();
        let lora_bytes = lora(&home.path().join("lora.safetensors"), &home.path().join("wide"), 1).unwrap();
        assert!(lora_bytes > 10_000 && lora_bytes < wide / 4, "{lora_bytes}");
    }

    #[test]
    fn the_base_file_begins_as_the_published_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("published");
        single::save_sparse("sd_xl_base_1.0", &path);
        let (start, data) = start(&base_shapes().unwrap(), DType::F16).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), (start.len() + data) as u64);
        let mut published = vec![0; start.len()];
        File::open(&path).unwrap().read_exact(&mut published).unwrap();
        assert!(published == start, "the headers differ");
    }
}
