//! The controls of a walk: their networks held, their pictures looked at once, and what they say at every step.
//!
//! Both sides of guidance are steered. Rules: diffusers `pipelines/controlnet/pipeline_controlnet_sd_xl.py`.

use std::cell::Cell;

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::residency::Pinned;
use darkroom_models::Error;
use darkroom_models::nn::FeatureMap;
use darkroom_models::sdxl::controlnet::Hint;
use darkroom_models::sdxl::unet::{Question, Residuals};

use crate::fault::fault;
use crate::models::controls::Steering;
use crate::pictures::resample::{Filter, resize};
use crate::sampling::ticks::Listen;
use crate::wires::control::{Control, Steer};
use crate::wires::latent::Latent;
use crate::wires::tensor_of_pictures;

/// What steers a walk; nothing where no control takes part.
pub struct Controls<'a> {
    each: Vec<Ready<'a>>,
    /// Steps that are walked.
    steps: usize,
    /// The step that is being taken, counted from the first that is walked.
    index: Cell<usize>,
}

/// A network in use, and what it saw.
struct Ready<'a> {
    net: Pinned<Steering>,
    hint: Hint,
    steer: &'a Steer,
}

impl<'a> Controls<'a> {
    /// Holds the networks for a walk of so many steps, and shows them their pictures.
    ///
    /// # Errors
    /// A fault of a file, of memory, or of pictures that are neither one nor one for each latent.
    pub fn pin(
        control: Option<&'a Control>,
        latent: &Latent,
        steps: usize,
        cx: &mut Context<'_>,
    ) -> Result<Self, Fault> {
        let mut each = Vec::new();
        for steer in control.map_or(&[][..], Control::steers) {
            check_count(steer.pictures.len() as u32, latent.count)?;
            if !(0..steps).any(|index| steer.takes_part(index, steps)) {
                let Steer { start, end, .. } = steer;
                cx.warn(format!("a control from {start} to {end} takes part in none of {steps} steps"));
                continue;
            }
            let pictures = fitted(&steer.pictures, (latent.width, latent.height), cx)?;
            let net = cx.pin(&steer.net.0)?;
            // Pictures of tensors are from -1 to 1, those of controls from 0 to 1.
            let x = tensor_of_pictures(&pictures)?;
            let x = FeatureMap::from_tensor(&x).and_then(|x| x.affine(0.5, 0.5)).map_err(fault)?;
            let hint = net.look(&x).map_err(fault)?;
            each.push(Ready { net, hint, steer });
        }
        Ok(Self { each, steps, index: Cell::new(0) })
    }

    /// Notes how many steps are done.
    pub fn reach(&self, index: usize) {
        self.index.set(index);
    }

    /// Tells of each control whether it takes part in the step that is being taken.
    pub fn taking_part(&self) -> Vec<bool> {
        self.each.iter().map(|ready| ready.steer.takes_part(self.index.get(), self.steps)).collect()
    }

    /// Says what is added to the network that is asked the same; nothing at steps where no control takes part.
    ///
    /// # Errors
    /// An error of a network, or that it was stopped.
    pub fn say(&self, ask: Question<'_>, cx: &Context<'_>) -> Result<Option<Residuals>, Error> {
        let mut sum: Option<Residuals> = None;
        for Ready { net, hint, steer } in &self.each {
            if !steer.takes_part(self.index.get(), self.steps) {
                continue;
            }
            let said = net.forward(ask, hint, steer.strength, &mut Listen(cx))?;
            sum = Some(match sum {
                Some(sum) => sum.add(&said)?,
                None => said,
            });
        }
        Ok(sum)
    }
}

/// Makes sure that there is one picture, or one for each latent.
///
/// # Errors
/// A fault with both numbers.
pub fn check_count(pictures: u32, latents: u32) -> Result<(), Fault> {
    match pictures {
        1 => Ok(()),
        pictures if pictures == latents => Ok(()),
        _ => Err(Fault::graph(format!("the control has {pictures} pictures, and {latents} are drawn"))
            .hint("give the control one picture for all, or one for each")),
    }
}

/// Brings pictures to the size of what is drawn, as diffusers does.
fn fitted(pictures: &Pictures, (width, height): (u32, u32), cx: &mut Context<'_>) -> Result<Pictures, Fault> {
    let fits = |picture: &Picture| (picture.width(), picture.height()) == (width, height);
    if let Some(other) = pictures.iter().find(|picture| !fits(picture)) {
        cx.warn(format!(
            "the control's picture of {}×{} is brought to the {width}×{height} that are drawn",
            other.width(),
            other.height()
        ));
    }
    pictures.map(|picture| match fits(picture) {
        true => Ok(picture.clone()),
        false => resize(picture, width, height, Filter::Pillow),
    })
}
