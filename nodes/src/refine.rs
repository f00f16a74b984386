//! `refine`: finishes what another model began.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::ladder::Rung;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Type};
use darkroom_models::sampling::Schedule;

use crate::sampling::course::{Course, Errand};
use crate::sampling::savers::Savers;
use crate::sampling::settings::Settings;
use crate::sampling::walk::{self, Begin, Walk};
use crate::wires::{Control, DenoiserHandle, Latent, Prompted};

/// Finishes a latent with a second model, most often SDXL's refiner: sharper skin, cloth and leaves.
///
/// A latent that `denoise` left before its end (`end: 0.8`) is gone on with where it was left; no noise is added. Give
/// both nodes the same `steps`, `sampler` and `schedule`. A finished latent is drawn anew a little, as much as
/// `strength` says. The prompt must be read by the refiner's own encoder.
#[derive(Node)]
#[node(id = "refine", version = 2, category = "Latent", lane = "compute")]
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
    #[params]
    settings: Settings,
    /// Where to take over, as a share of the way: the base's `end`. Left out, where the base stopped.
    #[param(range = Some(0.0)..=Some(1.0), advanced)]
    start: Option<f64>,
    /// How much of a finished latent is drawn anew.
    #[param(default = 0.3, range = 0.0..=1.0)]
    strength: f64,
    #[params]
    course: Course,
    #[params]
    savers: Savers,
}

impl Node for Refine {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        let Self { denoiser, positive, negative, latent, control, settings, savers, .. } = &self;
        let (schedule, begin) = self.way()?;
        let (negative, control) = (negative.as_ref(), control.as_ref());
        Walk { denoiser, positive, negative, latent, control, settings, savers, schedule, begin }.run(cx)
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        walk::infer(known)
    }

    fn ladder(known: &Known<'_>) -> Vec<Rung> {
        walk::ladder(known)
    }

    fn cost(known: &Known<'_>) -> Cost {
        walk::cost(known)
    }
}

impl Refine {
    fn way(&self) -> Result<(Schedule, Begin), Fault> {
        let Self { denoiser, latent, settings, course, start, .. } = self;
        if latent.x.is_none() {
            return Err(Fault::graph("this latent is blank: there is nothing to refine")
                .hint("put the `denoise` of the base before it, with `end: 0.8`"));
        }
        // A step that is named stands in for the strength, which is never left out here.
        let strength = if course.start_step.is_some() { 1.0 } else { self.strength };
        let errand = Errand { settings, denoiser, latent, strength };
        match start {
            None => course.lay(errand),
            Some(_) if course.start_step.is_some() => {
                Err(Fault::graph("`start` and `start_step` both say where to begin").hint("take one of them away"))
            }
            Some(start) if latent.noise_left > 0.0 => course.lay_from(errand, *start),
            Some(_) => Err(Fault::graph("`start` goes on with noise that was left, and this latent is finished")
                .hint("give the base's `denoise` an `end`, as 0.8, or take `start` away and set `strength`")),
        }
    }
}
