//! Weights, packed once into the order in which the innermost loops read them.
//!
//! ```text
//!   rows of the file                    panels
//!   output 0   w0 w1 w2 …               panel 0: w0 of outputs 0..64, w1 of outputs 0..64, …
//!   output 1   w0 w1 w2 …               panel 1: w0 of outputs 64..128, …
//!     …
//! ```
//!
//! where w is a word of [`Arith`]: one f32, two bf16 or four bytes. A panel may be kept in fewer bits than it is
//! computed with; it is then widened, a block that fits the second-level cache at a time, when it is used. Widening
//! takes 64 conversions for each depth, the product at least 768 cycles there, so it costs nothing one could see.

mod lay;

use std::ops::Range;
use std::sync::Arc;

use bytemuck::cast_slice;
use half::slice::HalfBitsSliceExt;

use self::lay::Desk;
use crate::micro::{self, Arith};
use crate::narrow;
use crate::parallel::{self, Shared};
use crate::pool::{Buffer, Pool};
use crate::{Cpu, Tier, words};

/// How the numbers of packed weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// 32 bits, for f32 arithmetic.
    F32,
    /// 16 bits with 10 of fraction, for f32 arithmetic.
    F16,
    /// 16 bits with 7 of fraction.
    Bf16,
    /// 8 bits, E4M3.
    E4M3,
    /// 8 bits, E5M2.
    E5M2,
    /// Signed bytes with a scale for each output.
    Bytes,
    /// Not at all: rows are asked for at each use, and packed then.
    Late,
    /// The same, and rounded to 16 bits with 7 of fraction before f32 arithmetic, as if they were kept so.
    LateBf16,
}

/// The most numbers of a row of bytes: the sum of so many products, each up to 127², fits 32 bits.
const MOST_BYTES: usize = i32::MAX as usize / (127 * 127);

/// Rows of a weight, f32, by number; a row is `depth · taps` long, in the order of the file (taps last).
pub trait Rows: Send + Sync {
    /// Writes row `output`.
    fn row(&self, output: usize, to: &mut [f32]);

    /// Writes rows that follow each other.
    fn rows(&self, outputs: Range<usize>, to: &mut [f32]) {
        let width = to.len() / outputs.len().max(1);
        for (output, to) in outputs.zip(to.chunks_exact_mut(width.max(1))) {
            self.row(output, to);
        }
    }

    /// Returns the rows to read where reading a row by itself costs more than its share of the whole: they are asked
    /// for all together, used, and let go. Called once before each use.
    fn at_hand(&self) -> Option<Arc<dyn Rows>> {
        None
    }

    /// Returns what went wrong while rows were read, if anything did; the rows are then not numbers.
    fn fault(&self) -> Option<String> {
        None
    }

    /// Writes the bytes of row `output`, where the weight is kept in eight-bit floats.
    fn bytes(&self, output: usize, to: &mut [u8]) {
        let _ = (output, to);
        unreachable!("only eight-bit weights are asked for their bytes")
    }
}

impl Rows for [f32] {
    fn row(&self, output: usize, to: &mut [f32]) {
        let width = to.len();
        to.copy_from_slice(&self[output * width..][..width]);
    }
}

impl Rows for Vec<f32> {
    fn row(&self, output: usize, to: &mut [f32]) {
        self[..].row(output, to);
    }
}

/// How outputs follow each other in the panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are numbered.
    Plain,
    /// The first half are values, the second their gates: a panel holds as many of one as of the other, so that both
    /// are at hand when its sums are.
    Gated,
}

/// What a weight is: `outputs` rows of `taps` places with `depth` numbers each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub outputs: usize,
    pub depth: usize,
    pub taps: usize,
}

/// A packed weight.
#[derive(Clone)]
pub struct Panels {
    pub(crate) size: Size,
    pub(crate) arith: Arith,
    pub(crate) kept: Kept,
    pub(crate) order: Order,
    pub(crate) columns: usize,
    store: Store,
    /// What sums in bytes are multiplied by, and 128 times the sum of each output's bytes.
    pub(crate) scales: Option<Arc<Scales>>,
    /// What all sums are multiplied by.
    pub(crate) factor: f32,
}

/// What turns sums of bytes back into numbers.
pub struct Scales {
    /// For each output.
    pub scale: Vec<f32>,
    /// For each output 128 times the sum of its bytes: what the shift of the left side adds to a sum.
    pub shift: Vec<i32>,
}

#[derive(Clone)]
enum Store {
    Words(Arc<Buffer<u32>>),
    Halves(Arc<Buffer<u16>>),
    Eights(Arc<Buffer<u8>>),
    /// Two bytes for each word of two bf16.
    Pairs(Arc<Buffer<u16>>),
    Late(Arc<dyn Rows>),
}

impl Panels {
    /// Packs a weight.
    ///
    /// `kept` must go with `arith`: f32 takes all but bytes, bf16 takes [`Kept::Bf16`] and eight-bit floats, bytes take
    /// [`Kept::Bytes`]; all take [`Kept::Late`].
    pub fn pack(cpu: &Cpu, rows: &Arc<dyn Rows>, size: Size, (arith, kept, order): (Arith, Kept, Order)) -> Self {
        let columns = micro::shape(cpu.tier).columns;
        let mut panels =
            Self { size, arith, kept, order, columns, store: Store::Late(rows.clone()), scales: None, factor: 1.0 };
        if arith == Arith::Bytes {
            assert!(size.depth * size.taps <= MOST_BYTES, "sums of bytes fit 32 bits");
            let whole = rows.at_hand();
            let rows = whole.as_ref().unwrap_or(rows);
            panels.scales = Some(Arc::new(Scales::of(cpu.tier, rows.as_ref(), size)));
        }
        let words = panels.count() * panels.words() * columns;
        let rows = rows.as_ref();
        // Packed weights live as long as their network: they come from no pool.
        panels.store = match (kept, arith) {
            (Kept::Late | Kept::LateBf16, _) => return panels,
            (Kept::F32, Arith::F32) | (Kept::Bf16, Arith::Bf16) | (Kept::Bytes, Arith::Bytes) => {
                Store::Words(Arc::new(panels.laid(cpu.tier, rows, words)))
            }
            (Kept::F16 | Kept::Bf16, Arith::F32) => Store::Halves(Arc::new(panels.laid(cpu.tier, rows, words))),
            (Kept::E4M3 | Kept::E5M2, Arith::F32) => Store::Eights(Arc::new(panels.laid(cpu.tier, rows, words))),
            (Kept::E4M3 | Kept::E5M2, Arith::Bf16) => Store::Pairs(Arc::new(panels.laid(cpu.tier, rows, words))),
            (kept, arith) => unreachable!("{kept:?} weights for a product in {arith:?}"),
        };
        panels
    }

    /// Makes a weight of which only the size is there: to count with, under [`parallel::counted`].
    pub fn hollow(cpu: &Cpu, size: Size, (arith, kept, order): (Arith, Kept, Order)) -> Self {
        let columns = micro::shape(cpu.tier).columns;
        let store = match (kept, arith) {
            (Kept::Late | Kept::LateBf16, _) => Store::Late(Arc::new(Vec::new())),
            (Kept::F16 | Kept::Bf16, Arith::F32) => Store::Halves(Arc::new(Buffer::zeros(0))),
            (Kept::E4M3 | Kept::E5M2, Arith::F32) => Store::Eights(Arc::new(Buffer::zeros(0))),
            (Kept::E4M3 | Kept::E5M2, _) => Store::Pairs(Arc::new(Buffer::zeros(0))),
            _ => Store::Words(Arc::new(Buffer::zeros(0))),
        };
        Self { size, arith, kept, order, columns, store, scales: None, factor: 1.0 }
    }

    /// Multiplies all sums by `factor`: the one scale of an eight-bit weight.
    #[must_use]
    pub fn scaled(mut self, factor: f32) -> Self {
        self.factor = factor;
        self
    }

    /// Returns the weight as it was packed, in the order of its file; nothing for bytes, which are not what was packed.
    pub fn unpacked(&self, cpu: &Cpu) -> Option<Vec<f32>> {
        let Size { outputs, depth, taps } = self.size;
        let (columns, per_tap, each) = (self.columns, self.words_per_tap(), self.arith.per_word());
        let width = depth * taps;
        let mut all = vec![0.0; outputs * width];
        let shared = Shared::new(&mut all);
        // SAFETY: of the calls below: each output is in one panel, and each panel is one piece.
        let row = |output: usize| unsafe { shared.part(output * width..(output + 1) * width) };
        if let Store::Late(rows) = &self.store {
            let rows = rows.at_hand().unwrap_or_else(|| rows.clone());
            parallel::each(outputs, |output| {
                let to = row(output);
                rows.row(output, to);
                to.iter_mut().for_each(|x| *x *= self.factor);
            });
            return Some(all);
        }
        if self.arith == Arith::Bytes {
            return None;
        }
        let make = || Room::new(&cpu.pool, self.words() * columns, None);
        parallel::each_with(self.count(), make, |room, panel| {
            let words = self.block(cpu.tier, panel, 0..self.words(), room);
            for column in 0..columns {
                let Some(output) = self.output(panel, column) else { continue };
                for (i, to) in row(output).iter_mut().enumerate() {
                    let (c, tap) = (i / taps, i % taps);
                    let word = words[(tap * per_tap + c / each) * columns + column];
                    let x = match self.arith {
                        Arith::F32 => f32::from_bits(word),
                        _ => narrow::from_bf16_bits((word >> (16 * (c % each))) as u16),
                    };
                    *to = x * self.factor;
                }
            }
        });
        Some(all)
    }

    /// Returns what went wrong while rows of a weight that is packed at each use were read, if anything did.
    pub fn fault(&self) -> Option<String> {
        match &self.store {
            Store::Late(rows) => rows.fault(),
            _ => None,
        }
    }

    /// Returns the size of the weight.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Returns the numbers that products are made of.
    pub fn arith(&self) -> Arith {
        self.arith
    }

    /// Returns how many bytes it takes.
    pub fn bytes(&self) -> usize {
        match &self.store {
            Store::Words(all) => size_of_val(&all[..]),
            Store::Halves(all) => size_of_val(&all[..]),
            Store::Eights(all) => all.len(),
            Store::Pairs(all) => size_of_val(&all[..]),
            Store::Late(_) => 0,
        }
    }

    /// Returns how many panels there are.
    pub(crate) fn count(&self) -> usize {
        match self.order {
            Order::Plain => self.size.outputs.div_ceil(self.columns),
            Order::Gated => (self.size.outputs / 2).div_ceil(self.columns / 2),
        }
    }

    /// Returns the words of a place.
    pub(crate) fn words_per_tap(&self) -> usize {
        self.size.depth.div_ceil(self.arith.per_word())
    }

    /// Returns the words of a column.
    fn words(&self) -> usize {
        self.words_per_tap() * self.size.taps
    }

    /// Returns the rows of a weight that is packed at each use, where they are better asked for all together.
    pub(crate) fn at_hand(&self) -> Option<Arc<dyn Rows>> {
        match &self.store {
            Store::Late(rows) => rows.at_hand(),
            _ => None,
        }
    }

    /// Returns how many words a worker makes at a time that uses blocks of `longest` words of each column.
    pub(crate) fn room(&self, longest: usize) -> usize {
        match &self.store {
            Store::Words(_) => 0,
            Store::Halves(_) | Store::Eights(_) | Store::Pairs(_) => longest * self.columns,
            Store::Late(_) => self.words() * self.columns,
        }
    }

    /// Tells whether a whole panel has to be packed at each use.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self.store, Store::Late(_))
    }

    /// Returns which row of the weight stands in a column of a panel, if any.
    pub(crate) fn output(&self, panel: usize, column: usize) -> Option<usize> {
        let Size { outputs, .. } = self.size;
        let output = match self.order {
            Order::Plain => panel * self.columns + column,
            Order::Gated => {
                let (half, inner) = (self.columns / 2, outputs / 2);
                let at = panel * half + column % half;
                if at >= inner {
                    return None;
                }
                at + if column < half { 0 } else { inner }
            }
        };
        (output < outputs).then_some(output)
    }

    /// Returns the words `range` (of each column) of a panel; `room` is used where they have to be made.
    pub(crate) fn block<'a>(&'a self, tier: Tier, panel: usize, range: Range<usize>, room: &'a mut Room) -> &'a [u32] {
        let columns = self.columns;
        let whole = self.words() * columns;
        let part = |all: usize| panel * all + range.start * all / self.words().max(1);
        let count = range.len() * columns;
        match &self.store {
            Store::Words(all) => &all[part(whole)..][..count],
            Store::Halves(all) => {
                let from = &all[part(whole)..][..count];
                let to = &mut room.words[..count];
                match self.kept {
                    Kept::F16 => narrow::widen_f16(tier, from.reinterpret_cast(), words::floats(to)),
                    _ => narrow::widen_bf16(tier, from.reinterpret_cast(), words::floats(to)),
                }
                to
            }
            Store::Eights(all) => {
                let from = &all[part(whole)..][..count];
                let to = words::floats(&mut room.words[..count]);
                match self.kept {
                    Kept::E4M3 => narrow::widen_e4m3(tier, from, to),
                    _ => narrow::widen_e5m2(tier, from, to),
                }
                &room.words[..count]
            }
            Store::Pairs(all) => {
                let from = cast_slice(&all[part(whole)..][..count]);
                let to = words::halves(&mut room.words[..count]);
                match self.kept {
                    Kept::E4M3 => narrow::e4m3_to_bf16(tier, from, to),
                    _ => narrow::e5m2_to_bf16(tier, from, to),
                }
                &room.words[..count]
            }
            Store::Late(rows) => {
                if room.packed != Some(panel) {
                    let rows = room.rows.as_ref().unwrap_or(rows);
                    self.lay(tier, rows.as_ref(), panel, &mut room.desk, &mut room.words[..whole]);
                    room.packed = Some(panel);
                }
                &room.words[range.start * columns..][..count]
            }
        }
    }
}

impl std::fmt::Debug for Panels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Panels({:?} in {:?}, kept {:?})", self.size, self.arith, self.kept)
    }
}

/// Where a worker makes the words that it cannot read.
pub struct Room {
    words: Buffer<u32>,
    desk: Desk,
    packed: Option<usize>,
    rows: Option<Arc<dyn Rows>>,
}

impl Room {
    /// For [`Panels::room`] words; `rows` takes the place of those of a weight that is packed at each use.
    pub fn new(pool: &Pool, words: usize, rows: Option<Arc<dyn Rows>>) -> Self {
        Self { words: pool.take(words), desk: Desk::default(), packed: None, rows }
    }
}
