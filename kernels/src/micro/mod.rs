//! The innermost loops: a few rows times a panel of columns, all sums in registers.
//!
//! Both sides are made of words of 32 bits that hold neighbours along the depth: one f32, two bf16, or four bytes.
//! A step takes one word of each row, repeats it over a register, and multiplies it with the words of the panel's
//! columns:
//!
//! ```text
//!              panel: word w of 64 columns = 4 registers
//!            ┌────────┬────────┬────────┬────────┐
//!   row 0  ▪ │ sums   │        │        │        │
//!   row 1  ▪ │        │        │        │        │   6 rows x 4 registers = 24 sums
//!    ...     │        │        │        │        │   + 4 of the panel + 1 repeated word = 29 of 32
//!   row 5  ▪ └────────┴────────┴────────┴────────┘
//! ```
//!
//! A step is 24 multiply-adds on 10 loads: at two of each a cycle the multipliers never wait. Of a panel it reads
//! 256 bytes in 12 cycles, which the second-level cache gives threefold.

#[cfg(target_arch = "x86_64")]
#[expect(clippy::needless_range_loop, reason = "registers go by their numbers")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::Tier;

/// The numbers that a product is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arith {
    /// f32 times f32, summed in f32.
    F32,
    /// Pairs of bf16, summed in f32.
    Bf16,
    /// Fours of an unsigned byte (128 more than meant) times a signed one, summed in i32.
    Bytes,
}

impl Arith {
    /// Numbers in a word.
    pub fn per_word(self) -> usize {
        match self {
            Arith::F32 => 1,
            Arith::Bf16 => 2,
            Arith::Bytes => 4,
        }
    }
}

/// Words of a row that follow each other, `offset` words behind where the row begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub offset: usize,
    pub words: usize,
}

/// One call of an innermost loop.
pub struct Tile<'a> {
    /// Where each row begins; at most [`Shape::rows`].
    pub rows: &'a [*const u32],
    /// What is read of each row.
    pub segments: &'a [Segment],
    /// The panel: [`Shape::columns`] words for each word of the segments.
    pub panel: *const u32,
    /// The sums, f32 or i32: [`Shape::columns`] for each row.
    pub sums: *mut u32,
    /// Whether to add to the sums that are there.
    pub more: bool,
}

/// An innermost loop.
///
/// # Safety
/// Every row must be readable in every segment, the panel over all of them, and the sums writable over all rows; the
/// processor must have the tier.
pub type Kernel = unsafe fn(&Tile<'_>);

/// The size of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub rows: usize,
    pub columns: usize,
}

/// Rows of the largest tile.
pub const MOST_ROWS: usize = 6;

/// Returns the size of the tiles of a tier.
pub fn shape(tier: Tier) -> Shape {
    match tier {
        Tier::Portable => portable::SHAPE,
        Tier::Avx2 => Shape { rows: 6, columns: 16 },
        Tier::Avx512 | Tier::Avx512Vnni | Tier::Avx512Bf16 => Shape { rows: 6, columns: 64 },
    }
}

/// Returns the innermost loop of a tier. What a tier lacks is done by plain code over its columns.
#[cfg(target_arch = "x86_64")]
pub fn kernel(tier: Tier, arith: Arith) -> Kernel {
    match arith {
        Arith::F32 if tier >= Tier::Avx512 => avx512::f32,
        Arith::F32 if tier >= Tier::Avx2 => avx2::f32,
        Arith::Bf16 if tier.has_bf16() => avx512::bf16,
        Arith::Bytes if tier.has_bytes() => avx512::bytes,
        arith if tier >= Tier::Avx512 => plain::<64>(arith),
        arith => plain::<16>(arith),
    }
}

/// Returns the innermost loop of a tier.
#[cfg(not(target_arch = "x86_64"))]
pub fn kernel(_: Tier, arith: Arith) -> Kernel {
    plain::<16>(arith)
}

fn plain<const COLUMNS: usize>(arith: Arith) -> Kernel {
    match arith {
        Arith::F32 => portable::f32::<COLUMNS>,
        Arith::Bf16 => portable::bf16::<COLUMNS>,
        Arith::Bytes => portable::bytes::<COLUMNS>,
    }
}
