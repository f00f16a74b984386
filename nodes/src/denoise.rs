//! `denoise`: from noise to a latent, along a schedule.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::ladder::Rung;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Type};

use crate::sampling::course::{Course, Errand};
use crate::sampling::savers::Savers;
use crate::sampling::settings::Settings;
use crate::sampling::walk::{self, Walk};
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
#[node(id = "denoise", version = 4, category = "Latent", lane = "compute")]
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
    #[params]
    settings: Settings,
    /// How much of an encoded picture is drawn anew: 0 hands it on untouched, 1 takes all steps. Steps are counted whole,
    /// so that 20 steps at 0.04 are none. Without meaning for blank latents and for such that noise was left in.
    #[param(default = 1.0, range = 0.0..=1.0)]
    strength: f64,
    #[params]
    course: Course,
    #[params]
    savers: Savers,
}

impl Node for Denoise {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        let Self { denoiser, positive, negative, latent, control, settings, strength, course, savers } = &self;
        let (schedule, begin) = course.lay(Errand { settings, denoiser, latent, strength: *strength })?;
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
