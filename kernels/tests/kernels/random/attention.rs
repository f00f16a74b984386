//! [`attend`] with random lengths, heads and masks.

use darkroom_kernels::attention::{Look, Mask};
use darkroom_kernels::{Arith, Part, Source, Target, Values, attend};
use half::bf16;
use proptest::prelude::*;
use proptest::sample::select;

use super::{EPS, EPS_BF16, Near, cases, check, size};
use crate::reference::{attention, cpus, numbers};

proptest! {
    #![proptest_config(cases(120))]
    #[test]
    fn attention_of_any_shape_is_near(
        (pictures, heads, head) in (1_usize..=2, 1_usize..=4, size(40, 170)),
        (length, sources) in (size(40, 210), size(60, 1300)),
        (mask, arith) in (select(&[Mask::Open, Mask::Causal][..]), select(&[Arith::F32, Arith::Bf16][..])),
        (narrow, written, sharp) in (any::<[bool; 3]>(), any::<bool>(), select(&[0.5_f32, 4.0, 30.0][..])),
        seed in 1_u64..1 << 40,
    ) {
        let channels = heads * head;
        // What is read or multiplied as bf16 is drawn as such.
        let draw = |side: usize, rows: usize, by: f32| -> Vec<f32> {
            let rounded = arith == Arith::Bf16 || narrow[side];
            let half = |x: f32| if rounded { bf16::from_f32(x).to_f32() } else { x };
            numbers(rows * channels, seed + side as u64).iter().map(|x| half(x * by)).collect()
        };
        let q = draw(0, pictures * length, sharp);
        let (k, v) = (draw(1, pictures * sources, 1.0), draw(2, pictures * sources, 1.0));
        let gathered = attention(&q, &k, &v, (length, sources, channels, heads), mask);
        // A score is off by so much, and a share by as much of itself.
        let score = EPS * (head + 4) as f64 * f64::from(sharp) * (head as f64).sqrt();
        let share = if arith == Arith::Bf16 { EPS_BF16 } else { 0.0 };
        let within = 2.0 * score + share + EPS * (sources + 60) as f64;
        let want = gathered.iter().map(|want| Near { want: *want, within });
        let want: Vec<Near> = want.map(|near| if written { near.in_bf16() } else { near }).collect();
        let bits = |x: &[f32]| -> Vec<bf16> { x.iter().map(|x| bf16::from_f32(*x)).collect() };
        let halves = [bits(&q), bits(&k), bits(&v)];
        for cpu in cpus() {
            let part = |i: usize, wide| match narrow[i] {
                true => [Part { values: Values::Bf16(&halves[i]), channels }],
                false => [Part { values: Values::F32(wide), channels }],
            };
            let (q, k, v) = (part(0, &q), part(1, &k), part(2, &v));
            let queries = Source { parts: &q, places: length, bend: None };
            let of = |parts| Source { parts, places: sources, bend: None };
            let look = Look { queries, keys: of(&k), values: of(&v), heads, mask, arith };
            let mut got = vec![f32::NAN; want.len()];
            if written {
                let mut half = bits(&got);
                attend(&cpu, look, &mut Target::Bf16(&mut half));
                got = half.iter().map(|x| x.to_f32()).collect();
            } else {
                attend(&cpu, look, &mut Target::F32(&mut got));
            }
            check(&format!("{} {arith:?} {mask:?} {length} x {sources}", cpu.tier), &got, &want)?;
        }
    }
}
