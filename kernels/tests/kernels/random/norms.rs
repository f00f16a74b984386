//! [`group_norm`] and [`layer_norm`] of random shapes, spreads and means.

use darkroom_kernels::{Curve, Groups, Part, Source, Target, Values, group_norm, layer_norm, write};
use half::bf16;
use proptest::prelude::*;
use proptest::sample::select;

use super::{EPS, Near, TINY, cases, check, power, size};
use crate::reference::{bend, cpus, numbers};

/// What a norm makes of numbers that are normalised together: (mean, one over the spread, the largest size).
fn measured(all: impl Iterator<Item = f64> + Clone, eps: f64) -> (f64, f64, f64) {
    let count = all.clone().count() as f64;
    let mean = all.clone().sum::<f64>() / count;
    let variance = all.clone().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    (mean, 1.0 / (variance + eps).sqrt(), all.fold(0.0, |most, x| x.abs().max(most)))
}

/// Normalises a number; means are rounded to f32, and so are spreads.
fn normal(x: f64, (mean, scale, most): (f64, f64, f64), (weight, bias): (f32, f32)) -> Near {
    let (weight, bias) = (f64::from(weight), f64::from(bias));
    let want = (x - mean) * scale * weight + bias;
    let spread = (x - mean).abs() * scale;
    Near {
        want,
        within: 4.0 * EPS * (most * scale + 60.0 * spread) * weight.abs()
            + 4.0 * EPS * (bias.abs() + want.abs())
            + TINY,
    }
}

proptest! {
    #![proptest_config(cases(120))]
    #[test]
    fn group_norms_of_any_shape_are_near(
        (pictures, places, groups, members) in (1_usize..=3, size(60, 3000), 1_usize..=8, size(5, 40)),
        (spread, far) in (power(-20..=20), select(&[0.0_f32, 1.0, 100.0][..])),
        (split, narrow, silu) in any::<(bool, bool, bool)>(),
        seed in 1_u64..1 << 40,
    ) {
        let channels = groups * members;
        let first = if split { channels / 2 } else { 0 };
        let draw = |width: usize, seed: u64| -> Vec<f32> {
            numbers(pictures * places * width, seed).iter().map(|x| (x + far) * spread).collect()
        };
        let (a, b) = (draw(first, seed), draw(channels - first, seed + 1));
        let halves: Vec<bf16> = b.iter().map(|x| bf16::from_f32(*x)).collect();
        let b: Vec<f32> = if narrow { halves.iter().map(|x| x.to_f32()).collect() } else { b };
        let at = |row: usize, c: usize| -> f64 {
            if c < first { a[row * first + c] } else { b[row * (channels - first) + c - first] }.into()
        };
        let (weight, bias) = (numbers(channels, seed + 2), numbers(channels, seed + 3));
        let eps = 1e-5 * f64::from(spread) * f64::from(spread);
        let curve = if silu { Curve::Silu } else { Curve::None };
        let mut want = vec![Near { want: 0.0, within: 0.0 }; pictures * places * channels];
        for (p, g) in (0..pictures).flat_map(|p| (0..groups).map(move |g| (p, g))) {
            let members = g * members..(g + 1) * members;
            let rows = p * places..(p + 1) * places;
            let all = rows.clone().flat_map(|row| members.clone().map(move |c| (row, c)));
            let of = measured(all.clone().map(|(row, c)| at(row, c)), eps);
            for (row, c) in all {
                let near = normal(at(row, c), of, (weight[c], bias[c]));
                let within = 1.2 * near.within + 1e-6 * near.want.abs();
                want[row * channels + c] = Near { want: bend(curve, near.want), within };
            }
        }
        let second = if narrow { Values::Bf16(&halves) } else { Values::F32(&b) };
        let mut parts = vec![Part { values: Values::F32(&a), channels: first }];
        parts.push(Part { values: second, channels: channels - first });
        let parts = if first > 0 { &parts[..] } else { &parts[1..] };
        for cpu in cpus() {
            let source = Source { parts, places, bend: None };
            let norm = group_norm(&cpu, &source, Groups { count: groups, eps, weight: &weight, bias: &bias }, curve);
            let mut got = vec![f32::NAN; want.len()];
            write(&cpu, &Source { bend: Some(norm.bend()), ..source }, &mut Target::F32(&mut got));
            check(&format!("{} {channels} in {groups}, {places} places", cpu.tier), &got, &want)?;
        }
    }

    #[test]
    fn layer_norms_of_any_shape_are_near(
        (rows, channels) in (size(50, 300), size(70, 3000)),
        (spread, far) in (power(-20..=20), select(&[0.0_f32, 1.0, 100.0][..])),
        (narrow, written) in any::<(bool, bool)>(),
        seed in 1_u64..1 << 40,
    ) {
        let x: Vec<f32> = numbers(rows * channels, seed).iter().map(|x| (x + far) * spread).collect();
        let halves: Vec<bf16> = x.iter().map(|x| bf16::from_f32(*x)).collect();
        let x: Vec<f32> = if narrow { halves.iter().map(|x| x.to_f32()).collect() } else { x };
        let (weight, bias) = (numbers(channels, seed + 1), numbers(channels, seed + 2));
        let eps = 1e-5 * f64::from(spread) * f64::from(spread);
        let mut want = Vec::new();
        for row in x.chunks(channels) {
            let of = measured(row.iter().map(|x| f64::from(*x)), eps);
            let normal = |c: usize| normal(row[c].into(), of, (weight[c], bias[c]));
            want.extend((0..channels).map(normal).map(|near| if written { near.in_bf16() } else { near }));
        }
        let values = if narrow { Values::Bf16(&halves) } else { Values::F32(&x) };
        for cpu in cpus() {
            let source = Source { parts: &[Part { values, channels }], places: rows, bend: None };
            let mut got = vec![f32::NAN; want.len()];
            if written {
                let mut half = vec![bf16::NAN; want.len()];
                layer_norm(&cpu, &source, eps, (&weight, &bias), &mut Target::Bf16(&mut half));
                got = half.iter().map(|x| x.to_f32()).collect();
            } else {
                layer_norm(&cpu, &source, eps, (&weight, &bias), &mut Target::F32(&mut got));
            }
            check(&format!("{} {rows} x {channels}", cpu.tier), &got, &want)?;
        }
    }
}
