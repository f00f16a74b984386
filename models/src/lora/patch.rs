//! Changes with their strengths, by the layer that they change.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Tensor;

use super::Change;
use crate::Result;

/// A change of one layer, at a strength.
#[derive(Clone, Debug)]
pub struct Patch {
    change: Arc<Change>,
    strength: f64,
}

impl Patch {
    /// Returns the changed weight, f32.
    pub fn weight(&self, weight: &Tensor) -> Result<Tensor> {
        self.change.weight(weight, self.strength)
    }

    /// Returns the changed bias, f32.
    pub fn bias(&self, bias: &Tensor) -> Result<Tensor> {
        self.change.bias(bias, self.strength)
    }
}

/// The changes of a network, by the name of the layer; several of one layer are made one after the other.
#[derive(Clone, Debug, Default)]
pub struct Patches(BTreeMap<String, Vec<Patch>>);

impl Patches {
    /// Adds a change of a layer, after those that are there.
    pub fn add(&mut self, layer: &str, change: Arc<Change>, strength: f64) {
        self.0.entry(layer.to_owned()).or_default().push(Patch { change, strength });
    }

    /// Returns the changes of a layer.
    pub fn of(&self, layer: &str) -> &[Patch] {
        self.0.get(layer).map_or(&[], Vec::as_slice)
    }
}
