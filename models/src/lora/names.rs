//! How files spell the layers of a model.
//!
//! kohya writes `lora_unet_` and the path with underscores, in the names of diffusers or of the original checkpoints;
//! peft and diffusers write `unet.` and the path with dots. Underscores cannot be told from dots afterwards, so every
//! layer is spelt in every way once, and what a file names is looked up.

use std::collections::{BTreeSet, HashMap};

use crate::{Weights, folder::Component};

/// Where a layer lies, as strengths by block count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In no block: the embeddings, the last convolution, and all of a text encoder.
    Base,
    /// On the way down, counted as in the original checkpoints.
    In(usize),
    /// At the bottom.
    Mid,
    /// On the way up.
    Out(usize),
}

/// A layer of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The network it belongs to.
    pub component: Component,
    /// Its name there.
    pub name: String,
    /// Where it lies.
    pub place: Place,
    /// The shape of its weight.
    pub weight: Vec<usize>,
    /// The length of its bias, if it has one.
    pub bias: Option<usize>,
}

/// All spellings of all layers of a model.
#[derive(Debug, Default)]
pub struct Names {
    modules: Vec<Module>,
    spelt: HashMap<String, usize>,
    places: BTreeSet<Place>,
}

impl Names {
    /// Adds the layers of a UNet.
    pub fn add_unet(&mut self, w: &Weights) {
        let original = Original::new(w);
        for (name, weight, bias) in modules(w) {
            let old = original.name(&name);
            let place = old.as_deref().map_or(Place::Base, place);
            let mut spelt = Vec::new();
            for name in [Some(&name), old.as_ref()].into_iter().flatten() {
                let dotted = ["", "unet.", "diffusion_model.", "model.diffusion_model.", "base_model.model."];
                spelt.extend(dotted.map(|prefix| format!("{prefix}{name}")));
                spelt.extend(["lora_unet_", "lycoris_"].map(|prefix| format!("{prefix}{}", name.replace('.', "_"))));
            }
            if let Some(short) = processor(&name) {
                spelt.extend(["", "unet."].map(|prefix| format!("{prefix}{short}")));
            }
            self.add(Module { component: Component::UNet, name, place, weight, bias }, spelt);
        }
    }

    /// Adds the layers of a text encoder; the first one goes before the second.
    pub fn add_text_encoder(&mut self, w: &Weights, component: Component) {
        let second = component == Component::TextEncoder2;
        // A model whose only encoder is the second kind calls it by the name of an only one.
        let alone = !self.modules.iter().any(|module| module.component == Component::TextEncoder);
        let (dotted, mut joined): (&[&str], _) = match second {
            false => (&["text_encoder.", "text_encoders.clip_l.transformer."], vec!["lora_te_", "lora_te1_"]),
            true => (&["text_encoder_2.", "text_encoders.clip_g.transformer."], vec!["lora_te2_"]),
        };
        if second && alone {
            joined.push("lora_te_");
        }
        for (name, weight, bias) in modules(w) {
            let bare = name.strip_prefix("text_model.").unwrap_or(&name).to_owned();
            let mut spelt = Vec::new();
            for name in [format!("text_model.{bare}"), bare] {
                spelt.extend(dotted.iter().map(|prefix| format!("{prefix}{name}")));
                spelt.extend(joined.iter().map(|prefix| format!("{prefix}{}", name.replace('.', "_"))));
                if let Some(short) = text_processor(&name) {
                    spelt.push(format!("{}{short}", dotted[0]));
                }
            }
            self.add(Module { component, name, place: Place::Base, weight, bias }, spelt);
        }
    }

    /// Finds the layer that a file means.
    pub fn find(&self, spelt: &str) -> Option<&Module> {
        self.spelt.get(spelt).map(|index| &self.modules[*index])
    }

    /// Tells whether the UNet has a block.
    pub fn has(&self, place: Place) -> bool {
        self.places.contains(&place)
    }

    fn add(&mut self, module: Module, spelt: Vec<String>) {
        let index = self.modules.len();
        self.places.insert(module.place);
        self.modules.push(module);
        self.spelt.extend(spelt.into_iter().map(|name| (name, index)));
    }
}

/// The layers of a network: name, shape of the weight, length of the bias.
fn modules(w: &Weights) -> impl Iterator<Item = (String, Vec<usize>, Option<usize>)> {
    w.names().filter_map(|name| {
        let module = name.strip_suffix(".weight")?;
        let bias = w.shape(&format!("{module}.bias")).map(|shape| shape.iter().product());
        Some((module.to_owned(), w.shape(name)?, bias))
    })
}

/// Early diffusers: `attn1.processor.to_q` + `_lora`.
fn processor(name: &str) -> Option<String> {
    let (attention, layer) = name.rsplit_once(".to_")?;
    let layer = layer.strip_suffix(".0").unwrap_or(layer);
    (attention.ends_with("attn1") || attention.ends_with("attn2")).then(|| format!("{attention}.processor.to_{layer}"))
}

/// Early diffusers: `self_attn.to_q` + `_lora`.
fn text_processor(name: &str) -> Option<String> {
    let (attention, layer) = name.strip_suffix("_proj")?.rsplit_once('.')?;
    attention.ends_with("self_attn").then(|| format!("{attention}.to_{layer}"))
}

fn place(original: &str) -> Place {
    let number = |prefix: &str| original.strip_prefix(prefix)?.split('.').next()?.parse().ok();
    match (number("input_blocks."), number("output_blocks.")) {
        (Some(number), _) => Place::In(number),
        (_, Some(number)) => Place::Out(number),
        _ if original.starts_with("middle_block.") => Place::Mid,
        _ => Place::Base,
    }
}

/// The names of the original checkpoints: CompVis latent-diffusion, `ldm/modules/diffusionmodules/openaimodel.py`.
struct Original {
    /// Residual blocks of each level on the way down, from the finest on.
    layers: Vec<usize>,
    /// Whether each level on the way up attends, from the coarsest on.
    attends: Vec<bool>,
}

/// Layers of no block.
const OUTSIDE: &[(&str, &str)] = &[
    ("conv_in", "input_blocks.0.0"),
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("add_embedding.linear_1", "label_emb.0.0"),
    ("add_embedding.linear_2", "label_emb.0.2"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
];

/// Layers of a residual block.
const RESNET: &[(&str, &str)] = &[
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
];

impl Original {
    /// Works out the levels from the names of a network's tensors.
    fn new(w: &Weights) -> Self {
        let count = |start: String| {
            (0..).take_while(|i| w.names().any(|name| name.starts_with(&format!("{start}{i}.")))).count()
        };
        let levels = count("down_blocks.".into());
        Self {
            layers: (0..levels).map(|level| count(format!("down_blocks.{level}.resnets."))).collect(),
            attends: (0..levels).map(|level| count(format!("up_blocks.{level}.attentions.")) > 0).collect(),
        }
    }

    /// Returns the original name of a layer; `None` where there is none.
    fn name(&self, name: &str) -> Option<String> {
        if let Some(old) = renamed(OUTSIDE, name) {
            return Some(old);
        }
        let parts: Vec<&str> = name.split('.').collect();
        let number = |i: usize| parts.get(i)?.parse::<usize>().ok();
        match parts[..] {
            ["mid_block", "attentions", ..] => Some(format!("middle_block.1.{}", parts[3..].join("."))),
            ["mid_block", "resnets", ..] => {
                Some(format!("middle_block.{}.{}", 2 * number(2)?, renamed(RESNET, &parts[3..].join("."))?))
            }
            ["down_blocks", _, kind, ..] => {
                let (level, i) = (number(1)?, number(3)?);
                // The first convolution is block 0, and every level ends with a block that halves.
                let first = 1 + self.layers.get(..level)?.iter().map(|layers| layers + 1).sum::<usize>();
                match kind {
                    "downsamplers" => Some(format!("input_blocks.{}.0.op", first + self.layers.get(level)?)),
                    _ => Some(format!("input_blocks.{}.{}", first + i, within(kind, &parts[4..])?)),
                }
            }
            ["up_blocks", _, kind, ..] => {
                let (level, i) = (number(1)?, number(3)?);
                let layers = |level: usize| Some(self.layers.iter().rev().nth(level)? + 1);
                let first = (0..level).map(layers).sum::<Option<usize>>()?;
                match kind {
                    // In the last block of its level, behind what else is there.
                    "upsamplers" => {
                        let behind = 1 + usize::from(*self.attends.get(level)?);
                        Some(format!("output_blocks.{}.{behind}.conv", first + layers(level)? - 1))
                    }
                    _ => Some(format!("output_blocks.{}.{}", first + i, within(kind, &parts[4..])?)),
                }
            }
            _ => None,
        }
    }
}

/// A layer of a residual block or a transformer, in a block that holds one of each.
fn within(kind: &str, rest: &[&str]) -> Option<String> {
    match kind {
        "resnets" => Some(format!("0.{}", renamed(RESNET, &rest.join("."))?)),
        "attentions" => Some(format!("1.{}", rest.join("."))),
        _ => None,
    }
}

fn renamed(table: &[(&str, &str)], name: &str) -> Option<String> {
    table.iter().find(|(new, _)| *new == name).map(|(_, old)| (*old).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels of SDXL: 320 without attention, 640 and 1280 with it.
    fn sdxl() -> Original {
        Original { layers: vec![2, 2, 2], attends: vec![true, true, false] }
    }

    #[test]
    fn original_names_are_those_of_the_published_checkpoints() {
        let sd15 = Original { layers: vec![2, 2, 2, 2], attends: vec![false, true, true, true] };
        for (levels, new, old) in [
            (&sdxl(), "conv_in", "input_blocks.0.0"),
            (&sdxl(), "down_blocks.0.downsamplers.0.conv", "input_blocks.3.0.op"),
            (&sdxl(), "down_blocks.2.attentions.1.proj_in", "input_blocks.8.1.proj_in"),
            (&sdxl(), "down_blocks.1.resnets.0.conv_shortcut", "input_blocks.4.0.skip_connection"),
            (&sdxl(), "mid_block.resnets.1.norm2", "middle_block.2.out_layers.0"),
            (&sdxl(), "up_blocks.0.upsamplers.0.conv", "output_blocks.2.2.conv"),
            (&sdxl(), "up_blocks.2.resnets.2.time_emb_proj", "output_blocks.8.0.emb_layers.1"),
            (&sd15, "up_blocks.0.upsamplers.0.conv", "output_blocks.2.1.conv"),
            (&sd15, "up_blocks.3.attentions.2.proj_out", "output_blocks.11.1.proj_out"),
            (&sd15, "down_blocks.3.resnets.1.conv1", "input_blocks.11.0.in_layers.2"),
        ] {
            assert_eq!(levels.name(new).as_deref(), Some(old));
        }
    }
}
