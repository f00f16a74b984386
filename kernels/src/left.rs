//! The left side of a product: activations, gathered into words.
//!
//! A source is what a network has at hand: one or several arrays side by side, to be scaled, shifted and bent on the
//! way (a norm and the curve behind it). It is read once, here, and comes out in the numbers of the product; the
//! normalised copy that other programs write to memory and read again does not exist.

use half::bf16;

use crate::curve::Curve;
use crate::micro::Arith;
use crate::narrow;
use crate::tier::tiered;
use crate::{Cpu, Tier, words};

/// Numbers in one of the forms in which activations are kept.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl Values<'_> {
    /// Returns how many there are.
    pub fn len(self) -> usize {
        match self {
            Values::F32(x) => x.len(),
            Values::Bf16(x) => x.len(),
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Some channels of every row: (rows, channels).
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub values: Values<'a>,
    pub channels: usize,
}

/// What is done to the values on the way: `curve((x - minus) · gain + shift)`, each (pictures, channels).
///
/// The mean is taken off first: as a part of the shift it would cost the digits that it has in common with the values.
#[derive(Clone, Copy, Debug)]
pub struct Bend<'a> {
    pub minus: &'a [f32],
    pub gain: &'a [f32],
    pub shift: &'a [f32],
    pub curve: Curve,
}

/// Rows of channels, `places` to a picture.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub parts: &'a [Part<'a>],
    pub places: usize,
    pub bend: Option<Bend<'a>>,
}

impl<'a> Source<'a> {
    /// Returns the channels of all parts.
    pub fn channels(&self) -> usize {
        self.parts.iter().map(|part| part.channels).sum()
    }

    /// Returns the rows of all pictures.
    pub fn rows(&self) -> usize {
        self.parts.first().map_or(0, |part| part.values.len() / part.channels.max(1))
    }

    /// Returns the pictures.
    pub fn pictures(&self) -> usize {
        self.rows() / self.places.max(1)
    }

    /// Returns the words as they lie, if they are those of a product in `arith`.
    pub(crate) fn words(&self, arith: Arith) -> Option<&'a [u32]> {
        match (self.parts, self.bend, arith) {
            ([Part { values: Values::F32(x), .. }], None, Arith::F32) => Some(words::of_floats(x)),
            ([Part { values: Values::Bf16(x), channels }], None, Arith::Bf16) if channels % 2 == 0 => {
                words::of_pairs(x)
            }
            _ => None,
        }
    }

    /// Writes a row as f32.
    pub fn row(&self, tier: Tier, row: usize, to: &mut [f32]) {
        let mut first = 0;
        for part in self.parts {
            let range = row * part.channels..(row + 1) * part.channels;
            let to = &mut to[first..first + part.channels];
            match part.values {
                Values::F32(x) => to.copy_from_slice(&x[range]),
                Values::Bf16(x) => narrow::widen_bf16(tier, &x[range], to),
            }
            first += part.channels;
        }
        if let Some(bend) = self.bend {
            let picture = row / self.places * first;
            let of = |all: &'a [f32]| &all[picture..picture + first];
            bend_row(tier, to, of(bend.minus), of(bend.gain), of(bend.shift), bend.curve);
        }
    }

    /// Writes a row as words of a product; `wide` has room for the channels. Bytes take the scale that they are given,
    /// or find their own: the largest number becomes 127. Returns the scale.
    pub(crate) fn pack(
        &self,
        cpu: &Cpu,
        (arith, scale): (Arith, Option<f32>),
        row: usize,
        (wide, to): (&mut [f32], &mut [u32]),
    ) -> f32 {
        let channels = wide.len();
        match arith {
            Arith::F32 => {
                self.row(cpu.tier, row, words::floats(to));
                1.0
            }
            Arith::Bf16 => {
                self.row(cpu.tier, row, wide);
                let halves = words::halves(to);
                halves[channels..].fill(0);
                narrow_row(cpu.tier, wide, &mut halves[..channels]);
                1.0
            }
            Arith::Bytes => {
                self.row(cpu.tier, row, wide);
                let scale = scale.unwrap_or_else(|| step_of(largest_of(cpu.tier, wide)));
                let bytes = words::bytes(to);
                bytes[channels..].fill(ZERO);
                byte_row(cpu.tier, wide, scale.recip(), &mut bytes[..channels]);
                scale
            }
        }
    }

    /// Returns the largest magnitude of a row; what is not a number is larger than all others.
    pub(crate) fn largest(&self, tier: Tier, row: usize, wide: &mut [f32]) -> f32 {
        self.row(tier, row, wide);
        largest_of(tier, wide)
    }
}

/// The byte that stands for nothing: products take the left side without a sign.
pub(crate) const ZERO: u8 = 128;

/// Returns the largest magnitude; what is not a number is larger than all others.
pub(crate) fn largest_of(tier: Tier, x: &[f32]) -> f32 {
    let mut most = 0.0;
    largest(tier, x, &mut most);
    most
}

/// Returns what bytes are multiplied by whose largest stands for `most`.
pub(crate) fn step_of(most: f32) -> f32 {
    /// Below, one over the step is more than f32 holds.
    const LEAST: f32 = 3e-39;
    let step = most / 127.0;
    if step < LEAST { LEAST } else { step }
}

tiered! {
    /// Finds the largest magnitude. As bits, what is not a number is larger than all others, and so it stays.
    fn largest(x: &[f32], out: &mut f32) {
        const LANES: usize = 64;
        let mut lanes = [0_u32; LANES];
        let (chunks, rest) = x.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane = (*lane).max(x.abs().to_bits());
            }
        }
        let all = lanes.into_iter().chain(rest.iter().map(|x| x.abs().to_bits()));
        *out = f32::from_bits(all.max().unwrap_or(0));
    }
}

tiered! {
    fn bend_row(x: &mut [f32], minus: &[f32], gain: &[f32], shift: &[f32], curve: Curve) {
        for (((x, minus), gain), shift) in x.iter_mut().zip(minus).zip(gain).zip(shift) {
            *x = (*x - minus) * gain + shift;
        }
        curve.bend(x);
    }
}

tiered! {
    fn narrow_row(x: &[f32], to: &mut [u16]) {
        for (to, x) in to.iter_mut().zip(x) {
            *to = narrow::bf16_bits(*x);
        }
    }
}

tiered! {
    fn byte_row(x: &[f32], inverse: f32, to: &mut [u8]) {
        for (to, x) in to.iter_mut().zip(x) {
            // Adding 1.5 · 2^23 leaves the nearest integer in the low bits of the sum.
            let nearest = (x * inverse).clamp(-127.0, 127.0) + 12_582_912.0;
            *to = (nearest.to_bits() as u8).wrapping_add(ZERO);
        }
    }
}
