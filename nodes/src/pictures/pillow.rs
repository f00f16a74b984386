//! Lanczos resampling on whole bytes, with the roundings of Pillow: what diffusers feeds its pipelines.
//!
//! Pillow rounds to bytes after each of two passes, and its weights are whole numbers of 1 / 2^22. Rules: Pillow
//! `src/libImaging/Resample.c`.

/// Fraction bits of a weight.
const BITS: u32 = 22;
/// Lobes of the window.
const LOBES: f64 = 3.0;

/// Resamples interleaved bytes to a size above zero.
pub fn lanczos(bytes: &[u8], channels: usize, from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
    let across = if from.0 == to.0 { bytes.to_vec() } else { columns(bytes, channels, from, to.0) };
    if from.1 == to.1 { across } else { rows(&across, to.0 * channels, &weights(from.1, to.1)) }
}

/// Continues a picture over its edge as diffusers' `resize_mode="fill"` does: Pillow's bicubic window at a box without
/// height takes nine eighths of the edge, less one eighth of what lies before it.
pub fn beyond_edge(edge: u8, before: u8) -> u8 {
    ((9 * i32::from(edge) - i32::from(before) + 4) >> 3).clamp(0, 255) as u8
}

/// For one place of the result: the first source and the weight of each.
struct Tap {
    first: usize,
    weights: Vec<i64>,
}

fn weights(from: usize, to: usize) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = LOBES * stretch;
    let tap = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let each: Vec<f64> = (first..end).map(|x| window((x as f64 - centre + 0.5) / stretch)).collect();
        let sum: f64 = each.iter().sum();
        // `round` goes away from zero at the half, as the reference does.
        let weights = each.into_iter().map(|weight| (weight / sum * f64::from(1_u32 << BITS)).round() as i64);
        Tap { first, weights: weights.collect() }
    };
    (0..to).map(tap).collect()
}

fn window(x: f64) -> f64 {
    if (-LOBES..LOBES).contains(&x) { sinc(x) * sinc(x / LOBES) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

fn columns(bytes: &[u8], channels: usize, (width, height): (usize, usize), to: usize) -> Vec<u8> {
    let taps = weights(width, to);
    let mut out = Vec::with_capacity(to * height * channels);
    for line in bytes.chunks_exact(width * channels) {
        for tap in &taps {
            for channel in 0..channels {
                let sources = line[tap.first * channels + channel..].iter().step_by(channels);
                out.push(weigh(&tap.weights, sources));
            }
        }
    }
    out
}

fn rows(bytes: &[u8], line: usize, taps: &[Tap]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line * taps.len());
    for tap in taps {
        for x in 0..line {
            out.push(weigh(&tap.weights, bytes[tap.first * line + x..].iter().step_by(line)));
        }
    }
    out
}

fn weigh<'a>(weights: &[i64], sources: impl Iterator<Item = &'a u8>) -> u8 {
    let half = 1_i64 << (BITS - 1);
    let sum: i64 = weights.iter().zip(sources).map(|(weight, byte)| weight * i64::from(*byte)).sum();
    ((sum + half) >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_stays_flat_and_one_size_is_a_copy() {
        let flat = vec![77; 5 * 4 * 3];
        assert!(lanczos(&flat, 3, (5, 4), (13, 9)).iter().all(|byte| *byte == 77));
        assert!(lanczos(&flat, 3, (5, 4), (1, 1)).iter().all(|byte| *byte == 77));
        let steps: Vec<u8> = (0..20).collect();
        assert_eq!(lanczos(&steps, 1, (5, 4), (5, 4)), steps);
    }

    #[test]
    fn the_edge_goes_on_as_it_rose() {
        assert_eq!((beyond_edge(100, 100), beyond_edge(100, 92), beyond_edge(255, 0)), (100, 101, 255));
    }
}
