//! Who may sit in memory: weights that come and go, under a budget that is kept.
//!
//! A [`Handle`] is a promise of weights and travels on wires. Touching weights needs a [`Pinned`], which the [`Ledger`]
//! gives out: it makes room first, by letting go of what nobody holds and what is needed latest (the plan tells), then
//! loads. Where room is short, a part is granted less than all of its bytes and reads the rest from its file at each
//! use. What is pinned is never let go. The sum of what is loaded and reserved never exceeds the budget.
//!
//! Each [`Device`] has an account of its own: room is made where it is wanted, and nowhere else.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::fault::Fault;
use crate::fingerprint::Fingerprint;
use crate::observe::Cancel;

mod account;
mod ledger;
pub mod room;

pub use ledger::{Ledger, Pinned, Reservation, Sitting};

/// The name of weights: of their files' content and of all that changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(pub Fingerprint);

/// The device that weights sit on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Device {
    /// The processor and its memory.
    #[default]
    Cpu,
    /// The card of NVIDIA with this number, counted from 0.
    Cuda(u16),
}

impl Device {
    /// Returns the flag that says how much of its memory may be taken.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Cpu => "--ram",
            Self::Cuda(_) => "--vram",
        }
    }

    /// Returns what to do where its memory is too small.
    pub fn way_out(self) -> String {
        format!("raise the budget with {}, or make the picture smaller", self.flag())
    }

    /// Returns what stands behind bytes of its memory: " on cuda:0"; nothing behind those of the processor.
    pub fn on(self) -> String {
        match self {
            Self::Cpu => String::new(),
            Self::Cuda(_) => format!(" on {self}"),
        }
    }
}

/// Writes `cpu`, `cuda:0`.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

/// Reads `cpu`, `cuda` (the first card), `cuda:1`.
impl std::str::FromStr for Device {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(|number| number.parse().ok()).map(Self::Cuda).ok_or(()),
        }
    }
}

/// Where weights sit, and how much of that memory they may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// The bytes that were granted: from [`Resident::least_bytes`] to [`Resident::bytes`].
    pub bytes: u64,
}

/// Weights that can come and go: loading rebuilds them from the mapped file, leaving is a drop.
pub trait Resident: Send + Sync + 'static {
    /// The network, ready to work.
    type Loaded: Send + Sync + 'static;
    /// Returns the name of the weights.
    fn part(&self) -> PartId;
    /// Returns what a person calls them, as `unet`.
    fn title(&self) -> String;
    /// Returns the device that they sit on once loaded.
    fn device(&self) -> Device {
        Device::Cpu
    }
    /// Returns the bytes that all of them take.
    fn bytes(&self) -> u64;
    /// Returns the least bytes that they can do with: what lies beyond is read from its file at each use.
    fn least_bytes(&self) -> u64 {
        self.bytes()
    }
    /// Makes sure that they can be loaded, as far as that is known without reading them: asked before others are let go for
    /// their sake.
    ///
    /// # Errors
    /// A fault of the file.
    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }
    /// Loads them, within the bytes of the place.
    ///
    /// # Errors
    /// A fault of the file, or [`Fault::cancelled`].
    fn load(&self, place: Place, cancel: &Cancel) -> Result<Self::Loaded, Fault>;
    /// Gives back what they only need at work: called each time that somebody who held them is done. They stay loaded.
    fn rest(&self) {}
}

/// A promise of weights: what travels on wires. Clones share.
pub struct Handle<R>(Arc<R>);

impl<R> Handle<R> {
    /// Makes a handle.
    pub fn new(resident: R) -> Self {
        Self(Arc::new(resident))
    }
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> Deref for Handle<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.0
    }
}

/// Writes bytes for a person: "1.5 GiB", "12.0 MiB".
pub fn gibibytes(bytes: u64) -> String {
    let (unit, step) = unit_of(bytes);
    if step == 1 { format!("{bytes} {unit}") } else { format!("{:.1} {unit}", bytes as f64 / step as f64) }
}

/// Writes a share of bytes for a person: "2.1 of 5.1 GiB", "0 B of 5.1 GiB".
pub fn gibibytes_of(bytes: u64, of: u64) -> String {
    let (unit, step) = unit_of(bytes);
    if (unit, step) != unit_of(of) || step == 1 {
        return format!("{} of {}", gibibytes(bytes), gibibytes(of));
    }
    format!("{:.1} of {}", bytes as f64 / step as f64, gibibytes(of))
}

/// Writes bytes as a size that a person can type for a budget, rounded up: "5.9G".
pub fn typed(bytes: u64) -> String {
    let (unit, step) = unit_of(bytes);
    if step == 1 {
        return bytes.to_string();
    }
    let tenths = (u128::from(bytes) * 10).div_ceil(u128::from(step));
    format!("{}.{}{}", tenths / 10, tenths % 10, &unit[..1])
}

fn unit_of(bytes: u64) -> (&'static str, u64) {
    const STEPS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    STEPS.into_iter().find(|(_, step)| bytes >= *step).unwrap_or(("B", 1))
}

/// Says that a part is kept only in part: "the unet keeps 2.1 of 5.1 GiB in memory and reads the rest …".
pub fn streaming(title: &str, bytes: u64, of: u64) -> String {
    let kept = gibibytes_of(bytes, of);
    format!("{title} keeps {kept} in memory and reads the rest from its file at each use")
}

#[cfg(test)]
mod tests;
