//! What sits in memory and on disk, for a person to read and to let go of.

use darkroom_core::cache::{Cache, Entry, Tier};
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::residency::{Ledger, PartId};

/// Something that sits somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// What it is.
    pub what: Held,
    /// What a person calls it: a network's name, or the type of the node that made a result.
    pub title: String,
    /// Its bytes.
    pub bytes: u64,
    /// Seconds it took to make; none for weights.
    pub seconds: Option<f64>,
    /// Whether a run uses it: then it stays.
    pub used: bool,
}

/// What something is, by the name under which it can be let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Held {
    /// Weights on the device.
    Weights(PartId),
    /// A result, in memory or on disk.
    Result(Fingerprint, Tier),
}

/// Where something sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seat {
    /// Weights on the device that computes.
    Device,
    /// Results in memory.
    Memory,
    /// Results in files.
    Disk,
}

impl Held {
    /// Returns where it sits.
    pub fn seat(self) -> Seat {
        match self {
            Self::Weights(_) => Seat::Device,
            Self::Result(_, Tier::Memory) => Seat::Memory,
            Self::Result(_, Tier::Disk) => Seat::Disk,
        }
    }
}

/// What is to be let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spare {
    /// One thing.
    One(Held),
    /// All that sits somewhere and no run uses.
    All(Seat),
}

impl Holding {
    /// Lists the weights that are loaded.
    pub(super) fn weights(ledger: &Ledger) -> impl Iterator<Item = Self> {
        ledger.sitting().into_iter().map(|part| Self {
            what: Held::Weights(part.part),
            title: part.title,
            bytes: part.bytes,
            seconds: None,
            used: part.pinned,
        })
    }

    /// Lists the results that a cache holds. What a run uses, `used` tells.
    pub(super) fn results(cache: &Cache, used: impl Fn(Fingerprint) -> bool) -> impl Iterator<Item = Self> {
        cache.list().into_iter().map(move |Entry { recipe, label, bytes, seconds, tier, .. }| Self {
            what: Held::Result(recipe, tier),
            title: label,
            bytes,
            seconds: Some(seconds),
            used: used(recipe),
        })
    }
}
