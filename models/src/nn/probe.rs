//! Whether a card computes what the processor does: every kind of layer once, small, on both.
//!
//! A card newer than the program has no kernels for it, and a driver may be broken in ways that no version tells. Whoever
//! finds out before the first picture can go on with the processor.

use candle_core::Tensor;

use super::{
    Activation, After, Bias, Card, Compute, Conv2d, ConvShape, FeatureMap, GroupNorm, Growth, Heads, LayerNorm, Linear,
    Mask, Mode, Padding, Tokens, Upsample, compute::Precision, host,
};
use crate::{Result, Weights};

const CHANNELS: usize = 32;
const EDGE: usize = 12;

/// A kind of layer: what it is called, and what it makes of the same numbers everywhere.
type Check = (&'static str, fn(&Compute) -> Result<Tensor>);

const CHECKS: &[Check] = &[
    ("matrices", |compute| {
        let w = weights(compute, &[("weight", &[48, CHANNELS]), ("bias", &[48])]);
        let linear = Linear::load(&w, CHANNELS, 48, Bias::Yes)?;
        linear.forward(&linear_input()?)?.to_tensor()
    }),
    ("gated matrices", |compute| {
        let w = weights(compute, &[("weight", &[48, CHANNELS]), ("bias", &[48])]);
        Linear::load_gated(&w, CHANNELS, 24)?.forward(&linear_input()?)?.to_tensor()
    }),
    ("curves", |compute| {
        let x = linear_input()?.within(compute)?;
        let bent = |curve: Activation| curve.forward(&x)?.to_tensor();
        let all = [bent(Activation::Silu)?, bent(Activation::Gelu)?, bent(Activation::QuickGelu)?];
        Ok(Tensor::cat(&all, 0)?)
    }),
    ("convolutions", |compute| convolved(compute, ConvShape::three(CHANNELS, 16))),
    ("convolutions of one point", |compute| convolved(compute, ConvShape::point(CHANNELS, 16))),
    ("convolutions that halve", |compute| {
        let both = [Padding::Around(1), Padding::RightBelow].map(|padding| {
            let made = convolved(compute, ConvShape::halving(CHANNELS, padding))?;
            Ok::<_, crate::Error>(made.flatten_all()?)
        });
        let [around, below] = both;
        Ok(Tensor::cat(&[around?, below?], 0)?)
    }),
    ("convolutions behind a doubling", |compute| {
        let w = weights(compute, &[("weight", &[16, CHANNELS, 3, 3]), ("bias", &[16])]);
        Upsample::load(&w, (CHANNELS, 16), Growth::Twice)?.forward(&map()?, After::default())?.to_tensor()
    }),
    ("group norms", |compute| {
        let w = weights(compute, &[("weight", &[CHANNELS]), ("bias", &[CHANNELS])]);
        GroupNorm::load(&w, 8, CHANNELS, 1e-5)?.forward_silu(&map()?)?.to_tensor()
    }),
    ("layer norms", |compute| {
        let w = weights(compute, &[("weight", &[CHANNELS]), ("bias", &[CHANNELS])]);
        LayerNorm::load(&w, CHANNELS, 1e-5)?.forward(&linear_input()?)?.to_tensor()
    }),
    ("attention", |compute| {
        let w = weights(compute, &[("weight", &[CHANNELS, CHANNELS])]);
        let linear = Linear::load(&w, CHANNELS, CHANNELS, Bias::No)?;
        let x = linear.forward_to_factors(&linear_input()?)?;
        let seen = |mask| Heads::new(compute, 4, mask).attend(&x, &x, &x)?.to_tensor();
        Ok(Tensor::cat(&[seen(Mask::Open)?, seen(Mask::Causal)?], 0)?)
    }),
    ("sums and joined maps", |compute| {
        let x = map()?.within(compute)?;
        FeatureMap::concat_channels(&[&x.add(&x)?, &x.affine(0.5, 1.0)?])?.to_tensor()
    }),
];

impl Card {
    /// Has every kind of layer computed here and by the processor's kernels.
    ///
    /// # Errors
    /// What is wrong with each kind that is not as on the processor.
    pub fn probe(&self, mode: Mode) -> Result<(), Vec<String>> {
        let wrong: Vec<_> = CHECKS.iter().filter_map(|check| self.checked(check, mode)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn checked(&self, (what, run): &Check, mode: Mode) -> Option<String> {
        // Of a factor in bf16 the last of 8 bits may be wrong, and sums of dozens of them are not better.
        let bound = if self.factors() == Precision::Bf16 { 3e-2 } else { 1e-4 };
        let compared = || {
            let here = host::values(&run(&Compute::card(self.clone(), mode))?)?;
            Ok::<_, crate::Error>((here, host::values(&run(&Compute::default())?)?))
        };
        match compared() {
            Err(error) => Some(format!("{what}: {error}")),
            Ok((here, there)) => gap(&here, &there)
                .filter(|gap| *gap > bound)
                .map(|gap| format!("{what} are {gap:.1e} off, and should be within {bound:.0e}")),
        }
    }
}

/// Returns how far numbers are apart, as a share of the largest; what is no number is infinitely far off.
fn gap(here: &[f32], there: &[f32]) -> Option<f32> {
    if here.len() != there.len() || here.iter().any(|x| !x.is_finite()) {
        return Some(f32::INFINITY);
    }
    let most = there.iter().map(|x| x.abs()).fold(f32::MIN_POSITIVE, f32::max);
    here.iter().zip(there).map(|(a, b)| (a - b).abs() / most).reduce(f32::max)
}

fn weights(compute: &Compute, shapes: &[(&str, &[usize])]) -> Weights {
    let shapes = shapes.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec()));
    Weights::random("probe", shapes, 11).with_compute(compute.clone())
}

fn convolved(compute: &Compute, shape: ConvShape) -> Result<Tensor> {
    let (outputs, kernel) = (shape.outputs, shape.kernel);
    let w = weights(compute, &[("weight", &[outputs, shape.inputs, kernel, kernel]), ("bias", &[outputs])]);
    Conv2d::load(&w, shape)?.forward(&map()?)?.to_tensor()
}

fn waves(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7).sin() + (i as f32 * 0.013).cos()).collect()
}

fn map() -> Result<FeatureMap> {
    FeatureMap::from_tensor(&host::tensor(waves(2 * CHANNELS * EDGE * EDGE), (2, CHANNELS, EDGE, EDGE))?)
}

fn linear_input() -> Result<Tokens> {
    Tokens::from_tensor(&host::tensor(waves(2 * 20 * CHANNELS), (2, 20, CHANNELS))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_computes_as_the_processor_passes() {
        Card::processor().probe(Mode::Exact).unwrap();
        Card::processor_in_bf16().probe(Mode::Fast).unwrap();
    }

    #[test]
    fn what_fails_or_is_wrong_is_named() {
        let card = Card::processor();
        let fails: Check = ("curves", |_| Err(crate::Error::Shape("no kernel image is available".into())));
        assert_eq!(card.checked(&fails, Mode::Exact).unwrap(), "curves: no kernel image is available");
        let wrong: Check = ("matrices", |compute| {
            let factor = if compute.on_card().is_some() { 1.01 } else { 1.0 };
            host::tensor(vec![factor, -1.0], 2)
        });
        let said = card.checked(&wrong, Mode::Exact).unwrap();
        assert_eq!(said, "matrices are 1.0e-2 off, and should be within 1e-4");
        assert_eq!(gap(&[f32::NAN], &[0.0]), Some(f32::INFINITY));
    }
}
