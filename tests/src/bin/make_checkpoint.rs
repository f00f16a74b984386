//! Writes a model of noise, for measurements that need a model's size and not its pictures.
//!
//! `make_checkpoint --out PATH [--config sdxl|mini] [--width 1] [--dtype f16|bf16|f32] [--seed 1]`
//!
//! `sdxl` is one file in the names and shapes of `sd_xl_base_1.0.safetensors`, 6.9 GB in f16, written in the memory of
//! its largest tensor. `mini` is a folder built as the model that comes with the program, its UNet `--width` times as
//! wide. The same seed gives the same bytes. Nothing that is there already is overwritten.
#![expect(clippy::print_stdout, reason = "the result is what the program is for")]

use std::{path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use candle_core::DType;
use darkroom_tests::{bench::peak_rss_bytes, made_up};

/// What was asked for.
struct Flags {
    out: PathBuf,
    config: Config,
    width: u64,
    dtype: DType,
    seed: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Config {
    Sdxl,
    Mini,
}

fn main() -> Result<()> {
    let flags = Flags::read(std::env::args().skip(1))?;
    let Flags { out, config, width, dtype, seed } = &flags;
    ensure!(!out.exists(), "{} is there already", out.display());
    let begun = Instant::now();
    let bytes = match config {
        Config::Sdxl => made_up::base_file(out, *dtype, *seed)?,
        Config::Mini => made_up::folder(out, *width, *dtype, *seed)?,
    };
    println!(
        "{}: {:.2} GB in {:.1} s, in {:.0} MB of memory",
        out.display(),
        bytes as f64 / 1e9,
        begun.elapsed().as_secs_f64(),
        peak_rss_bytes()? as f64 / 1e6
    );
    Ok(())
}

impl Flags {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut out = None;
        let (mut config, mut width, mut dtype, mut seed) = (Config::Sdxl, 1, DType::F16, 1);
        while let Some(flag) = words.next() {
            let value = words.next().with_context(|| format!("{flag} wants a value"))?;
            let number = || value.parse::<u64>().with_context(|| format!("{flag} wants a number, not `{value}`"));
            match (flag.as_str(), value.as_str()) {
                ("--out", path) => out = Some(PathBuf::from(path)),
                ("--config", "sdxl") => config = Config::Sdxl,
                ("--config", "mini") => config = Config::Mini,
                ("--width", _) => width = number()?,
                ("--dtype", "f16") => dtype = DType::F16,
                ("--dtype", "bf16") => dtype = DType::BF16,
                ("--dtype", "f32") => dtype = DType::F32,
                ("--seed", _) => seed = number()?,
                _ => bail!("`{flag} {value}` is not known; see the head of this program"),
            }
        }
        ensure!((1..=64).contains(&width), "--width wants 1 to 64");
        ensure!(width == 1 || config == Config::Mini, "--width is for `--config mini`; `sdxl` has the published one");
        Ok(Self { out: out.context("--out wants a path")?, config, width, dtype, seed })
    }
}
