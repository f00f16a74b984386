//! What is not a number, what is hardly one, and nothing at all.

use std::sync::Arc;

use darkroom_kernels::attention::{Look, Mask};
use darkroom_kernels::{
    Arith, Bend, Cpu, Curve, Doubled, Finish, Groups, Kept, Order, Panels, Part, Residual, Rows, Size, Source, Target,
    Values, Window, attend, bend, convolve, group_norm, layer_norm, linear, write,
};
use half::bf16;

use crate::reference::{assert_near, cpus, numbers, part, product, tolerance};

const WAYS: [(Arith, Kept); 8] = [
    (Arith::F32, Kept::F32),
    (Arith::F32, Kept::F16),
    (Arith::F32, Kept::Bf16),
    (Arith::F32, Kept::Late),
    (Arith::Bf16, Kept::Bf16),
    (Arith::Bf16, Kept::Late),
    (Arith::Bytes, Kept::Bytes),
    (Arith::Bytes, Kept::Late),
];
const CURVES: [Curve; 5] = [Curve::None, Curve::Silu, Curve::Gelu, Curve::QuickGelu, Curve::Leaky(0.2)];
const THREE: Window = Window { kernel: 3, stride: 1, before: 1, after: 1 };

fn pack(cpu: &Cpu, w: &[f32], outputs: usize, taps: usize, (arith, kept): (Arith, Kept), order: Order) -> Panels {
    let rows: Arc<dyn Rows> = Arc::new(w.to_vec());
    Panels::pack(cpu, &rows, Size { outputs, depth: w.len() / outputs / taps, taps }, (arith, kept, order))
}

/// Multiplies rows with a weight.
fn multiply(cpu: &Cpu, x: &[f32], panels: &Panels, finish: &Finish<'_>) -> Vec<f32> {
    let depth = panels.size().depth;
    let source = Source { parts: &[part(x, depth)], places: (x.len() / depth).max(1), bend: None };
    let mut got = vec![0.0; x.len() / depth * panels.width()];
    linear(cpu, &source, panels, finish, &mut Target::F32(&mut got));
    got
}

#[test]
fn not_a_number_in_a_row_reaches_all_its_results_and_no_other_row() {
    let (rows, depth, outputs) = (9, 37, 70);
    let w = numbers(outputs * depth, 2);
    for (poison, at) in [(f32::NAN, 0), (f32::NAN, 20), (-f32::NAN, 36), (f32::INFINITY, 3), (f32::NEG_INFINITY, 36)] {
        let mut x = numbers(rows * depth, 1);
        x[4 * depth + at] = poison;
        for cpu in cpus() {
            for (way, order) in WAYS.into_iter().flat_map(|way| [(way, Order::Plain), (way, Order::Gated)]) {
                let got = multiply(&cpu, &x, &pack(&cpu, &w, outputs, 1, way, order), &Finish::default());
                for (i, row) in got.chunks(got.len() / rows).enumerate() {
                    let what = format!("{} {way:?} {order:?}: {poison} at {at}, row {i}", cpu.tier);
                    // A gate that an infinity shuts lets nothing through, whatever it is.
                    let shut = order == Order::Gated && poison.is_infinite();
                    assert!(shut || row.iter().all(|x| x.is_finite() != (i == 4)), "{what}: {row:?}");
                }
            }
        }
    }
}

#[test]
fn not_a_number_in_a_weight_reaches_its_output_in_every_row() {
    let (rows, depth, outputs) = (7, 33, 70);
    let x = numbers(rows * depth, 1);
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut w = numbers(outputs * depth, 2);
        w[66 * depth + 5] = poison;
        for cpu in cpus() {
            for way in WAYS {
                let panels = pack(&cpu, &w, outputs, 1, way, Order::Plain);
                let got = multiply(&cpu, &x, &panels, &Finish::default());
                let seen = got.iter().enumerate().all(|(i, x)| x.is_finite() != (i % outputs == 66));
                assert!(seen, "{} {way:?} {poison}", cpu.tier);
            }
        }
    }
}

#[test]
fn not_a_number_in_what_is_added_reaches_the_result() {
    let (rows, depth, outputs) = (5, 8, 20);
    let (x, w) = (numbers(rows * depth, 1), numbers(outputs * depth, 2));
    let mut poisoned = numbers(rows * outputs, 3);
    poisoned[7] = f32::NAN;
    let column = |i: usize| i % outputs == 7;
    for cpu in cpus() {
        for (way, curve) in WAYS.into_iter().flat_map(|way| CURVES.map(|curve| (way, curve))) {
            let panels = pack(&cpu, &w, outputs, 1, way, Order::Plain);
            let plain = Finish { curve, ..Finish::default() };
            let of = |finish: &Finish<'_>| multiply(&cpu, &x, &panels, finish);
            let seen =
                |got: Vec<f32>, at: &dyn Fn(usize) -> bool| got.iter().enumerate().all(|(i, x)| x.is_nan() == at(i));
            let what = format!("{} {way:?} {curve:?}", cpu.tier);
            assert!(seen(of(&Finish { bias: Some(&poisoned[..outputs]), ..plain }), &column), "bias: {what}");
            assert!(seen(of(&Finish { shift: Some(&poisoned[..outputs]), ..plain }), &column), "shift: {what}");
            let residual = Residual::Of(Values::F32(&poisoned));
            assert!(seen(of(&Finish { residual, ..plain }), &|i| i == 7), "residual: {what}");
            assert!(seen(of(&Finish { factor: f32::NAN, ..plain }), &|_| true), "factor: {what}");
        }
    }
}

#[test]
fn not_a_number_passes_every_curve() {
    for (cpu, curve) in cpus().flat_map(|cpu| CURVES.map(|curve| (cpu.clone(), curve))) {
        for at in 0..70 {
            let mut x = numbers(70, 1);
            x[at] = f32::NAN;
            bend(&cpu, &mut x, curve);
            assert!(x.iter().enumerate().all(|(i, x)| x.is_nan() == (i == at)), "{} {curve:?} {at}", cpu.tier);
        }
    }
}

#[test]
fn not_a_number_in_a_map_is_not_lost_in_bytes() {
    let (edge, channels, outputs) = (4, 3, 17);
    let w = numbers(outputs * channels * 9, 2);
    let mut x = numbers(edge * edge * channels, 1);
    x[7] = f32::NAN;
    for cpu in cpus() {
        let source = Source { parts: &[part(&x, channels)], places: edge * edge, bend: None };
        let panels = pack(&cpu, &w, outputs, 9, (Arith::Bytes, Kept::Bytes), Order::Plain);
        let mut got = vec![0.0; edge * edge * outputs];
        let target = &mut Target::F32(&mut got);
        convolve(&cpu, &source, (edge, edge), (&panels, THREE), &Finish::default(), target);
        // The picture has one scale.
        assert!(got.iter().all(|x| x.is_nan()), "{}", cpu.tier);
    }
}

#[test]
fn not_a_number_in_a_map_reaches_the_windows_that_see_it() {
    let (height, width, channels, outputs) = (5, 6, 3, 17);
    let (w, at) = (numbers(outputs * channels * 9, 2), (2, 3));
    let mut x = numbers(height * width * channels, 1);
    x[(at.0 * width + at.1) * channels + 1] = f32::NAN;
    for cpu in cpus() {
        for way in WAYS.into_iter().filter(|(arith, _)| *arith != Arith::Bytes) {
            let source = Source { parts: &[part(&x, channels)], places: height * width, bend: None };
            let mut got = vec![0.0; height * width * outputs];
            let panels = pack(&cpu, &w, outputs, 9, way, Order::Plain);
            let target = &mut Target::F32(&mut got);
            convolve(&cpu, &source, (height, width), (&panels, THREE), &Finish::default(), target);
            for (i, x) in got.iter().enumerate() {
                let (y, x0) = (i / outputs / width, i / outputs % width);
                assert_eq!(x.is_nan(), y.abs_diff(at.0) < 2 && x0.abs_diff(at.1) < 2, "{} {way:?} {y} {x0}", cpu.tier);
            }
            let weight: Arc<dyn Rows> = Arc::new(w.clone());
            let size = Size { outputs, depth: channels, taps: 4 };
            let four = Doubled::new(&weight, |rows| Panels::pack(&cpu, &rows, size, (way.0, way.1, Order::Plain)));
            let mut got = vec![0.0; 4 * height * width * outputs];
            four.convolve(&cpu, &source, (height, width), &Finish::default(), &mut Target::F32(&mut got));
            for (i, x) in got.iter().enumerate() {
                let (y, x0) = (i / outputs / (2 * width), i / outputs % (2 * width));
                let sees = |place: usize, at: usize| (2 * at..=2 * at + 3).contains(&(place + 1));
                assert_eq!(x.is_nan(), sees(y, at.0) && sees(x0, at.1), "{} {way:?} {y} {x0}", cpu.tier);
            }
        }
    }
}

/// Attends with queries, keys and values of one length and two heads.
fn look(cpu: &Cpu, [q, k, v]: &[Vec<f32>; 3], channels: usize, arith: Arith) -> Vec<f32> {
    let places = q.len() / channels;
    let parts = [q, k, v].map(|x| [part(x, channels)]);
    let of = |i: usize| Source { parts: &parts[i], places, bend: None };
    let look = Look { queries: of(0), keys: of(1), values: of(2), heads: 2, mask: Mask::Open, arith };
    let mut got = vec![0.0; q.len()];
    attend(cpu, look, &mut Target::F32(&mut got));
    got
}

#[test]
fn not_a_number_passes_attention() {
    let (length, channels) = (if cfg!(miri) { 9 } else { 600 }, 12);
    for (cpu, arith) in cpus().flat_map(|cpu| [Arith::F32, Arith::Bf16].map(|arith| (cpu.clone(), arith))) {
        for (side, row) in [(0, length / 2), (1, 0), (1, length - 1), (2, length / 3)] {
            let mut all = [1, 2, 3].map(|seed| numbers(length * channels, seed));
            all[side][row * channels + 7] = f32::NAN;
            let got = look(&cpu, &all, channels, arith);
            for (i, x) in got.iter().enumerate() {
                // The second head alone; of queries the one row, of values the one channel.
                let seen = i % channels >= 6 && [i / channels == row, true, i % channels == 7][side];
                assert_eq!(x.is_nan(), seen, "{} {arith:?} {side} {row}: {i}", cpu.tier);
            }
        }
    }
}

#[test]
fn scores_that_overflow_are_not_hidden() {
    let (length, channels) = (5, 4);
    let q = vec![1e30; length * channels];
    for (cpu, arith) in cpus().flat_map(|cpu| [Arith::F32, Arith::Bf16].map(|arith| (cpu.clone(), arith))) {
        for sign in [1.0, -1.0] {
            let all = [q.clone(), vec![sign * 1e30; length * channels], numbers(length * channels, 3)];
            let got = look(&cpu, &all, channels, arith);
            assert!(got.iter().all(|x| x.is_nan()), "{} {arith:?} {sign}: {got:?}", cpu.tier);
        }
    }
}

#[test]
fn not_a_number_passes_norms() {
    let (pictures, places, channels) = (2, 11, 8);
    let (ones, zeros) = (vec![1.0; channels], vec![0.0; channels]);
    for (cpu, poison) in cpus().flat_map(|cpu| [f32::NAN, f32::INFINITY].map(|poison| (cpu.clone(), poison))) {
        let mut x = numbers(pictures * places * channels, 1);
        let at = (places + 5) * channels + 6;
        x[at] = poison;
        let source = Source { parts: &[part(&x, channels)], places, bend: None };
        let groups = Groups { count: 4, eps: 1e-5, weight: &ones, bias: &zeros };
        let norm = group_norm(&cpu, &source, groups, Curve::None);
        let mut got = vec![0.0; x.len()];
        write(&cpu, &Source { bend: Some(norm.bend()), ..source }, &mut Target::F32(&mut got));
        let mut row = vec![0.0; x.len()];
        layer_norm(&cpu, &source, 1e-5, (&ones, &zeros), &mut Target::F32(&mut row));
        for i in 0..x.len() {
            let (picture, group) = (i / channels / places, i % channels / 2);
            assert_eq!(got[i].is_nan(), (picture, group) == (1, 3), "{} group {poison} {i}", cpu.tier);
            assert_eq!(row[i].is_nan(), i / channels == at / channels, "{} layer {poison} {i}", cpu.tier);
        }
    }
}

#[test]
fn norms_hold_where_squares_overflow() {
    let (places, channels) = (40, 6);
    let plain = numbers(places * channels, 1);
    let (ones, zeros) = (vec![1.0; channels], vec![0.0; channels]);
    let normal = |all: &dyn Fn(usize) -> bool, i: usize| {
        let all: Vec<f64> = plain.iter().enumerate().filter(|(i, _)| all(*i)).map(|(_, x)| f64::from(*x)).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / all.len() as f64;
        (f64::from(plain[i]) - mean) / variance.sqrt()
    };
    let group: Vec<f64> = (0..plain.len()).map(|i| normal(&|j| j % channels / 3 == i % channels / 3, i)).collect();
    let layer: Vec<f64> = (0..plain.len()).map(|i| normal(&|j| j / channels == i / channels, i)).collect();
    for (cpu, huge) in cpus().flat_map(|cpu| [1e12_f32, 1e22, 1e30, 1e38].map(|huge| (cpu.clone(), huge))) {
        let x: Vec<f32> = plain.iter().map(|x| x * huge).collect();
        let source = Source { parts: &[part(&x, channels)], places, bend: None };
        let groups = Groups { count: 2, eps: 1e-5, weight: &ones, bias: &zeros };
        let norm = group_norm(&cpu, &source, groups, Curve::None);
        let mut got = vec![0.0; x.len()];
        write(&cpu, &Source { bend: Some(norm.bend()), ..source }, &mut Target::F32(&mut got));
        assert_near(&format!("{} group {huge}", cpu.tier), &got, &group, 1e-5);
        layer_norm(&cpu, &source, 1e-5, (&ones, &zeros), &mut Target::F32(&mut got));
        assert_near(&format!("{} layer {huge}", cpu.tier), &got, &layer, 1e-5);
    }
}

#[test]
fn a_row_of_one_number_is_normalised_to_its_bias() {
    let (rows, channels) = (3, 77);
    let (weight, bias) = (numbers(channels, 1), numbers(channels, 2));
    let want: Vec<f64> = (0..rows * channels).map(|i| f64::from(bias[i % channels])).collect();
    for (cpu, x) in cpus().flat_map(|cpu| [0.0, 1e-42, 1.1, 123_456.7, 1.234_567e9, 1e20].map(|x| (cpu.clone(), x))) {
        let x = vec![x; rows * channels];
        let source = Source { parts: &[part(&x, channels)], places: rows, bend: None };
        let mut got = vec![0.0; x.len()];
        layer_norm(&cpu, &source, 1e-5, (&weight, &bias), &mut Target::F32(&mut got));
        assert_near(&format!("{} layer {}", cpu.tier, x[0]), &got, &want, 1e-6);
        let groups = Groups { count: 7, eps: 1e-5, weight: &weight, bias: &bias };
        let norm = group_norm(&cpu, &source, groups, Curve::None);
        write(&cpu, &Source { bend: Some(norm.bend()), ..source }, &mut Target::F32(&mut got));
        assert_near(&format!("{} group {}", cpu.tier, x[0]), &got, &want, 1e-6);
    }
}

#[test]
fn far_below_zero_curves_are_shut() {
    for (cpu, curve) in cpus().flat_map(|cpu| [Curve::Silu, Curve::Gelu, Curve::QuickGelu].map(|c| (cpu.clone(), c))) {
        let far = [-30.0, -87.5, -90.0, -1e6, -1e30, -1e38, f32::MIN];
        let mut x = far;
        bend(&cpu, &mut x, curve);
        assert!(x.iter().all(|x| x.abs() < 1e-6), "{} {curve:?}: {x:?}", cpu.tier);
        let mut x = far.map(|x| -x);
        bend(&cpu, &mut x, curve);
        assert_eq!(x, far.map(|x| -x), "{} {curve:?}", cpu.tier);
    }
}

#[test]
fn products_of_huge_and_tiny_numbers_are_right() {
    let (rows, depth, outputs) = (5, 19, 33);
    let (plain, weight) = (numbers(rows * depth, 1), numbers(outputs * depth, 2));
    for (x, w) in [(1e30, 1e-30), (1e-38, 1e20), (1e-41, 1e20), (1e-44, 1e30), (1e20, 1e-41), (1e18, 1e18), (0.0, 1.0)]
    {
        let (x, w): (Vec<f32>, Vec<f32>) =
            (plain.iter().map(|n| n * x).collect(), weight.iter().map(|n| n * w).collect());
        let want = product(&x, &w, (rows, depth, outputs));
        for (cpu, (arith, kept)) in cpus().flat_map(|cpu| WAYS.map(|way| (cpu.clone(), way))) {
            if kept == Kept::F16 {
                continue;
            }
            let panels = pack(&cpu, &w, outputs, 1, (arith, kept), Order::Plain);
            let got = multiply(&cpu, &x, &panels, &Finish::default());
            let largest = |all: &[f32]| all.iter().fold(0_f32, |most, x| most.max(x.abs()));
            // Numbers in bf16 and scales of bytes lose their digits below the smallest normal one.
            let narrow = arith != Arith::F32 || kept == Kept::Bf16;
            let lost = if narrow { 2e-38 * depth as f64 * f64::from(largest(&w) + largest(&x)) } else { 0.0 };
            let rounding = tolerance(arith).max(if kept == Kept::Bf16 { tolerance(Arith::Bf16) } else { 0.0 });
            let most = want.iter().fold(0_f64, |most, x| most.max(x.abs()));
            let within = rounding * most + lost + 1e-43;
            for (got, want) in got.iter().zip(&want) {
                assert!((f64::from(*got) - want).abs() <= within, "{} {arith:?} {kept:?}: {got} {want}", cpu.tier);
            }
        }
    }
}

#[test]
fn the_largest_number_of_a_tiny_row_of_bytes_does_not_stand_for_all() {
    // One over the scale of such a row is more than f32 holds.
    let x = [1e-39, 1e-41, 0.0, -1e-41];
    for cpu in cpus() {
        let panels = pack(&cpu, &[0.0, 1e38, 0.0, 0.0], 1, 1, (Arith::Bytes, Kept::Bytes), Order::Plain);
        let got = multiply(&cpu, &x, &panels, &Finish::default())[0];
        assert!(got.abs() < 0.01, "{}: {got}, not 0.001", cpu.tier);
    }
}

#[test]
fn nothing_is_made_of_nothing() {
    for cpu in cpus() {
        let none = Source { parts: &[part(&[], 4)], places: 6, bend: None };
        for way in WAYS {
            let panels = pack(&cpu, &numbers(5 * 4, 1), 5, 1, way, Order::Plain);
            assert!(multiply(&cpu, &[], &panels, &Finish::default()).is_empty());
            if way.0 != Arith::Bytes {
                let panels = pack(&cpu, &numbers(5 * 4 * 9, 1), 5, 9, way, Order::Plain);
                convolve(&cpu, &none, (2, 3), (&panels, THREE), &Finish::default(), &mut Target::F32(&mut []));
            }
        }
        let look = Look { queries: none, keys: none, values: none, heads: 2, mask: Mask::Open, arith: Arith::F32 };
        attend(&cpu, look, &mut Target::F32(&mut []));
        let ones = [1.0; 4];
        let norm = group_norm(&cpu, &none, Groups { count: 2, eps: 1e-5, weight: &ones, bias: &ones }, Curve::Silu);
        write(&cpu, &Source { bend: Some(norm.bend()), ..none }, &mut Target::F32(&mut []));
        layer_norm(&cpu, &none, 1e-5, (&ones, &ones), &mut Target::Bf16(&mut []));
        bend(&cpu, &mut [], Curve::Gelu);
    }
}

#[test]
fn a_weight_without_outputs_writes_nothing() {
    for (cpu, (arith, kept)) in cpus().flat_map(|cpu| WAYS.map(|way| (cpu.clone(), way))) {
        let rows: Arc<dyn Rows> = Arc::new(Vec::new());
        let panels = Panels::pack(&cpu, &rows, Size { outputs: 0, depth: 3, taps: 1 }, (arith, kept, Order::Plain));
        assert!(multiply(&cpu, &numbers(6, 1), &panels, &Finish::default()).is_empty());
    }
}

#[test]
fn a_weight_without_depth_packs() {
    for (cpu, (arith, kept)) in cpus().flat_map(|cpu| WAYS.map(|way| (cpu.clone(), way))) {
        let rows: Arc<dyn Rows> = Arc::new(Vec::new());
        let panels = Panels::pack(&cpu, &rows, Size { outputs: 3, depth: 0, taps: 1 }, (arith, kept, Order::Plain));
        assert_eq!(panels.bytes(), 0);
    }
}

#[test]
fn bytes_are_summed_up_to_the_largest_sum_that_fits() {
    let (depth, most) = (133_144, 127.0 * 127.0 * 133_144.0);
    for (cpu, sign) in cpus().flat_map(|cpu| [1.0, -1.0].map(|sign| (cpu.clone(), sign))) {
        let panels = pack(&cpu, &vec![sign * 127.0; depth], 1, 1, (Arith::Bytes, Kept::Bytes), Order::Plain);
        let got = multiply(&cpu, &vec![127.0; depth], &panels, &Finish::default());
        assert_near(cpu.tier.name(), &got, &[f64::from(sign) * most], 1e-6);
        let pack = || pack(&cpu, &vec![1.0; depth + 1], 1, 1, (Arith::Bytes, Kept::Bytes), Order::Plain);
        assert!(is_refused(|| drop(pack())), "{}", cpu.tier);
    }
}

#[test]
fn bf16_between_two_words_is_read_right() {
    let (rows, depth, outputs) = (7, 6, 20);
    let w = numbers(outputs * depth, 2);
    let all: Vec<bf16> = numbers(rows * depth + 1, 1).iter().map(|x| bf16::from_f32(*x)).collect();
    for (cpu, first) in cpus().flat_map(|cpu| [0, 1].map(|first| (cpu.clone(), first))) {
        let x = &all[first..][..rows * depth];
        let wide: Vec<f32> = x.iter().map(|x| x.to_f32()).collect();
        let want = product(&wide, &w, (rows, depth, outputs));
        let panels = pack(&cpu, &w, outputs, 1, (Arith::Bf16, Kept::Bf16), Order::Plain);
        let parts = [Part { values: Values::Bf16(x), channels: depth }];
        let source = Source { parts: &parts, places: rows, bend: None };
        let mut got = vec![0.0; rows * outputs];
        linear(&cpu, &source, &panels, &Finish::default(), &mut Target::F32(&mut got));
        assert_near(cpu.tier.name(), &got, &want, tolerance(Arith::Bf16));
    }
}

/// Tells whether something is refused by a panic, which is what a bug of the caller deserves.
fn is_refused(work: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err()
}

#[test]
fn shapes_that_do_not_go_together_are_refused() {
    let (rows, depth, outputs) = (4, 6, 20);
    let (x, w) = (numbers(rows * depth, 1), numbers(outputs * depth, 2));
    for cpu in cpus() {
        let panels = pack(&cpu, &w, outputs, 1, (Arith::F32, Kept::F32), Order::Plain);
        let run = |bias: usize, residual: usize, target: usize| {
            let source = Source { parts: &[part(&x, depth)], places: rows, bend: None };
            let residual = Residual::Of(Values::F32(&w[..residual]));
            let finish = Finish { bias: Some(&x[..bias]), residual, ..Finish::default() };
            linear(&cpu, &source, &panels, &finish, &mut Target::F32(&mut vec![0.0; target]));
        };
        run(outputs, rows * outputs, rows * outputs);
        assert!(is_refused(|| run(outputs - 1, rows * outputs, rows * outputs)), "a short bias");
        assert!(is_refused(|| run(outputs, rows * outputs - 1, rows * outputs)), "a short residual");
        assert!(is_refused(|| run(outputs, rows * outputs, rows * outputs - 1)), "a short target");

        let gated = pack(&cpu, &w, outputs, 1, (Arith::F32, Kept::F32), Order::Gated);
        let bent = Finish { curve: Curve::Silu, ..Finish::default() };
        assert!(is_refused(|| drop(multiply(&cpu, &x, &gated, &bent))), "a curve over gates");
        let odd = pack(&cpu, &w[..19 * depth], 19, 1, (Arith::F32, Kept::F32), Order::Gated);
        assert!(is_refused(|| drop(multiply(&cpu, &x, &odd, &Finish::default()))), "half a gate");

        let of = |channels: usize| [part(&w, channels)];
        let (six, five, two) = (of(6), of(5), of(2));
        let source = |parts, places| Source { parts, places, bend: None };
        let see = |keys, values, heads| {
            let look = Look { queries: source(&six, 20), keys, values, heads, mask: Mask::Open, arith: Arith::F32 };
            attend(&cpu, look, &mut Target::F32(&mut [0.0; 120]));
        };
        see(source(&six, 20), source(&six, 20), 2);
        assert!(is_refused(|| see(source(&two, 20), source(&six, 20), 2)), "narrow keys");
        assert!(is_refused(|| see(source(&six, 20), source(&six, 10), 2)), "few values");
        assert!(is_refused(|| see(source(&six, 20), source(&six, 20), 4)), "heads that leave channels over");
        let bent = Bend { minus: &x, gain: &x, shift: &x, curve: Curve::None };
        let bent = Source { bend: Some(bent), ..source(&six, 20) };
        assert!(is_refused(|| see(bent, source(&six, 20), 2)), "keys to be bent");

        let norm = |parts, count, weight: usize| {
            group_norm(
                &cpu,
                &source(parts, 4),
                Groups { count, eps: 1e-5, weight: &x[..weight], bias: &x },
                Curve::None,
            );
        };
        norm(&six, 2, 6);
        assert!(is_refused(|| norm(&five, 2, 5)), "groups that leave a channel over");
        let row = |weight: usize| {
            layer_norm(&cpu, &source(&six, 20), 1e-5, (&x[..weight], &x[..6]), &mut Target::F32(&mut [0.0; 120]));
        };
        row(6);
        assert!(is_refused(|| row(5)), "a short weight");
    }
}
