//! LoRA and its kin: small files that change the layers of a network.
//!
//! [`Lora::open`] reads a file's header and puts together the tensors that belong to one layer, whatever tool wrote
//! them. [`Names`] spells every layer of a model in every known way, so that [`Lora::fit`] only has to look up.
//! [`Patches`] are what a network is loaded with: [`crate::Weights::with_patches`] hands the same base tensors to a
//! patched twin, and each layer adds its change at use. The base is shared and never altered, so that another strength
//! costs no reading.

mod blocks;
mod change;
mod family;
mod file;
mod fit;
mod form;
mod names;
mod patch;
mod pieces;

pub use blocks::BlockStrengths;
pub use change::Change;
pub use file::{Changes, Lora};
pub use fit::Fit;
pub use names::{Module, Names, Place};
pub use patch::{Patch, Patches};
