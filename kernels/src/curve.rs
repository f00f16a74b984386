//! Functions of one f32 that compilers turn into vector code: no branches, no tables, no calls.

use std::f32::consts::{FRAC_2_SQRT_PI, LOG2_E, SQRT_2};

/// `e` to the `x`, to 2 units in the last place between -87 and 88, held there outside; not-a-number stays so.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2^23 leaves the nearest integer in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two pieces (Cody and Waite): the first has few bits, so that its product with an integer is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    // The series to the seventh power: |r| <= 0.35, what follows is below 1e-8.
    let series = 1.0 / 720.0 + r * (1.0 / 5040.0);
    let series = 1.0 / 24.0 + r * (1.0 / 120.0 + r * series);
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * series)));
    series * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// `e` to the `x` for `x` up to 0, to 8e-5 of its value above -87, held there below; not-a-number stays so.
#[inline(always)]
pub fn rough_exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x } * LOG2_E;
    let shifted = x + ROUND;
    let r = x - (shifted - ROUND);
    // The fit of 2^r whose largest relative error is least, for |r| <= 1/2.
    let series = 0.999_928_07 + r * (0.693_261 + r * (0.242_611_13 + r * 0.055_171_67));
    f32::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// The error function, to 4e-7.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    // A rational least-squares fit of erf(x)/x in x² up to 3.92, where erf is 1 in f32; its own error is 2e-8.
    let x = x.clamp(-3.92, 3.92);
    let t = x * x;
    let above = 2.874_805e-4 + t * 2.034_727_7e-6;
    let above = 0.053_060_625 + t * (3.868_373_8e-3 + t * above);
    let above = FRAC_2_SQRT_PI + t * (0.192_765_13 + t * above);
    let below = 1.188_126_5e-3 + t * 3.807_062_4e-5;
    let below = 0.115_085_064 + t * (0.015_172_389 + t * below);
    let below = 1.0 + t * (0.504_165_3 + t * below);
    (x * above / below).clamp(-1.0, 1.0)
}

/// Where gates are shut: below, the exponential is held and would let something of a huge number through.
const SHUT: f32 = -100.0;

/// `x · sigmoid(x)`.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x.max(SHUT) / (1.0 + exp(-x))
}

/// `x · sigmoid(1.702 x)`, the approximation that OpenAI's CLIP was trained with.
#[inline(always)]
pub fn quick_gelu(x: f32) -> f32 {
    x.max(SHUT) / (1.0 + exp(-1.702 * x))
}

/// `x · Φ(x)`, with the error function and not with tanh.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x / SQRT_2))
}

/// A curve that is bent into a result on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Curve {
    /// As it is.
    #[default]
    None,
    /// [`silu`].
    Silu,
    /// [`gelu`].
    Gelu,
    /// [`quick_gelu`].
    QuickGelu,
    /// Negative values times this.
    Leaky(f32),
}

impl Curve {
    /// Bends all values.
    #[inline(always)]
    pub fn bend(self, x: &mut [f32]) {
        match self {
            Curve::None => {}
            Curve::Silu => x.iter_mut().for_each(|x| *x = silu(*x)),
            Curve::Gelu => x.iter_mut().for_each(|x| *x = gelu(*x)),
            Curve::QuickGelu => x.iter_mut().for_each(|x| *x = quick_gelu(*x)),
            Curve::Leaky(slope) => x.iter_mut().for_each(|x| *x = if *x < 0.0 { *x * slope } else { *x }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=200_000).map(move |i| from + (to - from) * i as f32 / 200_000.0)
    }

    /// The error function by its Taylor series, which converges everywhere; to 1e-9 in this range.
    fn series(x: f64) -> f64 {
        if x.abs() > 5.0 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn exp_is_right_to_two_units_in_the_last_place() {
        for x in grid(-86.9, 87.9) {
            let want = f64::from(x).exp();
            let error = (f64::from(exp(x)) - want).abs() / want;
            assert!(error < 2.4e-7, "exp({x}): relative error {error}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn the_rough_exponential_is_right_to_a_twentieth_of_the_rounding_of_bf16() {
        for x in grid(-86.9, 0.0) {
            let want = f64::from(x).exp();
            let error = (f64::from(rough_exp(x)) - want).abs() / want;
            assert!(error < 8e-5, "rough_exp({x}): relative error {error}");
        }
        assert!(rough_exp(f32::NAN).is_nan());
        assert!(rough_exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn erf_is_right_to_4e_7() {
        for x in grid(-6.0, 6.0) {
            let error = (f64::from(erf(x)) - series(x.into())).abs();
            assert!(error < 4.5e-7, "erf({x}): error {error}");
        }
        assert!(erf(f32::NAN).is_nan());
    }

    #[test]
    fn far_out_the_gates_are_open_or_shut() {
        for gate in [silu, quick_gelu, gelu] {
            assert_eq!(gate(60.0), 60.0);
            assert!(gate(-60.0).abs() < 1e-6);
            assert!(gate(f32::MIN).abs() < 1e-6);
            assert!(gate(f32::NAN).is_nan());
        }
    }
}
