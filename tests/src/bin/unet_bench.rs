//! Runs forwards of the real SDXL UNet, decodes of its autoencoder, or both of its text encoders, with made-up weights,
//! and prints JSON.
//!
//! `unet_bench [--part unet|vae|clip] [--size 512] [--batch 2] [--mode exact] [--stored f32|bf16] [--threads N]
//! [--repeat 1 | --serve]`
//!
//! Sizes are of the picture in pixels; a text is 77 tokens. `--stored bf16` keeps weights in half the memory and widens
//! them at use. One forward more than is counted warms the program up. The numbers are worth what they are held against:
//! `tests/peers/torch_sdxl.py` does the same work with diffusers and takes the same flags, and with `--serve` a driver
//! (`tests/peers/bench_peers.py`) lets the two take turns.
#![expect(clippy::print_stdout, reason = "the result is what the program is for")]

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use candle_core::{DType, Tensor};
use darkroom_kernels::Tier;
use darkroom_models::{
    Weights,
    nn::{Compute, FeatureMap, Keep, Mode, Tokens},
    sdxl::{
        TextEncoder, UNet, Vae,
        config::{TextEncoderConfig, UNetConfig, VaeConfig},
        text::Depth,
        unet::{Added, Question},
    },
};
use darkroom_tests::{
    archive,
    bench::{median, mode, peak_rss_bytes, turns, values},
};
use serde_json::{Value, json};

/// What was asked for.
struct Flags {
    part: Part,
    size_px: usize,
    batch: usize,
    mode: Mode,
    stored: DType,
    threads: usize,
    turns: Turns,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Unet,
    Vae,
    Clip,
}

/// Who says when to work.
enum Turns {
    /// Nobody: so often, one after the other.
    Repeat(usize),
    /// The lines of standard input.
    Told,
}

fn main() -> Result<()> {
    let flags = Flags::read(std::env::args().skip(1))?;
    rayon::ThreadPoolBuilder::new().num_threads(flags.threads).build_global()?;
    let start = Instant::now();
    let forward = match flags.part {
        Part::Unet => unet(&flags)?,
        Part::Vae => vae(&flags)?,
        Part::Clip => clip(&flags)?,
    };
    let load_seconds = start.elapsed().as_secs_f64();
    let mut bench = Bench { forward, seconds: Vec::new(), mean_square: 0.0 };
    bench.turn()?;
    bench.seconds.clear();
    match flags.turns {
        Turns::Repeat(times) => {
            for _ in 0..times {
                bench.turn()?;
            }
            println!("{:#}", bench.report(&flags, load_seconds)?);
        }
        Turns::Told => {
            turns::serve(&json!({ "ready": true, "load_seconds": load_seconds }), |word| match word {
                "go" => Ok(json!({ "seconds": bench.turn()? })),
                _ => bail!("`{word}` is not known; there is `go`, and `end`"),
            })?;
            println!("{}", bench.report(&flags, load_seconds)?);
        }
    }
    Ok(())
}

/// A network with its question, and what it took so far.
struct Bench {
    forward: Forward,
    seconds: Vec<f64>,
    mean_square: f64,
}

impl Bench {
    /// Runs one forward and returns its seconds.
    fn turn(&mut self) -> Result<f64> {
        let start = Instant::now();
        let out = (self.forward)()?;
        let seconds = start.elapsed().as_secs_f64();
        self.mean_square = f64::from(out.sqr()?.mean_all()?.to_scalar::<f32>()?);
        ensure!(self.mean_square.is_finite(), "the network gave values that are not finite");
        self.seconds.push(seconds);
        Ok(seconds)
    }

    fn report(&self, flags: &Flags, load_seconds: f64) -> Result<Value> {
        Ok(json!({
            "program": "darkroom",
            "part": format!("{:?}", flags.part).to_lowercase(),
            "size_px": flags.size_px,
            "batch": flags.batch,
            "mode": flags.mode.name(),
            "cpu": Tier::chosen().name(),
            "stored": flags.stored.as_str(),
            "threads": flags.threads,
            "load_seconds": load_seconds,
            "seconds": self.seconds,
            "median_seconds": median(&self.seconds),
            "peak_rss_bytes": peak_rss_bytes()?,
            "mean_square": self.mean_square,
        }))
    }
}

impl Flags {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut flags = Self {
            part: Part::Unet,
            size_px: 512,
            batch: 2,
            mode: Mode::Exact,
            stored: DType::F32,
            threads: std::thread::available_parallelism()?.get(),
            turns: Turns::Repeat(1),
        };
        while let Some(flag) = words.next() {
            if flag == "--serve" {
                flags.turns = Turns::Told;
                continue;
            }
            let value = words.next().with_context(|| format!("{flag} wants a value"))?;
            let number = || -> Result<usize> {
                let n = value.parse().with_context(|| format!("{flag} wants a number, not `{value}`"))?;
                ensure!(n > 0, "{flag} wants at least 1");
                Ok(n)
            };
            match (flag.as_str(), value.as_str()) {
                ("--part", "unet") => flags.part = Part::Unet,
                ("--part", "vae") => flags.part = Part::Vae,
                ("--part", "clip") => flags.part = Part::Clip,
                ("--mode", word) => flags.mode = mode(word)?,
                ("--stored", "f32") => flags.stored = DType::F32,
                ("--stored", "bf16") => flags.stored = DType::BF16,
                ("--size", _) => flags.size_px = number()?,
                ("--batch", _) => flags.batch = number()?,
                ("--threads", _) => flags.threads = number()?,
                ("--repeat", _) => flags.turns = Turns::Repeat(number()?),
                _ => bail!("`{flag} {value}` is not known; see the head of this program"),
            }
        }
        ensure!(flags.size_px.is_multiple_of(8), "--size wants a multiple of 8");
        Ok(flags)
    }
}

type Forward = Box<dyn Fn() -> Result<Tensor>>;

/// The UNet of SDXL base, asked as a sampler with guidance asks it.
fn unet(flags: &Flags) -> Result<Forward> {
    let config = UNetConfig::read(&archive::published().join("sdxl-base-1.0/unet.json"))?;
    let unet = UNet::load(&config, &weights("sdxl-base-unet", flags), Keep::All)?;
    let (batch, edge) = (flags.batch, flags.size_px / 8);
    let sample = FeatureMap::from_tensor(&values(&[batch, config.in_channels, edge, edge])?)?;
    let context = Tokens::from_tensor(&values(&[batch, 77, config.cross_attention_dim])?)?.remembering();
    let size = flags.size_px as f64;
    let added = Added {
        pooled: Tokens::from_tensor(&values(&[batch, 1, 1280])?)?,
        time_ids: vec![vec![size, size, 0.0, 0.0, size, size]],
    };
    Ok(Box::new(move || {
        let question = Question { sample: &sample, timestep: 500.0, context: &context, added: Some(&added) };
        Ok(unet.forward(question, &mut ())?.to_tensor()?)
    }))
}

/// The decoder of SDXL's autoencoder.
fn vae(flags: &Flags) -> Result<Forward> {
    let config = VaeConfig::read(&archive::published().join("sdxl-base-1.0/vae.json"))?;
    let vae = Vae::load(&config, &weights("sdxl-vae", flags), Keep::All)?;
    let edge = flags.size_px / config.reduction();
    let latents = values(&[flags.batch, config.latent_channels, edge, edge])?;
    let latents = FeatureMap::from_tensor(&latents)?;
    Ok(Box::new(move || Ok(vae.decode(&latents, &mut ())?.to_tensor()?)))
}

/// Both text encoders of SDXL, one after the other, each to the layer that pictures are made from.
fn clip(flags: &Flags) -> Result<Forward> {
    let load = |file: &str, manifest: &str| -> Result<TextEncoder> {
        let config = TextEncoderConfig::read(&archive::published().join("sdxl-base-1.0").join(file))?;
        Ok(TextEncoder::load(&config, &weights(manifest, flags), Keep::All)?)
    };
    let small = load("text_encoder.json", "sdxl-text-encoder-clip-l")?;
    let large = load("text_encoder_2.json", "sdxl-text-encoder-2-openclip-bigg")?;
    let rows: Vec<Vec<u32>> = (0..flags.batch as u32).map(text).collect();
    Ok(Box::new(move || {
        let words = |encoder: &TextEncoder| -> Result<Tokens> {
            let encoded = encoder.encode(&rows, &mut ())?;
            Ok(encoder.for_pictures(&encoded, Depth::LastButOne, 0)?)
        };
        Ok(Tokens::concat_channels(&[&words(&small)?, &words(&large)?])?.to_tensor()?)
    }))
}

/// Some words between CLIP's tokens for the start and the end of a text.
fn text(row: u32) -> Vec<u32> {
    let words = (0..75).map(|i| (i + 1 + row * 75) * 7919 % 49_406);
    [49_406].into_iter().chain(words).chain([49_407]).collect()
}

fn weights(manifest: &str, flags: &Flags) -> Weights {
    Weights::random(manifest, archive::manifest(manifest), 1)
        .with_precision(flags.stored)
        .with_compute(Compute::new(flags.mode))
}
