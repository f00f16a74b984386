//! The product of activations and packed weights, and what is done to the sums on their way out.
//!
//! ```text
//!              panel p (64 outputs)
//!            ┌─────────┐  blocks of 1024 words of the depth: 256 KiB, in the second-level cache
//!            └─────────┘
//!   chunk c  ┌─────────┐
//!   192 rows │  sums   │  48 KiB, kept until the depth is through, then finished: bias, curve, what they are
//!            └─────────┘  added to, and rounded to where they go
//! ```
//!
//! A unit of work is a chunk times a panel. For each unit the panel is read once from memory or the third-level cache,
//! 128 bytes for each 49 k operations in bf16, so that the multipliers are the limit and not the memory.

use half::bf16;

use crate::Cpu;
use crate::curve::{self, Curve};
use crate::left::Values;
use crate::micro::{self, Arith, Segment, Tile};
use crate::narrow;
use crate::panels::{Order, Panels, Room};
use crate::parallel::{self, Shared};
use crate::tier::tiered;

/// Rows of a chunk: a multiple of every tile's rows.
const CHUNK: usize = 192;
/// Rows of a chunk where panels are packed at each use: as seldom as the sums fit the second-level cache.
const LATE_CHUNK: usize = 1536;
/// Bytes of a panel that are used for all rows of a chunk before the next ones.
const BLOCK_BYTES: usize = 256 << 10;

/// Where results go: (rows, outputs), or half as many outputs where they are gated.
pub enum Target<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

/// What results are added to.
#[derive(Clone, Copy, Debug, Default)]
pub enum Residual<'a> {
    /// Nothing.
    #[default]
    None,
    /// Numbers that lie as the results will.
    Of(Values<'a>),
    /// What is in the target already.
    Target,
}

/// What is done to the sums: `residual + factor · curve(sum + bias + shift)`.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// For each output.
    pub bias: Option<&'a [f32]>,
    /// For each picture and output.
    pub shift: Option<&'a [f32]>,
    /// None where results are gated: their gates bend them.
    pub curve: Curve,
    pub factor: f32,
    pub residual: Residual<'a>,
}

impl Default for Finish<'_> {
    fn default() -> Self {
        Self { bias: None, shift: None, curve: Curve::None, factor: 1.0, residual: Residual::None }
    }
}

/// Rows of words that a product reads, and the rows of the target that it writes.
pub(crate) struct Rows<'a> {
    pub words: &'a [u32],
    /// Where each row begins.
    pub offsets: &'a [usize],
    /// What is read of each.
    pub segments: &'a [Segment],
    /// What the sums of each row are multiplied by, where they are of bytes.
    pub scales: Option<&'a [f32]>,
    /// Which row of the target each one is.
    pub places: &'a [usize],
    /// Rows of the target that belong to one picture.
    pub picture: usize,
}

/// Multiplies.
pub(crate) fn multiply(cpu: &Cpu, rows: &Rows<'_>, panels: &Panels, finish: &Finish<'_>, target: &mut Target<'_>) {
    let shape = micro::shape(cpu.tier);
    assert_eq!(panels.columns, shape.columns, "weights were packed for another processor");
    rows.check(panels, target.len(panels));
    assert!(panels.order == Order::Plain || finish.curve == Curve::None, "gates are the curve of gated results");
    let kernel = micro::kernel(cpu.tier, panels.arith);
    let blocks = blocks(rows.segments, BLOCK_BYTES / (4 * shape.columns));
    let chunk = chunk_of(panels, rows.offsets.len());
    let (count, chunks) = (panels.count(), rows.offsets.len().div_ceil(chunk));
    let out = Out::new(target, panels);
    let at_hand = panels.at_hand();
    let longest = blocks.iter().map(|block| block.words.len()).max().unwrap_or(0);
    let make = || {
        let sums = cpu.pool.take::<u32>(chunk.min(rows.offsets.len()) * shape.columns);
        (Room::new(&cpu.pool, panels.room(longest), at_hand.clone()), sums)
    };
    let one = |room: &mut Room, sums: &mut [u32], panel: usize, range: std::ops::Range<usize>| {
        for (i, block) in blocks.iter().enumerate() {
            let words = panels.block(cpu.tier, panel, block.words.clone(), room);
            for top in range.clone().step_by(shape.rows) {
                let offsets = &rows.offsets[top..(top + shape.rows).min(range.end)];
                let mut starts = [std::ptr::null(); micro::MOST_ROWS];
                for (start, offset) in starts.iter_mut().zip(offsets) {
                    *start = rows.words[*offset..].as_ptr();
                }
                let tile = Tile {
                    rows: &starts[..offsets.len()],
                    segments: &block.segments,
                    panel: words.as_ptr(),
                    sums: sums[(top - range.start) * shape.columns..].as_mut_ptr(),
                    more: i > 0,
                };
                // SAFETY: `check` has seen that rows end within their words, `block` returned as many words as the
                // segments have, the sums have room for a chunk, and the tier is one of this processor.
                unsafe { kernel(&tile) };
            }
        }
        out.finish(cpu, rows, panels, finish, (panel, range), sums);
    };
    let groups = groups_of(panels, chunks);
    let (units, length) = (count * groups, chunks.div_ceil(groups.max(1)));
    let share = parallel::share(units);
    parallel::each_with(units.div_ceil(share), make, |(room, sums), piece| {
        for unit in piece * share..((piece + 1) * share).min(units) {
            // Neighbours share the rows; where packing is dear, the panel.
            let (panel, group) = match panels.is_late() {
                true => (unit / groups, unit % groups),
                false => (unit % count, unit / count),
            };
            for first in (group * length..((group + 1) * length).min(chunks)).map(|i| i * chunk) {
                one(room, sums, panel, first..(first + chunk).min(rows.offsets.len()));
            }
        }
    });
}

/// Returns into how many groups the chunks of a panel are put, of which each is a unit of its own. A panel that is
/// packed at each use is packed once for each group, so there is one, unless workers would be left without panels.
fn groups_of(panels: &Panels, chunks: usize) -> usize {
    const EACH: usize = 4;
    match panels.is_late() && panels.count() >= EACH * rayon::current_num_threads() {
        true => 1,
        false => chunks,
    }
}

/// Returns how many rows are taken together. Of few units the last one keeps one worker busy and the others idle, so
/// they are made smaller; what comes out does not depend on it.
fn chunk_of(panels: &Panels, rows: usize) -> usize {
    const FEW: usize = 64;
    let is_small = panels.count() * rows.div_ceil(CHUNK) < FEW * rayon::current_num_threads();
    match (panels.is_late(), is_small) {
        (true, _) => LATE_CHUNK,
        (_, true) => CHUNK / 2,
        _ => CHUNK,
    }
}

/// Words of a panel that are used together.
struct Block {
    words: std::ops::Range<usize>,
    segments: Vec<Segment>,
}

/// Cuts segments into blocks of about equal length.
fn blocks(segments: &[Segment], most: usize) -> Vec<Block> {
    let all: usize = segments.iter().map(|segment| segment.words).sum();
    let length = all.div_ceil(all.div_ceil(most).max(1)).max(1);
    let mut blocks = Vec::new();
    let mut current = Block { words: 0..0, segments: Vec::new() };
    for segment in segments {
        let mut rest = *segment;
        while rest.words > 0 {
            let words = rest.words.min(length - current.words.len());
            current.segments.push(Segment { words, ..rest });
            current.words.end += words;
            rest = Segment { offset: rest.offset + words, words: rest.words - words };
            if current.words.len() == length {
                let end = current.words.end;
                blocks.push(std::mem::replace(&mut current, Block { words: end..end, segments: Vec::new() }));
            }
        }
    }
    if !current.words.is_empty() || blocks.is_empty() {
        blocks.push(current);
    }
    blocks
}

impl Rows<'_> {
    /// Panics where a bug would read or write beyond an end.
    fn check(&self, panels: &Panels, target: usize) {
        let depth: usize = self.segments.iter().map(|segment| segment.words).sum();
        assert_eq!(depth, panels.words_per_tap() * panels.size.taps, "rows and weights of one depth");
        let reach = self.segments.iter().map(|segment| segment.offset + segment.words).max().unwrap_or(0);
        let furthest = self.offsets.iter().max().map_or(0, |offset| offset + reach);
        assert!(furthest <= self.words.len(), "rows end at {furthest} of {} words", self.words.len());
        assert_eq!(self.places.len(), self.offsets.len());
        assert!(self.places.iter().all(|place| *place < target), "a row goes beyond the target");
        assert!(self.scales.is_none_or(|scales| scales.len() == self.offsets.len()));
    }
}

impl Target<'_> {
    /// Returns the rows that it has.
    fn len(&self, panels: &Panels) -> usize {
        let length = match self {
            Target::F32(to) => to.len(),
            Target::Bf16(to) => to.len(),
        };
        // Rows without a number fit anywhere.
        length.checked_div(panels.width()).unwrap_or(usize::MAX)
    }
}

impl Panels {
    /// Returns how many numbers a row of results has.
    pub fn width(&self) -> usize {
        match self.order {
            Order::Plain => self.size.outputs,
            Order::Gated => self.size.outputs / 2,
        }
    }
}

/// The target, for pieces that write to different places of it.
enum Out {
    F32(Shared<f32>),
    Bf16(Shared<bf16>),
}

impl Out {
    fn new(target: &mut Target<'_>, panels: &Panels) -> Self {
        assert!(panels.order == Order::Plain || panels.size.outputs.is_multiple_of(2));
        match target {
            Target::F32(to) => Out::F32(Shared::new(to)),
            Target::Bf16(to) => Out::Bf16(Shared::new(to)),
        }
    }

    /// Finishes the sums of a chunk and a panel, and writes them.
    fn finish(
        &self,
        cpu: &Cpu,
        rows: &Rows<'_>,
        panels: &Panels,
        finish: &Finish<'_>,
        (panel, chunk): (usize, std::ops::Range<usize>),
        sums: &mut [u32],
    ) {
        let job = Job { out: self, rows, panels, finish, panel, chunk };
        finish_chunk(cpu.tier, &job, sums);
    }
}

/// Sums to be finished.
struct Job<'a> {
    out: &'a Out,
    rows: &'a Rows<'a>,
    panels: &'a Panels,
    finish: &'a Finish<'a>,
    panel: usize,
    chunk: std::ops::Range<usize>,
}

tiered! {
    fn finish_chunk(job: &Job<'_>, sums: &mut [u32]) {
        match job.panels.columns {
            64 => job.run::<64>(sums),
            _ => job.run::<16>(sums),
        }
    }
}

impl Job<'_> {
    /// A row of a panel stays in registers from its sums to the target.
    #[inline(always)]
    fn run<const COLUMNS: usize>(&self, sums: &mut [u32]) {
        let Job { rows, panels, finish, panel, .. } = self;
        let across = panels.width();
        let step = if panels.order == Order::Plain { COLUMNS } else { COLUMNS / 2 };
        let first = panel * step;
        let width = step.min(across - first);
        let mut table = Table::<COLUMNS>::new(panels, finish, *panel);
        for (row, sums) in self.chunk.clone().zip(sums.as_chunks::<COLUMNS>().0) {
            let place = rows.places[row];
            if let Some(shift) = finish.shift {
                table.shift_by(finish, shift, panels, (*panel, place / rows.picture));
            }
            let scale = rows.scales.map_or(panels.factor, |scales| scales[row] * panels.factor);
            let mut x = match panels.arith {
                Arith::Bytes => table.unscaled(sums, scale),
                _ => sums.map(|sum| f32::from_bits(sum) * scale),
            };
            for (x, bias) in x.iter_mut().zip(&table.bias) {
                *x += bias;
            }
            match panels.order {
                Order::Plain => finish.curve.bend(&mut x),
                Order::Gated => {
                    let (values, gates) = x.split_at_mut(COLUMNS / 2);
                    for (value, gate) in values.iter_mut().zip(gates) {
                        *value *= curve::gelu(*gate);
                    }
                }
            }
            if finish.factor != 1.0 {
                x.iter_mut().for_each(|x| *x *= finish.factor);
            }
            let at = place * across + first;
            // A whole row has a length that the compiler knows.
            match width == COLUMNS {
                true => self.write(at, &mut x[..COLUMNS]),
                false => self.write(at, &mut x[..width]),
            }
        }
    }

    /// Adds what results are added to, and writes them from place `at` of the target on.
    #[inline(always)]
    fn write(&self, at: usize, x: &mut [f32]) {
        let range = at..at + x.len();
        match (self.out, self.finish.residual) {
            (Out::F32(to), residual) => {
                // SAFETY: no other unit has this row and these outputs.
                let to = unsafe { to.part(range) };
                match residual {
                    Residual::None => to.copy_from_slice(x),
                    Residual::Target => to.iter_mut().zip(x).for_each(|(to, x)| *to += *x),
                    Residual::Of(other) => {
                        add_onto(other, at, x);
                        to.copy_from_slice(x);
                    }
                }
            }
            (Out::Bf16(to), residual) => {
                // SAFETY: as above.
                let to = unsafe { to.part(range) };
                match residual {
                    Residual::None => {}
                    Residual::Of(other) => add_onto(other, at, x),
                    Residual::Target => add_onto(Values::Bf16(to), 0, x),
                }
                to.iter_mut().zip(x).for_each(|(to, x)| *to = bf16::from_bits(narrow::bf16_bits(*x)));
            }
        }
    }
}

/// What belongs to the columns of a panel.
struct Table<const COLUMNS: usize> {
    bias: [f32; COLUMNS],
    scale: [f32; COLUMNS],
    minus: [i32; COLUMNS],
    picture: Option<usize>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    #[inline(never)]
    fn new(panels: &Panels, finish: &Finish<'_>, panel: usize) -> Self {
        let mut table = Self { bias: [0.0; COLUMNS], scale: [0.0; COLUMNS], minus: [0; COLUMNS], picture: None };
        for column in 0..COLUMNS {
            let Some(output) = panels.output(panel, column) else { continue };
            table.bias[column] = finish.bias.map_or(0.0, |bias| bias[output]);
            if let Some(scales) = &panels.scales {
                (table.scale[column], table.minus[column]) = (scales.scale[output], scales.shift[output]);
            }
        }
        table
    }

    /// Adds the shift of a picture to the bias.
    #[inline(never)]
    fn shift_by(&mut self, finish: &Finish<'_>, shift: &[f32], panels: &Panels, (panel, picture): (usize, usize)) {
        if self.picture == Some(picture) {
            return;
        }
        for column in 0..COLUMNS {
            let Some(output) = panels.output(panel, column) else { continue };
            let bias = finish.bias.map_or(0.0, |bias| bias[output]);
            self.bias[column] = bias + shift[picture * panels.size.outputs + output];
        }
        self.picture = Some(picture);
    }

    /// Makes numbers of sums of bytes.
    #[inline(always)]
    fn unscaled(&self, sums: &[u32; COLUMNS], by: f32) -> [f32; COLUMNS] {
        let mut x = [0.0; COLUMNS];
        let columns = x.iter_mut().zip(sums).zip(self.scale.iter().zip(&self.minus));
        for ((x, sum), (scale, minus)) in columns {
            *x = sum.cast_signed().wrapping_sub(*minus) as f32 * (scale * by);
        }
        x
    }
}

/// Adds as many of some numbers, from number `first` on.
#[inline(always)]
fn add_onto(other: Values<'_>, first: usize, to: &mut [f32]) {
    let range = first..first + to.len();
    match other {
        Values::F32(other) => to.iter_mut().zip(&other[range]).for_each(|(to, x)| *to += x),
        Values::Bf16(other) => {
            to.iter_mut().zip(&other[range]).for_each(|(to, x)| *to += narrow::from_bf16_bits(x.to_bits()));
        }
    }
}
