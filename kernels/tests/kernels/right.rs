//! Every kernel of every tier against the textbook formula in f64.

use std::sync::Arc;

use darkroom_kernels::attention::{Look, Mask};
use darkroom_kernels::{
    Arith, Cpu, Curve, Doubled, Finish, Groups, Kept, Order, Panels, Part, Pool, Residual, Rows, Size, Source, Target,
    Tier, Values, Window, attend, convolve, curve, group_norm, layer_norm, linear, write,
};

/// Numbers between -1 and 1 that look random and are the same everywhere.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn cpus() -> impl Iterator<Item = Cpu> {
    Tier::available().map(|tier| Cpu { tier, pool: Pool::default() })
}

fn part(values: &[f32], channels: usize) -> Part<'_> {
    Part { values: Values::F32(values), channels }
}

/// How far results may be off, as a share of the largest: rounding of factors, and of sums.
fn tolerance(arith: Arith) -> f64 {
    match arith {
        Arith::F32 => 4e-6,
        Arith::Bf16 => 6e-3,
        Arith::Bytes => 2e-2,
    }
}

#[track_caller]
fn assert_near(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let most = want.iter().fold(1e-30_f64, |most, x| most.max(x.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*got) - want).abs();
        assert!(error <= tolerance * most, "{what}: number {i} is {got}, not {want}");
    }
}

fn product(x: &[f32], w: &[f32], (rows, depth, outputs): (usize, usize, usize)) -> Vec<f64> {
    let at = |r: usize, o: usize| (0..depth).map(|k| f64::from(x[r * depth + k]) * f64::from(w[o * depth + k])).sum();
    (0..rows).flat_map(|r| (0..outputs).map(move |o| (r, o))).map(|(r, o)| at(r, o)).collect()
}

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

/// Pictures (picture, line, column, channel) under windows, weights (output, channel, line, column).
fn windows(x: &[f32], w: &[f32], shape: (usize, usize, usize, usize), outputs: usize, window: Window) -> Vec<f64> {
    let (pictures, height, width, channels) = shape;
    let (lines, across) = (window.places(height).unwrap(), window.places(width).unwrap());
    let k = window.kernel;
    let mut out = Vec::new();
    for (p, y, x0) in (0..pictures).flat_map(|p| (0..lines).flat_map(move |y| (0..across).map(move |x| (p, y, x)))) {
        for o in 0..outputs {
            let mut sum = 0.0;
            for (dy, dx, c) in (0..k).flat_map(|dy| (0..k).flat_map(move |dx| (0..channels).map(move |c| (dy, dx, c))))
            {
                let y = (y * window.stride + dy).checked_sub(window.before).filter(|y| *y < height);
                let column = (x0 * window.stride + dx).checked_sub(window.before).filter(|x| *x < width);
                if let (Some(y), Some(column)) = (y, column) {
                    let value = x[((p * height + y) * width + column) * channels + c];
                    sum += f64::from(value) * f64::from(w[((o * channels + c) * k + dy) * k + dx]);
                }
            }
            out.push(sum);
        }
    }
    out
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
            for (arith, kept) in [(Arith::F32, Kept::F32), (Arith::Bf16, Kept::Bf16), (Arith::F32, Kept::Late)] {
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

fn attention(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    (length, sources, channels, heads): (usize, usize, usize, usize),
    mask: Mask,
) -> Vec<f64> {
    let head = channels / heads;
    let mut out = vec![0.0; q.len()];
    for b in 0..q.len() / (length * channels) {
        for (i, h) in (0..length).flat_map(|i| (0..heads).map(move |h| (i, h))) {
            let seen = if mask == Mask::Causal { (i + 1).min(sources) } else { sources };
            let at = |x: &[f32], row: usize, c: usize| f64::from(x[row * channels + h * head + c]);
            let score = |j: usize| (0..head).map(|c| at(q, b * length + i, c) * at(k, b * sources + j, c)).sum::<f64>();
            let scores: Vec<f64> = (0..seen).map(|j| score(j) / (head as f64).sqrt()).collect();
            let most = scores.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let shares: Vec<f64> = scores.iter().map(|s| (s - most).exp()).collect();
            let sum: f64 = shares.iter().sum();
            for c in 0..head {
                let gathered: f64 = shares.iter().enumerate().map(|(j, s)| s * at(v, b * sources + j, c)).sum();
                out[(b * length + i) * channels + h * head + c] = gathered / sum;
            }
        }
    }
    out
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
