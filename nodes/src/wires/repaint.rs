//! The part of a picture that is drawn anew, as a latent carries it and as the two kinds of denoisers heed it.
//!
//! A plain denoiser knows nothing of masks: after each of its steps, what is to be kept is put back, with as much noise
//! on it as the step left. An inpaint denoiser reads the mask and the rest of the picture beside the latent. Rules:
//! diffusers `pipelines/stable_diffusion_xl/pipeline_stable_diffusion_xl_inpaint.py`.

use candle_core::{Result, Tensor};
use darkroom_models::sampling::{NoiseSource, Prediction};

/// The part of a picture that is drawn anew. Batches of one stand for every picture.
#[derive(Debug, Clone)]
pub struct Repaint {
    /// The latent of the whole picture, `(pictures, channels, h, w)`.
    pub picture: Tensor,
    /// 1 where to draw anew, 0 where to keep, `(pictures, 1, h, w)`.
    pub mask: Tensor,
    /// The latent of the picture with grey in place of what is drawn anew: the likeliest one.
    pub masked: Tensor,
    /// How far that latent may be off by chance, where a sample of it is to be taken.
    pub masked_spread: Option<Tensor>,
}

impl Repaint {
    /// Returns the bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.tensors().map(|(_, tensor)| 4 * tensor.elem_count() as u64).sum()
    }

    /// Walks over the tensors by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let Self { picture, mask, masked, masked_spread } = self;
        let whole = [("repaint.picture", picture), ("repaint.mask", mask), ("repaint.masked", masked)];
        whole.into_iter().chain(masked_spread.as_ref().map(|spread| ("repaint.masked_spread", spread)))
    }

    /// Puts together what [`Repaint::tensors`] named. The outer `None` says that there is nothing, the inner one that
    /// it cannot be read.
    pub fn from_tensors(get: impl Fn(&str) -> Option<Option<Tensor>>) -> Option<Option<Self>> {
        let picture = get("repaint.picture")?;
        let rest = || {
            Some(Self {
                picture: picture?,
                mask: get("repaint.mask")??,
                masked: get("repaint.masked")??,
                masked_spread: match get("repaint.masked_spread") {
                    Some(spread) => Some(spread?),
                    None => None,
                },
            })
        };
        Some(rest())
    }

    /// Changes every tensor.
    ///
    /// # Errors
    /// The first that the change gives.
    pub fn map(&self, change: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        Ok(Self {
            picture: change(&self.picture)?,
            mask: change(&self.mask)?,
            masked: change(&self.masked)?,
            masked_spread: self.masked_spread.as_ref().map(change).transpose()?,
        })
    }

    /// Takes the masked latent, drawing its sample if one is wanted.
    ///
    /// # Errors
    /// An error of a tensor operation.
    pub fn pick_masked(&self, noise: &mut NoiseSource) -> Result<Tensor> {
        match &self.masked_spread {
            Some(spread) => &self.masked + (spread * noise.draw(spread.shape().clone())?)?,
            None => Ok(self.masked.clone()),
        }
    }
}

/// What is put back after each step of a plain denoiser.
pub struct Keep {
    /// What to draw anew, and the picture.
    pub repaint: Repaint,
    /// The noise that goes onto the picture, of variance 1.
    pub noise: Tensor,
}

impl Keep {
    /// Returns the latent as it is at a sigma, with what is kept put back.
    ///
    /// # Errors
    /// An error of a tensor operation.
    pub fn put_back(&self, x: &Tensor, prediction: Prediction, sigma: f64) -> Result<Tensor> {
        let picture = self.repaint.picture.broadcast_as(x.shape())?;
        self.mix(x, &prediction.noised(&picture, &self.noise, sigma)?)
    }

    /// Returns the finished latent, with what is kept put back as it was.
    ///
    /// # Errors
    /// An error of a tensor operation.
    pub fn finish(&self, x: &Tensor) -> Result<Tensor> {
        self.mix(x, &self.repaint.picture.broadcast_as(x.shape())?)
    }

    fn mix(&self, x: &Tensor, kept: &Tensor) -> Result<Tensor> {
        let mask = &self.repaint.mask;
        x.broadcast_mul(mask)? + kept.broadcast_mul(&mask.affine(-1.0, 1.0)?)?
    }
}

/// What an inpaint denoiser reads beside the latent: mask, then masked picture, `(pictures, 1 + channels, h, w)`.
///
/// # Errors
/// An error of a tensor operation.
pub fn beside(repaint: &Repaint, masked: &Tensor, pictures: usize) -> Result<Tensor> {
    let each = |part: &Tensor| match part.dim(0)? {
        1 => part.repeat((pictures, 1, 1, 1)),
        _ => Ok(part.clone()),
    };
    Tensor::cat(&[each(&repaint.mask)?, each(masked)?], 1)
}
