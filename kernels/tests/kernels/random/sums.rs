//! Products and convolutions in f64: what goes in, what is summed, and what is done to the sums.

use std::sync::Arc;

use darkroom_kernels::{
    Arith, Bend, Cpu, Curve, Finish, Kept, Order, Panels, Part, Residual, Rows, Size, Source, Target, Values,
};
use half::{bf16, f16};
use proptest::prelude::*;
use proptest::sample::select;

use super::{EPS, Near, TINY, check, power, size};
use crate::reference::{bend, cpus, numbers};

const WAYS: [(Arith, Kept); 12] = [
    (Arith::F32, Kept::F32),
    (Arith::F32, Kept::F16),
    (Arith::F32, Kept::Bf16),
    (Arith::F32, Kept::E4M3),
    (Arith::F32, Kept::E5M2),
    (Arith::F32, Kept::Late),
    (Arith::Bf16, Kept::Bf16),
    (Arith::Bf16, Kept::E4M3),
    (Arith::Bf16, Kept::E5M2),
    (Arith::Bf16, Kept::Late),
    (Arith::Bytes, Kept::Bytes),
    (Arith::Bytes, Kept::Late),
];

const CURVES: [Curve; 5] = [Curve::None, Curve::Silu, Curve::Gelu, Curve::QuickGelu, Curve::Leaky(0.2)];

/// What is added to the results.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Added {
    Nothing,
    F32,
    Bf16,
    Target,
}

/// Everything but the shape of a product.
#[derive(Clone, Debug)]
pub struct Way {
    pub arith: Arith,
    pub kept: Kept,
    pub order: Order,
    /// Channels of each part, and whether it is bf16.
    pub parts: Vec<(usize, bool)>,
    pub outputs: usize,
    pub bend: Option<Curve>,
    pub curve: Curve,
    pub biased: bool,
    pub shifted: bool,
    pub factor: f32,
    pub scaled: f32,
    pub added: Added,
    pub narrow: bool,
    pub magnitude: (f32, f32),
    pub seed: u64,
}

pub fn way(parts: usize, channels: (usize, usize)) -> impl Strategy<Value = Way> {
    let parts = prop::collection::vec((size(channels.0, channels.1), any::<bool>()), 1..=parts);
    let added = select(&[Added::Nothing, Added::F32, Added::Bf16, Added::Target][..]);
    let kind = (select(&WAYS[..]), prop_oneof![3 => Just(Order::Plain), 1 => Just(Order::Gated)], parts, size(70, 140));
    let finish = (select(&CURVES[..]), any::<(bool, bool, bool)>(), select(&[1.0_f32, 0.7][..]), added);
    let bends = prop::option::of(select(&CURVES[..]));
    let scaled = select(&[1.0_f32, 0.375][..]);
    let magnitude = prop_oneof![2 => (Just(1.0), Just(1.0)), 1 => (power(-40..=40), power(-12..=10))];
    (kind, finish, bends, scaled, magnitude, 1_u64..1 << 40).prop_map(
        |(
            ((arith, kept), order, parts, outputs),
            (curve, (biased, shifted, narrow), factor, added),
            bend,
            scaled,
            magnitude,
            seed,
        )| {
            let (outputs, curve) = if order == Order::Gated { (2 * outputs, Curve::None) } else { (outputs, curve) };
            Way {
                arith,
                kept,
                order,
                parts,
                outputs,
                bend,
                curve,
                biased,
                shifted,
                factor,
                scaled,
                added,
                narrow,
                magnitude,
                seed,
            }
        },
    )
}

/// A weight in the numbers that it is kept in.
struct Weight {
    rows: Vec<f32>,
    bytes: Vec<u8>,
}

impl Rows for Weight {
    fn row(&self, output: usize, to: &mut [f32]) {
        self.rows.row(output, to);
    }

    fn bytes(&self, output: usize, to: &mut [u8]) {
        let width = to.len();
        to.copy_from_slice(&self.bytes[output * width..][..width]);
    }
}

/// The value of an E4M3, by its definition.
fn e4m3(byte: u8) -> f32 {
    let (exponent, fraction) = (i32::from(byte >> 3 & 15), f32::from(byte & 7) / 8.0);
    let value = if exponent == 0 { fraction * 2_f32.powi(-6) } else { (1.0 + fraction) * 2_f32.powi(exponent - 7) };
    if byte & 0x80 == 0 { value } else { -value }
}

fn to_bf16(x: f32) -> f32 {
    bf16::from_f32(x).to_f32()
}

/// What is random in a case, by its seed.
pub struct Numbers {
    parts: Vec<Vec<f32>>,
    narrow_parts: Vec<Vec<bf16>>,
    minus: Vec<f32>,
    gain: Vec<f32>,
    shift: Vec<f32>,
    weight: Arc<dyn Rows>,
    /// As f64 sees it.
    rows: Vec<f32>,
    bias: Vec<f32>,
    late: Vec<f32>,
    other: Vec<f32>,
    narrow_other: Vec<bf16>,
}

/// A left side and a weight, and how far their numbers are off.
pub struct Sides {
    left: Vec<Near>,
    weight: Vec<Near>,
}

impl Way {
    pub fn channels(&self) -> usize {
        self.parts.iter().map(|(channels, _)| channels).sum()
    }

    pub fn width(&self) -> usize {
        if self.order == Order::Gated { self.outputs / 2 } else { self.outputs }
    }

    /// Draws numbers for rows that go in and come out.
    pub fn draw(&self, (rows, taps, pictures, results): (usize, usize, usize, usize)) -> Numbers {
        let mut seed = self.seed;
        let mut next = |count: usize, magnitude: f32| -> Vec<f32> {
            seed += 1;
            numbers(count, seed).iter().map(|x| x * magnitude).collect()
        };
        let (x, w) = self.magnitude;
        let parts: Vec<Vec<f32>> = self.parts.iter().map(|(channels, _)| next(rows * channels, x)).collect();
        let of = pictures * self.channels();
        let (minus, gain, shift) = (next(of, x), next(of, 1.0), next(of, x));
        let floats = next(self.outputs * self.channels() * taps, w);
        let bytes: Vec<u8> = floats.iter().map(|x| (x / w * 8_388_608.0) as i32 as u8).collect();
        let (rows, bytes) = match self.kept {
            Kept::E4M3 => (bytes.iter().map(|b| e4m3(*b & 0xF7)).collect(), bytes.iter().map(|b| b & 0xF7).collect()),
            Kept::E5M2 => {
                let bytes: Vec<u8> = bytes.iter().map(|b| b & 0xEF).collect();
                (bytes.iter().map(|b| f16::from_bits(u16::from(*b) << 8).to_f32()).collect(), bytes)
            }
            _ => (floats, Vec::new()),
        };
        let other = next(results * self.width(), x * w);
        Numbers {
            narrow_parts: parts.iter().map(|part| part.iter().map(|x| bf16::from_f32(*x)).collect()).collect(),
            parts,
            minus,
            gain,
            shift,
            weight: Arc::new(Weight { rows: rows.clone(), bytes }),
            rows,
            bias: next(self.outputs, x * w),
            late: next(pictures * self.outputs, x * w),
            narrow_other: other.iter().map(|x| bf16::from_f32(*x)).collect(),
            other,
        }
    }

    /// What both sides are, to be multiplied.
    pub fn sides(&self, numbers: &Numbers, places: usize, taps: usize) -> Sides {
        let channels = self.channels();
        let rows = numbers.parts[0].len() / self.parts[0].0;
        let mut left = Vec::new();
        for row in 0..rows {
            let mut first = 0;
            for ((width, narrow), values) in self.parts.iter().zip(&numbers.parts) {
                for c in 0..*width {
                    let x = values[row * width + c];
                    left.push(self.entry(
                        numbers,
                        if *narrow { to_bf16(x) } else { x },
                        row / places * channels + first + c,
                    ));
                }
                first += width;
            }
        }
        let mut weight: Vec<Near> =
            numbers.rows.iter().map(|w| Near { want: self.kept_as(*w).into(), within: 0.0 }).collect();
        if self.arith == Arith::Bytes {
            left.chunks_mut(channels).for_each(to_bytes);
            weight.chunks_mut(channels * taps).for_each(to_bytes);
        }
        Sides { left, weight }
    }

    /// The same with a weight whose numbers were not rounded yet.
    pub fn sides_of_whole_weights(&self, numbers: &Numbers, places: usize) -> Sides {
        let weight = numbers.rows.iter().map(|w| Near { want: (*w).into(), within: 0.0 }).collect();
        Sides { weight, ..self.sides(numbers, places, 9) }
    }

    /// A number of the left side, bent.
    fn entry(&self, numbers: &Numbers, x: f32, at: usize) -> Near {
        let Some(curve) = self.bend else {
            let x = if self.arith == Arith::Bf16 { to_bf16(x) } else { x };
            return Near { want: x.into(), within: 0.0 };
        };
        let of = |all: &[f32]| f64::from(all[at]);
        let (x, minus, gain, shift) = (f64::from(x), of(&numbers.minus), of(&numbers.gain), of(&numbers.shift));
        let line = (x - minus) * gain + shift;
        let within = 4.0 * EPS * ((x.abs() + minus.abs()) * gain.abs() + shift.abs()) + TINY;
        let bent = bend(curve, line);
        let within = 1.2 * within + 1e-6 * line.abs();
        let near = Near { want: bent, within };
        if self.arith == Arith::Bf16 { near.in_bf16() } else { near }
    }

    fn kept_as(&self, w: f32) -> f32 {
        match (self.kept, self.arith) {
            (Kept::F16, _) => f16::from_f32(w).to_f32(),
            (Kept::Bf16, _) | (Kept::Late, Arith::Bf16) => to_bf16(w),
            _ => w,
        }
    }

    /// Sums up what each result reads: for each tap the row of the left side, if any.
    pub fn sums(&self, sides: &Sides, reads: &[Vec<Option<usize>>], slack: f64) -> Vec<Near> {
        let channels = self.channels();
        let mut sums = Vec::new();
        for taps in reads {
            for output in 0..self.outputs {
                let (mut want, mut within, mut size) = (0.0, TINY, 0.0);
                for (tap, row) in taps.iter().enumerate().filter_map(|(tap, row)| Some((tap, (*row)?))) {
                    for (c, x) in sides.left[row * channels..][..channels].iter().enumerate() {
                        let w = sides.weight[(output * channels + c) * taps.len() + tap];
                        let (dx, dw) = (x.within, w.within + slack * w.want.abs());
                        want += x.want * w.want;
                        within += dx * (w.want.abs() + dw) + x.want.abs() * dw;
                        size += x.want.abs() * w.want.abs() + TINY * 1e-2;
                    }
                }
                let count = (channels * taps.len() + 4) as f64;
                sums.push(Near { want, within: within + count * EPS * (size + within) + count * 1e-38 });
            }
        }
        sums
    }

    /// Finishes sums of rows, `places` to a picture.
    pub fn finish(&self, numbers: &Numbers, sums: &[Near], places: usize) -> Vec<Near> {
        let (outputs, width) = (self.outputs, self.width());
        let biased = |row: usize, output: usize| {
            let sum = sums[row * outputs + output];
            let bias = if self.biased { numbers.bias[output] } else { 0.0 };
            let late = if self.shifted { numbers.late[row / places * outputs + output] } else { 0.0 };
            let scaled = f64::from(self.scaled);
            let want = sum.want * scaled + f64::from(bias) + f64::from(late);
            let size = (sum.want * scaled).abs() + f64::from(bias.abs()) + f64::from(late.abs());
            Near { want, within: sum.within * scaled + 4.0 * EPS * size }
        };
        let through =
            |curve: Curve, x: Near| Near { want: bend(curve, x.want), within: 1.2 * x.within + 1e-6 * x.want.abs() };
        let mut results = Vec::new();
        for (row, i) in (0..sums.len() / outputs).flat_map(|row| (0..width).map(move |i| (row, i))) {
            let value = biased(row, i);
            let value = match self.order {
                Order::Plain => through(self.curve, value),
                Order::Gated => {
                    let gate = through(Curve::Gelu, biased(row, width + i));
                    let want = value.want * gate.want;
                    let within = value.within * (gate.want.abs() + gate.within) + value.want.abs() * gate.within;
                    Near { want, within: within + 4.0 * EPS * want.abs() + TINY }
                }
            };
            let other = numbers.other[row * width + i];
            let other = match self.added {
                Added::Nothing => 0.0,
                Added::F32 => other,
                Added::Target if !self.narrow => other,
                Added::Bf16 | Added::Target => to_bf16(other),
            };
            let (factor, other) = (f64::from(self.factor), f64::from(other));
            let want = other + factor * value.want;
            let within = factor * value.within + 4.0 * EPS * (other.abs() + factor * value.want.abs()) + TINY;
            let near = Near { want, within };
            results.push(if self.narrow { near.in_bf16() } else { near });
        }
        results
    }

    /// Runs a kernel in every tier and compares.
    pub fn try_all(
        &self,
        numbers: &Numbers,
        places: usize,
        want: &[Near],
        run: impl Fn(
            &Cpu,
            &Source<'_>,
            &dyn Fn(&Arc<dyn Rows>, usize) -> Panels,
            &Arc<dyn Rows>,
            &Finish<'_>,
            &mut Target<'_>,
        ),
    ) -> Result<(), TestCaseError> {
        let values = self.parts.iter().zip(numbers.parts.iter().zip(&numbers.narrow_parts));
        let values = values.map(|((channels, narrow), (wide, half))| {
            let values = if *narrow { Values::Bf16(half) } else { Values::F32(wide) };
            Part { values, channels: *channels }
        });
        let parts: Vec<Part<'_>> = values.collect();
        let of = |curve| Bend { minus: &numbers.minus, gain: &numbers.gain, shift: &numbers.shift, curve };
        let source = Source { parts: &parts, places, bend: self.bend.map(of) };
        let residual = match self.added {
            Added::Nothing => Residual::None,
            Added::F32 => Residual::Of(Values::F32(&numbers.other)),
            Added::Bf16 => Residual::Of(Values::Bf16(&numbers.narrow_other)),
            Added::Target => Residual::Target,
        };
        let finish = Finish {
            bias: self.biased.then_some(&numbers.bias),
            shift: self.shifted.then_some(&numbers.late),
            curve: self.curve,
            factor: self.factor,
            residual,
        };
        for cpu in cpus() {
            let pack = |rows: &Arc<dyn Rows>, taps: usize| {
                let size = Size { outputs: self.outputs, depth: self.channels(), taps };
                Panels::pack(&cpu, rows, size, (self.arith, self.kept, self.order)).scaled(self.scaled)
            };
            // What nobody writes is not a number.
            let start = |i: usize| if self.added == Added::Target { numbers.other[i] } else { f32::NAN };
            let mut wide: Vec<f32> = (0..want.len()).map(start).collect();
            if self.narrow {
                let mut half: Vec<bf16> = wide.iter().map(|x| bf16::from_f32(*x)).collect();
                run(&cpu, &source, &pack, &numbers.weight, &finish, &mut Target::Bf16(&mut half));
                wide = half.iter().map(|x| x.to_f32()).collect();
            } else {
                run(&cpu, &source, &pack, &numbers.weight, &finish, &mut Target::F32(&mut wide));
            }
            check(&format!("{} {self:?}", cpu.tier), &wide, want)?;
        }
        Ok(())
    }
}

/// Rounds numbers to 127 steps up to the largest.
fn to_bytes(row: &mut [Near]) {
    let most = row.iter().fold(0_f64, |most, x| most.max(x.want.abs() + x.within));
    row.iter_mut().for_each(|x| x.within += most / 127.0 * 0.502);
}
