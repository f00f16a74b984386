//! What a denoiser is told at every step: both sides of the prompt, sizes, and what an inpaint denoiser reads beside the
//! latent.

use std::ops::Range;

use candle_core::Tensor;
use darkroom_core::context::Context;
use darkroom_models::Error;
use darkroom_models::nn::{FeatureMap, Tokens};
use darkroom_models::sdxl::unet::{Added, Question};
use darkroom_models::sdxl::{Conditioning, UNet};

use crate::sampling::controls::Controls;
use crate::sampling::ticks::Listen;
use crate::wires::latent::Latent;
use crate::wires::{Prompted, Side};

/// What the denoiser is told of one side or both, for all pictures: in the pieces in which it is asked.
type Told = Vec<Piece>;

/// What the denoiser is told of some of the latents that it is asked about.
struct Piece {
    /// Which ones.
    rows: Range<usize>,
    context: Tokens,
    added: Option<Added>,
}

/// How it is told what to keep away from.
enum Negative {
    /// With the positive, on twice as many pictures.
    Together(Told),
    /// By itself, because it has another number of tokens. A1111 does the same, and ComfyUI repeats both texts until
    /// they are equally long, which gives the same to the last bits: nothing is padded that could be seen.
    Apart(Told),
}

/// What the denoiser is told, for a batch of pictures and for twice as many.
pub struct Conditions<'a> {
    alone: Told,
    negative: Negative,
    count: usize,
    /// Mask and masked picture, for denoisers that read them.
    beside: Option<Tensor>,
    controls: Option<&'a Controls<'a>>,
}

impl<'a> Conditions<'a> {
    /// Puts the sides of the prompts together; those of `negative` count only its positive side. The denoiser is asked
    /// about so many latents at a time, 0 for all; what it answers does not depend on it.
    ///
    /// # Errors
    /// An error of shapes that do not fit.
    pub fn new(
        positive: &Prompted,
        negative: Option<&Prompted>,
        latent: &Latent,
        (beside, at_once): (Option<Tensor>, usize),
    ) -> Result<Self, Error> {
        let words = |conditioning: &Conditioning, prompted: &Prompted, side| Words {
            conditioning: conditioning.clone(),
            ids: prompted.framing.sizes(latent.width, latent.height, side).time_ids(),
        };
        let away = match negative {
            Some(negative) => words(&negative.positive, negative, Side::Negative),
            None => words(&positive.negative, positive, Side::Negative),
        };
        let towards = words(&positive.positive, positive, Side::Positive);
        let count = latent.count as usize;
        let length = |words: &Words| words.conditioning.context.dims().1;
        let negative = match length(&away) == length(&towards) {
            true => Negative::Together(join(&[&away, &towards], count, at_once)?),
            false => Negative::Apart(join(&[&away], count, at_once)?),
        };
        Ok(Self { alone: join(&[&towards], count, at_once)?, negative, count, beside, controls: None })
    }

    /// Lets controls hear every question, and the network heed what they say.
    #[must_use]
    pub fn steered(self, controls: &'a Controls<'a>) -> Self {
        Self { controls: Some(controls), ..self }
    }

    /// Tells whether both sides can be asked about in one call.
    pub fn are_together(&self) -> bool {
        matches!(self.negative, Negative::Together(_))
    }

    /// Asks the network about a batch of pictures, or, if both sides go together, about twice as many: first away from,
    /// then towards.
    ///
    /// # Errors
    /// An error of the network, or that it was stopped.
    pub fn ask(&self, network: &UNet, x: &Tensor, timestep: f64, cx: &Context<'_>) -> Result<Tensor, Error> {
        match &self.negative {
            Negative::Together(both) if x.dim(0)? != self.count => self.about(both, network, x, timestep, cx),
            _ => self.about(&self.alone, network, x, timestep, cx),
        }
    }

    /// Asks the network about a batch of pictures, away from the negative.
    ///
    /// # Errors
    /// An error of the network, or that it was stopped.
    pub fn ask_negative(&self, network: &UNet, x: &Tensor, timestep: f64, cx: &Context<'_>) -> Result<Tensor, Error> {
        let (Negative::Together(told) | Negative::Apart(told)) = &self.negative;
        self.about(told, network, x, timestep, cx)
    }

    fn about(&self, told: &Told, network: &UNet, x: &Tensor, timestep: f64, cx: &Context<'_>) -> Result<Tensor, Error> {
        let twice = x.dim(0)? != self.count;
        let sample = match &self.beside {
            Some(beside) if twice => Tensor::cat(&[x, &Tensor::cat(&[beside, beside], 0)?], 1)?,
            Some(beside) => Tensor::cat(&[x, beside], 1)?,
            None => x.clone(),
        };
        let mut answers = Vec::new();
        for piece in told {
            let rows = |all: &Tensor| all.narrow(0, piece.rows.start, piece.rows.len());
            answers.push(self.about_piece(piece, network, (&rows(&sample)?, &rows(x)?), timestep, cx)?);
        }
        Ok(Tensor::cat(&answers, 0)?)
    }

    fn about_piece(
        &self,
        piece: &Piece,
        network: &UNet,
        (sample, x): (&Tensor, &Tensor),
        timestep: f64,
        cx: &Context<'_>,
    ) -> Result<Tensor, Error> {
        let sample = FeatureMap::from_tensor(sample)?;
        let question = Question { sample: &sample, timestep, context: &piece.context, added: piece.added.as_ref() };
        // Controls read no mask beside the latent.
        let residuals = match self.controls {
            Some(controls) => controls.say(Question { sample: &FeatureMap::from_tensor(x)?, ..question }, cx)?,
            None => None,
        };
        let answer = match &residuals {
            Some(residuals) => network.forward_steered(question, residuals, &mut Listen(cx)),
            None => network.forward(question, &mut Listen(cx)),
        };
        answer?.to_tensor()
    }
}

/// One side of a prompt, with the sizes that the denoiser is told.
struct Words {
    conditioning: Conditioning,
    ids: Vec<f64>,
}

/// Sets the sides of a prompt one after another, each once for every picture, and cuts them into pieces.
fn join(sides: &[&Words], count: usize, at_once: usize) -> Result<Told, Error> {
    let context: Vec<_> =
        sides.iter().map(|side| side.conditioning.context.repeat_for(count)).collect::<Result<_, _>>()?;
    let context = Tokens::concat_batch(&context.iter().collect::<Vec<_>>())?;
    let pooled: Option<Vec<_>> = sides.iter().map(|side| side.conditioning.pooled.as_ref()).collect();
    let pooled: Option<Vec<Tokens>> =
        pooled.map(|all| all.iter().map(|pooled| pooled.repeat_for(count)).collect::<Result<_, _>>()).transpose()?;
    let pooled = pooled.map(|all| Tokens::concat_batch(&all.iter().collect::<Vec<_>>())).transpose()?;
    let ids: Vec<Vec<f64>> = sides.iter().flat_map(|side| std::iter::repeat_n(side.ids.clone(), count)).collect();
    let piece = |start: usize| {
        let rows = start..ids.len().min(start + if at_once == 0 { ids.len() } else { at_once });
        let of = |all: &Tokens| Tokens::from_tensor(&all.to_tensor()?.narrow(0, rows.start, rows.len())?);
        let added = pooled
            .as_ref()
            .map(|pooled| Ok::<_, Error>(Added { pooled: of(pooled)?, time_ids: ids[rows.clone()].into() }));
        // The text is the same at every step: what layers make of it alone is made once.
        Ok(Piece { context: of(&context)?.remembering(), added: added.transpose()?, rows })
    };
    let step = if at_once == 0 { ids.len().max(1) } else { at_once };
    (0..ids.len()).step_by(step).map(piece).collect()
}
