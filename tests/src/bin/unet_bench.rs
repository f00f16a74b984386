//! Runs one forward of the real SDXL UNet, or one decode of its autoencoder, with made-up weights, and prints JSON.
//!
//! `unet_bench [--part unet|vae] [--size 512] [--batch 2] [--dtype f32|bf16] [--threads N] [--repeat 1]`
//!
//! Sizes are of the picture in pixels. The numbers are worth what they are held against: `tests/peers/torch_unet.py`
//! does the same work with diffusers and takes the same flags.
#![expect(clippy::print_stdout, reason = "the result is what the program is for")]

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use candle_core::{DType, Device, Tensor};
use darkroom_models::{
    Weights,
    nn::{FeatureMap, Keep, Tokens},
    sdxl::{
        UNet, Vae,
        config::{UNetConfig, VaeConfig},
        unet::{Added, Question},
    },
};
use darkroom_tests::archive;
use serde_json::json;

/// What was asked for.
struct Flags {
    part: Part,
    size_px: usize,
    batch: usize,
    dtype: DType,
    threads: usize,
    repeat: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Unet,
    Vae,
}

fn main() -> Result<()> {
    let flags = Flags::read(std::env::args().skip(1))?;
    rayon::ThreadPoolBuilder::new().num_threads(flags.threads).build_global()?;
    let start = Instant::now();
    let forward = match flags.part {
        Part::Unet => unet(&flags)?,
        Part::Vae => vae(&flags)?,
    };
    let load_seconds = start.elapsed().as_secs_f64();
    let mut seconds = Vec::new();
    for _ in 0..flags.repeat {
        let start = Instant::now();
        let out = forward()?.to_tensor();
        seconds.push(start.elapsed().as_secs_f64());
        let size = out.sqr()?.mean_all()?.to_scalar::<f32>()?;
        ensure!(size.is_finite(), "the network gave values that are not finite");
    }
    let mut sorted = seconds.clone();
    sorted.sort_by(f64::total_cmp);
    let report = json!({
        "program": "darkroom",
        "part": format!("{:?}", flags.part).to_lowercase(),
        "size_px": flags.size_px,
        "batch": flags.batch,
        "dtype": flags.dtype.as_str(),
        "dtype_note": match flags.dtype {
            DType::F32 => "weights and arithmetic in f32",
            _ => "weights stored in bf16 and widened to f32 at each use; arithmetic in f32",
        },
        "threads": flags.threads,
        "load_seconds": load_seconds,
        "seconds": seconds,
        "median_seconds": sorted[sorted.len() / 2],
        "peak_rss_bytes": peak_rss_bytes()?,
    });
    println!("{report:#}");
    Ok(())
}

impl Flags {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut flags = Self {
            part: Part::Unet,
            size_px: 512,
            batch: 2,
            dtype: DType::F32,
            threads: std::thread::available_parallelism()?.get(),
            repeat: 1,
        };
        while let Some(flag) = words.next() {
            let value = words.next().with_context(|| format!("{flag} wants a value"))?;
            let number = || -> Result<usize> {
                let n = value.parse().with_context(|| format!("{flag} wants a number, not `{value}`"))?;
                ensure!(n > 0, "{flag} wants at least 1");
                Ok(n)
            };
            match (flag.as_str(), value.as_str()) {
                ("--part", "unet") => flags.part = Part::Unet,
                ("--part", "vae") => flags.part = Part::Vae,
                ("--dtype", "f32") => flags.dtype = DType::F32,
                ("--dtype", "bf16") => flags.dtype = DType::BF16,
                ("--size", _) => flags.size_px = number()?,
                ("--batch", _) => flags.batch = number()?,
                ("--threads", _) => flags.threads = number()?,
                ("--repeat", _) => flags.repeat = number()?,
                _ => bail!("`{flag} {value}` is not known; see the head of this program"),
            }
        }
        ensure!(flags.size_px.is_multiple_of(8), "--size wants a multiple of 8");
        Ok(flags)
    }
}

type Forward = Box<dyn Fn() -> Result<FeatureMap>>;

/// The UNet of SDXL base, asked as a sampler with guidance asks it.
fn unet(flags: &Flags) -> Result<Forward> {
    let config = archive::published().join("sdxl-base-1.0/unet.json");
    let config = UNetConfig::read(&config)?;
    let unet = UNet::load(&config, &weights("sdxl-base-unet", flags), Keep::All)?;
    let (batch, edge) = (flags.batch, flags.size_px / 8);
    let sample = FeatureMap::from_tensor(&values(&[batch, config.in_channels, edge, edge])?)?;
    let context = Tokens::from_tensor(&values(&[batch, 77, config.cross_attention_dim])?)?;
    let size = flags.size_px as f64;
    let added = Added {
        pooled: Tokens::from_tensor(&values(&[batch, 1, 1280])?)?,
        time_ids: vec![vec![size, size, 0.0, 0.0, size, size]],
    };
    Ok(Box::new(move || {
        let question = Question { sample: &sample, timestep: 500.0, context: &context, added: Some(&added) };
        Ok(unet.forward(question, &mut ())?)
    }))
}

/// The decoder of SDXL's autoencoder.
fn vae(flags: &Flags) -> Result<Forward> {
    let config = archive::published().join("sdxl-base-1.0/vae.json");
    let config = VaeConfig::read(&config)?;
    let vae = Vae::load(&config, &weights("sdxl-vae", flags), Keep::All)?;
    let edge = flags.size_px / config.reduction();
    let latents = values(&[flags.batch, config.latent_channels, edge, edge])?;
    let latents = FeatureMap::from_tensor(&latents)?;
    Ok(Box::new(move || Ok(vae.decode(&latents, &mut ())?)))
}

fn weights(manifest: &str, flags: &Flags) -> Weights {
    Weights::random(manifest, archive::manifest(manifest), 1).with_precision(flags.dtype)
}

/// Some values of variance 1.
fn values(shape: &[usize]) -> Result<Tensor> {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i * 7919 % 100_003) as f32 / 100_003.0 - 0.5) * 12f32.sqrt();
    let values: Vec<f32> = (0..count).map(value).collect();
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// The most memory that this process has held, as Linux counts it.
fn peak_rss_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.context("no VmHWM in /proc/self/status")?;
    Ok(kib.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}
