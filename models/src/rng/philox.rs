//! `torch.Generator(device="cuda")`: Philox4x32-10 with one subsequence an element.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011. On a card each thread owns
//! a subsequence, and torch starts at most 256 · (multiprocessors · threads each / 256) of them. Up to that number,
//! which no SDXL latent reaches on a data-centre card, every element is the first normal of its own
//! subsequence; this is what is re-made here, for every size. Larger tensors depend on the card.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// torch's CUDA generator, computed on the CPU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Philox {
    seed: u64,
    calls: u64,
}

impl Philox {
    /// Starts a generator as `manual_seed` does; all 64 bits count.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, calls: 0 }
    }

    /// Draws `n` normal values of mean 0 and variance 1, as `torch.randn` on a card.
    pub fn randn(&mut self, n: usize) -> Vec<f32> {
        let call = words(self.calls);
        self.calls += 1;
        let key = words(self.seed);
        (0..n as u64)
            .map(|element| {
                let [low, high] = words(element);
                let [a, b, ..] = philox4x32_10([call[0], call[1], low, high], key);
                normal_from_words(a, b)
            })
            .collect()
    }
}

/// Low and high half.
fn words(wide: u64) -> [u32; 2] {
    [wide as u32, (wide >> 32) as u32]
}

/// The first of a Box-Muller pair, with cuRAND's constants and roundings.
fn normal_from_words(a: u32, b: u32) -> f32 {
    const UNIT: f32 = 2.328_306_4e-10; // 2^-32
    const TURN: f32 = (2.328_306_4e-10 * TAU) as f32;
    const HALF_TURN: f32 = (2.328_306_4e-10 * TAU / 2.0) as f32;
    let uniform = a as f32 * UNIT + UNIT / 2.0;
    let turn = b as f32 * TURN + HALF_TURN;
    let log = f64::from(uniform).ln() as f32;
    (-2.0 * log).sqrt() * f64::from(turn).sin() as f32
}

fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let left = words(0xD251_1F53 * u64::from(counter[0]));
        let right = words(0xCD9E_8D57 * u64::from(counter[2]));
        counter = [right[1] ^ counter[1] ^ key[0], right[0], left[1] ^ counter[3] ^ key[1], left[0]];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_the_published_ones() {
        // Known-answer vectors of Random123 (tests/kat_vectors).
        let zeros = philox4x32_10([0; 4], [0; 2]);
        assert_eq!(zeros, [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        let ones = philox4x32_10([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
    }

    #[test]
    fn seed_zero_starts_as_everyone_knows_it() {
        let known = [-0.924_662_6, -0.425_344_15, -2.643_845_7, 0.145_183_88, -0.120_866_47, -0.579_725_6];
        for (value, known) in Philox::new(0).randn(6).into_iter().zip(known) {
            assert!((value - known).abs() < 2e-6, "{value} is not {known}");
        }
    }

    #[test]
    fn a_stored_generator_goes_on_where_it_was() {
        let mut generator = Philox::new(u64::MAX);
        generator.randn(5);
        let text = serde_json::to_string(&generator).unwrap();
        let mut resumed: Philox = serde_json::from_str(&text).unwrap();
        assert_eq!(resumed.randn(7), generator.randn(7));
    }
}
