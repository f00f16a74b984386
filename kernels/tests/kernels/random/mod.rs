//! Random shapes, ways and numbers against f64, within bounds that follow from the rounding of each step.
//!
//! `PROPTEST_CASES` says how many of each are tried.

mod attention;
mod convolutions;
mod norms;
mod products;
mod sums;

use proptest::prelude::*;

/// The rounding of one f32 operation.
const EPS: f64 = 1.0 / (1 << 24) as f64;
/// The rounding of a number to bf16, and a little.
const EPS_BF16: f64 = 1.01 / 256.0;
/// What is lost where products or results fall below the normal numbers.
const TINY: f64 = 1e-36;

/// What a result must be, and how far it may be off.
#[derive(Clone, Copy, Debug)]
pub struct Near {
    pub want: f64,
    pub within: f64,
}

impl Near {
    /// Rounds to where it is written.
    fn in_bf16(self) -> Self {
        Self { within: self.within * 1.01 + EPS_BF16 * self.want.abs() + TINY, ..self }
    }
}

fn check(what: &str, got: &[f32], want: &[Near]) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), want.len(), "{}", what);
    for (i, (got, near)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*got) - near.want).abs();
        prop_assert!(error <= near.within, "{what}: number {i} is {got}, {error:e} off {near:?}");
    }
    Ok(())
}

/// A size that is small, and now and then large.
fn size(small: usize, large: usize) -> BoxedStrategy<usize> {
    if cfg!(miri) {
        return (1..=small.min(5)).boxed();
    }
    prop_oneof![12 => 1..=small, 1 => small..=large].boxed()
}

/// How many cases are tried where the environment says nothing.
fn cases(most: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok());
    let cases = asked.unwrap_or(if cfg!(miri) { 2 } else { most });
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A power of two.
fn power(range: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = f32> {
    range.prop_map(|exponent| 2_f32.powi(exponent))
}
