//! A LoRA held against a model: which layers it changes, and what of it has no place.

use super::file::Layer;
use super::{BlockStrengths, Changes, Lora, Module, Names, Patches};
use crate::folder::Component;
use crate::{Error, Result};

/// The layers of a model that a LoRA changes.
#[derive(Debug)]
pub struct Fit {
    /// The layer as the file spells it, and the model's.
    layers: Vec<(String, Module)>,
    /// Tensors that have no place in the model.
    pub unmatched: Vec<String>,
}

impl Fit {
    /// Tells whether it changes a network.
    pub fn changes(&self, component: Component) -> bool {
        self.layers.iter().any(|(_, module)| module.component == component)
    }

    /// Adds the changes of a network at a strength, times that of each block.
    pub fn patch(
        &self,
        patches: &mut Patches,
        changes: &Changes,
        component: Component,
        (strength, blocks): (f64, &BlockStrengths),
    ) {
        for (spelt, module) in self.layers.iter().filter(|(_, module)| module.component == component) {
            if let Some(change) = changes.get(spelt) {
                patches.add(&module.name, change.clone(), strength * blocks.of(module.place));
            }
        }
    }
}

/// Finds the layers that a LoRA changes.
pub(super) fn fit(lora: &Lora, names: &Names) -> Result<Fit> {
    let mut fit = Fit { layers: Vec::new(), unmatched: lora.unknown().to_vec() };
    let mut misshapen = Vec::new();
    for (spelt, layer) in lora.layers() {
        let Some(module) = names.find(spelt) else {
            fit.unmatched.extend(layer.tensors.values().cloned());
            continue;
        };
        misshapen.extend(misfit(spelt, layer, module));
        fit.layers.push((spelt.clone(), module.clone()));
    }
    let made_for = lora.family().map(|family| format!(", it looks like one for {family}")).unwrap_or_default();
    let way_out = "take a LoRA that was made for this family of models";
    if fit.layers.is_empty() {
        let what = format!("this LoRA names no layer of the model{made_for}");
        return Err(Error::format(lora.path(), what).with_hint(way_out));
    }
    if let Some(first) = misshapen.first() {
        let what = format!(
            "{} of {} layers have another shape than the model's{made_for}: {first}",
            misshapen.len(),
            fit.layers.len()
        );
        return Err(Error::format(lora.path(), what).with_hint(way_out));
    }
    Ok(fit)
}

/// Says how a change does not fit its layer.
fn misfit(spelt: &str, layer: &Layer, module: &Module) -> Option<String> {
    let wanted = (module.weight.first().copied().unwrap_or(1), module.weight.iter().skip(1).product());
    if let Ok(Some(found)) = layer.hollow.shape()
        && found != wanted
    {
        return Some(format!("`{spelt}` changes {found:?}, the layer has {wanted:?}"));
    }
    match (layer.hollow.bias_len(), module.bias) {
        (Some(found), wanted) if Some(found) != wanted => {
            let wanted = wanted.map_or("has none".to_owned(), |wanted| format!("has {wanted}"));
            Some(format!("`{spelt}` changes a bias of {found}, the layer {wanted}"))
        }
        _ => None,
    }
}
