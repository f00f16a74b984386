//! Group and layer normalisation.
//!
//! One pass (mean of squares less square of the mean) loses the variance where the mean is large. Here values are taken
//! in blocks that stay in the cache: first a mean, then what is left of each value and its square, and what is left of
//! the mean corrects it. Blocks are joined in f64 (Chan, Golub and LeVeque, 1979), in an order that depends on nothing
//! but the shape.

use half::bf16;

use crate::Cpu;
use crate::curve::Curve;
use crate::left::{Bend, Source};
use crate::narrow;
use crate::parallel::{self, Shared};
use crate::pool::Buffer;
use crate::product::Target;
use crate::tier::tiered;

/// What makes any f32 small enough for a sum of squares.
const SMALL: f32 = 1.0 / (1_u128 << 80) as f32;

/// Numbers of a block: 128 KiB.
const BLOCK: usize = 32 << 10;

/// What a group norm does to each channel of each picture, to be done on the way into whatever reads it.
#[derive(Debug)]
pub struct Norm {
    minus: Vec<f32>,
    gain: Vec<f32>,
    shift: Vec<f32>,
    curve: Curve,
}

impl Norm {
    /// Returns it as a source takes it.
    pub fn bend(&self) -> Bend<'_> {
        Bend { minus: &self.minus, gain: &self.gain, shift: &self.shift, curve: self.curve }
    }
}

/// How channels are normalised.
#[derive(Clone, Copy, Debug)]
pub struct Groups<'a> {
    /// Into how many equal groups the channels are put.
    pub count: usize,
    /// Added to the variance.
    pub eps: f64,
    /// For each channel.
    pub weight: &'a [f32],
    /// For each channel.
    pub bias: &'a [f32],
}

/// Measures groups of channels over each picture.
pub fn group_norm(cpu: &Cpu, source: &Source<'_>, groups: Groups<'_>, curve: Curve) -> Norm {
    let (channels, places, pictures) = (source.channels(), source.places, source.pictures());
    assert_eq!(channels % groups.count, 0, "groups of one size");
    let height = (BLOCK / channels.max(1)).clamp(1, places.max(1));
    let length = places.div_ceil(height) * 2 * channels;
    let plain = measure(cpu, source, height, 1.0);
    // Where squares overflow, or something is not a number.
    let small = plain.iter().any(|x| !x.is_finite()).then(|| measure(cpu, source, height, SMALL));
    let mut norm = Norm {
        minus: vec![0.0; pictures * channels],
        gain: vec![0.0; pictures * channels],
        shift: vec![0.0; pictures * channels],
        curve,
    };
    let members = channels / groups.count;
    for (picture, group) in (0..pictures).flat_map(|picture| (0..groups.count).map(move |group| (picture, group))) {
        let range = group * members..(group + 1) * members;
        let of = |moments: &[f32], factor: f64| {
            let blocks = &moments[picture * length..][..length];
            let (mean, variance) = joined(blocks, channels, range.clone(), (height, places));
            (mean / factor, variance / (factor * factor))
        };
        let (mean, variance) = match (of(&plain, 1.0), &small) {
            ((_, variance), Some(small)) if !variance.is_finite() => of(small, SMALL.into()),
            (finite, _) => finite,
        };
        let scale = (variance + groups.eps).sqrt().recip() as f32;
        for channel in range {
            let at = picture * channels + channel;
            norm.minus[at] = mean as f32;
            norm.gain[at] = scale * groups.weight[channel];
            norm.shift[at] = groups.bias[channel];
        }
    }
    norm
}

/// Measures blocks of `height` places of all pictures, times `factor`: for each the means of its channels, then the
/// squares of what is left of their values.
fn measure(cpu: &Cpu, source: &Source<'_>, height: usize, factor: f32) -> Buffer<f32> {
    let (channels, places, pictures) = (source.channels(), source.places, source.pictures());
    let blocks = places.div_ceil(height);
    let mut moments = cpu.pool.take::<f32>(pictures * blocks * 2 * channels);
    let shared = Shared::new(&mut moments);
    let room = || cpu.pool.take::<f32>(height * channels + channels);
    parallel::each_with(pictures * blocks, room, |room, i| {
        let first = i % blocks * height;
        let count = height.min(places - first);
        let (values, left) = room.split_at_mut(height * channels);
        for (row, to) in values.chunks_exact_mut(channels).take(count).enumerate() {
            source.row(cpu.tier, i / blocks * places + first + row, to);
            if factor != 1.0 {
                to.iter_mut().for_each(|x| *x *= factor);
            }
        }
        // SAFETY: each block is one piece.
        let to = unsafe { shared.part(i * 2 * channels..(i + 1) * 2 * channels) };
        let (mean, squares) = to.split_at_mut(channels);
        columns(cpu.tier, &values[..count * channels], mean, squares, left);
    });
    moments
}

/// Joins the blocks of some channels: mean and variance.
fn joined(
    blocks: &[f32],
    channels: usize,
    range: std::ops::Range<usize>,
    (height, places): (usize, usize),
) -> (f64, f64) {
    let each = |f: &mut dyn FnMut(f64, f64, f64)| {
        for (i, block) in blocks.chunks_exact(2 * channels).enumerate() {
            let count = height.min(places - i * height) as f64;
            for channel in range.clone() {
                f(count, block[channel].into(), block[channels + channel].into());
            }
        }
    };
    let all = (places * range.len()) as f64;
    let mut sum = 0.0;
    each(&mut |count, mean, _| sum += count * mean);
    let whole = sum / all;
    let mut squares = 0.0;
    each(&mut |count, mean, left| squares += left + count * (mean - whole) * (mean - whole));
    (whole, squares / all)
}

tiered! {
    /// Measures the columns of rows: their means, and the sums of the squares of what is left.
    fn columns(rows: &[f32], mean: &mut [f32], squares: &mut [f32], left: &mut [f32]) {
        let width = mean.len();
        let inverse = (rows.len() / width) as f32;
        let inverse = 1.0 / inverse;
        mean.fill(0.0);
        squares.fill(0.0);
        left.fill(0.0);
        for row in rows.chunks_exact(width) {
            for (mean, x) in mean.iter_mut().zip(row) {
                *mean += x;
            }
        }
        for mean in mean.iter_mut() {
            *mean *= inverse;
        }
        for row in rows.chunks_exact(width) {
            let columns = squares.iter_mut().zip(left.iter_mut()).zip(mean.iter()).zip(row);
            for (((squares, left), mean), x) in columns {
                let rest = x - mean;
                *squares += rest * rest;
                *left += rest;
            }
        }
        for ((squares, left), mean) in squares.iter_mut().zip(left.iter()).zip(mean.iter_mut()) {
            *squares = (*squares - left * left * inverse).max(*squares * 0.0);
            *mean += left * inverse;
        }
    }
}

/// Normalises every row of (rows, channels).
pub fn layer_norm(cpu: &Cpu, source: &Source<'_>, eps: f64, (weight, bias): (&[f32], &[f32]), target: &mut Target<'_>) {
    assert!(weight.len() == source.channels() && bias.len() == weight.len(), "a weight and a bias for each channel");
    let norm = |row: &mut [f32]| {
        let mut measured = (0.0, 0.0);
        moments(cpu.tier, row, &mut measured);
        if !measured.1.is_finite() {
            measured = wide_moments(row);
        }
        let (mean, variance) = measured;
        let scale = (variance + eps).sqrt().recip() as f32;
        scale_row(cpu.tier, row, mean, scale, weight, bias);
    };
    each_row(cpu, source, target, norm);
}

/// Writes a source out, all that is done to it on the way included.
pub fn write(cpu: &Cpu, source: &Source<'_>, target: &mut Target<'_>) {
    each_row(cpu, source, target, |_| ());
}

/// Does something to every row of a source, and writes it.
fn each_row(cpu: &Cpu, source: &Source<'_>, target: &mut Target<'_>, work: impl Fn(&mut [f32]) + Sync) {
    enum Out {
        F32(Shared<f32>),
        Bf16(Shared<bf16>),
    }
    let width = source.channels();
    let out = match target {
        Target::F32(to) => Out::F32(Shared::new(to)),
        Target::Bf16(to) => Out::Bf16(Shared::new(to)),
    };
    // Room for a row, where it is not worked on in the target itself.
    let make = || match &out {
        Out::F32(_) => None,
        Out::Bf16(_) => Some(cpu.pool.take::<f32>(width)),
    };
    parallel::ranges_with(source.rows(), (BLOCK / 8 / width.max(1)).max(1), make, |wide, range| {
        for row in range {
            let at = row * width..(row + 1) * width;
            match (&out, wide.as_mut()) {
                (Out::F32(to), _) => {
                    // SAFETY: each row is in one range.
                    let to = unsafe { to.part(at) };
                    source.row(cpu.tier, row, to);
                    work(to);
                }
                (Out::Bf16(to), wide) => {
                    let wide = wide.expect("made above");
                    source.row(cpu.tier, row, wide);
                    work(wide);
                    // SAFETY: as above.
                    narrow::narrow_bf16(cpu.tier, wide, unsafe { to.part(at) });
                }
            }
        }
    });
}

tiered! {
    fn scale_row(x: &mut [f32], mean: f32, scale: f32, weight: &[f32], bias: &[f32]) {
        for ((x, weight), bias) in x.iter_mut().zip(weight).zip(bias) {
            *x = (*x - mean) * scale * weight + bias;
        }
    }
}

tiered! {
    /// Measures a row: mean and variance.
    fn moments(x: &[f32], out: &mut (f32, f64)) {
        let n = x.len() as f64;
        let mean = (lanes(x, |x| x) / n) as f32;
        let left = lanes(x, |x| x - mean) / n;
        let squares = lanes(x, |x| (x - mean) * (x - mean)) / n;
        *out = ((f64::from(mean) + left) as f32, squares - left * left);
    }
}

/// Measures a row whose squares overflow, or that holds what is not a number.
fn wide_moments(x: &[f32]) -> (f32, f64) {
    let of = |f: &dyn Fn(f64) -> f64| x.iter().map(|x| f(f64::from(*x))).sum::<f64>() / x.len() as f64;
    let mean = of(&|x| x);
    (mean as f32, of(&|x| (x - mean) * (x - mean)))
}

/// Adds up `f` of all values, in lanes of f32 that are joined in f64.
#[inline(always)]
fn lanes(x: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    const LANES: usize = 32;
    let mut lanes = [0_f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f(*x);
        }
    }
    lanes.iter().map(|x| f64::from(*x)).sum::<f64>() + rest.iter().map(|x| f64::from(f(*x))).sum::<f64>()
}
