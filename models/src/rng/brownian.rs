//! Brownian motion as a tree of halves: torchsde's `BrownianTree`, which k-diffusion's SDE samplers draw from.
//!
//! How far the motion goes over the whole time is one draw; what of it happens in the first half follows from a second
//! one (Lévy's bridge), and so on, each half with a seed of its own, down to places a millionth apart. So the motion
//! between any two times is a function of the seed and of those times alone: it does not matter what was asked before,
//! and there is no state to keep.

use super::SeedSequence;

/// Words of the pool that seeds are mixed in; torchsde's choice.
const POOL: usize = 24;

/// How a generator of a seed gives so many normal values.
pub type Randn<'a> = &'a dyn Fn(u32, usize) -> Vec<f32>;

/// The motion of a seed between two times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrownianTree {
    seed: u64,
    start: f64,
    end: f64,
}

/// A part of the time, and how far the motion goes in it.
struct Part {
    start: f64,
    end: f64,
    /// Its place in the tree: counted from the left, and from the top.
    place: [u64; 2],
    motion: Vec<f32>,
}

/// A question about a part, and the answer so far.
struct Asked<'a> {
    seed: u64,
    randn: Randn<'a>,
    sum: Vec<f32>,
}

impl BrownianTree {
    /// Sets the motion of a seed from one time to a later one.
    #[must_use]
    pub fn new(seed: u64, start: f64, end: f64) -> Self {
        Self { seed, start, end }
    }

    /// Returns how far `n` values move between two times, the first below the second; times beyond the ends are the ends.
    #[must_use]
    pub fn moved(&self, n: usize, (from, to): (f64, f64), randn: Randn<'_>) -> Vec<f32> {
        let (start, end) = (rounded(self.start), rounded(self.end));
        let [seed, ..] = SeedSequence::new(self.seed, &[], POOL).words::<3>();
        let mut motion = randn(seed, n);
        scale(&mut motion, (self.end - self.start).sqrt());
        let mut asked = Asked { seed: self.seed, randn, sum: Vec::new() };
        let within = |time: f64| rounded(time.clamp(start, end));
        asked.add(Part { start, end, place: [0, 0], motion }, within(from), within(to));
        if asked.sum.is_empty() { vec![0.0; n] } else { asked.sum }
    }
}

impl Asked<'_> {
    /// Adds what a part moves between two of its times.
    fn add(&mut self, part: Part, from: f64, to: f64) {
        if from >= to {
            return;
        }
        if from <= part.start && to >= part.end {
            return self.add_whole(part.motion);
        }
        let (left, right) = self.halves(part);
        let middle = left.end;
        self.add(left, from, to.min(middle));
        self.add(right, from.max(middle), to);
    }

    fn add_whole(&mut self, motion: Vec<f32>) {
        if self.sum.is_empty() {
            self.sum = motion;
        } else {
            self.sum.iter_mut().zip(motion).for_each(|(sum, more)| *sum += more);
        }
    }

    /// Splits a part in the middle: the left half moves its share of the whole, and some more or less by chance.
    fn halves(&self, part: Part) -> (Part, Part) {
        let Part { start, end, place, motion } = part;
        let middle = rounded(0.5 * (end + start));
        let [seed, ..] = SeedSequence::new(self.seed, &place, POOL).words::<4>();
        let mut left = (self.randn)(seed, motion.len());
        let (before, after, inverse) = (middle - start, end - middle, 1.0 / (end - start));
        let spread = (before * after * inverse).sqrt() as f32;
        for (left, whole) in left.iter_mut().zip(&motion) {
            // Rounded to single precision at the same places.
            *left = before as f32 * whole * inverse as f32 + spread * *left;
        }
        let right = motion.iter().zip(&left).map(|(whole, left)| whole - left).collect();
        let [at, depth] = place;
        let half = |side: u64, start, end, motion| Part { start, end, place: [2 * at + side, depth + 1], motion };
        (half(0, start, middle, left), half(1, middle, end, right))
    }
}

fn scale(values: &mut [f32], factor: f64) {
    values.iter_mut().for_each(|value| *value *= factor as f32);
}

/// To a millionth, as Python rounds: by the decimal digits, so that halves are told apart exactly.
fn rounded(time: f64) -> f64 {
    format!("{time:.6}").parse().unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::TorchCpu;

    fn randn(seed: u32, n: usize) -> Vec<f32> {
        TorchCpu::new(u64::from(seed)).randn(n)
    }

    fn tree() -> BrownianTree {
        BrownianTree::new(7, 0.03, 14.6)
    }

    #[test]
    fn the_way_is_the_sum_of_its_parts() {
        let moved = |from, to| tree().moved(20, (from, to), &randn);
        let (first, second, whole) = (moved(0.5, 1.25), moved(1.25, 9.0), moved(0.5, 9.0));
        for ((first, second), whole) in first.iter().zip(&second).zip(whole) {
            assert!((first + second - whole).abs() < 1e-5, "{first} + {second} is not {whole}");
        }
    }

    #[test]
    fn it_moves_as_far_as_the_time_is_long() {
        for (from, to) in [(0.03, 14.6), (3.0, 4.0), (0.1, 0.11)] {
            let moved = tree().moved(20_000, (from, to), &randn);
            let variance = moved.iter().map(|way| f64::from(way * way)).sum::<f64>() / 20_000.0;
            assert!((variance / (to - from) - 1.0).abs() < 0.03, "{from} to {to}: {variance}");
        }
    }

    #[test]
    fn no_time_is_no_way_and_beyond_the_ends_is_nothing() {
        assert_eq!(tree().moved(3, (2.0, 2.0), &randn), [0.0; 3]);
        assert_eq!(tree().moved(3, (14.6, 99.0), &randn), [0.0; 3]);
        assert_eq!(tree().moved(3, (0.0, 99.0), &randn), tree().moved(3, (0.03, 14.6), &randn));
    }

    #[test]
    fn halves_of_a_millionth_go_to_the_even_side() {
        // 1/128 and 3/128 lie exactly between two millionths.
        assert_eq!((rounded(0.007_812_5), rounded(0.023_437_5)), (0.007_812, 0.023_438));
    }
}
