//! A matrix applied to every row.

use crate::Cpu;
use crate::left::Source;
use crate::micro::{Arith, Segment};
use crate::panels::Panels;
use crate::parallel::{self, Shared};
use crate::product::{self, Finish, Rows, Target};

/// The most words of packed rows at a time: 16 MiB, half of a large third-level cache.
const STRIP: usize = 4 << 20;

/// Multiplies every row (n, depth) with a weight of one tap: (n, outputs).
///
/// Rows that lie as the product reads them are used where they are; others are packed, a strip at a time.
pub fn linear(cpu: &Cpu, source: &Source<'_>, panels: &Panels, finish: &Finish<'_>, target: &mut Target<'_>) {
    assert_eq!((source.channels(), panels.size().taps), (panels.size().depth, 1), "rows and weights of one depth");
    let (rows, width) = (source.rows(), panels.words_per_tap());
    let segments = [Segment { offset: 0, words: width }];
    if let Some(words) = source.words(panels.arith()) {
        let offsets: Vec<usize> = (0..rows).map(|row| row * width).collect();
        let places: Vec<usize> = (0..rows).collect();
        let rows = Rows {
            words,
            offsets: &offsets,
            segments: &segments,
            scales: None,
            places: &places,
            picture: source.places,
        };
        return product::multiply(cpu, &rows, panels, finish, target);
    }
    let strip = (STRIP / width.max(1)).max(1);
    for first in (0..rows).step_by(strip) {
        let count = strip.min(rows - first);
        let mut words = cpu.pool.take::<u32>(count * width);
        let mut scales = cpu.pool.take::<f32>(count);
        pack(cpu, source, panels.arith(), first, (&mut words, &mut scales));
        let offsets: Vec<usize> = (0..count).map(|row| row * width).collect();
        let places: Vec<usize> = (first..first + count).collect();
        let rows = Rows {
            words: &words,
            offsets: &offsets,
            segments: &segments,
            scales: (panels.arith() == Arith::Bytes).then_some(&scales[..]),
            places: &places,
            picture: source.places,
        };
        product::multiply(cpu, &rows, panels, finish, target);
    }
}

/// Packs rows from number `first` on.
fn pack(cpu: &Cpu, source: &Source<'_>, arith: Arith, first: usize, (words, scales): (&mut [u32], &mut [f32])) {
    let (count, channels) = (scales.len(), source.channels());
    let width = words.len() / count.max(1);
    let (words, scales) = (Shared::new(words), Shared::new(scales));
    parallel::ranges(count, 8, |range| {
        let mut wide = vec![0.0; channels];
        for row in range {
            // SAFETY: each row is in one range.
            let (to, scale) = unsafe { (words.part(row * width..(row + 1) * width), scales.part(row..row + 1)) };
            scale[0] = source.pack(cpu, (arith, None), first + row, (&mut wide, to));
        }
    });
}
