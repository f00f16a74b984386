//! What a network predicts, and how it becomes the clean picture.
//!
//! Samplers ask a [`Denoiser`] for the clean picture; networks predict noise, velocity, or flow. A [`Predictor`] is
//! the one place where the two meet, and the only one that scales a network's input.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::state::blend;
use super::{Point, Result};

/// What a network was trained to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise in the latent (SD1.5, SDXL).
    Epsilon,
    /// v = alpha · noise − sigma · x0 of Salimans and Ho, arXiv 2202.00512 (SD2.1, some SDXL finetunes).
    V,
    /// The clean latent itself (one-step distilled networks).
    Sample,
    /// The direction noise − x0 of rectified flow, arXiv 2209.03003 (SD3, Flux, Qwen-Image).
    Flow,
}

/// Turns a noisy latent into the clean one.
pub trait Denoiser {
    /// Predicts the clean latent from `x` at a point of the schedule; same shape, same dtype.
    fn denoise(&self, x: &Tensor, at: Point) -> Result<Tensor>;

    /// Predicts it under guidance, and what the negative side alone makes of it. Who knows no guidance sees one thing.
    fn denoise_sides(&self, x: &Tensor, at: Point) -> Result<Sides> {
        self.denoise(x, at).map(Sides::alike)
    }
}

/// What is predicted of one latent by both sides of a prompt.
#[derive(Clone, Debug)]
pub struct Sides {
    /// Under guidance.
    pub guided: Tensor,
    /// By the negative side alone.
    pub negative: Tensor,
}

impl Sides {
    /// Takes one prediction for both.
    #[must_use]
    pub fn alike(guided: Tensor) -> Self {
        Self { negative: guided.clone(), guided }
    }
}

/// A network with its conditions, ready to be asked.
pub trait Network {
    /// Predicts from the scaled input `x_in` (batch first) at a timestep, which may be a fraction.
    fn predict(&self, x_in: &Tensor, timestep: f64) -> Result<Tensor>;

    /// Predicts by both sides of the prompt, guidance or not.
    fn predict_sides(&self, x_in: &Tensor, timestep: f64) -> Result<Sides> {
        self.predict(x_in, timestep).map(Sides::alike)
    }
}

impl<F: Fn(&Tensor, f64) -> Result<Tensor>> Network for F {
    fn predict(&self, x_in: &Tensor, timestep: f64) -> Result<Tensor> {
        self(x_in, timestep)
    }
}

/// A network as a denoiser.
pub struct Predictor<'a> {
    /// Who predicts.
    pub network: &'a dyn Network,
    /// What it predicts.
    pub prediction: Prediction,
}

impl Denoiser for Predictor<'_> {
    fn denoise(&self, x: &Tensor, at: Point) -> Result<Tensor> {
        let x_in = self.prediction.scale_input(x, at.sigma)?;
        let raw = self.network.predict(&x_in, at.timestep)?.to_dtype(x.dtype())?;
        self.prediction.denoised(x, &raw, at.sigma)
    }

    fn denoise_sides(&self, x: &Tensor, at: Point) -> Result<Sides> {
        let x_in = self.prediction.scale_input(x, at.sigma)?;
        let raw = self.network.predict_sides(&x_in, at.timestep)?;
        let clean = |raw: &Tensor| self.prediction.denoised(x, &raw.to_dtype(x.dtype())?, at.sigma);
        Ok(Sides { guided: clean(&raw.guided)?, negative: clean(&raw.negative)? })
    }
}

impl Prediction {
    /// Scales a latent to what the network was trained on.
    pub fn scale_input(self, x: &Tensor, sigma: f64) -> Result<Tensor> {
        match self {
            Self::Epsilon | Self::V | Self::Sample => x.affine(1.0 / (sigma * sigma + 1.0).sqrt(), 0.0),
            Self::Flow => Ok(x.clone()),
        }
    }

    /// Returns the clean latent that a raw prediction stands for.
    pub fn denoised(self, x: &Tensor, raw: &Tensor, sigma: f64) -> Result<Tensor> {
        let (of_x, of_raw) = self.factors(sigma);
        blend(of_x, x, of_raw, raw)
    }

    /// Mixes a clean latent with noise of variance 1, up to `sigma`.
    pub fn noised(self, clean: &Tensor, noise: &Tensor, sigma: f64) -> Result<Tensor> {
        let of_clean = if self == Self::Flow { 1.0 - sigma } else { 1.0 };
        blend(of_clean, clean, sigma, noise)
    }

    /// How much of the latent and how much of the prediction make up the clean latent.
    fn factors(self, sigma: f64) -> (f64, f64) {
        match self {
            Self::Epsilon | Self::Flow => (1.0, -sigma),
            Self::Sample => (0.0, 1.0),
            Self::V => {
                let square = sigma * sigma + 1.0;
                (1.0 / square, -sigma / square.sqrt())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// What a perfect network would say of `clean` and `noise` at `sigma`.
    fn truth(prediction: Prediction, clean: f64, noise: f64, sigma: f64) -> f64 {
        let alpha = 1.0 / (sigma * sigma + 1.0).sqrt();
        match prediction {
            Prediction::Epsilon => noise,
            Prediction::V => alpha * noise - alpha * sigma * clean,
            Prediction::Sample => clean,
            Prediction::Flow => noise - clean,
        }
    }

    #[test]
    fn a_perfect_network_gives_the_clean_latent_back() {
        let scalar = |value: f64| Tensor::new(&[value], &Device::Cpu).unwrap();
        for prediction in [Prediction::Epsilon, Prediction::V, Prediction::Sample, Prediction::Flow] {
            for sigma in [0.02, 0.5, 0.999] {
                let x = prediction.noised(&scalar(0.7), &scalar(-1.3), sigma).unwrap();
                let network = |_: &Tensor, _| Ok(scalar(truth(prediction, 0.7, -1.3, sigma)));
                let predictor = Predictor { network: &network, prediction };
                let clean = predictor.denoise(&x, Point { sigma, timestep: 0.0 }).unwrap();
                let gap = (clean.to_vec1::<f64>().unwrap()[0] - 0.7).abs();
                assert!(gap < 1e-12, "{prediction:?} at {sigma}: off by {gap}");
            }
        }
    }

    #[test]
    fn the_network_sees_unit_variance_and_its_timestep() {
        let x = Tensor::new(&[5.0_f32], &Device::Cpu).unwrap();
        let network = |x_in: &Tensor, timestep: f64| {
            assert_eq!((x_in.to_vec1::<f32>()?, timestep), (vec![3.0], 12.5));
            Ok(x_in.clone())
        };
        let predictor = Predictor { network: &network, prediction: Prediction::Epsilon };
        predictor.denoise(&x, Point { sigma: 4.0 / 3.0, timestep: 12.5 }).unwrap();
    }
}
