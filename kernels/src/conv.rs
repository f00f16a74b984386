//! Convolution of maps whose channels lie together, as a product that is never written out.
//!
//! A strip of lines is packed once, with the zeros that stand around the picture. A row of the product is then a place
//! of the result, and what it reads is `kernel` runs of words of the strip: no window is copied.
//!
//! ```text
//!   strip, packed           0 0 0 0 0 0 0 0 0       place (1, 2) reads
//!   with its zeros          0 a b c d e f g 0         run 0:  b c d
//!                           0 h i j k l m n 0         run 1:  i j k       each letter: all channels
//!                           0 o p q r s t u 0         run 2:  p q r
//! ```
//!
//! A strip holds as many lines as fit the third-level cache with room to spare: from there the lines above and below
//! are read again for nothing.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::Cpu;
use crate::left::{Source, ZERO, step_of};
use crate::micro::{Arith, Segment};
use crate::panels::{Panels, Rows as Weight};
use crate::parallel::{self, Shared};
use crate::product::{self, Finish, Rows, Target};

/// The most words of a strip: 8 MiB.
const STRIP: usize = 2 << 20;

/// How a window walks over a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its edge.
    pub kernel: usize,
    /// Its step.
    pub stride: usize,
    /// Zeros above and on the left.
    pub before: usize,
    /// Zeros below and on the right.
    pub after: usize,
}

impl Window {
    /// How many places the window takes along an edge; none where it does not fit.
    pub fn places(&self, edge: usize) -> Option<usize> {
        let free = (edge + self.before + self.after).checked_sub(self.kernel)?;
        Some(free / self.stride + 1)
    }
}

/// Convolves pictures of `height` by `width` places with a weight of `kernel²` taps, line by line; the window must fit.
pub fn convolve(
    cpu: &Cpu,
    source: &Source<'_>,
    (height, width): (usize, usize),
    (panels, window): (&Panels, Window),
    finish: &Finish<'_>,
    target: &mut Target<'_>,
) {
    let (Some(lines), Some(across)) = (window.places(height), window.places(width)) else {
        panic!("a window of {} does not fit into {height} x {width}", window.kernel)
    };
    assert_eq!(panels.size().taps, window.kernel * window.kernel);
    let reach = Reach { height, width, window, lines, across };
    let segments = |row: usize| {
        let run = window.kernel * panels.words_per_tap();
        (0..window.kernel).map(|line| Segment { offset: line * row, words: run }).collect::<Vec<_>>()
    };
    walk(cpu, source, panels, reach, |strip| {
        let places: Vec<usize> = strip.each(|picture, line, x| (picture * lines + line) * across + x).collect();
        strip.multiply(&segments(strip.row), &places, lines * across, (panels, finish, target));
    });
}

/// The four weights of a convolution of 3 by 3 behind a doubling: for each of the four places that a place becomes,
/// the 2 by 2 places that its window meets. Where two lines of the window meet the same one, they are added up.
///
/// The doubled map does not exist, and of nine multiplications four are left.
pub struct Doubled([Panels; 4]);

impl std::fmt::Debug for Doubled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Doubled({:?})", self.0[0])
    }
}

impl Doubled {
    /// Makes the weights of the four places of one of 3 by 3; `pack` packs a weight of four taps.
    pub fn new(rows: &std::sync::Arc<dyn Weight>, mut pack: impl FnMut(std::sync::Arc<dyn Weight>) -> Panels) -> Self {
        let mut phase = |down, right| pack(std::sync::Arc::new(Phase { rows: rows.clone(), down, right }));
        Self([phase(0, 0), phase(0, 1), phase(1, 0), phase(1, 1)])
    }

    /// Takes the weights of the four places.
    pub fn of(four: [Panels; 4]) -> Self {
        Self(four)
    }

    /// Returns how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Panels::bytes).sum()
    }

    /// Returns what went wrong while rows were read at a use, if anything did.
    pub fn fault(&self) -> Option<String> {
        self.0.iter().find_map(Panels::fault)
    }

    /// Doubles pictures of `height` by `width` places, each place becoming four, and convolves them.
    pub fn convolve(
        &self,
        cpu: &Cpu,
        source: &Source<'_>,
        (height, width): (usize, usize),
        finish: &Finish<'_>,
        target: &mut Target<'_>,
    ) {
        let window = Window { kernel: 3, stride: 1, before: 1, after: 1 };
        let reach = Reach { height, width, window, lines: height, across: width };
        walk(cpu, source, &self.0[0], reach, |strip| {
            for (i, panels) in self.0.iter().enumerate() {
                let (down, right) = (i / 2, i % 2);
                let place = |picture, line, x| ((picture * height + line) * 2 + down) * 2 * width + 2 * x + right;
                let places: Vec<usize> = strip.each(place).collect();
                let words = panels.words_per_tap();
                let segments =
                    [0, 1].map(|line| Segment { offset: (down + line) * strip.row + right * words, words: 2 * words });
                strip.multiply(&segments, &places, 4 * height * width, (panels, finish, target));
            }
        });
    }
}

/// A weight of 3 by 3 as one of the four places behind a doubling sees it.
struct Phase {
    rows: std::sync::Arc<dyn Weight>,
    down: usize,
    right: usize,
}

impl Weight for Phase {
    fn row(&self, output: usize, to: &mut [f32]) {
        self.rows(output..output + 1, to);
    }

    fn rows(&self, outputs: std::ops::Range<usize>, to: &mut [f32]) {
        let mut whole = vec![0.0; to.len() / 4 * 9];
        self.rows.rows(outputs, &mut whole);
        to.fill(0.0);
        for (four, nine) in to.chunks_exact_mut(4).zip(whole.chunks_exact(9)) {
            for (tap, weight) in nine.iter().enumerate() {
                let at = |place: usize, phase: usize| (place + 1 - phase) / 2;
                four[at(tap / 3, self.down) * 2 + at(tap % 3, self.right)] += weight;
            }
        }
    }

    fn at_hand(&self) -> Option<std::sync::Arc<dyn Weight>> {
        let rows = self.rows.at_hand()?;
        Some(std::sync::Arc::new(Phase { rows, ..*self }))
    }

    fn fault(&self) -> Option<String> {
        self.rows.fault()
    }
}

/// What a window meets.
#[derive(Clone, Copy)]
struct Reach {
    height: usize,
    width: usize,
    window: Window,
    /// Lines of the result.
    lines: usize,
    /// Places in each.
    across: usize,
}

/// Lines of one picture in a strip.
struct Band {
    picture: usize,
    /// Of the result.
    lines: std::ops::Range<usize>,
    /// Where its first packed line begins.
    start: usize,
}

/// Packed lines.
struct Strip<'a> {
    cpu: &'a Cpu,
    words: &'a [u32],
    /// Of bytes: for each picture.
    scales: &'a [f32],
    bands: &'a [Band],
    reach: Reach,
    /// Words of a place.
    place: usize,
    /// Words of a line.
    row: usize,
}

impl Strip<'_> {
    /// Calls `f` with picture, line and column of every place of the result.
    fn each<R>(&self, f: impl Fn(usize, usize, usize) -> R) -> impl Iterator<Item = R> {
        let across = self.reach.across;
        self.bands
            .iter()
            .flat_map(move |band| band.lines.clone().map(move |line| (band.picture, line)))
            .flat_map(move |(picture, line)| (0..across).map(move |x| (picture, line, x)))
            .map(move |(picture, line, x)| f(picture, line, x))
    }

    fn multiply(
        &self,
        segments: &[Segment],
        places: &[usize],
        picture: usize,
        (panels, finish, target): (&Panels, &Finish<'_>, &mut Target<'_>),
    ) {
        let stride = self.reach.window.stride;
        let offsets = self.bands.iter().flat_map(|band| {
            (0..band.lines.len()).flat_map(move |line| {
                let first = band.start + line * stride * self.row;
                (0..self.reach.across).map(move |x| first + x * stride * self.place)
            })
        });
        let offsets: Vec<usize> = offsets.collect();
        let scales =
            (panels.arith() == Arith::Bytes).then(|| self.each(|picture, _, _| self.scales[picture]).collect());
        let scales: Option<Vec<f32>> = scales;
        let rows = Rows { words: self.words, offsets: &offsets, segments, scales: scales.as_deref(), places, picture };
        product::multiply(self.cpu, &rows, panels, finish, target);
    }
}

/// Packs the pictures strip by strip and calls `work` for each.
fn walk(cpu: &Cpu, source: &Source<'_>, panels: &Panels, reach: Reach, mut work: impl FnMut(&Strip<'_>)) {
    assert_eq!(source.channels(), panels.size().depth, "maps and weights of one depth");
    let Reach { height, width, window, lines, .. } = reach;
    assert_eq!(source.places, height * width);
    let place = panels.words_per_tap();
    let row = (width + window.before + window.after) * place;
    let most = (STRIP / row.max(1)).max(window.kernel);
    let packed = |lines: usize| (lines - 1) * window.stride + window.kernel;
    let scales = scales(cpu, source, panels.arith(), reach);
    let (mut picture, mut line) = (0, 0);
    while picture < source.pictures() {
        let (mut bands, mut rows) = (Vec::new(), 0);
        while picture < source.pictures() {
            let room = most.saturating_sub(rows);
            if room < window.kernel {
                break;
            }
            let count = ((room - window.kernel) / window.stride + 1).min(lines - line);
            bands.push(Band { picture, lines: line..line + count, start: rows * row });
            rows += packed(count);
            line += count;
            if line == lines {
                (picture, line) = (picture + 1, 0);
            }
        }
        let mut words = cpu.pool.take::<u32>(rows * row);
        let packing = Packing { cpu, source, arith: panels.arith(), scales: &scales, reach };
        packing.pack(&packed_lines(&bands, reach), place, &mut words);
        work(&Strip { cpu, words: &words, scales: &scales, bands: &bands, reach, place, row });
    }
}

/// Returns for each packed line the picture, and which line of it stands there, if any.
fn packed_lines(bands: &[Band], reach: Reach) -> Vec<(usize, Option<usize>)> {
    let Reach { height, window, .. } = reach;
    let of = |band: &Band| {
        let first = band.lines.start * window.stride;
        let count = (band.lines.len() - 1) * window.stride + window.kernel;
        let picture = band.picture;
        (first..first + count).map(move |y| (picture, y.checked_sub(window.before).filter(|y| *y < height)))
    };
    bands.iter().flat_map(of).collect()
}

/// Returns the scale of bytes of each picture, none for other arithmetic: a window meets many places and its sum has one
/// scale, so the largest number of a picture becomes 127. It costs a walk over the lines, with what is done to them on the
/// way.
fn scales(cpu: &Cpu, source: &Source<'_>, arith: Arith, reach: Reach) -> Vec<f32> {
    if arith != Arith::Bytes {
        return Vec::new();
    }
    // As bits: what is not a number is then the largest, and the order of the lines does not matter.
    let most: Vec<AtomicU32> = (0..source.pictures()).map(|_| AtomicU32::new(0)).collect();
    parallel::ranges(most.len() * reach.height, 1, |range| {
        let mut wide = vec![0.0; source.channels()];
        for line in range {
            let rows = line * reach.width..(line + 1) * reach.width;
            let largest = rows.map(|row| source.largest(cpu.tier, row, &mut wide).to_bits()).max();
            most[line / reach.height].fetch_max(largest.unwrap_or(0), Ordering::Relaxed);
        }
    });
    most.into_iter().map(|most| step_of(f32::from_bits(most.into_inner()))).collect()
}

/// Lines on their way into a strip.
struct Packing<'a> {
    cpu: &'a Cpu,
    source: &'a Source<'a>,
    arith: Arith,
    /// Of bytes: for each picture.
    scales: &'a [f32],
    reach: Reach,
}

impl Packing<'_> {
    /// Packs the lines, `place` words each place.
    fn pack(&self, lines: &[(usize, Option<usize>)], place: usize, words: &mut [u32]) {
        let Reach { height, width, window, .. } = self.reach;
        let row = (width + window.before + window.after) * place;
        let nothing = if self.arith == Arith::Bytes { u32::from_ne_bytes([ZERO; 4]) } else { 0 };
        let shared = Shared::new(words);
        parallel::ranges(lines.len(), 1, |range| {
            let mut wide = vec![0.0; self.source.channels()];
            for i in range {
                // SAFETY: each line is in one range.
                let to = unsafe { shared.part(i * row..(i + 1) * row) };
                let (picture, Some(y)) = lines[i] else {
                    to.fill(nothing);
                    continue;
                };
                let (before, rest) = to.split_at_mut(window.before * place);
                let (inside, after) = rest.split_at_mut(width * place);
                before.fill(nothing);
                after.fill(nothing);
                let first = (picture * height + y) * width;
                for (x, to) in inside.chunks_exact_mut(place).enumerate() {
                    self.source.pack(
                        self.cpu,
                        (self.arith, self.scales.get(picture).copied()),
                        first + x,
                        (&mut wide, to),
                    );
                }
            }
        });
    }
}
