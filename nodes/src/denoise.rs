//! `denoise`: from noise to a latent, along a schedule.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Seed;
use darkroom_core::types::{Cost, Type};
use darkroom_models::sampling::Guidance;

use crate::sampling::course::Course;
use crate::sampling::names::{
    AddNoise, GeneratorName, LeftoverName, NoiseName, PredictionName, SamplerName, ScheduleName, StrengthName,
};
use crate::sampling::walk::{self, Settings, Walk};
use crate::wires::{Control, DenoiserHandle, Latent, Prompted};

/// Takes the noise out of a latent, step by step, under the guidance of a prompt.
///
/// On a blank latent it draws a new picture. On one that was encoded from a picture it draws that picture anew, the more
/// freely the higher `strength` is; of one made by `inpaint` only the masked part. A latent that another `denoise` left
/// before its end is gone on with where it was left.
///
/// With the seed of the node that encoded a sample, the noise is drawn behind that sample, as diffusers draws it: one
/// seed for both gives the picture that it gives there.
#[derive(Node)]
#[node(id = "denoise", version = 3, category = "Latent", lane = "compute")]
pub struct Denoise {
    /// The denoiser of the model.
    #[input]
    denoiser: DenoiserHandle,
    /// What to show; its own negative counts unless `negative` is connected.
    #[input]
    positive: Prompted,
    /// What to keep away from: the positive side of another prompt.
    #[input]
    negative: Option<Prompted>,
    /// What to draw on.
    #[input]
    latent: Latent,
    /// Pictures that steer what is drawn.
    #[input]
    control: Option<Control>,
    /// What chance is. `random` draws one at submission and records it.
    #[param(default = Seed(0))]
    seed: Seed,
    /// Steps from noise to picture.
    #[param(default = 30, range = 1..=1000)]
    steps: u32,
    /// How strongly the prompt pulls; 1 and less turns guidance off and halves the work.
    #[param(default = 5.0, range = 0.0..=100.0)]
    guidance: f64,
    /// Share of the guided prediction that is brought back to its natural spread, against burnt colours.
    #[param(default = 0.0, range = 0.0..=1.0)]
    guidance_rescale: f64,
    /// How the way is walked.
    #[param(default = SamplerName::Euler)]
    sampler: SamplerName,
    /// How the steps are spread.
    #[param(default = ScheduleName::Model)]
    schedule: ScheduleName,
    /// Share of fresh noise in each step, for samplers that take any; the sampler's usual one if left out.
    #[param(range = Some(0.0)..=Some(1.0))]
    eta: Option<f64>,
    /// How much of an encoded picture is drawn anew: 0 hands it on untouched, 1 takes all steps. Steps are counted whole,
    /// so that 20 steps at 0.04 are none. Without meaning for blank latents and for such that noise was left in.
    #[param(default = 1.0, range = 0.0..=1.0)]
    strength: f64,
    /// Where to stop, as a share of the way: below 1 the rest of the noise is left for a `refine` to take out.
    #[param(default = 1.0, range = 0.0..=1.0)]
    end: f64,
    /// How `strength` counts steps.
    #[param(default = StrengthName::Diffusers)]
    strength_by: StrengthName,
    /// Sigmas to walk over in place of `schedule` and `steps`: falling numbers such as `14.6, 7.1, 2.9, 0.6, 0`.
    #[param]
    sigmas: Option<String>,
    /// The first step to take, counted from 0; in place of `strength`.
    #[param(range = Some(0)..=Some(1000))]
    start_step: Option<u32>,
    /// The step to stop before; in place of `end`.
    #[param(range = Some(1)..=Some(10_000))]
    end_step: Option<u32>,
    /// What becomes of noise that is left at `end_step`.
    #[param(default = LeftoverName::Keep)]
    leftover: LeftoverName,
    /// Whether noise is put on the latent first.
    #[param(default = AddNoise::Enable)]
    add_noise: AddNoise,
    /// What the network is taken to predict, where the model's configuration does not say it right.
    #[param(default = PredictionName::Model)]
    prediction: PredictionName,
    /// Whose noise is drawn.
    #[param(default = NoiseName::Diffusers)]
    noise: NoiseName,
    /// Which generator draws it.
    #[param(default = GeneratorName::Cpu)]
    generator: GeneratorName,
}

impl Node for Denoise {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        let settings = Settings {
            seed: self.seed.0,
            steps: self.steps,
            guidance: Guidance { scale: self.guidance, rescale: self.guidance_rescale },
            sampler: self.sampler,
            schedule: self.schedule,
            eta: self.eta,
            noise: self.noise,
            generator: self.generator,
            prediction: self.prediction,
        };
        let course = Course {
            strength: self.strength,
            strength_by: self.strength_by,
            end: self.end,
            sigmas: self.sigmas.as_deref(),
            start_step: self.start_step,
            end_step: self.end_step,
            leftover: self.leftover,
            add_noise: self.add_noise,
        };
        let (schedule, begin) = course.lay(&settings, &self.denoiser, &self.latent)?;
        let walk = Walk {
            denoiser: &self.denoiser,
            positive: &self.positive,
            negative: self.negative.as_ref(),
            latent: &self.latent,
            control: self.control.as_ref(),
            settings,
            schedule,
            begin,
        };
        walk.run(cx)
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        walk::infer(known)
    }

    fn cost(known: &Known<'_>) -> Cost {
        walk::cost(known)
    }
}
