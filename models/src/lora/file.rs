//! A LoRA file: opened by its header, its tensors loaded when they are needed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::change::{Change, Pieces};
use super::pieces::{Piece, take_apart};
use super::{Fit, Names, family, fit};
use crate::weights::Options;
use crate::{Error, Result, Weights};

/// A LoRA without its numbers.
pub struct Lora {
    w: Weights,
    /// The pieces of each layer by the layer's name as the file spells it, with the names of the tensors.
    layers: BTreeMap<String, Layer>,
    /// Tensors that are no piece of anything.
    unknown: Vec<String>,
}

/// The changes of all layers, loaded, by the layer's name as the file spells it.
pub type Changes = BTreeMap<String, Arc<Change>>;

/// A layer as the file has it.
pub(super) struct Layer {
    pub tensors: BTreeMap<Piece, String>,
    /// The change without its numbers.
    pub hollow: Change,
}

impl Lora {
    /// Opens a file: reads its header, and puts together what belongs to one layer.
    ///
    /// # Errors
    /// An error of the file, or of a layer whose pieces are no change.
    pub fn open(path: &Path) -> Result<Self> {
        let w = Weights::open_with(path, Options::default())?;
        let (mut layers, mut unknown) = (BTreeMap::<String, BTreeMap<Piece, String>>::new(), Vec::new());
        for tensor in w.names().map(str::to_owned) {
            match take_apart(&tensor) {
                Some((layer, piece)) => {
                    layers.entry(layer.to_owned()).or_default().insert(piece, tensor);
                }
                None => unknown.push(tensor),
            }
        }
        let hollow = w.hollow();
        let layer = |(name, tensors): (String, BTreeMap<Piece, String>)| {
            let hollow = change(&hollow, &name, &tensors)?;
            Ok((name, Layer { tensors, hollow }))
        };
        let layers = layers.into_iter().map(layer).collect::<Result<_>>()?;
        w.finish()?;
        Ok(Self { w, layers, unknown })
    }

    /// Returns the family it was made for, as far as its header tells.
    pub fn family(&self) -> Option<&'static str> {
        let inputs = |layer: &Layer| layer.hollow.shape().ok().flatten().map_or(0, |(_, inputs)| inputs);
        let layers: Vec<_> = self.layers.iter().map(|(name, layer)| (name.as_str(), inputs(layer))).collect();
        family::guess(&layers)
    }

    /// Returns the bytes of its tensors, once loaded.
    pub fn bytes(&self) -> u64 {
        self.layers.values().map(|layer| layer.hollow.bytes()).sum()
    }

    /// Finds the layers of a model that it changes.
    ///
    /// # Errors
    /// An error if it is for another model: none of its layers is there, or one has another shape.
    pub fn fit(&self, names: &Names) -> Result<Fit> {
        fit::fit(self, names)
    }

    /// Loads its tensors, in the precision of the file.
    ///
    /// # Errors
    /// An error if the file cannot be read.
    pub fn load(&self) -> Result<Changes> {
        let load =
            |(name, layer): (&String, &Layer)| Ok((name.clone(), Arc::new(change(&self.w, name, &layer.tensors)?)));
        self.layers.iter().map(load).collect()
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        self.w.path()
    }

    pub(super) fn layers(&self) -> &BTreeMap<String, Layer> {
        &self.layers
    }

    pub(super) fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

fn change(w: &Weights, layer: &str, tensors: &BTreeMap<Piece, String>) -> Result<Change> {
    let piece = |(piece, name): (&Piece, &String)| Ok((*piece, w.get_as_stored(name)?));
    let pieces = tensors.iter().map(piece).collect::<Result<Pieces>>()?;
    let checked = Change::new(pieces).and_then(|change| change.shape().map(|_| change));
    checked.map_err(|what| Error::format(w.path(), format!("layer `{layer}` has {what}")))
}
