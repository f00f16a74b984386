//! What the programs share that are held against a peer of another making: turns, modes, made-up values, memory.
//!
//! `tests/peers` has the other side of each, and the driver that lets the two take turns.

pub mod op;
pub mod peak;
pub mod turns;

use anyhow::{Context as _, Result};
use candle_core::{Device, Tensor};
use darkroom_models::nn::Mode;

/// Reads the name of a mode.
pub fn mode(word: &str) -> Result<Mode> {
    let names = Mode::ALL.map(Mode::name).join("`, `");
    Mode::from_name(word).with_context(|| format!("`{word}` is no mode; there are `{names}`"))
}

/// Returns which of a machine's peaks bounds an operation in a mode, by its name in [`peak::Peak`]'s JSON.
#[must_use]
pub fn arithmetic(mode: Mode, op: op::Op) -> &'static str {
    match (mode, op) {
        (Mode::Exact, _) => "f32",
        (Mode::Int8, op::Op::Linear { .. } | op::Op::Geglu { .. }) => "int8",
        (Mode::Fast | Mode::Int8, _) => "bf16",
    }
}

/// Returns the bytes of one value on its way into a product.
#[must_use]
pub fn bytes_a_value(mode: Mode) -> u64 {
    match mode {
        Mode::Exact => 4,
        Mode::Fast | Mode::Int8 => 2,
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
