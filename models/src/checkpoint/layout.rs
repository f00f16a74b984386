//! Where the components of a model lie in a file of weights: below which prefix, and in whose names.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Error, Result, Weights,
    folder::{Component, Configs},
    sdxl::keys::{self, Targets},
    weights::Origin,
};

/// Whose names a component's tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// CompVis' latent diffusion.
    Ldm,
    /// diffusers.
    Diffusers,
    /// transformers' CLIP.
    Clip,
    /// OpenCLIP.
    OpenClip,
}

/// Where a component lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What stands before its names; empty, or ended by a dot.
    pub prefix: &'static str,
    /// Whose names they are.
    pub naming: Naming,
}

/// A name that shows that a component is there, and whose names it then has.
type Probe = (&'static str, Naming);

/// A ControlNet has the way down of a UNet, and no way up.
const UNET: [Probe; 2] =
    [("input_blocks.0.0.weight", Naming::Ldm), ("up_blocks.0.resnets.0.time_emb_proj.weight", Naming::Diffusers)];
const UNET_PREFIXES: [&str; 5] = ["model.diffusion_model.", "diffusion_model.", "model.", "unet.", ""];

const VAE: [Probe; 2] = [
    ("decoder.up.0.block.0.conv1.weight", Naming::Ldm),
    ("decoder.up_blocks.0.resnets.0.conv1.weight", Naming::Diffusers),
];
const VAE_PREFIXES: [&str; 3] = ["first_stage_model.", "vae.", ""];

/// The table of words, by which text encoders are told apart: its second axis is their width.
const TEXT: [Probe; 3] = [
    ("text_model.embeddings.token_embedding.weight", Naming::Clip),
    ("embeddings.token_embedding.weight", Naming::Clip),
    ("token_embedding.weight", Naming::OpenClip),
];
const TEXT_PREFIXES: [&str; 14] = [
    "conditioner.embedders.0.transformer.",
    "conditioner.embedders.0.model.",
    "conditioner.embedders.1.model.",
    "conditioner.embedders.1.transformer.",
    "cond_stage_model.transformer.",
    "cond_stage_model.model.",
    "cond_stage_model.clip_l.transformer.",
    "text_encoders.clip_l.transformer.",
    "text_encoders.clip_g.transformer.",
    "clip_l.transformer.",
    "clip_g.transformer.",
    "text_encoder.",
    "text_encoder_2.",
    "",
];

/// Finds the denoising network and the autoencoder.
pub fn networks(weights: &Weights) -> BTreeMap<Component, Place> {
    let find = |prefixes: &[&'static str], probes: &[Probe]| {
        let places = prefixes.iter().flat_map(|prefix| probes.iter().map(move |probe| (*prefix, *probe)));
        let mut there = places.filter(|(prefix, (name, _))| weights.contains(&format!("{prefix}{name}")));
        there.next().map(|(prefix, (_, naming))| Place { prefix, naming })
    };
    let found = [(Component::UNet, find(&UNET_PREFIXES, &UNET)), (Component::Vae, find(&VAE_PREFIXES, &VAE))];
    found.into_iter().filter_map(|(component, place)| Some((component, place?))).collect()
}

/// Finds the text encoders that the configurations ask for, by their widths.
pub fn text_encoders(weights: &Weights, configs: &Configs) -> BTreeMap<Component, Place> {
    let wanted = [(Component::TextEncoder, &configs.text_encoder), (Component::TextEncoder2, &configs.text_encoder_2)];
    let find = |width: usize| {
        let places = TEXT_PREFIXES.iter().flat_map(|prefix| TEXT.iter().map(move |probe| (*prefix, *probe)));
        let is_it = |(prefix, (name, _)): &(&str, Probe)| {
            weights.shape(&format!("{prefix}{name}")).is_some_and(|shape| shape.get(1) == Some(&width))
        };
        places.filter(is_it).map(|(prefix, (_, naming))| Place { prefix, naming }).next()
    };
    let found = |(component, config): (Component, &Option<_>)| {
        let config: &crate::sdxl::config::TextEncoderConfig = config.as_ref()?;
        Some((component, find(config.hidden_size)?))
    };
    wanted.into_iter().filter_map(found).collect()
}

/// Tells whether a file holds a text encoder of any width.
pub fn has_text_encoder(weights: &Weights) -> bool {
    !text_widths(weights).is_empty()
}

/// Returns the widths of the text encoders of a file, narrowest first.
pub fn text_widths(weights: &Weights) -> BTreeSet<usize> {
    let names = TEXT_PREFIXES.iter().flat_map(|prefix| TEXT.iter().map(move |(name, _)| format!("{prefix}{name}")));
    names.filter_map(|name| weights.shape(&name)?.get(1).copied()).collect()
}

/// A component in diffusers' names, and what it took of the file.
pub struct Found {
    /// The component's tensors.
    pub weights: Weights,
    /// The names in the file that it is made of.
    pub taken: BTreeSet<String>,
}

/// Returns a component under the names that networks ask for.
pub fn component(weights: &Weights, component: Component, place: Place, configs: &Configs) -> Result<Found> {
    let origins = origins(weights, component, place, configs)?;
    let taken = origins.values().map(|origin| format!("{}{}", place.prefix, origin.name)).collect();
    Ok(Found { weights: scope(weights, place).view(&origins)?, taken })
}

/// Says for each tensor of a component which of the tensors below its prefix it is made of.
pub fn origins(
    weights: &Weights,
    component: Component,
    place: Place,
    configs: &Configs,
) -> Result<BTreeMap<String, Origin>> {
    let mut origins = BTreeMap::new();
    for (name, shape) in scope(weights, place).tensors() {
        for (new, op) in targets(component, place.naming, configs, name, shape).unwrap_or_default() {
            let origin = Origin { name: name.to_owned(), op };
            if let Some(Origin { name: other, .. }) = origins.insert(new.clone(), origin) {
                let what = format!("tensors `{other}` and `{name}` would both be `{new}` of the {component}");
                return Err(Error::format(weights.path(), what));
            }
        }
    }
    Ok(origins)
}

fn scope(weights: &Weights, place: Place) -> Weights {
    match place.prefix.trim_end_matches('.') {
        "" => weights.clone(),
        prefix => weights.at(prefix),
    }
}

/// Returns an autoencoder of diffusers under today's names.
pub fn renamed_vae(weights: &Weights, configs: &Configs) -> Result<Weights> {
    let place = Place { prefix: "", naming: Naming::Diffusers };
    Ok(component(weights, Component::Vae, place, configs)?.weights)
}

fn targets(component: Component, naming: Naming, configs: &Configs, name: &str, shape: &[usize]) -> Option<Targets> {
    if is_idle(name) {
        return None;
    }
    let copy = || Some(vec![(name.to_owned(), crate::weights::Op::Copy)]);
    let config = match component {
        Component::TextEncoder => &configs.text_encoder,
        _ => &configs.text_encoder_2,
    };
    // Files of the first encoder alone carry a projection that no picture is made with.
    let projected = config.as_ref().is_some_and(|config| config.projection_dim.is_some());
    match (component, naming) {
        (Component::UNet, Naming::Ldm) => keys::unet(&configs.unet, name),
        (Component::UNet, _) => is_unet(name).then(copy)?,
        (Component::Vae, Naming::Ldm) => keys::vae(&configs.vae, name, shape),
        (Component::Vae, _) => is_vae(name).then(|| keys::diffusers_vae(name, shape))?,
        (_, _) if name.starts_with("text_projection") && !projected => None,
        (_, Naming::OpenClip) => keys::openclip(name, shape),
        (_, _) => keys::clip(name),
    }
}

fn is_unet(name: &str) -> bool {
    const PARTS: [&str; 8] = [
        "conv_in.",
        "conv_out.",
        "conv_norm_out.",
        "time_embedding.",
        "add_embedding.",
        "down_blocks.",
        "mid_block.",
        "up_blocks.",
    ];
    PARTS.iter().any(|part| name.starts_with(part))
}

fn is_vae(name: &str) -> bool {
    ["encoder.", "decoder.", "quant_conv.", "post_quant_conv."].iter().any(|part| name.starts_with(part))
}

/// Tells whether a tensor is known to say nothing about pictures: tables that are computed anew, marks, leftovers of the
/// training.
pub fn is_idle(name: &str) -> bool {
    const ENDS: [&str; 2] = ["position_ids", "logit_scale"];
    const BEGINNINGS: [&str; 5] = ["model_ema.", "first_stage_model.loss.", "posterior_", "sqrt_", "denoiser."];
    const NAMES: [&str; 8] = [
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "betas",
        "log_one_minus_alphas_cumprod",
        "lvlb_weights",
        "cond_stage_model.clip_l.logit_scale",
        V_PREDICTION,
        ZERO_SNR,
    ];
    ENDS.iter().any(|end| name.ends_with(end))
        || BEGINNINGS.iter().any(|start| name.starts_with(start))
        || NAMES.contains(&name)
}

/// The tensor by which a file says that its network predicts v.
pub const V_PREDICTION: &str = "v_pred";
/// The tensor by which a file says that its schedule ends in pure noise.
pub const ZERO_SNR: &str = "ztsnr";
