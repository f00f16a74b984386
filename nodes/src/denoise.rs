//! `denoise`: from noise to a latent, along a schedule.

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Seed;
use darkroom_core::types::{Cost, Type};
use darkroom_core::{Choice, Node};
use darkroom_models::sampling::Guidance;

use crate::sampling_run::{self, Begin, Settings, Walk};
use crate::wires::{DenoiserHandle, Latent, Prompted};

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$entry:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
        pub enum $name {
            $($(#[$entry])* #[choice(name = $word)] $variant),*
        }
    };
}

choices! {
    /// How the way from noise to picture is walked.
    SamplerName {
        /// Straight steps; the one SDXL was published with.
        Euler = "euler",
        /// Steps a little too far and puts fresh noise back; livelier, and every number of steps is another picture.
        EulerAncestral = "euler_ancestral",
        /// The classic; with eta above 0 it adds fresh noise.
        Ddim = "ddim",
        /// Looks ahead and averages; twice the work a step, fewer steps needed.
        Heun = "heun",
        /// Remembers the step before; sharp in 20 steps.
        Dpmpp2m = "dpmpp_2m",
        /// As `dpmpp_2m`, with fresh noise in every step.
        Dpmpp2mSde = "dpmpp_2m_sde",
    }
}

choices! {
    /// How the steps are spread between noise and picture.
    ScheduleName {
        /// The steps the model was published with.
        Model = "model",
        /// More steps where the picture is nearly clean; crisp detail.
        Karras = "karras",
        /// Still more steps near the clean end.
        Exponential = "exponential",
        /// Starts at the noisiest timestep; for few steps and distilled models.
        Trailing = "trailing",
        /// From the noisiest timestep to the cleanest, evenly.
        Linspace = "linspace",
        /// ComfyUI's `sgm_uniform`.
        SgmUniform = "sgm_uniform",
        /// ComfyUI's `normal`.
        Normal = "normal",
        /// ComfyUI's `simple`.
        Simple = "simple",
        /// ComfyUI's `karras`.
        ComfyuiKarras = "comfyui_karras",
        /// ComfyUI's `exponential`.
        ComfyuiExponential = "comfyui_exponential",
    }
}

choices! {
    /// Whose noise is drawn.
    NoiseName {
        /// One generator for the whole batch, as diffusers draws it: the same seed gives the same picture there.
        Diffusers = "diffusers",
        /// As ComfyUI draws it: the first noise from the seed, that of the steps from the seed after it.
        Comfyui = "comfyui",
        /// Every picture has its own seed, counted up from the given one: batches of any size agree.
        PerImage = "per_image",
    }
}

/// Which generator draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum GeneratorName {
    /// PyTorch's generator on the processor.
    Cpu,
    /// PyTorch's generator on an NVIDIA card.
    Philox,
}

/// Takes the noise out of a latent, step by step, under the guidance of a prompt.
///
/// On a blank latent it draws a new picture. On one that was encoded from a picture it draws that picture anew, the more
/// freely the higher `strength` is; of one made by `inpaint` only the masked part. A latent that another `denoise` left
/// before its end is gone on with where it was left.
///
/// With the seed of the node that encoded a sample, the noise is drawn behind that sample, as diffusers draws it: one
/// seed for both gives the picture that it gives there.
#[derive(Node)]
#[node(id = "denoise", version = 2, category = "Latent", lane = "compute")]
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
        };
        let schedule = settings.schedule(&self.denoiser)?;
        let stop = schedule.handover(self.end);
        let begin = Begin::of(&self.latent, &schedule, self.strength);
        let walk = Walk {
            denoiser: &self.denoiser,
            positive: &self.positive,
            negative: self.negative.as_ref(),
            latent: &self.latent,
            settings,
            schedule: schedule.stopping_at(stop),
            begin,
        };
        walk.run(cx)
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        sampling_run::infer(known)
    }

    fn cost(known: &Known<'_>) -> Cost {
        sampling_run::cost(known)
    }
}

#[cfg(test)]
mod tests {
    use darkroom_core::param::ChoiceParam;
    use darkroom_models::sampling;

    use super::*;

    #[test]
    fn every_sampler_and_schedule_is_offered() {
        let words =
            |choices: &[darkroom_core::spec::Choice]| choices.iter().map(|choice| choice.name).collect::<Vec<_>>();
        let samplers: Vec<_> = sampling::SAMPLERS.iter().map(|sampler| sampler.name).collect();
        let tables: Vec<_> = sampling::TABLES.iter().map(|(name, ..)| *name).collect();
        assert_eq!(words(SamplerName::CHOICES), samplers);
        assert_eq!(words(ScheduleName::CHOICES), tables);
    }
}
