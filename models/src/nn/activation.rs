//! The curves between layers.

use candle_core::{D, Tensor};
use rayon::prelude::*;

use super::{Tokens, host, scalar};
use crate::{Error, Result};

/// A curve, by the name that configurations give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`; also called swish.
    Silu,
    /// `x · Φ(x)` with the exact error function.
    Gelu,
    /// `x · sigmoid(1.702 x)`.
    QuickGelu,
}

impl Activation {
    /// Reads the name of a `hidden_act` or `act_fn`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "silu" | "swish" => Some(Activation::Silu),
            "gelu" => Some(Activation::Gelu),
            "quick_gelu" => Some(Activation::QuickGelu),
            _ => None,
        }
    }

    /// Bends every value of some tokens.
    pub fn forward(self, x: &Tokens) -> Result<Tokens> {
        Tokens::from_tensor(&self.apply(&x.to_tensor())?)
    }

    /// Bends every value.
    pub(crate) fn apply(self, x: &Tensor) -> Result<Tensor> {
        let bent = match self {
            Activation::Silu => host::map(x, scalar::silu)?,
            Activation::Gelu => host::map(x, scalar::gelu)?,
            Activation::QuickGelu => host::map(x, scalar::quick_gelu)?,
        };
        bent.map_or_else(|| self.composed(x), Ok)
    }

    fn composed(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Silu => Ok(x.silu()?),
            Activation::Gelu => Ok(x.gelu_erf()?),
            Activation::QuickGelu => {
                let gate = ((x * -1.702)?.exp()? + 1.0)?;
                Ok((x / gate)?)
            }
        }
    }
}

/// Halves the channels: the first half is the value, the second, through the exact gelu, its gate.
pub fn geglu(x: &Tokens) -> Result<Tokens> {
    let x = x.to_tensor();
    let (batch, length, both) = x.dims3()?;
    if !both.is_multiple_of(2) {
        let what = format!("a gate needs an even number of channels, these are {both}");
        return Err(Error::Shape(what));
    }
    let width = both / 2;
    let gated = host::with(&x, |x| {
        let mut out = vec![0.0; x.len() / 2];
        let rows = out.par_chunks_mut(width.max(1)).zip(x.par_chunks(both.max(1)));
        rows.with_min_len(4).for_each(|(out, row)| {
            let (values, gates) = row.split_at(width);
            for ((out, value), gate) in out.iter_mut().zip(values).zip(gates) {
                *out = value * scalar::gelu(*gate);
            }
        });
        out
    });
    match gated {
        Some(values) => Tokens::from_tensor(&host::tensor(values, (batch, length, width))?),
        None => {
            let gate = x.narrow(D::Minus1, width, width)?.gelu_erf()?;
            Tokens::from_tensor(&(x.narrow(D::Minus1, 0, width)? * gate)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn both_paths_agree() {
        let x = (Tensor::arange(-400f32, 400f32, &Device::Cpu).unwrap() * 0.02).unwrap();
        for act in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
            let gap = (act.apply(&x).unwrap() - act.composed(&x).unwrap()).unwrap();
            let gap = gap.abs().unwrap().max_all().unwrap();
            assert!(gap.to_scalar::<f32>().unwrap() < 2e-6, "{act:?}");
        }
    }

    #[test]
    fn geglu_takes_the_value_first_and_the_gate_second() {
        let x = Tensor::new(&[[[2f32, 3.0, 60.0, -60.0]]], &Device::Cpu).unwrap();
        let out = geglu(&Tokens::from_tensor(&x).unwrap()).unwrap().to_tensor();
        assert_eq!(out.to_vec3::<f32>().unwrap()[0][0], [120.0, 0.0]);
    }
}
