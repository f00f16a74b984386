//! The curves between layers.

use candle_core::Tensor;
use darkroom_kernels::Curve;

use super::Tokens;
use crate::Result;

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
        x.bent(self)
    }

    /// Returns the curve as kernels know it.
    pub(super) fn curve(self) -> Curve {
        match self {
            Activation::Silu => Curve::Silu,
            Activation::Gelu => Curve::Gelu,
            Activation::QuickGelu => Curve::QuickGelu,
        }
    }

    /// The same in candle's operations.
    pub(super) fn composed(self, x: &Tensor) -> Result<Tensor> {
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

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::nn::{Compute, host};

    #[test]
    fn kernels_and_candle_agree() {
        let x = (Tensor::arange(-400f32, 400f32, &Device::Cpu).unwrap() * 0.02).unwrap();
        let x = Tokens::from_tensor(&x.reshape((1, 8, 100)).unwrap()).unwrap();
        let rows = x.within(&Compute::default()).unwrap();
        for act in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
            let values = |x: &Tokens| host::values(&act.forward(x).unwrap().to_tensor().unwrap()).unwrap();
            let gap = values(&x).iter().zip(values(&rows)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(gap < 2e-6, "{act:?}");
        }
    }
}
