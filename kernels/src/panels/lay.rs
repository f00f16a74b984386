//! Laying a weight out: rows of a file become columns of panels.
//!
//! ```text
//!   16 rows ──▶ the numbers of the panel, tap by tap ──▶ 16 lines of words ──▶ turned: 16 columns
//! ```
//!
//! Rows are read and converted whole, many numbers at a time, in lines that stay in the cache. A row written to its
//! column by itself would touch every line of memory of the panel.

use std::ops::Range;

use bytemuck::{Pod, Zeroable, cast_slice_mut};
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};

use super::{Kept, Panels, Rows, Scales, Size};
use crate::Tier;
use crate::left::{largest_of, step_of};
use crate::micro::Arith;
use crate::narrow;
use crate::parallel::{self, Shared};
use crate::pool::{Buffer, Number};
use crate::tier::tiered;

/// Rows that are turned together: a divisor of every tile's columns.
const TURN: usize = 16;

/// Numbers of rows that are read at a time: they stay in the second-level cache until they are lines.
const READ: usize = 64 << 10;

/// Where rows are on their way.
#[derive(Default)]
pub struct Desk {
    rows: Vec<f32>,
    numbers: Vec<u32>,
    lines: Vec<u32>,
}

impl Panels {
    /// Lays all panels out, `length` words in all.
    pub(super) fn laid<E: Pod + Number>(&self, tier: Tier, rows: &dyn Rows, length: usize) -> Buffer<E> {
        let mut all = Buffer::zeros(length);
        let panel = self.words() * self.columns;
        let shared = Shared::new(&mut all);
        parallel::each_with(self.count(), Desk::default, |desk, i| {
            // SAFETY: every panel is one piece.
            self.lay(tier, rows, i, desk, unsafe { shared.part(i * panel..(i + 1) * panel) });
        });
        all
    }

    /// Lays one panel out; `E` is what is kept of a word.
    pub(super) fn lay<E: Pod>(&self, tier: Tier, rows: &dyn Rows, panel: usize, desk: &mut Desk, to: &mut [E]) {
        let length = self.words();
        if to.is_empty() {
            return;
        }
        let Desk { rows: read, numbers, lines } = desk;
        lines.resize((TURN * length * size_of::<E>()).div_ceil(size_of::<u32>()), 0);
        let lines: &mut [E] = &mut cast_slice_mut(lines)[..TURN * length];
        for first in (0..self.columns).step_by(TURN) {
            for run in self.runs(panel, first) {
                let line = |i: usize| i * length..(i + 1) * length;
                let Run { columns, output } = run;
                let Some(output) = output else {
                    lines[columns.start * length..columns.end * length].fill(E::zeroed());
                    continue;
                };
                if !matches!(self.numbers(), Kept::E4M3 | Kept::E5M2) {
                    read.resize(columns.len() * self.row_length(), 0.0);
                    rows.rows(output..output + columns.len(), read);
                    if self.kept == Kept::LateBf16 {
                        read.iter_mut().for_each(|x| *x = narrow::from_bf16_bits(narrow::bf16_bits(*x)));
                    }
                }
                for (i, column) in columns.enumerate() {
                    let row = read.chunks_exact(self.row_length()).nth(i).unwrap_or(&[]);
                    let to = cast_slice_mut(&mut lines[line(column)]);
                    self.line(tier, rows, (output + i, row), numbers, to);
                }
            }
            turn(lines, length, &mut to[first..], self.columns);
        }
    }

    /// Splits the columns of a square into runs of rows that follow each other in the file, each as long as is read at a
    /// time.
    fn runs(&self, panel: usize, first: usize) -> Vec<Run> {
        let most = (READ / self.row_length().max(1)).max(1);
        let mut runs: Vec<Run> = Vec::new();
        for column in 0..TURN {
            let output = self.output(panel, first + column);
            match runs.last_mut() {
                Some(run) if run.continues(output) && run.columns.len() < most => run.columns.end += 1,
                _ => runs.push(Run { columns: column..column + 1, output }),
            }
        }
        runs
    }

    /// Returns the numbers of a row.
    fn row_length(&self) -> usize {
        self.size.depth * self.size.taps
    }

    /// Returns the numbers that lines hold.
    fn numbers(&self) -> Kept {
        match (self.kept, self.arith) {
            (Kept::Late | Kept::LateBf16, Arith::F32) => Kept::F32,
            (Kept::Late | Kept::LateBf16, Arith::Bf16) => Kept::Bf16,
            (Kept::Late | Kept::LateBf16, Arith::Bytes) => Kept::Bytes,
            (kept, _) => kept,
        }
    }

    /// Converts a row to the numbers that are kept, tap by tap, each tap filled up to whole words.
    fn line(&self, tier: Tier, rows: &dyn Rows, (output, row): (usize, &[f32]), numbers: &mut Vec<u32>, to: &mut [u8]) {
        let taps = self.size.taps;
        numbers.resize(self.row_length(), 0);
        match self.numbers() {
            Kept::F32 => spread::<f32>(row, taps, cast_slice_mut(to)),
            kept @ (Kept::F16 | Kept::Bf16) => {
                let numbers: &mut [u16] = &mut cast_slice_mut(numbers)[..row.len()];
                match kept {
                    Kept::F16 => HalfBitsSliceExt::reinterpret_cast_mut::<f16>(numbers).convert_from_f32_slice(row),
                    _ => narrow::narrow_bf16(tier, row, HalfBitsSliceExt::reinterpret_cast_mut::<bf16>(numbers)),
                }
                spread::<u16>(numbers, taps, cast_slice_mut(to));
            }
            Kept::Bytes => {
                let numbers = &mut cast_slice_mut(numbers)[..row.len()];
                let scales = self.scales.as_ref().expect("bytes have scales");
                signed(tier, row, scales.scale[output].recip(), numbers);
                spread::<u8>(numbers, taps, to);
            }
            Kept::E4M3 | Kept::E5M2 => {
                let numbers = &mut cast_slice_mut(numbers)[..self.row_length()];
                rows.bytes(output, numbers);
                spread::<u8>(numbers, taps, to);
            }
            Kept::Late | Kept::LateBf16 => unreachable!("lines hold numbers of some kind"),
        }
    }
}

/// Columns of a square that hold rows one behind the other, or nothing.
struct Run {
    columns: Range<usize>,
    /// Of the first column.
    output: Option<usize>,
}

impl Run {
    fn continues(&self, output: Option<usize>) -> bool {
        match (self.output, output) {
            (Some(first), Some(next)) => first + self.columns.len() == next,
            (None, None) => true,
            _ => false,
        }
    }
}

/// Sorts the numbers of a row by tap, and fills each tap up with zeros.
fn spread<N: Copy + Zeroable>(from: &[N], taps: usize, to: &mut [N]) {
    let depth = from.len() / taps;
    let padded = to.len() / taps;
    for (tap, to) in to.chunks_exact_mut(padded).enumerate() {
        let (to, rest) = to.split_at_mut(depth);
        match taps {
            1 => to.copy_from_slice(from),
            _ => to.iter_mut().zip(from[tap..].iter().step_by(taps)).for_each(|(to, x)| *to = *x),
        }
        rest.fill(N::zeroed());
    }
}

/// Turns lines into columns, a square at a time.
fn turn<E: Copy>(lines: &[E], length: usize, to: &mut [E], columns: usize) {
    for first in (0..length).step_by(TURN) {
        let last = (first + TURN).min(length);
        for (i, line) in lines.chunks_exact(length).enumerate() {
            for (at, x) in (first..last).zip(&line[first..last]) {
                to[at * columns + i] = *x;
            }
        }
    }
}

impl Scales {
    /// The largest number of each output becomes 127.
    pub(super) fn of(tier: Tier, rows: &dyn Rows, Size { outputs, depth, taps }: Size) -> Self {
        let mut scales = Scales { scale: vec![1.0; outputs], shift: vec![0; outputs] };
        let (scale, shift) = (Shared::new(&mut scales.scale), Shared::new(&mut scales.shift));
        parallel::ranges(outputs, 16, |range| {
            let (mut row, mut bytes) = (vec![0.0; depth * taps], vec![0; depth * taps]);
            for output in range {
                rows.row(output, &mut row);
                let most = largest_of(tier, &row);
                // A weight that is not a number, or none that ends, must not vanish.
                let step = if most.is_finite() { step_of(most) } else { f32::NAN };
                signed(tier, &row, step.recip(), &mut bytes);
                let sum: i32 = bytes.iter().map(|byte| i32::from(byte.cast_signed())).sum();
                // SAFETY: each output is in one range.
                unsafe {
                    scale.part(output..output + 1)[0] = step;
                    shift.part(output..output + 1)[0] = sum.wrapping_mul(128);
                }
            }
        });
        scales
    }
}

tiered! {
    /// Rounds to the nearest signed byte.
    fn signed(x: &[f32], inverse: f32, to: &mut [u8]) {
        for (to, x) in to.iter_mut().zip(x) {
            // Adding 1.5 · 2^23 leaves the nearest integer in the low bits of the sum.
            *to = ((x * inverse).clamp(-127.0, 127.0) + 12_582_912.0).to_bits() as u8;
        }
    }
}
