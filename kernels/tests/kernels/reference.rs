//! Textbook formulas in f64, and the numbers that kernels are tried with.

use darkroom_kernels::attention::Mask;
use darkroom_kernels::{Arith, Cpu, Curve, Part, Pool, Tier, Values, Window};

/// Numbers between -1 and 1 that look random and are the same everywhere.
pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

pub fn cpus() -> impl Iterator<Item = Cpu> {
    Tier::available().map(|tier| Cpu { tier, pool: Pool::default() })
}

pub fn part(values: &[f32], channels: usize) -> Part<'_> {
    Part { values: Values::F32(values), channels }
}

/// How far results may be off, as a share of the largest: rounding of factors, and of sums.
pub fn tolerance(arith: Arith) -> f64 {
    match arith {
        Arith::F32 => 4e-6,
        Arith::Bf16 => 6e-3,
        Arith::Bytes => 2e-2,
    }
}

#[track_caller]
pub fn assert_near(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let most = want.iter().fold(1e-30_f64, |most, x| most.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*got) - want).abs();
        assert!(error <= tolerance * most, "{what}: number {i} is {got}, not {want}");
    }
}

pub fn product(x: &[f32], w: &[f32], (rows, depth, outputs): (usize, usize, usize)) -> Vec<f64> {
    let at = |r: usize, o: usize| (0..depth).map(|k| f64::from(x[r * depth + k]) * f64::from(w[o * depth + k])).sum();
    (0..rows).flat_map(|r| (0..outputs).map(move |o| (r, o))).map(|(r, o)| at(r, o)).collect()
}

/// Pictures (picture, line, column, channel) under windows, weights (output, channel, line, column).
pub fn windows(x: &[f32], w: &[f32], shape: (usize, usize, usize, usize), outputs: usize, window: Window) -> Vec<f64> {
    let (pictures, height, width, channels) = shape;
    let (lines, across) = (window.places(height).unwrap(), window.places(width).unwrap());
    let k = window.kernel;
    let mut out = Vec::new();
    for (p, y, x0) in (0..pictures).flat_map(|p| (0..lines).flat_map(move |y| (0..across).map(move |x| (p, y, x)))) {
        for o in 0..outputs {
            let mut sum = 0.0;
            for (dy, dx, c) in (0..k).flat_map(|dy| (0..k).flat_map(move |dx| (0..channels).map(move |c| (dy, dx, c))))
            {
                let y = (y * window.stride + dy).checked_sub(window.before).filter(|y| *y < height);
                let column = (x0 * window.stride + dx).checked_sub(window.before).filter(|x| *x < width);
                if let (Some(y), Some(column)) = (y, column) {
                    let value = x[((p * height + y) * width + column) * channels + c];
                    sum += f64::from(value) * f64::from(w[((o * channels + c) * k + dy) * k + dx]);
                }
            }
            out.push(sum);
        }
    }
    out
}

/// (pictures · length, channels), (pictures · sources, channels) twice.
pub fn attention(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    (length, sources, channels, heads): (usize, usize, usize, usize),
    mask: Mask,
) -> Vec<f64> {
    let head = channels / heads;
    let mut out = vec![0.0; q.len()];
    for b in 0..q.len() / (length * channels) {
        for (i, h) in (0..length).flat_map(|i| (0..heads).map(move |h| (i, h))) {
            let seen = if mask == Mask::Causal { (i + 1).min(sources) } else { sources };
            let at = |x: &[f32], row: usize, c: usize| f64::from(x[row * channels + h * head + c]);
            let score = |j: usize| (0..head).map(|c| at(q, b * length + i, c) * at(k, b * sources + j, c)).sum::<f64>();
            let scores: Vec<f64> = (0..seen).map(|j| score(j) / (head as f64).sqrt()).collect();
            let most = scores.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let shares: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
            let sum: f64 = shares.iter().sum();
            for c in 0..head {
                let gathered: f64 = shares.iter().enumerate().map(|(j, s)| s * at(v, b * sources + j, c)).sum();
                out[(b * length + i) * channels + h * head + c] = gathered / sum;
            }
        }
    }
    out
}

/// A curve in f64.
pub fn bend(curve: Curve, x: f64) -> f64 {
    match curve {
        Curve::None => x,
        Curve::Silu => x / (1.0 + (-x).exp()),
        Curve::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Curve::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        Curve::Leaky(slope) => x.max(0.0) + f64::from(slope) * x.min(0.0),
    }
}

/// The error function by its Taylor series, which converges everywhere; to 1e-9.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}
