//! The configurations that these models were published with, for files that carry weights alone.

use std::path::PathBuf;

use crate::{
    Error, Result,
    folder::{Component, Configs, Family},
    sampling::SchedulerConfig,
    sdxl::config::{ModelIndex, TextEncoderConfig, UNetConfig, VaeConfig},
    tokenizer::{self, Clip},
};

/// What a model was published with, beside its weights.
struct Published {
    index: Text,
    unet: Text,
    vae: Text,
    text_encoder: Option<Text>,
    text_encoder_2: Option<Text>,
    scheduler: Text,
}

/// A configuration and the name that stands in for its path in messages.
type Text = (&'static str, &'static str);

macro_rules! published {
    ($path:literal) => {
        (concat!("published ", $path), include_str!(concat!("published/", $path)))
    };
}

const TOKENIZER: &str = include_str!("published/sdxl-base-1.0/tokenizer.json");
const TOKENIZER_2: &str = include_str!("published/sdxl-base-1.0/tokenizer_2.json");

const SDXL: Published = Published {
    index: published!("sdxl-base-1.0/model_index.json"),
    unet: published!("sdxl-base-1.0/unet.json"),
    vae: published!("sdxl-base-1.0/vae.json"),
    text_encoder: Some(published!("sdxl-base-1.0/text_encoder.json")),
    text_encoder_2: Some(published!("sdxl-base-1.0/text_encoder_2.json")),
    scheduler: published!("sdxl-base-1.0/scheduler.json"),
};

const REFINER: Published = Published {
    index: published!("sdxl-refiner-1.0/model_index.json"),
    unet: published!("sdxl-refiner-1.0/unet.json"),
    vae: published!("sdxl-refiner-1.0/vae.json"),
    text_encoder: None,
    text_encoder_2: Some(published!("sdxl-refiner-1.0/text_encoder_2.json")),
    scheduler: published!("sdxl-refiner-1.0/scheduler.json"),
};

const SDXL_INPAINT: Published = Published {
    index: published!("sdxl-inpaint-0.1/model_index.json"),
    unet: published!("sdxl-inpaint-0.1/unet.json"),
    scheduler: published!("sdxl-inpaint-0.1/scheduler.json"),
    ..SDXL
};

const SD15: Published = Published {
    index: published!("sd-v1-5/model_index.json"),
    unet: published!("sd-v1-5/unet.json"),
    vae: published!("sd-v1-5/vae.json"),
    text_encoder: Some(published!("sd-v1-5/text_encoder.json")),
    text_encoder_2: None,
    scheduler: published!("sd-v1-5/scheduler.json"),
};

const SD15_INPAINT: Published = Published { unet: published!("sd-v1-5-inpainting/unet.json"), ..SD15 };

fn of(family: Family) -> &'static Published {
    match family {
        Family::Sdxl => &SDXL,
        Family::SdxlRefiner => &REFINER,
        Family::SdxlInpaint => &SDXL_INPAINT,
        Family::Sd15 => &SD15,
        Family::Sd15Inpaint => &SD15_INPAINT,
    }
}

/// Returns the configurations of a family.
pub fn configs(family: Family) -> Result<Configs> {
    let Published { index, unet, vae, text_encoder, text_encoder_2, .. } = of(family);
    let text = |config: &Option<Text>| {
        config.map(|(name, text)| TextEncoderConfig::parse(name.as_ref(), text.as_bytes())).transpose()
    };
    Ok(Configs {
        index: ModelIndex::parse(index.0.as_ref(), index.1.as_bytes())?,
        unet: UNetConfig::parse(unet.0.as_ref(), unet.1.as_bytes())?,
        vae: VaeConfig::parse(vae.0.as_ref(), vae.1.as_bytes())?,
        text_encoder: text(text_encoder)?,
        text_encoder_2: text(text_encoder_2)?,
    })
}

/// Returns the configuration of the schedule of a family.
pub fn scheduler(family: Family) -> Result<SchedulerConfig> {
    let (name, text) = of(family).scheduler;
    SchedulerConfig::from_json(text).map_err(|error| Error::config(PathBuf::from(name), error.to_string()))
}

/// Builds one of the two tokenizers, which share a vocabulary and differ in their padding.
pub fn tokenizer(component: Component) -> Result<Clip> {
    let config = if component == Component::Tokenizer2 { TOKENIZER_2 } else { TOKENIZER };
    tokenizer::published(&format!("published {component}"), config.as_bytes())
}
