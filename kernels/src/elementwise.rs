//! Loops over whole arrays.

use crate::Cpu;
use crate::curve::Curve;
use crate::left::Source;
use crate::parallel::{self, Shared};
use crate::tier::tiered;

/// Numbers that one piece takes at least.
const GRAIN: usize = 16 << 10;

/// Adds the rows of a source to numbers that lie as they do.
pub fn add_onto(cpu: &Cpu, source: &Source<'_>, to: &mut [f32]) {
    let width = source.channels();
    assert_eq!(source.rows() * width, to.len(), "as many numbers on both sides");
    let shared = Shared::new(to);
    parallel::ranges(source.rows(), (GRAIN / width.max(1)).max(1), |range| {
        let mut wide = vec![0.0; width];
        for row in range {
            source.row(cpu.tier, row, &mut wide);
            // SAFETY: each row is in one range.
            sum(cpu.tier, &wide, unsafe { shared.part(row * width..(row + 1) * width) });
        }
    });
}

/// Replaces `x` by `x · factor + shift`.
pub fn affine(cpu: &Cpu, x: &mut [f32], factor: f32, shift: f32) {
    each(x, |x| line(cpu.tier, x, factor, shift));
}

/// Bends every number.
pub fn bend(cpu: &Cpu, x: &mut [f32], curve: Curve) {
    each(x, |x| through(cpu.tier, x, curve));
}

fn each(x: &mut [f32], work: impl Fn(&mut [f32]) + Sync) {
    let length = x.len();
    let shared = Shared::new(x);
    // SAFETY: ranges do not overlap.
    parallel::ranges(length, GRAIN, |range| work(unsafe { shared.part(range) }));
}

tiered! {
    fn sum(a: &[f32], to: &mut [f32]) {
        for (to, a) in to.iter_mut().zip(a) {
            *to += a;
        }
    }
}

tiered! {
    fn line(x: &mut [f32], factor: f32, shift: f32) {
        x.iter_mut().for_each(|x| *x = *x * factor + shift);
    }
}

tiered! {
    fn through(x: &mut [f32], curve: Curve) {
        curve.bend(x);
    }
}
