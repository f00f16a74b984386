//! Random numbers against torch's, for every seed and shape of the set.

use candle_core::{Device, Tensor};
use darkroom_models::rng::{Philox, TorchCpu};
use darkroom_tests::reference::{self, assert_close};

/// Two libraries' logarithms, sines and cosines in single precision, at values up to 6.
const LIBM: f64 = 1e-6;

/// What a name of the set asks for.
struct Wanted<'a> {
    name: &'a str,
    seed: u64,
    what: &'a str,
    part: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Reads `cpu.<seed>.<what>` or `cpu.<seed>.<what>.<part>`.
    fn read(name: &'a str, generator: &str) -> Option<Self> {
        let mut words = name.strip_prefix(generator)?.strip_prefix('.')?.split('.');
        let (seed, what) = (words.next()?.parse().ok()?, words.next()?);
        Some(Self { name, seed, what, part: words.next() })
    }

    /// How many values `5` or `1x4x64x64` stand for.
    fn count(&self) -> Option<usize> {
        self.what.split('x').map(|edge| edge.parse::<usize>().ok()).product()
    }

    /// How many values each call of `sequence_3_16` draws.
    fn sequence(&self) -> Option<Vec<usize>> {
        let counts = self.what.strip_prefix("sequence_")?.split('_');
        counts.map(|count| count.parse().ok()).collect()
    }
}

/// Compares the part of `values` that the set holds; returns how many values that is.
fn compare(wanted: &Wanted<'_>, values: &[f32], reference: &Tensor, limit: f64) -> usize {
    let held = reference.elem_count();
    let values = match wanted.part {
        Some(part) if part.starts_with("last") => &values[values.len() - held..],
        _ => &values[..held],
    };
    assert_close(wanted.name, &Tensor::new(values, &Device::Cpu).unwrap(), reference, limit);
    held
}

#[test]
fn the_cpu_generator_is_torchs() {
    let set = reference::tensors("rng/rng");
    let mut compared = 0;
    for wanted in set.names().filter_map(|name| Wanted::read(name, "cpu")) {
        let mut torch = TorchCpu::new(wanted.seed);
        let uniform = wanted.what.strip_prefix("rand_").and_then(|count| count.parse().ok());
        let (values, limit) = match (uniform, wanted.sequence(), wanted.count()) {
            (Some(count), ..) => (torch.rand(count), 0.0),
            (_, Some(counts), _) => (counts.into_iter().flat_map(|n| torch.randn(n)).collect(), LIBM),
            // Fewer than sixteen go through double precision.
            (_, _, Some(count)) => (torch.randn(count), if count < 16 { 0.0 } else { LIBM }),
            _ => panic!("`{}` is a draw this test does not know", wanted.name),
        };
        compared += compare(&wanted, &values, set.get(wanted.name), limit);
    }
    assert!(compared > 0, "the set holds no draws of a CPU generator");
}

#[test]
fn the_cuda_generator_is_torchs() {
    let set = reference::tensors("rng/rng");
    let mut compared = 0;
    for wanted in set.names().filter_map(|name| Wanted::read(name, "cuda")) {
        let mut torch = Philox::new(wanted.seed);
        let count = match wanted.what.strip_prefix("second_call_") {
            Some(count) => {
                torch.randn(1);
                count.parse().ok()
            }
            None => wanted.count(),
        };
        let count = count.unwrap_or_else(|| panic!("`{}` is a draw this test does not know", wanted.name));
        compared += compare(&wanted, &torch.randn(count), set.get(wanted.name), LIBM);
    }
    assert!(compared > 0, "the set holds no draws of a CUDA generator");
}
