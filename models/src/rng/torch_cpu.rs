//! `torch.Generator(device="cpu")`: a Mersenne Twister and torch's way from words to normal numbers.
//!
//! torch has two ways. Sixteen values and more go through blocks of sixteen in single precision; fewer go one by one
//! in double precision, where the second half of a pair is kept for the next call. Both are re-made from
//! `aten/src/ATen/native/cpu/DistributionTemplates.h` and `core/DistributionsHelper.h`. Values agree with torch's to
//! one unit in the last place: the transcendental functions are ours, in double precision, so that a seed gives one
//! picture on every machine.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::Mt19937;

/// Values of one block of the single-precision way.
const BLOCK: usize = 16;

/// torch's CPU generator. Draws are equal for seeds that agree in the low 32 bits, as in torch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TorchCpu {
    words: Mt19937,
    /// The second value of a pair, as bits: text would round it.
    kept: Option<u64>,
}

impl TorchCpu {
    /// Starts a generator as `manual_seed` does.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // torch remembers all 64 bits but seeds the twister with the low half.
        Self { words: Mt19937::new(seed as u32), kept: None }
    }

    /// Draws `n` uniform values in [0, 1), as `torch.rand`.
    pub fn rand(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.uniform()).collect()
    }

    /// Draws `n` normal values of mean 0 and variance 1, as `torch.randn`.
    pub fn randn(&mut self, n: usize) -> Vec<f32> {
        if n < BLOCK {
            return (0..n).map(|_| self.normal() as f32).collect();
        }
        let mut values = self.rand(n);
        let (blocks, rest) = values.as_chunks_mut::<BLOCK>();
        blocks.iter_mut().for_each(normal_from_uniform);
        if !rest.is_empty() {
            // The last sixteen are drawn again over whatever was there, also over finished values.
            let mut last = [0.0; BLOCK];
            last.fill_with(|| self.uniform());
            normal_from_uniform(&mut last);
            values[n - BLOCK..].copy_from_slice(&last);
        }
        values
    }

    /// 24 bits of one word.
    fn uniform(&mut self) -> f32 {
        (self.words.next_u32() & 0x00FF_FFFF) as f32 / 16_777_216.0
    }

    /// 53 bits of two words.
    fn uniform_f64(&mut self) -> f64 {
        (self.words.next_u64() & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        if let Some(bits) = self.kept.take() {
            return f64::from_bits(bits);
        }
        let turn = TAU * self.uniform_f64();
        let radius = (-2.0 * (-self.uniform_f64()).ln_1p()).sqrt();
        self.kept = Some((radius * turn.sin()).to_bits());
        radius * turn.cos()
    }
}

/// Box-Muller over the pairs (i, i + 8) of a block.
fn normal_from_uniform(block: &mut [f32; BLOCK]) {
    let (first, second) = block.split_at_mut(BLOCK / 2);
    for (a, b) in first.iter_mut().zip(second) {
        // torch rounds to single precision at each of these places.
        let log = f64::from(1.0 - *a).ln() as f32;
        let radius = (-2.0 * log).sqrt();
        let turn = f64::from(TAU as f32 * *b);
        *a = radius * turn.cos() as f32;
        *b = radius * turn.sin() as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_zero_starts_as_everyone_knows_it() {
        let known = [1.540_996, -0.293_428_9, -2.178_789_4];
        for (value, known) in TorchCpu::new(0).randn(3).into_iter().zip(known) {
            assert!((value - known).abs() < 1e-6, "{value} is not {known}");
        }
    }

    #[test]
    fn only_the_low_half_of_a_seed_counts() {
        assert_eq!(TorchCpu::new(5).randn(40), TorchCpu::new((1 << 32) + 5).randn(40));
    }

    #[test]
    fn a_stored_generator_goes_on_where_it_was() {
        for drawn in [0, 1, 2, 3, 15, 16, 17, 1000] {
            let mut generator = TorchCpu::new(9);
            generator.randn(drawn);
            let text = serde_json::to_string(&generator).unwrap();
            let mut resumed: TorchCpu = serde_json::from_str(&text).unwrap();
            assert_eq!(resumed.randn(3), generator.randn(3), "after {drawn} values");
            assert_eq!(resumed.randn(33), generator.randn(33), "after {drawn} values and 3 more");
        }
    }

    #[test]
    fn values_are_normal() {
        let values = TorchCpu::new(1).randn(65_536);
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }
}
