//! With what networks compute on this machine: where nobody says otherwise, and on each device that there is.

use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::literal::Literal;
use darkroom_core::param::Param;
use darkroom_core::residency::Device;
use darkroom_core::spec::Choice;
use darkroom_core::types::Kind;
use darkroom_models::nn::{Compute, Mode};

/// What computes on this machine. Clones share their memory.
#[derive(Debug, Clone, Default)]
pub struct Devices {
    usual: Compute,
    /// Those that are none of `usual`.
    others: Vec<Compute>,
}

impl Devices {
    /// Computes everything in one way, unless a node says otherwise. The processor is there in any case.
    pub fn new(usual: Compute) -> Self {
        let others = match device_of(&usual) {
            Device::Cpu => Vec::new(),
            Device::Cuda(_) => vec![Compute::new(usual.mode())],
        };
        Self { usual, others }
    }

    /// Adds a device that nodes may ask for.
    #[must_use]
    pub fn with(mut self, compute: Compute) -> Self {
        self.others.push(compute);
        self
    }

    /// Returns with what everything computes that does not say otherwise.
    pub fn usual(&self) -> &Compute {
        &self.usual
    }

    /// Returns the same machine with everything on its processor.
    #[must_use]
    pub fn on_processor(&self) -> Self {
        let processor = self.all().find(|compute| device_of(compute) == Device::Cpu);
        Self::new(processor.cloned().unwrap_or_else(|| Compute::new(Mode::usual())))
    }

    /// Gives memory that nobody uses back to the system.
    pub fn tidy(&self) {
        self.all().for_each(Compute::tidy);
    }

    fn all(&self) -> impl Iterator<Item = &Compute> {
        std::iter::once(&self.usual).chain(&self.others)
    }

    /// Returns what computes on a device.
    ///
    /// # Errors
    /// A fault that says what there is.
    pub fn on(&self, wish: Wish) -> Result<&Compute, Fault> {
        let Wish::On(device) = wish else { return Ok(&self.usual) };
        self.all().find(|compute| device_of(compute) == device).ok_or_else(|| {
            let there: Vec<_> = self.all().map(|compute| format!("`{}`", device_of(compute))).collect();
            Fault::graph(format!("nothing computes on `{device}` here, but on {}", there.join(" and ")))
                .hint("leave `device` at `auto`, or see `darkroom doctor`")
        })
    }
}

impl From<&Compute> for Devices {
    fn from(usual: &Compute) -> Self {
        Self::new(usual.clone())
    }
}

/// Returns the device that a compute's weights sit on.
pub fn device_of(compute: &Compute) -> Device {
    let ordinal = compute.on_card().and_then(|card| card.ordinal());
    ordinal.map_or(Device::Cpu, |ordinal| Device::Cuda(ordinal as u16))
}

/// The device that a person wants a model on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Where all others are, by `--device`.
    #[default]
    Usual,
    /// There.
    On(Device),
}

const AUTO: &str = "auto";

impl Param for Wish {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "`auto`, `cpu`, or a card as `cuda:0`";

    fn built_in() -> &'static [Choice] {
        &[
            Choice { name: AUTO, doc: "where all others are, by `--device`" },
            Choice { name: "cpu", doc: "the processor" },
            Choice { name: "cuda:0", doc: "the first graphics card of NVIDIA" },
        ]
    }

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        let name = String::parse(literal, files)?;
        if name == AUTO {
            return Ok(Self::Usual);
        }
        let unknown = || Fault::graph(format!("`{name}` is no device")).hint(format!("give {}", Self::NOUN));
        name.parse().map(Self::On).map_err(|_| unknown())
    }

    fn literal(&self) -> Literal {
        Literal::from(match self {
            Self::Usual => AUTO.to_owned(),
            Self::On(device) => device.to_string(),
        })
    }
}
