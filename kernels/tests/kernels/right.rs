//! Every kernel of every tier against the textbook formula in f64, on shapes that were met or are odd.

use std::sync::Arc;

use darkroom_kernels::attention::{Look, Mask};
use darkroom_kernels::{
    Arith, Curve, Doubled, Finish, Groups, Kept, Order, Panels, Residual, Rows, Size, Source, Target, Values, Window,
    attend, convolve, curve, group_norm, layer_norm, linear, write,
};

use crate::reference::{assert_near, attention, cpus, numbers, part, product, tolerance, windows};

const WAYS: [(Arith, Kept); 6] = [
    (Arith::F32, Kept::F32),
    (Arith::F32, Kept::F16),
    (Arith::F32, Kept::Late),
    (Arith::Bf16, Kept::Bf16),
    (Arith::Bf16, Kept::Late),
    (Arith::Bytes, Kept::Bytes),
];

#[test]
fn products_are_right_on_odd_shapes_in_every_tier() {
    for (rows, depth, outputs) in [(1, 1, 1), (7, 5, 65), (200, 33, 130), (13, 700, 17), (6, 3000, 64)] {
        let (x, w) = (numbers(rows * depth, 1), numbers(outputs * depth, 2));
        let want = product(&x, &w, (rows, depth, outputs));
        let weight: Arc<dyn Rows> = Arc::new(w);
        for cpu in cpus() {
            for (arith, kept) in WAYS {
                let size = Size { outputs, depth, taps: 1 };
                let panels = Panels::pack(&cpu, &weight, size, (arith, kept, Order::Plain));
                let source = Source { parts: &[part(&x, depth)], places: rows, bend: None };
                let mut got = vec![0.0; rows * outputs];
                linear(&cpu, &source, &panels, &Finish::default(), &mut Target::F32(&mut got));
                let bound = tolerance(arith).max(if kept == Kept::F16 { 1e-3 } else { 0.0 });
                assert_near(&format!("{} {arith:?} {kept:?} {rows}x{depth}x{outputs}", cpu.tier), &got, &want, bound);
            }
        }
    }
}

#[test]
fn sums_are_finished_as_asked() {
    let (rows, depth, outputs, pictures) = (10, 24, 70, 2);
    let (x, w) = (numbers(rows * depth, 1), numbers(outputs * depth, 2));
    let (bias, shift, other) = (numbers(outputs, 3), numbers(pictures * outputs, 4), numbers(rows * outputs, 5));
    let sums = product(&x, &w, (rows, depth, outputs));
    let want = |i: usize| {
        let (row, output) = (i / outputs, i % outputs);
        let x = sums[i] + f64::from(bias[output]) + f64::from(shift[row / 5 * outputs + output]);
        f64::from(other[i]) + 0.5 * x / (1.0 + (-x).exp())
    };
    let want: Vec<f64> = (0..rows * outputs).map(want).collect();
    let weight: Arc<dyn Rows> = Arc::new(w);
    for cpu in cpus() {
        let size = Size { outputs, depth, taps: 1 };
        let panels = Panels::pack(&cpu, &weight, size, (Arith::F32, Kept::F32, Order::Plain));
        let source = Source { parts: &[part(&x, depth)], places: 5, bend: None };
        let finish = Finish {
            bias: Some(&bias),
            shift: Some(&shift),
            curve: Curve::Silu,
            factor: 0.5,
            residual: Residual::Of(Values::F32(&other)),
        };
        let mut got = vec![0.0; rows * outputs];
        linear(&cpu, &source, &panels, &finish, &mut Target::F32(&mut got));
        assert_near(cpu.tier.name(), &got, &want, 2e-6);
        let mut onto = other.clone();
        let finish = Finish { residual: Residual::Target, ..finish };
        linear(&cpu, &source, &panels, &finish, &mut Target::F32(&mut onto));
        assert_eq!(got, onto);
    }
}

#[test]
fn a_gate_is_the_second_half_of_the_outputs() {
    for inner in [1, 20, 32, 45, 96] {
        let (rows, depth) = (9, 16);
        let (x, w) = (numbers(rows * depth, 1), numbers(2 * inner * depth, 2));
        let bias = numbers(2 * inner, 3);
        let sums = product(&x, &w, (rows, depth, 2 * inner));
        let want = |row: usize, i: usize| {
            let at = |o: usize| sums[row * 2 * inner + o] + f64::from(bias[o]);
            at(i) * f64::from(curve::gelu(at(inner + i) as f32))
        };
        let want: Vec<f64> = (0..rows).flat_map(|r| (0..inner).map(move |i| (r, i))).map(|(r, i)| want(r, i)).collect();
        let weight: Arc<dyn Rows> = Arc::new(w);
        for cpu in cpus() {
            let size = Size { outputs: 2 * inner, depth, taps: 1 };
            let panels = Panels::pack(&cpu, &weight, size, (Arith::F32, Kept::F32, Order::Gated));
            let source = Source { parts: &[part(&x, depth)], places: rows, bend: None };
            let mut got = vec![0.0; rows * inner];
            let finish = Finish { bias: Some(&bias), ..Finish::default() };
            linear(&cpu, &source, &panels, &finish, &mut Target::F32(&mut got));
            assert_near(&format!("{} {inner}", cpu.tier), &got, &want, 3e-6);
        }
    }
}

#[test]
fn convolutions_are_right_whatever_the_window() {
    let three = Window { kernel: 3, stride: 1, before: 1, after: 1 };
    let cases = [
        ((2, 5, 7, 9, 70), three),
        ((1, 1, 1, 1, 1), three),
        ((2, 6, 5, 8, 20), Window { stride: 2, ..three }),
        ((1, 6, 6, 4, 8), Window { kernel: 3, stride: 2, before: 0, after: 1 }),
        ((1, 9, 11, 3, 6), Window { kernel: 5, stride: 1, before: 2, after: 2 }),
        ((3, 2, 3, 5, 66), Window { kernel: 1, stride: 2, before: 0, after: 0 }),
    ];
    for ((pictures, height, width, channels, outputs), window) in cases {
        let x = numbers(pictures * height * width * channels, 1);
        let w = numbers(outputs * channels * window.kernel * window.kernel, 2);
        let want = windows(&x, &w, (pictures, height, width, channels), outputs, window);
        let weight: Arc<dyn Rows> = Arc::new(w);
        for cpu in cpus() {
            for (arith, kept) in [
                (Arith::F32, Kept::F32),
                (Arith::Bf16, Kept::Bf16),
                (Arith::F32, Kept::Late),
                (Arith::Bytes, Kept::Bytes),
                (Arith::Bytes, Kept::Late),
            ] {
                let size = Size { outputs, depth: channels, taps: window.kernel * window.kernel };
                let panels = Panels::pack(&cpu, &weight, size, (arith, kept, Order::Plain));
                let source = Source { parts: &[part(&x, channels)], places: height * width, bend: None };
                let mut got = vec![0.0; want.len()];
                let target = &mut Target::F32(&mut got);
                convolve(&cpu, &source, (height, width), (&panels, window), &Finish::default(), target);
                assert_near(&format!("{} {arith:?} {window:?}", cpu.tier), &got, &want, tolerance(arith));
            }
        }
    }
}

#[test]
fn a_folded_doubling_is_the_convolution_of_the_doubled_map() {
    let (pictures, height, width, channels, outputs) = (2, 3, 5, 7, 20);
    let x = numbers(pictures * height * width * channels, 1);
    let doubled = |i: usize| {
        let (c, column, line, p) = (
            i % channels,
            i / channels % (2 * width),
            i / channels / (2 * width) % (2 * height),
            i / channels / (4 * width * height),
        );
        x[((p * height + line / 2) * width + column / 2) * channels + c]
    };
    let large: Vec<f32> = (0..x.len() * 4).map(doubled).collect();
    let w = numbers(outputs * channels * 9, 2);
    let window = Window { kernel: 3, stride: 1, before: 1, after: 1 };
    let want = windows(&large, &w, (pictures, 2 * height, 2 * width, channels), outputs, window);
    let weight: Arc<dyn Rows> = Arc::new(w);
    for cpu in cpus() {
        for (arith, kept) in [(Arith::F32, Kept::F32), (Arith::Bf16, Kept::Bf16)] {
            let size = Size { outputs, depth: channels, taps: 4 };
            let four = Doubled::new(&weight, |rows| Panels::pack(&cpu, &rows, size, (arith, kept, Order::Plain)));
            let source = Source { parts: &[part(&x, channels)], places: height * width, bend: None };
            let mut got = vec![0.0; want.len()];
            four.convolve(&cpu, &source, (height, width), &Finish::default(), &mut Target::F32(&mut got));
            assert_near(&format!("{} {arith:?}", cpu.tier), &got, &want, tolerance(arith));
        }
    }
}

#[test]
fn attention_is_right_whatever_the_lengths() {
    let cases = [
        (2, 7, 13, 12, 3, Mask::Open),
        (1, 9, 9, 8, 2, Mask::Causal),
        (1, 700, 700, 4, 2, Mask::Causal),
        (1, 100, 1100, 80, 2, Mask::Open),
        (2, 5, 77, 64, 1, Mask::Open),
        (1, 3, 20, 130, 1, Mask::Open),
        (1, 2, 3, 5, 1, Mask::Open),
    ];
    for (pictures, length, sources, channels, heads, mask) in cases {
        let q: Vec<f32> = numbers(pictures * length * channels, 1).iter().map(|x| x * 4.0).collect();
        let (k, v) = (numbers(pictures * sources * channels, 2), numbers(pictures * sources * channels, 3));
        let want = attention(&q, &k, &v, (length, sources, channels, heads), mask);
        for cpu in cpus() {
            for arith in [Arith::F32, Arith::Bf16] {
                let (q, k, v) = ([part(&q, channels)], [part(&k, channels)], [part(&v, channels)]);
                let queries = Source { parts: &q, places: length, bend: None };
                let of = |parts| Source { parts, places: sources, bend: None };
                let look = Look { queries, keys: of(&k), values: of(&v), heads, mask, arith };
                let mut got = vec![0.0; want.len()];
                attend(&cpu, look, &mut Target::F32(&mut got));
                let bound = if arith == Arith::F32 { 3e-6 } else { 2e-2 };
                assert_near(&format!("{} {arith:?} {length} x {sources}", cpu.tier), &got, &want, bound);
            }
        }
    }
}

#[test]
fn norms_hold_where_the_mean_is_large() {
    let (pictures, places, channels, count) = (2, 83, 12, 4);
    let x: Vec<f32> = numbers(pictures * places * channels, 1).iter().map(|x| 1000.0 + x).collect();
    let (weight, bias) = (numbers(channels, 2), numbers(channels, 3));
    let members = channels / count;
    let want = |i: usize| {
        let (c, p) = (i % channels, i / channels / places);
        let group = c / members;
        let all = (0..places)
            .flat_map(|place| (0..members).map(move |m| (p * places + place) * channels + group * members + m));
        let all: Vec<f64> = all.map(|i| f64::from(x[i])).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / all.len() as f64;
        (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt() * f64::from(weight[c]) + f64::from(bias[c])
    };
    let want: Vec<f64> = (0..x.len()).map(want).collect();
    for cpu in cpus() {
        let source = Source { parts: &[part(&x, channels)], places, bend: None };
        let groups = Groups { count, eps: 1e-5, weight: &weight, bias: &bias };
        let norm = group_norm(&cpu, &source, groups, Curve::None);
        let mut got = vec![0.0; x.len()];
        write(&cpu, &Source { bend: Some(norm.bend()), ..source }, &mut Target::F32(&mut got));
        // The mean itself is rounded to f32 once: 3e-5 of a spread of 0.6.
        assert_near(cpu.tier.name(), &got, &want, 6e-5);
        let mut got = vec![0.0; x.len()];
        let rows = vec![1.0; places * channels];
        let zeros = vec![0.0; places * channels];
        let row = Source { parts: &[part(&x, places * channels)], places: 1, bend: None };
        layer_norm(&cpu, &row, 1e-5, (&rows, &zeros), &mut Target::F32(&mut got));
        for picture in got.chunks(places * channels) {
            let mean = picture.iter().map(|x| f64::from(*x)).sum::<f64>() / picture.len() as f64;
            let square = picture.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / picture.len() as f64;
            assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-4, "{mean} {square}");
        }
    }
}
