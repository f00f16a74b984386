//! What kind of model a folder holds.

use std::{fmt, path::Path};

use super::Configs;
use crate::{
    Error, Result,
    sdxl::{config::TextTime, preview},
};

/// A kind of model, as far as using it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Both text encoders, six sizes.
    Sdxl,
    /// The second text encoder only, four sizes and an aesthetic score.
    SdxlRefiner,
    /// Like the base, with mask and masked picture as further channels.
    SdxlInpaint,
    /// The first text encoder only, nothing beside the timestep.
    Sd15,
    /// Like SD 1.5, with mask and masked picture as further channels.
    Sd15Inpaint,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Sdxl => "SDXL",
            Family::SdxlRefiner => "SDXL refiner",
            Family::SdxlInpaint => "SDXL inpaint",
            Family::Sd15 => "SD 1.5",
            Family::Sd15Inpaint => "SD 1.5 inpaint",
        })
    }
}

impl Family {
    /// Returns what colours the channels of its latents stand for.
    #[must_use]
    pub fn colours(self) -> preview::Colours {
        match self {
            Self::Sdxl | Self::SdxlRefiner | Self::SdxlInpaint => preview::SDXL,
            Self::Sd15 | Self::Sd15Inpaint => preview::SD15,
        }
    }

    /// Tells the family by the widths that configurations must agree on, not by names that anyone can write.
    pub fn recognise(root: &Path, configs: &Configs) -> Result<Self> {
        let Configs { unet, vae, .. } = configs;
        let fault =
            |what: String| Error::format(root, what).with_hint("SDXL base, refiner, inpaint and SD 1.5 are built");
        if unet.out_channels != vae.latent_channels {
            let (net, latent) = (unet.out_channels, vae.latent_channels);
            return Err(fault(format!("the unet writes {net} channels, the vae's latent has {latent}")));
        }
        let plain = unet.in_channels == vae.latent_channels;
        // Latent, mask, latent of the masked picture.
        let inpaint = unet.in_channels == 2 * vae.latent_channels + 1;
        let kind = match &unet.addition {
            None => without_sizes(configs),
            Some(addition) => with_sizes(configs, addition),
        };
        match kind.map_err(fault)? {
            kind if plain => Ok(kind),
            Family::Sdxl if inpaint => Ok(Family::SdxlInpaint),
            Family::Sd15 if inpaint => Ok(Family::Sd15Inpaint),
            kind => Err(fault(format!("a unet of {kind} with {} input channels is not known", unet.in_channels))),
        }
    }
}

fn without_sizes(Configs { unet, text_encoder, .. }: &Configs) -> Result<Family, String> {
    let encoder = text_encoder.as_ref().ok_or("the unet needs `text_encoder`, which is not there")?;
    widths(unet.cross_attention_dim, encoder.hidden_size)?;
    Ok(Family::Sd15)
}

fn with_sizes(configs: &Configs, addition: &TextTime) -> Result<Family, String> {
    let Configs { unet, text_encoder, text_encoder_2, .. } = configs;
    let second = text_encoder_2.as_ref().ok_or("the unet needs `text_encoder_2`, which is not there")?;
    let pooled = second.projection_dim.ok_or("the unet needs pooled text, and `text_encoder_2` has no projection")?;
    match (addition.ids(pooled), text_encoder) {
        (Some(6), Some(first)) => {
            widths(unet.cross_attention_dim, first.hidden_size + second.hidden_size)?;
            Ok(Family::Sdxl)
        }
        (Some(6), None) => Err("the unet needs `text_encoder`, which is not there".into()),
        (Some(5), _) => {
            widths(unet.cross_attention_dim, second.hidden_size)?;
            Ok(Family::SdxlRefiner)
        }
        _ => Err(format!(
            "the unet embeds {} channels beside the timestep, of which {pooled} are text",
            addition.input_dim
        )),
    }
}

fn widths(unet: usize, text: usize) -> Result<(), String> {
    match unet == text {
        true => Ok(()),
        false => Err(format!("the unet reads text of width {unet}, the text encoders write {text}")),
    }
}
