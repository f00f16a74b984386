//! Which family a file of weights belongs to.

use std::collections::BTreeMap;

use super::layout::{self, Naming, Place};
use crate::{
    Error, Result, Weights,
    folder::{Component, Family},
    sdxl::claims::{self, Claim},
};

/// All families and how each recognises its own: a new folder of networks is one more line.
pub const FAMILIES: &[&[(Family, Claim)]] = &[&claims::ALL];

/// Names and shapes of a file, as families look at them.
pub struct Header<'a> {
    weights: &'a Weights,
    unet: Place,
}

impl Header<'_> {
    /// Returns the shape of a tensor of the denoising network, by its name in latent diffusion or in diffusers.
    pub fn unet(&self, ldm: &str, diffusers: &str) -> Option<Vec<usize>> {
        let Place { prefix, naming } = self.unet;
        let name = if naming == Naming::Ldm { ldm } else { diffusers };
        self.weights.shape(&format!("{prefix}{name}"))
    }
}

/// Finds the one family that claims a file.
pub(super) fn family(weights: &Weights, places: &BTreeMap<Component, Place>) -> Result<Family> {
    let path = weights.path();
    let Some(unet) = places.get(&Component::UNet) else {
        return Err(no_network(weights, places));
    };
    let header = Header { weights, unet: *unet };
    let tried: Vec<_> =
        FAMILIES.iter().flat_map(|families| families.iter()).map(|(family, claim)| (*family, claim(&header))).collect();
    let claimed: Vec<Family> = tried.iter().filter(|(_, told)| told.is_ok()).map(|(family, _)| *family).collect();
    match claimed[..] {
        [family] => Ok(family),
        [] => {
            let why = tried.iter().filter_map(|(family, told)| Some(format!("{family}: {}", told.as_ref().err()?)));
            let what = format!("no family knows this model ({})", why.collect::<Vec<_>>().join("; "));
            Err(Error::format(path, what).with_hint("SDXL base, refiner and inpaint and SD 1.5 are built"))
        }
        _ => {
            let all: Vec<String> = claimed.iter().map(Family::to_string).collect();
            Err(Error::format(path, format!("several families claim this model: {}", all.join(", "))))
        }
    }
}

fn no_network(weights: &Weights, places: &BTreeMap<Component, Place>) -> Error {
    let has_text = layout::has_text_encoder(weights);
    let parts = [(places.contains_key(&Component::Vae), "a vae"), (has_text, "a text encoder")];
    let parts: Vec<&str> = parts.iter().filter(|(there, _)| *there).map(|(_, part)| *part).collect();
    let told = |what: String| Error::format(weights.path(), what);
    match parts.is_empty() {
        true => told("these are weights of no known model: none of its tensors belongs to a unet".into())
            .with_hint("SDXL base, refiner and inpaint and SD 1.5 are built"),
        false => told(format!("this file holds {} and no unet", parts.join(" and ")))
            .with_hint("name a file with a unet as the source, and this one beside it"),
    }
}
