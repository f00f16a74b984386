//! `denoise`: from noise to a latent, along a schedule.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use candle_core::Tensor;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Seed;
use darkroom_core::types::{Cost, Kind, Type};
use darkroom_core::value::Record;
use darkroom_core::{Choice, Node};
use darkroom_models::nn::{FeatureMap, Tokens};
use darkroom_models::sampling::{
    self, Calls, Guidance, Guided, NoiseDevice, NoiseMode, NoiseSource, Predictor, Schedule, State, Table,
};
use darkroom_models::sdxl::unet::{Added, Question};
use darkroom_models::sdxl::{Conditioning, UNet};
use darkroom_models::{Error, TensorError};

use crate::fault::{fault, tensor_fault};
use crate::steps::Listen;
use crate::wires::{DenoiserHandle, Latent, Prompted, REDUCTION, is_finite, to_array, to_tensor};

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$entry:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
        pub enum $name {
            $($(#[$entry])* #[choice(name = $word)] $variant),*
        }

        impl $name {
            fn word(self) -> &'static str {
                darkroom_core::param::ChoiceParam::word(self)
            }
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
/// freely the higher `strength` is.
#[derive(Node)]
#[node(id = "denoise", version = 1, category = "Latent", lane = "compute")]
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
    /// How much of an encoded picture is drawn anew: 0 nothing, 1 everything. Without meaning for blank latents.
    #[param(default = 1.0, range = 0.0..=1.0)]
    strength: f64,
    /// Whose noise is drawn.
    #[param(default = NoiseName::Diffusers)]
    noise: NoiseName,
    /// Which generator draws it.
    #[param(default = GeneratorName::Cpu)]
    generator: GeneratorName,
}

/// Time between two checkpoints. Whatever a step takes, a killed run loses little more than this.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(1500);

impl Node for Denoise {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        let schedule = self.make_schedule()?;
        let network = cx.pin(&self.denoiser.0)?;
        let (start, mut noise) = match self.resume(cx) {
            Some(resumed) => resumed,
            None => self.start(&schedule, network.config().out_channels)?,
        };
        let conditions = self.conditions()?;
        let steps = schedule.stop;
        let failed = RefCell::new(None);
        let context = RefCell::new(cx);
        let ask = |x: &Tensor, timestep: f64| {
            conditions.ask(&network, x, timestep, &context.borrow()).map_err(|error| keep(&failed, fault(error)))
        };
        let guidance = Guidance { scale: self.guidance, rescale: self.guidance_rescale };
        let ask_negative = |x: &Tensor, timestep: f64| {
            conditions
                .ask_negative(&network, x, timestep, &context.borrow())
                .map_err(|error| keep(&failed, fault(error)))
        };
        let calls = match (guidance.is_on(), &conditions.negative) {
            (false, _) => Calls::Positive(&ask),
            (true, Negative::Together(_)) => Calls::Together(&ask),
            (true, Negative::Apart(_)) => Calls::Apart { negative: &ask_negative, positive: &ask },
        };
        let guided = Guided { calls, guidance };
        let predictor = Predictor { network: &guided, prediction: schedule.prediction };
        let mut kept_at = Instant::now();
        let mut on_step = |done: sampling::Done<'_>| {
            let step = done.state.index;
            let mut cx = context.borrow_mut();
            let watched = check_finite(&done.state.x, step).and_then(|()| cx.tick(step, steps));
            if step < steps && kept_at.elapsed() >= CHECKPOINT_PAUSE {
                if let Some(record) = checkpoint(done.state, done.noise) {
                    cx.checkpoint(&record);
                }
                kept_at = Instant::now();
            }
            watched.map_err(|fault| keep(&failed, fault))
        };
        let sampler = sampling::sampler(self.sampler.word()).map_err(|error| Fault::graph(error.to_string()))?;
        let ended = (sampler.run)(&predictor, start, &schedule, &mut noise, &mut on_step);
        let state = ended.map_err(|error| failed.take().unwrap_or_else(|| tensor_fault(error)))?;
        let x = schedule.finish(&state.x).map_err(tensor_fault)?;
        Ok(Latent { x: Some(x), ..self.latent })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        for other in ["positive", "negative", "latent"] {
            known.same_family("denoiser", other)?;
        }
        let latent = known.wire_or_unknown("latent");
        Ok(vec![Type { kind: Kind("latent"), ..latent }])
    }

    fn cost(known: &Known<'_>) -> Cost {
        let latent = known.wire_or_unknown("latent");
        let edge = |pixels: Option<u32>| u64::from(pixels.unwrap_or(0) / REDUCTION);
        let cells = edge(latent.width) * edge(latent.height) * u64::from(latent.count.unwrap_or(1));
        let guided = known.param::<f64>("guidance").ok().flatten().is_none_or(|scale| scale > 1.0);
        Cost {
            weights: known.wire_or_unknown("denoiser").weights.unwrap_or(0),
            workspace: cells * WORKSPACE_BYTES_PER_CELL * if guided { 2 } else { 1 },
            output: cells * 16,
            steps: known.param("steps").ok().flatten().unwrap_or(0),
        }
    }
}

/// Scratch bytes for each latent pixel: skips and maps of SDXL's finest level (320 channels, about sixteen at once in
/// single precision).
const WORKSPACE_BYTES_PER_CELL: u64 = 4 * 320 * 16;

/// Notes a fault that the sampler must carry out, and gives it something to carry.
fn keep(failed: &RefCell<Option<Fault>>, fault: Fault) -> TensorError {
    let carried = TensorError::Msg(fault.message.clone());
    failed.replace(Some(fault));
    carried
}

fn check_finite(x: &Tensor, step: usize) -> Result<(), Fault> {
    if is_finite(x) {
        return Ok(());
    }
    Err(Fault::numbers(format!("the latent is no longer finite after step {step}"))
        .hint("lower `guidance`, or check the model's weights"))
}

impl Denoise {
    fn make_schedule(&self) -> Result<Schedule, Fault> {
        let unsupported = |error: sampling::Unsupported| Fault::graph(error.to_string());
        let model = self.denoiser.model();
        let sampler = sampling::sampler(self.sampler.word()).map_err(unsupported)?;
        let table = Table::named(self.schedule.word()).map_err(unsupported)?;
        Schedule::from_config(model.scheduler(), sampler.rules, table, self.steps as usize).map_err(unsupported)
    }

    /// The state before the first step: pure noise, or an encoded picture with noise on it.
    fn start(&self, schedule: &Schedule, channels: usize) -> Result<(State, NoiseSource), Fault> {
        let Latent { width, height, count, x, .. } = &self.latent;
        let mode = NoiseMode::named(self.noise.word()).map_err(|error| Fault::graph(error.to_string()))?;
        let device = match self.generator {
            GeneratorName::Cpu => NoiseDevice::Cpu,
            GeneratorName::Philox => NoiseDevice::Philox,
        };
        let mut source = NoiseSource::new(mode, device, self.seed.0);
        if let Some(eta) = self.eta {
            source = source.with_eta(eta);
        }
        let shape = (*count as usize, channels, (height / REDUCTION) as usize, (width / REDUCTION) as usize);
        let noise = source.initial(shape).map_err(tensor_fault)?;
        let state = match x {
            None => State::new(schedule.initial(&noise).map_err(tensor_fault)?, 0),
            Some(x) => {
                let index = schedule.start_of_strength(self.strength);
                let noised = if index == schedule.len() { Ok(x.clone()) } else { schedule.noised(x, &noise, index) };
                State::new(noised.map_err(tensor_fault)?, index)
            }
        };
        Ok((state, source))
    }

    /// Where a killed run of the same recipe was.
    fn resume(&self, cx: &Context<'_>) -> Option<(State, NoiseSource)> {
        let record = cx.resume()?;
        let index = record.words.get("index")?.parse().ok()?;
        let noise = serde_json::from_str(record.words.get("noise")?).ok()?;
        let tensors = record.arrays.iter().map(|(name, array)| Some((name.clone(), to_tensor(array)?)));
        Some((State::from_tensors(index, tensors.collect::<Option<_>>()?).ok()?, noise))
    }

    fn conditions(&self) -> Result<Conditions, Fault> {
        let Latent { width, height, count, .. } = self.latent;
        let side = |conditioning: &Conditioning, prompted: &Prompted| Side {
            conditioning: conditioning.clone(),
            ids: prompted.framing.sizes(width, height).time_ids(),
        };
        let positive = side(&self.positive.positive, &self.positive);
        let negative = match &self.negative {
            Some(negative) => side(&negative.positive, negative),
            None => side(&self.positive.negative, &self.positive),
        };
        let count = count as usize;
        let length = |side: &Side| side.conditioning.context.dims().1;
        let apart = length(&negative) != length(&positive);
        let alone = ask_about(&[&positive], count).map_err(fault)?;
        let negative = match apart {
            true => Negative::Apart(ask_about(&[&negative], count).map_err(fault)?),
            false => Negative::Together(ask_about(&[&negative, &positive], count).map_err(fault)?),
        };
        Ok(Conditions { alone, negative, count })
    }
}

/// One side of a prompt, with the sizes that the denoiser is told.
struct Side {
    conditioning: Conditioning,
    ids: Vec<f64>,
}

/// What the denoiser is told of one side or both, for all pictures.
type Told = (Tokens, Option<Added>);

/// How it is told what to keep away from.
enum Negative {
    /// With the positive, on twice as many pictures.
    Together(Told),
    /// By itself, because it has another number of tokens. A1111 does the same, and ComfyUI repeats both texts until
    /// they are equally long, which gives the same but for rounding: nothing is padded that could be seen.
    Apart(Told),
}

/// What the denoiser is told.
struct Conditions {
    alone: Told,
    negative: Negative,
    count: usize,
}

impl Conditions {
    fn ask(&self, network: &UNet, x: &Tensor, timestep: f64, cx: &Context<'_>) -> Result<Tensor, Error> {
        match &self.negative {
            Negative::Together(both) if x.dim(0)? != self.count => about(both, network, x, timestep, cx),
            _ => about(&self.alone, network, x, timestep, cx),
        }
    }

    fn ask_negative(&self, network: &UNet, x: &Tensor, timestep: f64, cx: &Context<'_>) -> Result<Tensor, Error> {
        let (Negative::Together(told) | Negative::Apart(told)) = &self.negative;
        about(told, network, x, timestep, cx)
    }
}

fn about(told: &Told, network: &UNet, x: &Tensor, timestep: f64, cx: &Context<'_>) -> Result<Tensor, Error> {
    let (context, added) = told;
    let sample = FeatureMap::from_tensor(x)?;
    let question = Question { sample: &sample, timestep, context, added: added.as_ref() };
    Ok(network.forward(question, &mut Listen(cx))?.to_tensor())
}

/// Sets the sides of a prompt one after another, each once for every picture.
fn ask_about(sides: &[&Side], count: usize) -> Result<Told, Error> {
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

fn checkpoint(state: &State, noise: &NoiseSource) -> Option<Record> {
    let arrays = state.tensors().into_iter().map(|(name, tensor)| Some((name, to_array(&tensor)?)));
    let words = [("index", state.index.to_string()), ("noise", serde_json::to_string(noise).ok()?)];
    Some(Record {
        arrays: arrays.collect::<Option<_>>()?,
        words: words.map(|(name, word)| (name.to_owned(), word)).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_core::param::ChoiceParam;

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
