//! One walk from noise to a latent: what `denoise` and `refine` have in common.
//!
//! A node decides where the walk begins and where it stops; the walk draws the noise, asks the denoiser under guidance,
//! heeds the mask that a latent carries, and keeps its state now and then, so that a killed run goes on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use candle_core::Tensor;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::ladder::Rung;
use darkroom_core::node::Known;
use darkroom_core::types::{Cost, Kind, Task, Type};
use darkroom_core::value::{Datum, Record};
use darkroom_models::TensorError;
use darkroom_models::sampling::{
    self, Calls, Given, Guided, Network, NoiseSource, Place, Predictor, Rules, Schedule, State, StepCache, Within,
};

use crate::fault::{fault, tensor_fault};
use crate::models::ASK;
use crate::sampling::conditions::Conditions;
use crate::sampling::controls::{self, Controls};
use crate::sampling::names::NoiseName;
use crate::sampling::savers::{self, Savers};
use crate::sampling::settings::{Settings, device, sides};
use crate::wires::latent::Latent;
use crate::wires::repaint::{Keep, beside};
use crate::wires::{
    Control, DenoiserHandle, Prompted, REDUCTION, is_finite, picture_of_tensor, space_of, to_array, to_tensor,
};

/// Time between two checkpoints. Whatever a step takes, a killed run loses little more than this.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(1500);

/// Where a walk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// The first step to take.
    pub index: usize,
    /// What is made of the latent before it.
    pub first: First,
}

/// What is made of a latent before the first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Nothing of it stays: pure noise.
    Noise,
    /// Noise is put on it.
    Noised,
    /// It is taken as it is.
    Kept,
}

impl Begin {
    /// Where a latent asks to be begun: a blank one at the start, one with noise left in it where it was left, a
    /// finished one as late as `strength` says.
    pub fn of(latent: &Latent, schedule: &Schedule, strength: f64) -> Self {
        if latent.x.is_none() || (latent.repaint.is_some() && latent.noise_left == 0.0 && strength >= 1.0) {
            return Self { index: 0, first: First::Noise };
        }
        if latent.noise_left > 0.0 {
            return Self { index: schedule.at_sigma(latent.noise_left), first: First::Kept };
        }
        let index = schedule.start_of_strength(strength);
        let first = if index < schedule.len() { First::Noised } else { First::Kept };
        Self { index, first }
    }
}

/// A walk of a denoiser over a latent.
pub struct Walk<'a> {
    pub denoiser: &'a DenoiserHandle,
    pub positive: &'a Prompted,
    pub negative: Option<&'a Prompted>,
    pub latent: &'a Latent,
    pub control: Option<&'a Control>,
    pub settings: &'a Settings,
    pub savers: &'a Savers,
    /// All points, and where to stop.
    pub schedule: Schedule,
    pub begin: Begin,
}

/// A walk before its first step.
struct Started {
    state: State,
    noise: NoiseSource,
    keep: Option<Keep>,
    /// Mask and masked picture, for an inpaint denoiser.
    beside: Option<Tensor>,
}

impl Walk<'_> {
    /// Walks, from the last checkpoint if there is one.
    ///
    /// # Errors
    /// A fault of what does not go together, of numbers that are not finite, or that the run was stopped.
    pub fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        let Started { mut state, mut noise, keep, beside } = self.start()?;
        if self.begin.first == First::Kept && self.begin.index >= self.schedule.stop {
            return Ok(self.latent.clone());
        }
        let Latent { width, height, count, .. } = self.latent;
        let sides = self.settings.sides()?;
        let control = self.control.filter(|control| !control.steers().is_empty());
        let size = (*width, *height);
        // A control shows each latent its own picture, so that all are asked about together.
        let at_once = if control.is_some() { 0 } else { self.settings.at_once as usize };
        let steering = control.map(Datum::describe);
        let scratch =
            scratch_bytes(&self.denoiser.describe(), steering.as_ref(), size, *count, (sides, at_once as u32));
        let _room = cx
            .reserve(scratch)
            .map_err(|fault| fault.hint("draw a smaller picture and enlarge it, fewer at once, or raise --ram"))?;
        let controls = Controls::pin(control, self.latent, self.schedule.len() - self.begin.index, cx)?;
        // Last, for of all parts it is the one that can best do with what is left.
        let network = self.denoiser.0.pin(cx)?;
        let mut past = HashMap::new();
        if let Some(resumed) = resume(cx) {
            (state, noise, past) = resumed;
        }
        let first = self.begin.index;
        let place = Place::before(self.schedule.len() - first);
        controls.reach(state.index - first);
        place.reach(state.index - first);
        let conditions =
            Conditions::new(self.positive, self.negative, self.latent, (beside, at_once)).map_err(fault)?;
        let conditions = conditions.steered(&controls);
        let Self { schedule, settings, savers, .. } = &self;
        let steps = schedule.stop;
        let failed = RefCell::new(None);
        let context = RefCell::new(cx);
        let ask = |x: &Tensor, timestep: f64| {
            conditions.ask(&network, x, timestep, &context.borrow()).map_err(|error| note(&failed, fault(error)))
        };
        let ask_negative = |x: &Tensor, timestep: f64| {
            conditions
                .ask_negative(&network, x, timestep, &context.borrow())
                .map_err(|error| note(&failed, fault(error)))
        };
        let calls = match (sides, conditions.are_together()) {
            (1, _) => Calls::Positive(&ask),
            (_, true) => Calls::Together(&ask),
            (_, false) => Calls::Apart { negative: &ask_negative, positive: &ask },
        };
        let guided = Guided { calls, guidance: settings.guidance() };
        let within = Within { place: &place, interval: savers.guided(), inside: &guided, outside: &ask };
        let cache = savers.cache(&within, &place, &past)?;
        let network: &dyn Network = cache.as_ref().map_or(&within, |cache| cache);
        let predictor = Predictor { network, prediction: schedule.prediction };
        let mut kept_at = Instant::now();
        let mut on_step = |done: sampling::Done<'_>| {
            let step = done.state.index;
            let before = (place.is_in(savers.guided()), controls.taking_part());
            controls.reach(step - first);
            place.reach(step - first);
            if (place.is_in(savers.guided()), controls.taking_part()) != before {
                cache.iter().for_each(StepCache::forget);
            }
            if let Some(keep) = keep.as_ref().filter(|_| step < schedule.len()) {
                done.state.x = keep.put_back(&done.state.x, schedule.prediction, done.step.next.sigma)?;
            }
            let mut cx = context.borrow_mut();
            let watched = check_finite(&done.state.x, step)
                .and_then(|()| cx.tick(step, steps))
                .and_then(|()| self.show(done.clean, &mut cx));
            if step < steps && kept_at.elapsed() >= CHECKPOINT_PAUSE {
                if let Some(record) = checkpoint(done.state, done.noise, cache.as_ref()) {
                    cx.checkpoint(&record);
                }
                kept_at = Instant::now();
            }
            watched.map_err(|fault| note(&failed, fault))
        };
        let given = Given { model: &predictor, schedule, noise: &mut noise, on_step: &mut on_step };
        let ended = (settings.sampler()?.run)(given, state);
        let state = ended.map_err(|error| failed.take().unwrap_or_else(|| tensor_fault(error)))?;
        let guided = savers.told_of_guidance(steps.saturating_sub(first), schedule.len() - first).filter(|_| sides > 1);
        for told in guided.into_iter().chain(cache.as_ref().map(savers::told_of_cache)) {
            context.borrow_mut().warn(told);
        }
        self.finish(&state, keep.as_ref()).map_err(tensor_fault)
    }

    /// Shows what the first picture would be, could all noise be taken out at once.
    fn show(&self, clean: &Tensor, cx: &mut Context<'_>) -> Result<(), Fault> {
        let Some(colours) = self.denoiser.model().colours() else { return Ok(()) };
        cx.preview(|| {
            let first = clean.narrow(0, 0, 1).map_err(tensor_fault)?;
            picture_of_tensor(&colours.of(&first).map_err(fault)?)
        })
    }

    /// Draws the noise, in the reference's order, and makes the first state of it.
    fn start(&self) -> Result<Started, Fault> {
        let Latent { width, height, count, x, repaint, .. } = self.latent;
        let config = &self.denoiser.model().configs().unet;
        let reads_mask = config.in_channels != config.out_channels;
        if reads_mask && repaint.is_none() {
            return Err(Fault::graph("this denoiser draws a part of a picture anew, and the latent says not which")
                .hint("make the latent with `inpaint`, of a picture and a mask"));
        }
        let mut noise = self.settings.stream(self.drawn(reads_mask))?;
        let channels = config.out_channels;
        let shape = (*count as usize, channels, (height / REDUCTION) as usize, (width / REDUCTION) as usize);
        let fresh = noise.initial(shape).map_err(tensor_fault)?;
        let masked =
            repaint.as_ref().map(|repaint| repaint.pick_masked(&mut noise)).transpose().map_err(tensor_fault)?;
        let Begin { index, first } = self.begin;
        let state = match (x, first) {
            (None, _) | (_, First::Noise) if index == 0 => self.schedule.initial(&fresh),
            // Begun in the middle of the way, there is less of it.
            (None, _) | (_, First::Noise) => fresh.zeros_like().and_then(|x| self.schedule.noised(&x, &fresh, index)),
            (Some(x), First::Noised) => self.schedule.noised(x, &fresh, index),
            (Some(x), First::Kept) => Ok(x.clone()),
        };
        let state = State::new(state.map_err(tensor_fault)?, index);
        let started = Started { state, noise, keep: None, beside: None };
        Ok(match (repaint, masked) {
            (Some(repaint), Some(masked)) if reads_mask => {
                let beside = beside(repaint, &masked, *count as usize).map_err(tensor_fault)?;
                Started { beside: Some(beside), ..started }
            }
            (Some(repaint), _) => Started { keep: Some(Keep { repaint: repaint.clone(), noise: fresh }), ..started },
            (None, _) => started,
        })
    }

    /// Values that the reference would have drawn from this walk's stream before its first noise. Where an inpaint
    /// denoiser begins with nothing but noise, the reference never encodes the whole picture.
    fn drawn(&self, reads_mask: bool) -> u64 {
        let Settings { seed, noise, generator, .. } = *self.settings;
        let unneeded = reads_mask && self.begin.first == First::Noise;
        let same = |drawn: &crate::wires::latent::Drawn| drawn.seed == seed.0 && drawn.generator == device(generator);
        match self.latent.drawn.filter(same) {
            Some(drawn) if noise == NoiseName::Diffusers && !unneeded => drawn.values,
            _ => 0,
        }
    }

    fn finish(&self, state: &State, keep: Option<&Keep>) -> Result<Latent, TensorError> {
        let mut x = self.schedule.finish(&state.x)?;
        // A way of ComfyUI's may be cut, or written down, to end in noise.
        let noise_left = self.schedule.points[state.index].sigma;
        let early = state.index < self.schedule.len() || (self.schedule.rules == Rules::Comfyui && noise_left > 0.0);
        if let Some(keep) = keep.filter(|_| !early) {
            x = keep.finish(&x)?;
        }
        let Latent { width, height, count, ref space, .. } = *self.latent;
        let made = Latent { x: Some(x), ..Latent::blank(space.clone(), width, height, count) };
        if !early {
            return Ok(made);
        }
        // Who goes on needs the mask still.
        Ok(Latent { noise_left, repaint: self.latent.repaint.clone(), ..made })
    }
}

/// Notes a fault that the sampler must carry out, and gives it something to carry.
fn note(failed: &RefCell<Option<Fault>>, fault: Fault) -> TensorError {
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

/// Where a killed run of the same recipe was, and whatever else it kept.
fn resume(cx: &Context<'_>) -> Option<(State, NoiseSource, HashMap<String, Tensor>)> {
    let record = cx.resume()?;
    let index = record.words.get("index")?.parse().ok()?;
    let noise = serde_json::from_str(record.words.get("noise")?).ok()?;
    let tensors = record.arrays.iter().map(|(name, array)| Some((name.clone(), to_tensor(array)?)));
    let tensors: HashMap<_, _> = tensors.collect::<Option<_>>()?;
    Some((State::from_tensors(index, tensors.clone()).ok()?, noise, tensors))
}

fn checkpoint(state: &State, noise: &NoiseSource, cache: Option<&StepCache<'_>>) -> Option<Record> {
    let cached = cache.map_or_else(|| Some(HashMap::new()), |cache| cache.tensors().ok())?;
    let tensors = state.tensors().into_iter().chain(cached);
    let arrays = tensors.map(|(name, tensor)| Some((name, to_array(&tensor)?)));
    let words = [("index", state.index.to_string()), ("noise", serde_json::to_string(noise).ok()?)];
    Some(Record {
        arrays: arrays.collect::<Option<_>>()?,
        words: words.map(|(name, word)| (name.to_owned(), word)).into(),
    })
}

/// Says what a walk makes: a latent like the one that comes in. The prompts must be read by the denoiser's own encoder;
/// the latent need only be of its kind, as a refiner goes on with the base's.
///
/// # Errors
/// A fault that names the two nodes that do not go together.
pub fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
    for prompt in ["positive", "negative"] {
        known.same_family("denoiser", prompt)?;
    }
    savers::check(known)?;
    known.same_family("denoiser", "control")?;
    let latent = known.wire_or_unknown("latent");
    let denoiser = known.wire_or_unknown("denoiser").family;
    if let (Some(denoiser), Some(found)) = (denoiser, &latent.family)
        && space_of(&denoiser) != &**found
    {
        known.same_family("denoiser", "latent")?;
    }
    if let (Some(latents), Some(pictures)) = (latent.count, known.wire_or_unknown("control").count) {
        controls::check_count(pictures, latents)?;
    }
    Ok(vec![Type { kind: Kind("latent"), ..latent }])
}

/// Says how a walk makes do with less memory: the denoiser is asked about fewer latents at a time.
pub fn ladder(known: &Known<'_>) -> Vec<Rung> {
    if known.wire("control").is_some() {
        return Vec::new();
    }
    let all = known.wire_or_unknown("latent").count.unwrap_or(1).saturating_mul(asked_sides(known) as u32);
    let now = known.param("at_once").ok().flatten().filter(|now| *now > 0).unwrap_or(all);
    let fewer = [4, 2, 1].into_iter().filter(|fewer| *fewer < now.min(all));
    fewer.map(|fewer| Rung::new(format!("asked about {fewer} at a time")).set("at_once", i64::from(fewer))).collect()
}

/// Tells about how many sides of the prompt the denoiser is asked; what is not known yet may be guided.
fn asked_sides(known: &Known<'_>) -> u64 {
    let guidance = known.param("guidance").ok().flatten();
    let sampler = known.param("sampler").ok().flatten();
    guidance.zip(sampler).and_then(|(guidance, sampler)| sides(guidance, sampler).ok()).unwrap_or(2)
}

/// Says what a walk needs.
pub fn cost(known: &Known<'_>) -> Cost {
    let latent = known.wire_or_unknown("latent");
    let (size, count) = ((latent.width.unwrap_or(0), latent.height.unwrap_or(0)), latent.count.unwrap_or(1));
    let sides = asked_sides(known);
    let at_once = known.param("at_once").ok().flatten().filter(|_| known.wire("control").is_none()).unwrap_or(0);
    let (denoiser, steering) = (known.wire_or_unknown("denoiser"), known.wire_or_unknown("control"));
    Cost {
        weights: denoiser.weights.unwrap_or(0) + steering.weights.unwrap_or(0),
        least_weights: denoiser.least() + steering.least(),
        workspace: scratch_bytes(&denoiser, known.wire("control"), size, count, (sides, at_once)),
        output: cells(size, count) * 16,
        steps: known.param("steps").ok().flatten().unwrap_or(0),
    }
}

/// Returns the pixels of a batch of latents for pictures of so many pixels.
fn cells((width, height): (u32, u32), count: u32) -> u64 {
    u64::from(width / REDUCTION) * u64::from(height / REDUCTION) * u64::from(count)
}

/// Returns the scratch bytes of a step that asks about so many sides of the prompt for every picture, so many latents at
/// a time.
fn scratch_bytes(
    denoiser: &Type,
    control: Option<&Type>,
    size: (u32, u32),
    count: u32,
    (sides, at_once): (u64, u32),
) -> u64 {
    let all = count.saturating_mul(sides as u32);
    let task = Task { what: ASK, size, count: if at_once == 0 { all } else { all.min(at_once) } };
    let asking = denoiser.scratch(task) + control.map_or(0, |control| control.scratch(task));
    asking + cells(size, count) * STATE_BYTES_PER_CELL
}

/// Bytes for each latent pixel of what a sampler remembers: about eight latents of four channels.
const STATE_BYTES_PER_CELL: u64 = 8 * 4 * 4;
