//! What a denoiser is told at every step: both sides of the prompt, sizes, and what an inpaint denoiser reads beside the
//! latent.

use candle_core::Tensor;
use darkroom_core::context::Context;
use darkroom_models::Error;
use darkroom_models::nn::{FeatureMap, Tokens};
use darkroom_models::sdxl::unet::{Added, Question};
use darkroom_models::sdxl::{Conditioning, UNet};

use crate::latent::Latent;
use crate::steps::Listen;
use crate::wires::{Prompted, Side};

/// What the denoiser is told, for a batch of pictures and for twice as many.
pub struct Conditions {
    alone: (Tokens, Option<Added>),
    both: (Tokens, Option<Added>),
    count: usize,
    /// Mask and masked picture, for denoisers that read them.
    beside: Option<Tensor>,
}

impl Conditions {
    /// Puts the sides of the prompts together; those of `negative` count only its positive side.
    ///
    /// # Errors
    /// An error of shapes that do not fit.
    pub fn new(
        positive: &Prompted,
        negative: Option<&Prompted>,
        latent: &Latent,
        beside: Option<Tensor>,
    ) -> Result<Self, Error> {
        let told = |conditioning: &Conditioning, prompted: &Prompted, side| Told {
            conditioning: conditioning.clone(),
            ids: prompted.framing.sizes(latent.width, latent.height, side).time_ids(),
        };
        let away = match negative {
            Some(negative) => told(&negative.positive, negative, Side::Negative),
            None => told(&positive.negative, positive, Side::Negative),
        };
        let towards = told(&positive.positive, positive, Side::Positive);
        let count = latent.count as usize;
        Ok(Self { alone: join(&[&towards], count)?, both: join(&[&away, &towards], count)?, count, beside })
    }

    /// Asks the network about a batch of pictures, or about twice as many: first away from, then towards.
    ///
    /// # Errors
    /// An error of the network, or that it was stopped.
    pub fn ask(&self, network: &UNet, x: &Tensor, timestep: f64, cx: &Context<'_>) -> Result<Tensor, Error> {
        let twice = x.dim(0)? != self.count;
        let sample = match &self.beside {
            Some(beside) if twice => Tensor::cat(&[x, &Tensor::cat(&[beside, beside], 0)?], 1)?,
            Some(beside) => Tensor::cat(&[x, beside], 1)?,
            None => x.clone(),
        };
        let sample = FeatureMap::from_tensor(&sample)?;
        let (context, added) = if twice { &self.both } else { &self.alone };
        let question = Question { sample: &sample, timestep, context, added: added.as_ref() };
        Ok(network.forward(question, &mut Listen(cx))?.to_tensor())
    }
}

/// One side of a prompt, with the sizes that the denoiser is told.
struct Told {
    conditioning: Conditioning,
    ids: Vec<f64>,
}

/// Sets the sides of a prompt one after another, each once for every picture.
fn join(sides: &[&Told], count: usize) -> Result<(Tokens, Option<Added>), Error> {
    let context: Vec<_> =
        sides.iter().map(|side| side.conditioning.context.repeat_for(count)).collect::<Result<_, _>>()?;
    let context = Tokens::concat_batch(&context.iter().collect::<Vec<_>>())?;
    let pooled: Option<Vec<_>> = sides.iter().map(|side| side.conditioning.pooled.as_ref()).collect();
    let Some(pooled) = pooled else { return Ok((context, None)) };
    let pooled: Vec<_> = pooled.iter().map(|pooled| pooled.repeat_for(count)).collect::<Result<_, _>>()?;
    let pooled = Tokens::concat_batch(&pooled.iter().collect::<Vec<_>>())?;
    let time_ids = sides.iter().flat_map(|side| std::iter::repeat_n(side.ids.clone(), count)).collect();
    Ok((context, Some(Added { pooled, time_ids })))
}
