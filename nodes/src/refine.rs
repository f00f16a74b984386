//! `refine`: finishes what another model began.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Seed;
use darkroom_core::types::{Cost, Type};
use darkroom_models::sampling::{Guidance, Schedule};

use crate::sampling::names::{GeneratorName, NoiseName, PredictionName, SamplerName, ScheduleName};
use crate::sampling::walk::{self, Begin, First, Settings, Walk};
use crate::wires::{Control, DenoiserHandle, Latent, Prompted};

/// Finishes a latent with a second model, most often SDXL's refiner: sharper skin, cloth and leaves.
///
/// A latent that `denoise` left before its end (`end: 0.8`) is gone on with where it was left; no noise is added. Give
/// both nodes the same `steps`, `sampler` and `schedule`. A finished latent is drawn anew a little, as much as
/// `strength` says. The prompt must be read by the refiner's own encoder.
#[derive(Node)]
#[node(id = "refine", version = 1, category = "Latent", lane = "compute")]
pub struct Refine {
    /// The denoiser of the refiner.
    #[input]
    denoiser: DenoiserHandle,
    /// What to show, read by the refiner's encoder; its own negative counts unless `negative` is connected.
    #[input]
    positive: Prompted,
    /// What to keep away from: the positive side of another prompt.
    #[input]
    negative: Option<Prompted>,
    /// What to finish.
    #[input]
    latent: Latent,
    /// Pictures that steer what is drawn.
    #[input]
    control: Option<Control>,
    /// What chance is. `random` draws one at submission and records it.
    #[param(default = Seed(0))]
    seed: Seed,
    /// Steps of the whole way, of which the refiner takes the last.
    #[param(default = 30, range = 1..=1000)]
    steps: u32,
    /// Where to take over, as a share of the way: the base's `end`. Left out, where the base stopped.
    #[param(range = Some(0.0)..=Some(1.0))]
    start: Option<f64>,
    /// How much of a finished latent is drawn anew.
    #[param(default = 0.3, range = 0.0..=1.0)]
    strength: f64,
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
    /// Whose noise is drawn.
    #[param(default = NoiseName::Diffusers)]
    noise: NoiseName,
    /// Which generator draws it.
    #[param(default = GeneratorName::Cpu)]
    generator: GeneratorName,
}

impl Node for Refine {
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
            prediction: PredictionName::Model,
        };
        let schedule = settings.schedule(&self.denoiser)?;
        let begin = self.begin(&schedule)?;
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

impl Refine {
    fn begin(&self, schedule: &Schedule) -> Result<Begin, Fault> {
        if self.latent.x.is_none() {
            return Err(Fault::graph("this latent is blank: there is nothing to refine")
                .hint("put the `denoise` of the base before it, with `end: 0.8`"));
        }
        match self.start {
            None => Ok(Begin::of(&self.latent, schedule, self.strength)),
            // Whole steps alone are handed over, so that a sampler that looks twice a step begins with its first look.
            Some(start) if self.latent.noise_left > 0.0 => {
                Ok(Begin { index: schedule.handover(start), first: First::Kept })
            }
            Some(_) => Err(Fault::graph("`start` goes on with noise that was left, and this latent is finished")
                .hint("give the base's `denoise` an `end`, as 0.8, or take `start` away and set `strength`")),
        }
    }
}
