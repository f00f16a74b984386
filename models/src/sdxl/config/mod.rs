//! What the configuration files of a diffusers folder say, brought into one form and checked.
//!
//! The files have grown over years: `attention_head_dim` holds numbers of heads, many fields are one number or one per
//! level, and defaults live in Python. The types here say what is meant. Whatever would ask for a network that is not
//! built is refused by the name of its field, since ignoring it would give a wrong picture instead of an error.

mod controlnet;
mod index;
mod text;
mod unet;
mod vae;

pub use controlnet::{ChannelOrder, ControlNetConfig};
pub use index::ModelIndex;
pub use text::{Activation, TextEncoderConfig};
pub use unet::{Level, TextTime, Transformer, UNetConfig};
pub use vae::VaeConfig;

/// The most channels of any layer.
const MAX_CHANNELS: usize = 65_536;
/// The most levels of a network; published ones have up to four.
const MAX_LEVELS: usize = 8;
/// The most blocks in a row.
const MAX_LAYERS: usize = 256;
/// The bounds of the small number that keeps a norm from dividing by zero.
const EPS: std::ops::RangeInclusive<f64> = 1e-12..=1e-1;

/// Makes sure that a count is divided without rest by another.
fn divides(fields: &crate::json::Fields, name: &str, part: usize, whole: usize) -> crate::Result<()> {
    match whole % part {
        0 => Ok(()),
        _ => Err(fields.fault(name, format_args!("is {part}, which does not divide {whole} channels"))),
    }
}
