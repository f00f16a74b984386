//! A network that steers a UNet by a picture: ControlNet of SDXL and SD 1.5.
//!
//! Fields and defaults: diffusers `models/controlnets/controlnet.py`.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    MAX_CHANNELS, MAX_LEVELS, UNetConfig,
    unet::{attending_down, refuse_unknown_networks},
};
use crate::{Error, Result, json, json::Fields};

/// How a ControlNet is built.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlNetConfig {
    /// The UNet whose way down and middle it copies.
    pub unet: UNetConfig,
    /// Channels of the picture: 3.
    pub picture_channels: usize,
    /// Channels of the layers that bring the picture to the size of a latent; each but the first halves it.
    pub hint_channels: Vec<usize>,
    /// In which order it reads the colours.
    pub channel_order: ChannelOrder,
}

/// In which order a network reads the colours of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl ControlNetConfig {
    /// Reads the `config.json` of a ControlNet's folder.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &json::read(path)?)
    }

    /// Reads a configuration in memory; `path` is its name in messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let fields = Fields::parse(path, bytes)?;
        check_class(path, &fields)?;
        refuse_unknown_networks(&fields)?;
        fields.only("global_pool_conditions", &[json!(false)])?;
        let hint_channels = match fields.get("conditioning_embedding_out_channels") {
            Value::Null => HINT_CHANNELS.to_vec(),
            _ => fields.list("conditioning_embedding_out_channels", 1..=MAX_LEVELS, 1..=MAX_CHANNELS)?,
        };
        Ok(Self {
            unet: UNetConfig::with_levels(&fields, &attending_down(&fields)?)?,
            picture_channels: fields.count("conditioning_channels", Some(3), 1..=MAX_CHANNELS)?,
            hint_channels,
            channel_order: channel_order(&fields)?,
        })
    }
}

/// The channels of published ones.
const HINT_CHANNELS: [usize; 4] = [16, 32, 96, 256];

fn check_class(path: &Path, fields: &Fields) -> Result<()> {
    match fields.word("_class_name")? {
        "ControlNetModel" => Ok(()),
        other => Err(Error::format(path, format!("this is the configuration of a `{other}`, not of a ControlNet"))
            .with_hint("take a folder whose `config.json` says `ControlNetModel`")),
    }
}

fn channel_order(fields: &Fields) -> Result<ChannelOrder> {
    const NAME: &str = "controlnet_conditioning_channel_order";
    match fields.get(NAME) {
        Value::Null => Ok(ChannelOrder::Rgb),
        _ => match fields.word(NAME)? {
            "rgb" => Ok(ChannelOrder::Rgb),
            "bgr" => Ok(ChannelOrder::Bgr),
            other => Err(fields.fault(NAME, format_args!("is `{other}`, and only rgb and bgr are known"))),
        },
    }
}
