//! LoRA and its kin: small files that change the layers of a network.
//!
//! [`Lora::open`] reads a file's header and puts together the tensors that belong to one layer, whatever tool wrote
//! them. [`Names`] spells every layer of a model in every known way, so that [`Lora::fit`] only has to look up.
//! [`Patches`] are what a network is loaded with: [`crate::Weights::with_patches`] makes a patched twin, whose layers
//! are packed with their changes. Layers that nothing changes are shared with the base; for the others what the base
//! has packed is taken apart again, so that another strength costs no reading. In bytes it cannot be, and they are read.

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
