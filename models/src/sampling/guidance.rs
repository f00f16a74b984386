//! Classifier-free guidance: one picture pulled away from another.
//!
//! Ho and Salimans, arXiv 2207.12598. Guidance acts on the raw prediction, as in diffusers; for the plain mixture
//! this equals acting on the clean latent, for the rescaled one it does not. So it is a [`Network`] around networks.

use candle_core::{D, Tensor};
use serde::{Deserialize, Serialize};

use super::state::blend;
use super::{Network, Result, Sides};

/// How strongly the prompt pulls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guidance {
    /// Weight of positive minus negative; 1 and less turns guidance off, but for samplers that ask for both sides.
    pub scale: f64,
    /// Share (0 to 1) of the result brought back to the spread of the positive prediction, against washed-out or burnt
    /// pictures: `guidance_rescale` of arXiv 2305.08891, section 3.4.
    pub rescale: f64,
}

/// How the network is asked for both predictions.
pub enum Calls<'a> {
    /// The positive condition alone.
    Positive(&'a dyn Network),
    /// Both conditions in one call, on a batch twice as large: first negative, then positive.
    Together(&'a dyn Network),
    /// One call each: half the memory.
    Apart {
        /// What to move away from.
        negative: &'a dyn Network,
        /// What to move towards.
        positive: &'a dyn Network,
    },
}

/// A network under guidance.
pub struct Guided<'a> {
    /// Whom to ask.
    pub calls: Calls<'a>,
    /// How to mix the answers.
    pub guidance: Guidance,
}

impl Network for Guided<'_> {
    fn predict(&self, x_in: &Tensor, timestep: f64) -> Result<Tensor> {
        match self.calls {
            Calls::Apart { positive, .. } if !self.guidance.is_on() => positive.predict(x_in, timestep),
            _ => Ok(self.predict_sides(x_in, timestep)?.guided),
        }
    }

    fn predict_sides(&self, x_in: &Tensor, timestep: f64) -> Result<Sides> {
        let (negative, positive) = match self.calls {
            Calls::Positive(network) => return network.predict(x_in, timestep).map(Sides::alike),
            Calls::Apart { negative, positive } => {
                (negative.predict(x_in, timestep)?, positive.predict(x_in, timestep)?)
            }
            Calls::Together(network) => {
                let both = network.predict(&Tensor::cat(&[x_in, x_in], 0)?, timestep)?;
                let half = x_in.dim(0)?;
                (both.narrow(0, 0, half)?, both.narrow(0, half, half)?)
            }
        };
        Ok(Sides { guided: self.guidance.mix(&negative, &positive)?, negative })
    }
}

impl Guidance {
    /// Tells whether the negative prediction is of use; if not, do not make it.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.scale > 1.0
    }

    /// Mixes two raw predictions of one shape, batch first; below 1 as above.
    pub fn mix(self, negative: &Tensor, positive: &Tensor) -> Result<Tensor> {
        let mixed = (negative + ((positive - negative)? * self.scale)?)?;
        if self.rescale == 0.0 {
            return Ok(mixed);
        }
        let tamed = mixed.broadcast_mul(&(spread(positive)? / spread(&mixed)?)?)?;
        blend(self.rescale, &tamed, 1.0 - self.rescale, &mixed)
    }
}

/// The standard deviation of each image over all its values (n − 1), shaped to broadcast.
fn spread(x: &Tensor) -> Result<Tensor> {
    let flat = x.flatten_from(1)?;
    let std = flat.var_keepdim(D::Minus1)?.sqrt()?;
    let mut shape = vec![1; x.rank()];
    shape[0] = x.dim(0)?;
    std.reshape(shape)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn rows(values: [[f32; 2]; 2]) -> Tensor {
        Tensor::new(&values, &Device::Cpu).unwrap().reshape((2, 1, 1, 2)).unwrap()
    }

    fn read(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    const NEGATIVE: [[f32; 2]; 2] = [[0.0, 1.0], [4.0, 0.0]];
    const POSITIVE: [[f32; 2]; 2] = [[1.0, 3.0], [4.0, 1.0]];

    #[test]
    fn the_prompt_pulls_away_from_the_negative() {
        let guidance = Guidance { scale: 3.0, rescale: 0.0 };
        let mixed = guidance.mix(&rows(NEGATIVE), &rows(POSITIVE)).unwrap();
        assert_eq!(read(&mixed), [3.0, 7.0, 4.0, 3.0]);
    }

    #[test]
    fn a_full_rescale_has_the_spread_of_the_positive_image_by_image() {
        let guidance = Guidance { scale: 3.0, rescale: 1.0 };
        let mixed = guidance.mix(&rows(NEGATIVE), &rows(POSITIVE)).unwrap();
        let (got, wanted) = (read(&spread(&mixed).unwrap()), read(&spread(&rows(POSITIVE)).unwrap()));
        assert!(got.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?} {wanted:?}");
        let expected = read(&rows([[1.5, 3.5], [12.0, 9.0]]));
        let gap = read(&mixed).iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(gap < 1e-5, "off by {gap}");
    }

    #[test]
    fn one_call_and_two_calls_agree() {
        let negative = |x: &Tensor, t: f64| x.affine(0.5, t);
        let positive = |x: &Tensor, t: f64| x.affine(2.0, -t);
        let both = |x: &Tensor, t: f64| {
            let (first, second) = (x.narrow(0, 0, 2)?, x.narrow(0, 2, 2)?);
            Tensor::cat(&[first.affine(0.5, t)?, second.affine(2.0, -t)?], 0)
        };
        let guidance = Guidance { scale: 5.0, rescale: 0.7 };
        let apart = Calls::Apart { negative: &negative, positive: &positive };
        let apart = Guided { calls: apart, guidance }.predict(&rows(POSITIVE), 3.0).unwrap();
        let together = Guided { calls: Calls::Together(&both), guidance };
        assert_eq!(read(&apart), read(&together.predict(&rows(POSITIVE), 3.0).unwrap()));
    }

    #[test]
    fn without_guidance_the_negative_is_not_asked() {
        let negative = |_: &Tensor, _| panic!("asked for the negative prediction");
        let positive = |x: &Tensor, _| Ok(x.clone());
        let calls = Calls::Apart { negative: &negative, positive: &positive };
        let guided = Guided { calls, guidance: Guidance { scale: 1.0, rescale: 0.7 } };
        assert_eq!(read(&guided.predict(&rows(POSITIVE), 0.0).unwrap()), read(&rows(POSITIVE)));
    }
}
