//! Numbers that take less than 32 bits, to f32 and back.
//!
//! All loops are plain, so that every tier gives the same bits: conversions up are exact, conversions down round to
//! nearest, ties to even, and keep what is not a number so.

use half::{bf16, f16};

use crate::tier::tiered;

/// The bits of a bf16 nearest to `x`.
#[inline(always)]
pub fn bf16_bits(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
    // A quiet one: rounding could carry its bits into an infinity.
    let quiet = bits >> 16 | 0x40;
    (if x.is_nan() { quiet } else { rounded }) as u16
}

/// The f32 of the bits of a bf16.
#[inline(always)]
pub fn from_bf16_bits(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Two numbers as a word of a product in bf16, the first in the lower half.
#[inline(always)]
pub fn pair(first: f32, second: f32) -> u32 {
    u32::from(bf16_bits(first)) | u32::from(bf16_bits(second)) << 16
}

/// The f32 of eight bits with four of exponent and three of fraction, no infinities: OCP's E4M3.
#[inline(always)]
pub fn from_e4m3(byte: u8) -> f32 {
    let magnitude = u32::from(byte & 0x7F);
    // Set as f32's own fields the exponent is 120 too small, for the smallest numbers too.
    let x = f32::from_bits(magnitude << 20) * f32::from_bits((127 + 120) << 23);
    let x = if magnitude == 0x7F { f32::NAN } else { x };
    f32::from_bits(x.to_bits() | u32::from(byte & 0x80) << 24)
}

/// The f32 of eight bits with five of exponent and two of fraction: OCP's E5M2, the upper half of an f16.
#[inline(always)]
pub fn from_e5m2(byte: u8) -> f32 {
    let magnitude = u32::from(byte & 0x7F);
    let x = f32::from_bits(magnitude << 21) * f32::from_bits((127 + 112) << 23);
    let x = match magnitude {
        0x7C => f32::INFINITY,
        0x7D.. => f32::NAN,
        _ => x,
    };
    f32::from_bits(x.to_bits() | u32::from(byte & 0x80) << 24)
}

/// The f32 of the bits of an f16.
#[inline(always)]
fn from_f16_bits(bits: u16) -> f32 {
    let magnitude = u32::from(bits & 0x7FFF);
    let x = f32::from_bits(magnitude << 13) * f32::from_bits((127 + 112) << 23);
    let special = f32::from_bits(magnitude << 13 | 0x7F80_0000);
    let x = if magnitude >= 0x7C00 { special } else { x };
    f32::from_bits(x.to_bits() | u32::from(bits & 0x8000) << 16)
}

tiered! {
    /// Widens f16 to f32.
    pub fn widen_f16(from: &[f16], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from_f16_bits(from.to_bits());
        }
    }
}

tiered! {
    /// Widens bf16 to f32.
    pub fn widen_bf16(from: &[bf16], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from_bf16_bits(from.to_bits());
        }
    }
}

tiered! {
    /// Widens E4M3 to f32.
    pub fn widen_e4m3(from: &[u8], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from_e4m3(*from);
        }
    }
}

tiered! {
    /// Widens E5M2 to f32.
    pub fn widen_e5m2(from: &[u8], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from_e5m2(*from);
        }
    }
}

tiered! {
    /// Widens E4M3 to the bits of bf16, which hold it exactly.
    pub fn e4m3_to_bf16(from: &[u8], to: &mut [u16]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = (from_e4m3(*from).to_bits() >> 16) as u16;
        }
    }
}

tiered! {
    /// Widens E5M2 to the bits of bf16, which hold it exactly.
    pub fn e5m2_to_bf16(from: &[u8], to: &mut [u16]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = (from_e5m2(*from).to_bits() >> 16) as u16;
        }
    }
}

tiered! {
    /// Rounds f32 to bf16.
    pub fn narrow_bf16(from: &[f32], to: &mut [bf16]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = bf16::from_bits(bf16_bits(*from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tier;

    fn same(a: f32, b: f32) -> bool {
        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
    }

    #[test]
    fn every_f16_and_bf16_widens_as_half_does_in_every_tier() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        let mut to = vec![0.0; all.len()];
        for tier in Tier::available() {
            let halves: Vec<f16> = all.iter().map(|bits| f16::from_bits(*bits)).collect();
            widen_f16(tier, &halves, &mut to);
            assert!(halves.iter().zip(&to).all(|(a, b)| same(a.to_f32(), *b)), "{tier}");
            let halves: Vec<bf16> = all.iter().map(|bits| bf16::from_bits(*bits)).collect();
            widen_bf16(tier, &halves, &mut to);
            assert!(halves.iter().zip(&to).all(|(a, b)| same(a.to_f32(), *b)), "{tier}");
        }
    }

    #[test]
    fn bf16_is_rounded_as_half_does_whatever_the_bits() {
        let samples = (0..=u32::MAX).step_by(65_537 / 7).chain([0x7F7F_FFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x7F80_0001]);
        for x in samples.map(f32::from_bits) {
            let (ours, theirs) = (bf16::from_bits(bf16_bits(x)), bf16::from_f32(x));
            assert!(same(ours.to_f32(), theirs.to_f32()), "{x}");
        }
    }

    #[test]
    fn eight_bit_floats_have_the_values_of_their_specification() {
        let e4m3 = [(0x7E, 448.0), (0xFE, -448.0), (0x01, 0.001_953_125), (0x08, 0.015_625), (0x38, 1.0), (0x80, -0.0)];
        for (byte, value) in e4m3 {
            assert!(same(from_e4m3(byte), value), "{byte:x}");
        }
        assert!(from_e4m3(0x7F).is_nan() && from_e4m3(0xFF).is_nan());
        for byte in 0..=u8::MAX {
            let value = f16::from_bits(u16::from(byte) << 8).to_f32();
            assert!(same(from_e5m2(byte), value), "{byte:x}");
        }
    }
}
