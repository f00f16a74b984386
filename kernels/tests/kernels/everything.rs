//! One call of every kernel in every way that it has code of its own for, on shapes of several pieces.

use std::sync::Arc;

use darkroom_kernels::attention::{Look, Mask};
use darkroom_kernels::{
    Arith, Bend, Cpu, Curve, Doubled, Finish, Groups, Kept, Order, Panels, Part, Residual, Rows, Size, Source, Target,
    Values, Window, affine, attend, bend, convolve, group_norm, layer_norm, linear, write,
};
use half::bf16;

use crate::reference::numbers;

/// What a kernel made: its name, and the bits.
pub type Made = (String, Vec<u32>);

const WAYS: [(Arith, Kept, Order); 8] = [
    (Arith::F32, Kept::F32, Order::Plain),
    (Arith::F32, Kept::F16, Order::Gated),
    (Arith::F32, Kept::Late, Order::Plain),
    (Arith::Bf16, Kept::Bf16, Order::Gated),
    (Arith::Bf16, Kept::Bf16, Order::Plain),
    (Arith::Bf16, Kept::Late, Order::Plain),
    (Arith::Bytes, Kept::Bytes, Order::Plain),
    (Arith::Bytes, Kept::Late, Order::Gated),
];

/// Two parts of a map: 11 channels in f32 and 26 in bf16.
struct Map {
    wide: Vec<f32>,
    half: Vec<bf16>,
}

const CHANNELS: usize = 37;
const OUTPUTS: usize = 150;

impl Map {
    fn new(rows: usize) -> Self {
        let half = numbers(rows * 26, 2).iter().map(|x| bf16::from_f32(*x)).collect();
        Self { wide: numbers(rows * 11, 1), half }
    }

    fn parts(&self) -> [Part<'_>; 2] {
        let wide = Part { values: Values::F32(&self.wide), channels: 11 };
        [wide, Part { values: Values::Bf16(&self.half), channels: 26 }]
    }
}

/// Calls `work` for a target of either precision.
fn written(made: &mut Vec<Made>, name: &str, length: usize, work: impl Fn(&mut Target<'_>)) {
    let mut wide = vec![0.5; length];
    work(&mut Target::F32(&mut wide));
    made.push((name.to_owned(), wide.iter().map(|x| x.to_bits()).collect()));
    let mut half = vec![bf16::ONE; length];
    work(&mut Target::Bf16(&mut half));
    made.push((format!("{name} in bf16"), half.iter().map(|x| x.to_bits().into()).collect()));
}

/// Runs everything; `edge` is that of the maps.
pub fn everything(cpu: &Cpu, edge: usize) -> Vec<Made> {
    let mut made = Vec::new();
    products(cpu, edge, &mut made);
    maps(cpu, edge, &mut made);
    looks(cpu, edge, &mut made);
    norms(cpu, edge, &mut made);
    made
}

fn products(cpu: &Cpu, edge: usize, made: &mut Vec<Made>) {
    let (pictures, places) = (2, edge * edge);
    let map = Map::new(pictures * places);
    let of = |seed| numbers(pictures * CHANNELS, seed);
    let (minus, gain, shift) = (of(3), of(4), of(5));
    let bent = Bend { minus: &minus, gain: &gain, shift: &shift, curve: Curve::Silu };
    let weight: Arc<dyn Rows> = Arc::new(numbers(OUTPUTS * CHANNELS, 6));
    let (bias, late) = (numbers(OUTPUTS, 7), numbers(pictures * OUTPUTS, 8));
    for (arith, kept, order) in WAYS {
        let size = Size { outputs: OUTPUTS, depth: CHANNELS, taps: 1 };
        let panels = Panels::pack(cpu, &weight, size, (arith, kept, order));
        let curve = if order == Order::Plain { Curve::Gelu } else { Curve::None };
        let finish = Finish { bias: Some(&bias), shift: Some(&late), curve, factor: 0.7, residual: Residual::Target };
        for bend in [None, Some(bent)] {
            let source = Source { parts: &map.parts(), places, bend };
            let name = format!("product {arith:?} {kept:?} {order:?} {}", bend.is_some());
            written(made, &name, pictures * places * panels.width(), |target| {
                linear(cpu, &source, &panels, &finish, target);
            });
        }
    }
}

fn maps(cpu: &Cpu, edge: usize, made: &mut Vec<Made>) {
    let (pictures, places) = (2, edge * edge);
    let map = Map::new(pictures * places);
    let source = Source { parts: &map.parts(), places, bend: None };
    let outputs = 40;
    let weight: Arc<dyn Rows> = Arc::new(numbers(outputs * CHANNELS * 9, 6));
    for (arith, kept, _) in WAYS {
        let order = Order::Plain;
        for stride in [1, 2] {
            let window = Window { kernel: 3, stride, before: 1, after: 1 };
            let panels = Panels::pack(cpu, &weight, Size { outputs, depth: CHANNELS, taps: 9 }, (arith, kept, order));
            let length = pictures * window.places(edge).expect("it fits").pow(2) * outputs;
            written(made, &format!("convolution {arith:?} {kept:?} {stride}"), length, |target| {
                convolve(cpu, &source, (edge, edge), (&panels, window), &Finish::default(), target);
            });
        }
        let size = Size { outputs, depth: CHANNELS, taps: 4 };
        let four = Doubled::new(&weight, |rows| Panels::pack(cpu, &rows, size, (arith, kept, order)));
        written(made, &format!("doubling {arith:?} {kept:?}"), pictures * places * 4 * outputs, |target| {
            four.convolve(cpu, &source, (edge, edge), &Finish::default(), target);
        });
    }
}

fn looks(cpu: &Cpu, edge: usize, made: &mut Vec<Made>) {
    let (pictures, length, sources, channels) = (1, edge * 10, edge * 40, 36);
    let of = |length: usize, seed| numbers(pictures * length * channels, seed);
    let (q, k, v) = (of(length, 1), of(sources, 2), of(sources, 3));
    let parts = [&q, &k, &v].map(|x| [Part { values: Values::F32(x), channels }]);
    let source = |i: usize, places| Source { parts: &parts[i], places, bend: None };
    for (arith, mask) in [Arith::F32, Arith::Bf16].into_iter().flat_map(|a| [(a, Mask::Open), (a, Mask::Causal)]) {
        let (queries, keys, values) = (source(0, length), source(1, sources), source(2, sources));
        written(made, &format!("attention {arith:?} {mask:?}"), q.len(), |target| {
            attend(cpu, Look { queries, keys, values, heads: 3, mask, arith }, target);
        });
    }
}

fn norms(cpu: &Cpu, edge: usize, made: &mut Vec<Made>) {
    let (pictures, places, channels) = (2, 4 * edge * edge, CHANNELS);
    let map = Map::new(pictures * places);
    let source = Source { parts: &map.parts(), places, bend: None };
    let (weight, bias) = (numbers(channels, 3), numbers(channels, 4));
    let groups = Groups { count: 1, eps: 1e-5, weight: &weight, bias: &bias };
    written(made, "group norm", pictures * places * channels, |target| {
        let norm = group_norm(cpu, &source, groups, Curve::Silu);
        write(cpu, &Source { bend: Some(norm.bend()), ..source }, target);
    });
    written(made, "layer norm", pictures * places * channels, |target| {
        layer_norm(cpu, &source, 1e-5, (&weight, &bias), target);
    });
    let mut x = numbers(pictures * places * channels, 5);
    bend(cpu, &mut x, Curve::QuickGelu);
    affine(cpu, &mut x, 1.5, -0.25);
    made.push(("bend".to_owned(), x.iter().map(|x| x.to_bits()).collect()));
}
