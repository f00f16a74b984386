//! Shapes that do not fit one strip, one chunk or one block: the few products of each place are written down directly.

use std::sync::Arc;

use darkroom_kernels::{
    Arith, Cpu, Doubled, Finish, Kept, Order, Panels, Rows, Size, Source, Target, Window, convolve, linear,
};

use crate::reference::{assert_near, cpus, numbers, part, product, tolerance, windows};

#[test]
fn more_rows_than_a_strip_or_a_chunk_of_late_weights() {
    // Of 65 536 bf16 a strip holds 128 rows; a chunk of late weights 1536 rows of any width.
    for (rows, depth, outputs) in [(150, 65_536, 2), (3333, 3, 70)] {
        let (x, w) = (numbers(rows * depth, 1), numbers(outputs * depth, 2));
        let want = product(&x, &w, (rows, depth, outputs));
        let weight: Arc<dyn Rows> = Arc::new(w);
        for cpu in cpus() {
            for way in [(Arith::F32, Kept::Late), (Arith::Bf16, Kept::Bf16), (Arith::Bf16, Kept::Late)] {
                let size = Size { outputs, depth, taps: 1 };
                let panels = Panels::pack(&cpu, &weight, size, (way.0, way.1, Order::Plain));
                let source = Source { parts: &[part(&x, depth)], places: rows, bend: None };
                let mut got = vec![f32::NAN; rows * outputs];
                linear(&cpu, &source, &panels, &Finish::default(), &mut Target::F32(&mut got));
                // Sums of so many numbers are off by more than their parts.
                let bound = tolerance(way.0) * if depth > 1000 { 4.0 } else { 1.0 };
                assert_near(&format!("{} {way:?} {rows} rows", cpu.tier), &got, &want, bound);
            }
        }
    }
}

#[test]
fn maps_of_several_strips() {
    let three = Window { kernel: 3, stride: 1, before: 1, after: 1 };
    let cases = [
        // Seventeen lines of a strip, over the edge of a picture.
        ((2, 13, 20, 5500), three),
        ((1, 37, 10, 5500), Window { stride: 2, ..three }),
        // Two lines and a bit fit a strip, a window needs three: one line of the result at a time.
        ((1, 3, 900, 1000), three),
    ];
    for ((pictures, height, width, channels), window) in cases {
        let outputs = 1;
        let x = numbers(pictures * height * width * channels, 1);
        let w = numbers(outputs * channels * 9, 2);
        let want = windows(&x, &w, (pictures, height, width, channels), outputs, window);
        let weight: Arc<dyn Rows> = Arc::new(w);
        for cpu in cpus() {
            let panels = Panels::pack(
                &cpu,
                &weight,
                Size { outputs, depth: channels, taps: 9 },
                (Arith::F32, Kept::F32, Order::Plain),
            );
            let source = Source { parts: &[part(&x, channels)], places: height * width, bend: None };
            let mut got = vec![f32::NAN; want.len()];
            let target = &mut Target::F32(&mut got);
            convolve(&cpu, &source, (height, width), (&panels, window), &Finish::default(), target);
            assert_near(&format!("{} {height} x {width}", cpu.tier), &got, &want, 4.0 * tolerance(Arith::F32));
        }
    }
}

#[test]
fn a_doubling_of_several_strips() {
    let (height, width, channels) = (20, 22, 5500);
    let (x, w) = (numbers(height * width * channels, 1), numbers(channels * 9, 2));
    let size = Size { outputs: 1, depth: channels, taps: 4 };
    let weight: Arc<dyn Rows> = Arc::new(w);
    let strip = |cpu: &Cpu, lines: std::ops::Range<usize>| {
        let four = Doubled::new(&weight, |rows| Panels::pack(cpu, &rows, size, (Arith::F32, Kept::F32, Order::Plain)));
        let x = &x[lines.start * width * channels..lines.end * width * channels];
        let source = Source { parts: &[part(x, channels)], places: lines.len() * width, bend: None };
        let mut got = vec![f32::NAN; 4 * lines.len() * width];
        four.convolve(cpu, &source, (lines.len(), width), &Finish::default(), &mut Target::F32(&mut got));
        got
    };
    for cpu in cpus() {
        // Four lines fit one strip; but for those at its edge they are lines of the whole.
        let (whole, piece) = (strip(&cpu, 0..height), strip(&cpu, 13..17));
        let line = 2 * width;
        assert_eq!(whole[27 * line..33 * line], piece[line..7 * line], "{}", cpu.tier);
        assert!(whole.iter().all(|x| x.is_finite()));
    }
}
