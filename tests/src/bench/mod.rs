//! What the programs share that are held against a peer of another making: turns, modes, made-up values, memory.
//!
//! `tests/peers` has the other side of each, and the driver that lets the two take turns.

pub mod op;
pub mod peak;
pub mod turns;

use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use candle_core::{DType, Device, Tensor};
use darkroom_models::Weights;

/// How a network computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In f32 throughout.
    Exact,
}

impl Mode {
    /// Returns the word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::Exact => "exact",
        }
    }

    /// Returns the bytes of one value on its way between two layers.
    #[must_use]
    pub fn bytes_a_value(self) -> u64 {
        match self {
            Mode::Exact => 4,
        }
    }

    /// Returns which of a machine's peaks bounds it, by its name in [`peak::Peak`]'s JSON.
    #[must_use]
    pub fn arithmetic(self) -> &'static str {
        match self {
            Mode::Exact => "f32",
        }
    }

    /// Returns weights that a network loads for this mode and keeps in the type `stored`.
    #[must_use]
    pub fn prepare(self, weights: Weights, stored: DType) -> Weights {
        match self {
            Mode::Exact => weights.with_precision(stored),
        }
    }
}

impl FromStr for Mode {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "exact" => Ok(Mode::Exact),
            _ => bail!("`{word}` is no mode of this build; there is `exact`"),
        }
    }
}

/// Makes some values of variance 1.
pub fn values(shape: &[usize]) -> Result<Tensor> {
    let count: usize = shape.iter().product();
    let value = |i: usize| ((i * 7919 % 100_003) as f32 / 100_003.0 - 0.5) * 12f32.sqrt();
    let values: Vec<f32> = (0..count).map(value).collect();
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// Returns the middle of some seconds; of an even number, the upper of the two.
#[must_use]
pub fn median(seconds: &[f64]) -> Option<f64> {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Returns the most memory that this process has held so far, as Linux counts it.
pub fn peak_rss_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.context("no VmHWM in /proc/self/status")?;
    Ok(kib.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}
