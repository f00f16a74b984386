//! Loops over whole arrays.

use crate::Cpu;
use crate::curve::Curve;
use crate::parallel::{self, Shared};
use crate::tier::tiered;

/// Numbers that one piece takes at least.
const GRAIN: usize = 16 << 10;

/// Writes `a + b`.
pub fn add(cpu: &Cpu, a: &[f32], b: &[f32], to: &mut [f32]) {
    assert!(a.len() == b.len() && a.len() == to.len(), "arrays of one length");
    let shared = Shared::new(to);
    parallel::ranges(a.len(), GRAIN, |range| {
        // SAFETY: ranges do not overlap.
        sum(cpu.tier, &a[range.clone()], &b[range.clone()], unsafe { shared.part(range) });
    });
}

/// Replaces `x` by `x · factor + shift`.
pub fn affine(cpu: &Cpu, x: &mut [f32], factor: f32, shift: f32) {
    let length = x.len();
    let shared = Shared::new(x);
    parallel::ranges(length, GRAIN, |range| {
        // SAFETY: ranges do not overlap.
        line(cpu.tier, unsafe { shared.part(range) }, factor, shift);
    });
}

/// Bends every number.
pub fn bend(cpu: &Cpu, x: &mut [f32], curve: Curve) {
    let length = x.len();
    let shared = Shared::new(x);
    parallel::ranges(length, GRAIN, |range| {
        // SAFETY: ranges do not overlap.
        through(cpu.tier, unsafe { shared.part(range) }, curve);
    });
}

tiered! {
    fn sum(a: &[f32], b: &[f32], to: &mut [f32]) {
        for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
            *to = a + b;
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
