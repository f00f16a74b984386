//! Attention in blocks: scores are made, used and forgotten without ever lying in memory as a whole.
//!
//! Rabe and Staats, *Self-attention does not need O(n²) memory* (arXiv 2112.05682); Dao et al., *FlashAttention*
//! (arXiv 2205.14135). For a block of queries the keys are walked over in blocks; the largest score so far and the sum
//! of the exponentials go along, and what was gathered is scaled down when a larger one turns up.
//!
//! ```text
//!                   keys: blocks of 512
//!               ┌────────┬────────┬───
//!   queries: 96 │ scores │ scores │ …     192 KiB in f32, then the same as words of the next product
//!               └────────┴────────┴───
//!   gathered    96 x head, f32, in the cache until all keys were seen
//! ```
//!
//! Keys and values are packed once for each head. All blocks follow from the shapes, so results do too.

mod softmax;

use std::ops::Range;

use half::bf16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use self::softmax::{Block, State, softmax};
use crate::left::{Source, Values};
use crate::micro::{self, Arith, Segment, Tile};
use crate::narrow;
use crate::parallel::{self, Shared};
use crate::pool::Buffer;
use crate::product::Target;
use crate::tier::tiered;
use crate::{Cpu, Tier, words};

/// Queries of a block: a multiple of every tile's rows.
const QUERIES: usize = 96;
/// Keys of a block: a multiple of every panel's columns.
const KEYS: usize = 512;

/// Who may look at whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Everybody at everybody.
    Open,
    /// Each at itself and what came before.
    Causal,
}

/// Queries, keys and values: (pictures · places, channels) each, channels split evenly into heads.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub queries: Source<'a>,
    pub keys: Source<'a>,
    pub values: Source<'a>,
    pub heads: usize,
    pub mask: Mask,
    /// f32 or bf16.
    pub arith: Arith,
}

/// Lets each query gather values by the likeness of keys, head by head; scores are scaled by 1 / sqrt(head size) and
/// the softmax is f32.
pub fn attend(cpu: &Cpu, look: Look<'_>, target: &mut Target<'_>) {
    let plan = Plan::new(cpu, &look);
    let packed = plan.pack(cpu, &look);
    let out = match target {
        Target::F32(to) => Out::F32(Shared::new(to)),
        Target::Bf16(to) => Out::Bf16(Shared::new(to)),
    };
    let blocks = plan.queries.div_ceil(QUERIES);
    let make = || Work::new(cpu, &plan);
    parallel::each_with(plan.sides * blocks, make, |work, i| {
        work.block(cpu, &plan, &look, &packed, (i / blocks, i % blocks * QUERIES));
        work.write(cpu, &plan, &out, (i / blocks, i % blocks * QUERIES));
    });
}

enum Out {
    F32(Shared<f32>),
    Bf16(Shared<bf16>),
}

/// All sizes.
struct Plan {
    arith: Arith,
    mask: Mask,
    columns: usize,
    rows: usize,
    /// Heads of all pictures.
    sides: usize,
    heads: usize,
    /// Channels of a head.
    head: usize,
    queries: usize,
    keys: usize,
    /// Words of a head's channels.
    depth: usize,
    /// Panels of keys.
    key_panels: usize,
    /// Words of all keys, as the second product goes along them.
    key_words: usize,
    /// Panels of a head's channels.
    value_panels: usize,
    scale: f32,
}

/// Keys and values of all heads, as panels.
struct Packed {
    keys: Buffer<u32>,
    values: Buffer<u32>,
}

impl Plan {
    fn new(cpu: &Cpu, look: &Look<'_>) -> Self {
        assert_ne!(look.arith, Arith::Bytes, "scores are not made of bytes");
        for side in [&look.queries, &look.keys, &look.values] {
            assert!(side.parts.len() == 1 && side.bend.is_none(), "attention reads one part, as it is");
            assert_eq!(side.channels(), look.queries.channels(), "queries, keys and values of one width");
            assert_eq!(side.pictures(), look.queries.pictures(), "queries, keys and values of the same pictures");
        }
        assert_eq!(look.keys.places, look.values.places, "as many values as keys");
        assert_eq!(look.queries.channels() % look.heads, 0, "heads of one size");
        let shape = micro::shape(cpu.tier);
        let head = look.queries.channels() / look.heads;
        let (queries, keys, each) = (look.queries.places, look.keys.places, look.arith.per_word());
        Self {
            arith: look.arith,
            mask: look.mask,
            columns: shape.columns,
            rows: shape.rows,
            sides: look.queries.pictures() * look.heads,
            heads: look.heads,
            head,
            queries,
            keys,
            depth: head.div_ceil(each),
            key_panels: keys.div_ceil(shape.columns),
            key_words: keys.div_ceil(each),
            value_panels: head.div_ceil(shape.columns),
            scale: (head as f64).sqrt().recip() as f32,
        }
    }

    /// Packs keys and values.
    fn pack(&self, cpu: &Cpu, look: &Look<'_>) -> Packed {
        let key_length = self.key_panels * self.depth * self.columns;
        let value_length = self.value_panels * self.key_words * self.columns;
        let mut keys = cpu.pool.take::<u32>(self.sides * key_length);
        let mut values = cpu.pool.take::<u32>(self.sides * value_length);
        let (to_keys, to_values) = (Shared::new(&mut keys), Shared::new(&mut values));
        let room = || (vec![0; self.depth], vec![0.0; 2 * self.columns]);
        parallel::each_with(self.sides, room, |(row, pairs), side| {
            // SAFETY: each side is one piece.
            let (keys, values) = unsafe {
                (
                    to_keys.part(side * key_length..(side + 1) * key_length),
                    to_values.part(side * value_length..(side + 1) * value_length),
                )
            };
            self.pack_keys(cpu.tier, &look.keys, side, (row, keys));
            self.pack_values(cpu.tier, &look.values, side, (pairs, values));
        });
        Packed { keys, values }
    }

    fn pack_keys(&self, tier: Tier, from: &Source<'_>, side: usize, (row, to): (&mut [u32], &mut [u32])) {
        for (panel, to) in to.chunks_exact_mut(self.depth * self.columns).enumerate() {
            for column in 0..self.columns {
                let key = panel * self.columns + column;
                match key < self.keys {
                    true => self.row_words(tier, from, (side, key), row),
                    false => row.fill(0),
                }
                for (to, word) in to[column..].iter_mut().step_by(self.columns).zip(row.iter()) {
                    *to = *word;
                }
            }
        }
    }

    fn pack_values(&self, tier: Tier, from: &Source<'_>, side: usize, (pairs, to): (&mut [f32], &mut [u32])) {
        let each = self.arith.per_word();
        for (panel, to) in to.chunks_exact_mut(self.key_words * self.columns).enumerate() {
            let first = panel * self.columns;
            let width = self.columns.min(self.head - first);
            for (word, to) in to.chunks_exact_mut(self.columns).enumerate() {
                pairs.fill(0.0);
                let rows = pairs.chunks_exact_mut(self.columns).take(each).enumerate();
                for (i, row) in rows.filter(|(i, _)| word * each + i < self.keys) {
                    self.head_row(tier, from, (side, word * each + i, first..first + width), &mut row[..width]);
                }
                let (a, b) = pairs.split_at(self.columns);
                match self.arith {
                    Arith::F32 => to.iter_mut().zip(a).for_each(|(to, x)| *to = x.to_bits()),
                    _ => join(tier, a, b, to),
                }
            }
        }
    }

    /// Packs a head's channels at a place as the words of a product.
    fn row_words(&self, tier: Tier, from: &Source<'_>, (side, place): (usize, usize), to: &mut [u32]) {
        if self.arith == Arith::F32 {
            return self.head_row(tier, from, (side, place, 0..self.head), words::floats(to));
        }
        let (to, rest) = words::halves(to).split_at_mut(self.head);
        rest.fill(0);
        let range = self.range(from, (side, place, 0..self.head));
        match from.parts[0].values {
            Values::F32(x) => narrow::narrow_bf16(tier, &x[range], to.reinterpret_cast_mut()),
            Values::Bf16(x) => to.copy_from_slice(x[range].reinterpret_cast()),
        }
    }

    /// Reads some of a head's channels at a place.
    fn head_row(
        &self,
        tier: Tier,
        from: &Source<'_>,
        (side, place, channels): (usize, usize, Range<usize>),
        to: &mut [f32],
    ) {
        let range = self.range(from, (side, place, channels));
        match from.parts[0].values {
            Values::F32(x) => to.copy_from_slice(&x[range]),
            Values::Bf16(x) => narrow::widen_bf16(tier, &x[range], to),
        }
    }

    /// Where some of a head's channels at a place lie.
    fn range(&self, from: &Source<'_>, (side, place, channels): (usize, usize, Range<usize>)) -> Range<usize> {
        let row = side / self.heads * from.places + place;
        let first = row * from.channels() + side % self.heads * self.head;
        first + channels.start..first + channels.end
    }

    /// How many keys a query sees.
    fn seen(&self, query: usize) -> usize {
        match self.mask {
            Mask::Open => self.keys,
            Mask::Causal => (query + 1).min(self.keys),
        }
    }
}

tiered! {
    fn join(a: &[f32], b: &[f32], to: &mut [u32]) {
        for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
            *to = narrow::pair(*a, *b);
        }
    }
}

/// What a worker needs for a block of queries.
struct Work {
    /// (queries, depth)
    queries: Buffer<u32>,
    /// (panels of a block, queries, columns), f32
    scores: Buffer<u32>,
    /// (queries, words of a block)
    shares: Buffer<u32>,
    /// (value panels, queries, columns), f32
    gathered: Buffer<u32>,
    state: [State; QUERIES],
    /// How many keys of a block each query sees.
    seen: [usize; QUERIES],
}

impl Work {
    fn new(cpu: &Cpu, plan: &Plan) -> Self {
        let take = |length| cpu.pool.take::<u32>(length);
        let keys = KEYS.min(plan.key_panels * plan.columns);
        Self {
            queries: take(QUERIES * plan.depth),
            scores: take(QUERIES * keys),
            shares: take(QUERIES * keys),
            gathered: take(plan.value_panels * QUERIES * plan.columns),
            state: [State::NEW; QUERIES],
            seen: [0; QUERIES],
        }
    }

    /// Gathers for the queries from number `first` on.
    fn block(&mut self, cpu: &Cpu, plan: &Plan, look: &Look<'_>, packed: &Packed, (side, first): (usize, usize)) {
        let count = QUERIES.min(plan.queries - first);
        self.state = [State::NEW; QUERIES];
        self.gathered.fill(0);
        for (i, to) in self.queries.chunks_exact_mut(plan.depth).take(count).enumerate() {
            plan.row_words(cpu.tier, &look.queries, (side, first + i), to);
        }
        let last = plan.seen(first + count - 1);
        for start in (0..last).step_by(KEYS) {
            let keys = KEYS.min(plan.keys - start);
            self.score(cpu, plan, packed, (side, start, keys, count));
            for (i, seen) in self.seen[..count].iter_mut().enumerate() {
                *seen = plan.seen(first + i).saturating_sub(start).min(keys);
            }
            let words = keys.div_ceil(plan.arith.per_word());
            let block =
                Block { seen: &self.seen[..count], columns: plan.columns, words, scale: plan.scale, arith: plan.arith };
            softmax(cpu.tier, &block, words::floats(&mut self.scores), &mut self.shares, &mut self.state);
            self.gather(cpu, plan, packed, (side, start, words, count));
        }
    }

    /// Makes the scores of a block of keys.
    fn score(
        &mut self,
        cpu: &Cpu,
        plan: &Plan,
        packed: &Packed,
        (side, start, keys, count): (usize, usize, usize, usize),
    ) {
        let kernel = micro::kernel(cpu.tier, plan.arith);
        let segments = [Segment { offset: 0, words: plan.depth }];
        let length = plan.depth * plan.columns;
        let panels = &packed.keys[side * plan.key_panels * length..][..plan.key_panels * length];
        for panel in 0..keys.div_ceil(plan.columns) {
            let words = &panels[(start / plan.columns + panel) * length..][..length];
            for top in (0..count).step_by(plan.rows) {
                let rows = starts(&self.queries, plan.depth, top..(top + plan.rows).min(count));
                let sums = &mut self.scores[(panel * QUERIES + top) * plan.columns..];
                let tile = Tile {
                    rows: &rows.0[..rows.1],
                    segments: &segments,
                    panel: words.as_ptr(),
                    sums: sums[..rows.1 * plan.columns].as_mut_ptr(),
                    more: false,
                };
                // SAFETY: rows, panel and sums were cut to their lengths above; the tier is one of this processor.
                unsafe { kernel(&tile) };
            }
        }
    }

    /// Adds the values of a block of keys, by their shares.
    fn gather(
        &mut self,
        cpu: &Cpu,
        plan: &Plan,
        packed: &Packed,
        (side, start, words, count): (usize, usize, usize, usize),
    ) {
        let kernel = micro::kernel(cpu.tier, plan.arith);
        let segments = [Segment { offset: 0, words }];
        let length = plan.key_words * plan.columns;
        let panels = &packed.values[side * plan.value_panels * length..][..plan.value_panels * length];
        let first = start / plan.arith.per_word();
        for panel in 0..plan.value_panels {
            let values = &panels[panel * length..][first * plan.columns..(first + words) * plan.columns];
            for top in (0..count).step_by(plan.rows) {
                let range = top..(top + plan.rows).min(count);
                let rows = starts(&self.shares, words, range.clone());
                let sums = &mut self.gathered[(panel * QUERIES + top) * plan.columns..][..rows.1 * plan.columns];
                if start > 0 {
                    for (sums, i) in sums.chunks_exact_mut(plan.columns).zip(range) {
                        fade(cpu.tier, words::floats(sums), self.state[i].fade);
                    }
                }
                let tile = Tile {
                    rows: &rows.0[..rows.1],
                    segments: &segments,
                    panel: values.as_ptr(),
                    sums: sums.as_mut_ptr(),
                    more: start > 0,
                };
                // SAFETY: rows, panel and sums were cut to their lengths above; the tier is one of this processor.
                unsafe { kernel(&tile) };
            }
        }
    }

    /// Writes what was gathered.
    fn write(&mut self, cpu: &Cpu, plan: &Plan, out: &Out, (side, first): (usize, usize)) {
        let channels = plan.heads * plan.head;
        for i in 0..QUERIES.min(plan.queries - first) {
            let row = side / plan.heads * plan.queries + first + i;
            let inverse = self.state[i].sum.recip();
            for panel in 0..plan.value_panels {
                let start = panel * plan.columns;
                let width = plan.columns.min(plan.head - start);
                let sums = words::floats(&mut self.gathered[(panel * QUERIES + i) * plan.columns..][..width]);
                fade(cpu.tier, sums, inverse);
                let at = row * channels + side % plan.heads * plan.head + start;
                match out {
                    // SAFETY: no other piece has this query and this head.
                    Out::F32(to) => unsafe { to.part(at..at + width) }.copy_from_slice(sums),
                    // SAFETY: as above.
                    Out::Bf16(to) => narrow::narrow_bf16(cpu.tier, sums, unsafe { to.part(at..at + width) }),
                }
            }
        }
    }
}

/// Where some rows of `width` words begin; at most eight.
fn starts(words: &[u32], width: usize, range: Range<usize>) -> ([*const u32; 8], usize) {
    let mut starts = [std::ptr::null(); 8];
    for (start, row) in starts.iter_mut().zip(range.clone()) {
        *start = words[row * width..(row + 1) * width].as_ptr();
    }
    (starts, range.len())
}

tiered! {
    fn fade(x: &mut [f32], by: f32) {
        x.iter_mut().for_each(|x| *x *= by);
    }
}
