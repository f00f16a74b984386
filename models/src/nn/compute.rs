//! With what a network computes: which arithmetic, on which instructions.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use darkroom_kernels::{self as kernels, Arith, Cpu, Figures, Pool, Tier};

use super::card::Card;
use crate::Result;

/// How exactly a network computes, by the name that a person gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// f32 throughout: the picture of the reference.
    #[default]
    Exact,
    /// Factors of products in bf16, sums and what is added up in f32, where the processor multiplies bf16 itself;
    /// elsewhere as [`Mode::Exact`], with weights of 16 bits.
    Fast,
    /// The products of a UNet's residual and transformer blocks in bytes, the rest as [`Mode::Fast`]: a scale for each
    /// output and each row, or, under windows, each picture.
    Int8,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 3] = [Mode::Exact, Mode::Fast, Mode::Int8];

    /// Returns the one that is used where nobody asks for another: [`Mode::Fast`] where the processor multiplies bf16
    /// itself, [`Mode::Exact`] elsewhere, where nothing but the weights would become smaller.
    pub fn usual() -> Mode {
        if Tier::chosen().has_bf16() { Mode::Fast } else { Mode::Exact }
    }

    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Exact => "exact",
            Mode::Fast => "fast",
            Mode::Int8 => "int8",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Mode> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// With what a network computes; clones share their memory.
#[derive(Clone, Debug)]
pub struct Compute {
    engine: Engine,
    mode: Mode,
    maps: Precision,
    products: Products,
    walks: Walks,
}

/// Whether networks compute, or are only walked to count.
#[derive(Clone, Debug)]
enum Walks {
    Compute,
    Count,
    /// The maps of a card are counted as those of a processor, and what an operation of candle's needs beside them.
    CountFor(Beside),
}

/// What operations on a card need beside the maps that they read.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    pub card: Card,
    /// The most bytes that were in use, with what an operation needs.
    most: Arc<AtomicU64>,
}

impl Beside {
    /// Notes the bytes that an operation needs, with those that are in use then.
    pub fn note(&self, cpu: &Cpu, bytes: usize) {
        let all = cpu.pool.figures().used_bytes + bytes;
        self.most.fetch_max(all as u64, Ordering::Relaxed);
    }
}

/// Whether products may be of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Products {
    AsFactors,
    Coarse,
}

#[derive(Clone, Debug)]
enum Engine {
    Kernels(Cpu),
    /// Candle's operations, one after the other: what cards use, and what kernels are checked against.
    Composed(Card),
}

/// In how many bits numbers are kept between layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    F32,
    Bf16,
}

impl Precision {
    /// Returns the bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::Bf16 => 2,
        }
    }
}

impl Default for Compute {
    fn default() -> Self {
        Self::new(Mode::Exact)
    }
}

impl Compute {
    /// Computes on this processor.
    pub fn new(mode: Mode) -> Self {
        Self::on(Tier::chosen(), mode)
    }

    /// Computes on some of this processor's instructions.
    pub fn on(tier: Tier, mode: Mode) -> Self {
        let cpu = Cpu { tier, pool: Pool::default() };
        Self {
            engine: Engine::Kernels(cpu),
            mode,
            maps: Precision::F32,
            products: Products::AsFactors,
            walks: Walks::Compute,
        }
    }

    /// Computes by candle's operations on this processor, in f32.
    pub fn composed() -> Self {
        Self::card(Card::processor(), Mode::Exact)
    }

    /// Computes by candle's operations on a card. Products are of what the card multiplies; there are none of bytes.
    pub fn card(card: Card, mode: Mode) -> Self {
        Self {
            engine: Engine::Composed(card),
            mode,
            maps: Precision::F32,
            products: Products::AsFactors,
            walks: Walks::Compute,
        }
    }

    /// Returns the same on the same device and in the same memory, computing otherwise.
    #[must_use]
    pub fn in_mode(&self, mode: Mode) -> Self {
        let engine = match &self.engine {
            Engine::Kernels(cpu) => Engine::Kernels(cpu.clone()),
            Engine::Composed(card) => Engine::Composed(card.in_mode(mode)),
        };
        Self { engine, mode, ..self.clone() }
    }

    /// Returns the same with a memory of its own and weights that are not there: for [`Compute::count`].
    ///
    /// Of a card, whose operations cannot be walked without computing, the maps are counted on this processor.
    #[must_use]
    pub fn hollow(&self) -> Self {
        let (tier, mode, walks) = match &self.engine {
            Engine::Kernels(cpu) => (cpu.tier, self.mode, Walks::Count),
            Engine::Composed(card) => {
                let mode = if card.factors() == Precision::Bf16 { Mode::Fast } else { Mode::Exact };
                let beside = Beside { card: card.clone(), most: Arc::default() };
                (Tier::chosen(), mode, Walks::CountFor(beside))
            }
        };
        Self { engine: Engine::Kernels(Cpu { tier, pool: Pool::default() }), mode, walks, ..self.clone() }
    }

    /// Walks networks that were loaded with this, hollow as it is, and returns the most bytes of maps, tokens and scratch
    /// that they would have had of the system: to the byte by kernels, about as much by candle's operations.
    ///
    /// # Errors
    /// What the walk says.
    pub fn count(&self, mut walk: impl FnMut() -> Result<()>) -> Result<u64> {
        debug_assert!(self.is_hollow(), "what has weights computes");
        // What a first walk remembers of its text lets the second one use other pieces again.
        kernels::parallel::counted(|| walk().and_then(|()| walk()))?;
        let held = self.figures().held_bytes as u64;
        self.trim();
        Ok(self.beside().map_or(held, |beside| beside.most.swap(0, Ordering::Relaxed)))
    }

    /// Returns where what a card needs beside its maps is noted, if that is counted.
    pub(super) fn beside(&self) -> Option<&Beside> {
        match &self.walks {
            Walks::CountFor(beside) => Some(beside),
            Walks::Compute | Walks::Count => None,
        }
    }

    /// Tells whether weights are not there.
    pub(super) fn is_hollow(&self) -> bool {
        !matches!(self.walks, Walks::Compute)
    }

    /// Returns the same with maps kept in bf16 where products are: for networks whose maps are larger than they are deep.
    #[must_use]
    pub fn with_narrow_maps(mut self) -> Self {
        self.maps = self.factors();
        self
    }

    /// Returns the same with products in bytes where the mode says so: for layers that bear it.
    #[must_use]
    pub fn with_coarse_products(mut self) -> Self {
        self.products = Products::Coarse;
        self
    }

    /// Returns how exactly.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Gives memory that waits to be used again back to the system.
    pub fn trim(&self) {
        match &self.engine {
            Engine::Kernels(cpu) => cpu.pool.trim(),
            Engine::Composed(card) => card.settle(),
        }
    }

    /// Gives that back, and what the program's heap keeps of what was freed.
    pub fn tidy(&self) {
        self.trim();
        kernels::heap::trim();
    }

    /// Returns what memory was used for maps and tokens so far; nothing for candle's operations.
    pub fn figures(&self) -> Figures {
        match &self.engine {
            Engine::Kernels(cpu) => cpu.pool.figures(),
            Engine::Composed(_) => Figures::default(),
        }
    }

    /// Says what arithmetic it is: what differs here differs in the last bits of a picture, or in more.
    pub fn numerics(&self) -> String {
        match &self.engine {
            Engine::Kernels(cpu) => format!("cpu {} {}", self.mode, cpu.tier),
            Engine::Composed(card) => card.name(),
        }
    }

    /// Returns the processor, where kernels compute.
    pub(super) fn cpu(&self) -> Option<&Cpu> {
        match &self.engine {
            Engine::Kernels(cpu) => Some(cpu),
            Engine::Composed(_) => None,
        }
    }

    /// Returns the card, where candle's operations compute.
    pub fn on_card(&self) -> Option<&Card> {
        match &self.engine {
            Engine::Kernels(_) => None,
            Engine::Composed(card) => Some(card),
        }
    }

    /// Returns the bytes that a number of a big weight takes on the card, where candle's operations compute.
    pub(crate) fn card_bytes(&self) -> Option<u64> {
        self.on_card().map(|card| card.factors().bytes() as u64)
    }

    /// Returns the card on which candle's operations compute; weights that have no values, wherever they are meant for, are
    /// computed with on the processor.
    pub(super) fn composing(&self) -> Card {
        self.on_card().cloned().unwrap_or_else(Card::processor)
    }

    /// Returns what the factors of products are.
    pub(super) fn factors(&self) -> Precision {
        match &self.engine {
            Engine::Kernels(cpu) if self.mode != Mode::Exact && cpu.tier.has_bf16() => Precision::Bf16,
            Engine::Kernels(_) => Precision::F32,
            Engine::Composed(card) => card.factors(),
        }
    }

    /// Returns how maps are kept.
    pub(super) fn maps(&self) -> Precision {
        self.maps
    }

    /// Returns the arithmetic of attention, and of layers that bear no coarser one.
    pub(super) fn arith(&self) -> Arith {
        match self.factors() {
            Precision::F32 => Arith::F32,
            Precision::Bf16 => Arith::Bf16,
        }
    }

    /// Returns the arithmetic of matrices and convolutions.
    pub(super) fn products(&self) -> Arith {
        match (self.mode, self.products) {
            (Mode::Int8, Products::Coarse) => Arith::Bytes,
            _ => self.arith(),
        }
    }
}
