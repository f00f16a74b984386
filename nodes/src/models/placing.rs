//! What a person may say of one model apart from the rest of the program: how exactly it computes, on what, and where its
//! weights are.

use darkroom_core::fault::Fault;
use darkroom_core::node::Known;
use darkroom_core::{Choice, Params};
use darkroom_models::Weights;
use darkroom_models::nn::{Compute, Mode};

use crate::devices::{Devices, Wish};

/// How exactly the networks of a model compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Choice)]
pub enum Quality {
    /// As all others, by `--quality`.
    #[default]
    Auto,
    /// In f32 throughout.
    Exact,
    /// Products in bf16, where the machine multiplies it itself.
    Fast,
    /// As `fast`, with the denoiser's blocks in eight bits.
    Int8,
}

/// Where the weights of a model are while they are not computed with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Choice)]
pub enum Home {
    /// In memory as far as the budget goes; the rest is read from the file at each use.
    #[default]
    Auto,
    /// In memory, all of them: where they do not fit, the run is refused.
    Memory,
    /// In their file: all are read from it at each use.
    File,
}

/// What is said of a model: parameters that every node that opens one has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Params)]
pub struct Placing {
    /// How exactly its networks compute.
    #[param(default = Quality::Auto, advanced)]
    pub quality: Quality,
    /// `auto`, `cpu`, or a card as `cuda:0`: what computes, and where the weights sit.
    #[param(default = Wish::Usual, advanced)]
    pub device: Wish,
    /// Where its weights are while they are not computed with.
    #[param(default = Home::Auto, advanced, same_pixels)]
    pub home: Home,
}

impl Placing {
    /// Reads what is said, as far as it is known before a run.
    ///
    /// # Errors
    /// A fault of a parameter.
    pub fn of(known: &Known<'_>) -> Result<Self, Fault> {
        Ok(Self {
            quality: known.param("quality")?.unwrap_or_default(),
            device: known.param("device")?.unwrap_or_default(),
            home: known.param("home")?.unwrap_or_default(),
        })
    }

    /// Returns with what the networks compute, on this machine.
    ///
    /// # Errors
    /// A fault of a device that is not there.
    pub fn compute(self, devices: &Devices) -> Result<Compute, Fault> {
        let there = devices.on(self.device)?;
        Ok(match self.quality {
            Quality::Auto => there.clone(),
            Quality::Exact => there.in_mode(Mode::Exact),
            Quality::Fast => there.in_mode(Mode::Fast),
            Quality::Int8 => there.in_mode(Mode::Int8),
        })
    }
}

/// The bytes of weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartBytes {
    /// All of them, once loaded.
    pub whole: u64,
    /// What of them is in memory in any case.
    pub least: u64,
}

impl PartBytes {
    /// Returns what weights take that are at home there.
    pub fn of(weights: &Weights, home: Home) -> Self {
        let (whole, least) = (weights.loaded_bytes(), weights.least_bytes());
        match home {
            Home::Auto => Self { whole, least },
            Home::Memory => Self { whole, least: whole },
            Home::File => Self { whole: least, least },
        }
    }
}

impl std::iter::Sum for PartBytes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self { whole: a.whole + b.whole, least: a.least + b.least })
    }
}
