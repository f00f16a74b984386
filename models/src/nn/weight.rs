//! The big weights of layers: packed for kernels, or as candle's operations take them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use candle_core::Tensor;
use darkroom_kernels::{Arith, Cpu, Doubled, Kept, Order, Panels, Rows, Size};

use super::{
    Card, Storage, host,
    sources::{Read, Small, Stored, Whole, as_kept, kept_unchanged, sums_kept},
};
use crate::{
    Result, Weights,
    weights::rows::{Ahead, FileRows, check},
};

/// A weight of a layer.
#[derive(Clone, Debug)]
pub(super) enum Weight {
    /// For products, and for convolutions of one point.
    Panels(Panels),
    /// For a convolution behind a doubling, and for the same behind another change of size, where there may be one.
    Doubled(Arc<Doubled>, Option<Panels>),
    /// For candle's operations, on their card; also where there are no values at all.
    Plain(Tensor),
    /// For candle's operations, read and brought to their card at each use.
    Fetched(Arc<Fetched>),
}

/// A weight that a card has no room for.
pub(super) struct Fetched {
    read: Read,
    /// Its rows in the file, which know what is read after them.
    rows: Option<FileRows>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetched({:?})", self.read.shape)
    }
}

/// What a weight is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A product, or the windows of a convolution.
    Product(Order),
    /// A convolution of three by three behind a map that has grown.
    Growth(Growth),
}

/// How large a map grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// To twice its size, always.
    Twice,
    /// To twice its size, or nearly so.
    Nearly,
}

impl Weight {
    /// Loads `weight`, of `shape` in the file, with the changes made to that layer.
    pub fn load(w: &Weights, shape: &[usize], (arith, usage): (Arith, Use)) -> Result<Self> {
        let compute = w.compute();
        let cpu = match (compute.cpu(), compute.on_card()) {
            (Some(cpu), _) if compute.is_hollow() => {
                w.hollow().get("weight", shape)?;
                return Ok(Self::hollow(w, cpu, shape, (arith, usage)));
            }
            (Some(cpu), _) if !w.is_dry() => cpu.clone(),
            (None, Some(card)) if !w.is_dry() => return w.shared("weight", || Self::on_card(w, card, (shape, arith))),
            _ => return Ok(Weight::Plain(w.get("weight", shape)?)),
        };
        // The shapes of two uses of one weight differ in nothing that a name tells.
        let key = format!("{arith:?} {usage:?}");
        w.shared(&key, || match w.read_at_use("weight") {
            Some(ahead) => Self::late(w, &cpu, (shape, &ahead), (arith, usage)),
            None => Self::staying(w, &cpu, shape, (arith, usage)),
        })
    }

    /// Brings a weight to a card, or leaves it in its file: the same numbers in either case.
    fn on_card(w: &Weights, card: &Card, (shape, arith): (&[usize], Arith)) -> Result<Self> {
        match w.read_at_use("weight") {
            None => Ok(Weight::Plain(card.factor(&Read::new(w, shape, arith).tensor()?)?)),
            Some(ahead) => {
                // What is wrong with it is found now.
                w.hollow().get("weight", shape)?;
                let rows = w.rows("weight", shape);
                rows.iter().for_each(|rows| rows.stays_behind(&ahead));
                Ok(Weight::Fetched(Arc::new(Fetched { read: Read::new(w, shape, arith), rows })))
            }
        }
    }

    /// Returns it as a card multiplies it.
    pub fn on(&self, card: &Card) -> Result<Tensor> {
        match self {
            Weight::Plain(weight) => card.factor(weight),
            Weight::Fetched(fetched) => {
                // What is read next is asked for meanwhile.
                fetched.rows.iter().for_each(|rows| drop(rows.at_hand()));
                check(fetched.rows.as_ref().and_then(|rows| rows.fault()))?;
                card.factor(&fetched.read.tensor()?)
            }
            Weight::Panels(_) | Weight::Doubled(..) => unreachable!("it is packed for kernels"),
        }
    }

    /// Makes what is only counted with.
    fn hollow(w: &Weights, cpu: &Cpu, shape: &[usize], (arith, usage): (Arith, Use)) -> Self {
        let mode = w.compute().mode();
        let kept = Stored::of_file(w).packed(arith, mode).0;
        let panels = |taps, (kept, order)| {
            Panels::hollow(cpu, Size { outputs: shape[0], depth: shape[1], taps }, (arith, kept, order))
        };
        match usage {
            Use::Product(order) => Weight::Panels(panels(shape[2..].iter().product(), (kept, order))),
            Use::Growth(growth) => {
                let four = [(); 4].map(|()| panels(4, (sums_kept(arith, mode), Order::Plain)));
                let nine = (growth == Growth::Nearly).then(|| panels(9, (kept, Order::Plain)));
                Weight::Doubled(Arc::new(Doubled::of(four)), nine)
            }
        }
    }

    /// Packs a weight that stays in memory.
    fn staying(w: &Weights, cpu: &Cpu, shape: &[usize], (arith, usage): (Arith, Use)) -> Result<Self> {
        if w.patches().is_empty()
            && let Some(rows) = w.rows("weight", shape)
        {
            let (stored, rows) = (Stored::from(rows.stored()), Arc::new(rows));
            let made = Self::pack(w, cpu, (rows.clone(), stored, shape), (arith, usage));
            check(rows.fault())?;
            return Ok(made);
        }
        let base = match w.unchanged() {
            Some(w) if arith != Arith::Bytes => Some(Self::load(&w, shape, (arith, usage))?),
            _ => None,
        };
        let kept = kept_unchanged(w, arith);
        let storage = match base.and_then(|base| base.unpacked(cpu)) {
            // What is changed is what was packed: a file is read once, however often its changes change.
            Some(base) => {
                let base = as_kept(host::tensor(base, shape)?, kept)?;
                Storage::Patched(Box::new(Storage::Dense(base)), w.patches().to_vec())
            }
            // What is packed is not kept as it was beside.
            None => Storage::load(&w.as_stored("weight"), "weight", shape)?,
        };
        let (rows, stored): (Arc<dyn Rows>, Stored) = match storage {
            Storage::Packed(packed) => {
                let stored = packed.eight_bits().map_or(Stored::Late, Stored::Eight);
                (Arc::new(Small(packed)), stored)
            }
            storage => {
                let tensor = match &storage {
                    Storage::Dense(tensor) | Storage::Widened(tensor) => tensor.clone(),
                    _ => storage.widened()?,
                };
                (Arc::new(Whole::new(&tensor)?), Stored::of(&storage))
            }
        };
        Ok(Self::pack(w, cpu, (rows, stored, shape), (arith, usage)))
    }

    /// Takes a weight that is read from its file at each use, and packed then.
    fn late(
        w: &Weights,
        cpu: &Cpu,
        (shape, ahead): (&[usize], &Arc<Ahead>),
        (arith, usage): (Arith, Use),
    ) -> Result<Self> {
        let plain = if w.patches().is_empty() { w.rows("weight", shape) } else { None };
        // Bytes, and sums of weights, are made of what is multiplied; all else is multiplied behind the products.
        let (whole, stored, bare): (Arc<dyn Rows>, _, _) = match plain {
            Some(rows) => {
                rows.stays_behind(ahead);
                let (bare, factor) = rows.unscaled();
                let stored = Stored::from(rows.stored());
                (Arc::new(rows), stored, Some((Arc::new(bare) as Arc<dyn Rows>, factor)))
            }
            None => {
                // What is wrong with it is found now.
                w.hollow().get("weight", shape)?;
                (Arc::new(Read::new(w, shape, arith)), Stored::of_file(w), None)
            }
        };
        let mode = w.compute().mode();
        let late = |kept| if (arith, kept) == (Arith::F32, Kept::Bf16) { Kept::LateBf16 } else { Kept::Late };
        let size = Size { outputs: shape[0], depth: shape[1], taps: shape[2..].iter().product() };
        let panels = |order| {
            let (rows, factor) = match &bare {
                Some((bare, factor)) if arith != Arith::Bytes => (bare, *factor),
                _ => (&whole, 1.0),
            };
            let kept = late(stored.packed(arith, mode).0);
            Panels::pack(cpu, rows, size, (arith, kept, order)).scaled(factor)
        };
        let made = match usage {
            Use::Product(order) => Weight::Panels(panels(order)),
            Use::Growth(growth) => {
                let kept = late(sums_kept(arith, mode));
                let four = Size { taps: 4, ..size };
                let four = Doubled::new(&whole, |rows| Panels::pack(cpu, &rows, four, (arith, kept, Order::Plain)));
                Weight::Doubled(Arc::new(four), (growth == Growth::Nearly).then(|| panels(Order::Plain)))
            }
        };
        made.check()?;
        Ok(made)
    }

    /// Returns the numbers that were packed, if what is kept are they.
    fn unpacked(&self, cpu: &Cpu) -> Option<Vec<f32>> {
        match self {
            Weight::Panels(panels) | Weight::Doubled(_, Some(panels)) => panels.unpacked(cpu),
            Weight::Doubled(_, None) | Weight::Plain(_) | Weight::Fetched(_) => None,
        }
    }

    /// Fails if its rows could not be read at a use: what was computed with them is no number.
    pub fn check(&self) -> Result<()> {
        check(match self {
            Weight::Panels(panels) => panels.fault(),
            Weight::Doubled(four, nine) => four.fault().or_else(|| nine.as_ref()?.fault()),
            Weight::Plain(_) | Weight::Fetched(_) => None,
        })
    }

    fn pack(
        w: &Weights,
        cpu: &Cpu,
        (rows, stored, shape): (Arc<dyn Rows>, Stored, &[usize]),
        (arith, usage): (Arith, Use),
    ) -> Self {
        let taps: usize = shape[2..].iter().product();
        let size = Size { outputs: shape[0], depth: shape[1], taps };
        let mode = w.compute().mode();
        let order = match usage {
            Use::Product(order) => order,
            Use::Growth(_) => Order::Plain,
        };
        let panels = || {
            let (kept, factor) = stored.packed(arith, mode);
            let is_small = matches!(kept, Kept::Late | Kept::E4M3 | Kept::E5M2);
            let whole = if is_small { None } else { rows.at_hand() };
            let rows = whole.unwrap_or_else(|| rows.clone());
            Panels::pack(cpu, &rows, size, (arith, kept, order)).scaled(factor)
        };
        let Use::Growth(growth) = usage else { return Weight::Panels(panels()) };
        let kept = sums_kept(arith, mode);
        let four = Size { taps: 4, ..size };
        let whole = rows.at_hand().unwrap_or_else(|| rows.clone());
        let four = Doubled::new(&whole, |rows| Panels::pack(cpu, &rows, four, (arith, kept, order)));
        Weight::Doubled(Arc::new(four), (growth == Growth::Nearly).then(panels))
    }
}

/// Returns a number that no other layer has.
pub(super) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use darkroom_kernels::Tier;
    use safetensors::{Dtype, tensor::TensorView};

    use super::*;
    use crate::nn::{After, Bias, Compute, Conv2d, ConvShape, FeatureMap, Linear, Mode, Tokens, Upsample};

    const CHANNELS: usize = 20;

    /// The layers' weights in a file of some format, with what multiplies those of eight bits.
    fn file(dtype: Dtype) -> Vec<u8> {
        let shapes = [
            ("conv.weight", vec![CHANNELS, CHANNELS, 3, 3]),
            ("grow.weight", vec![CHANNELS, CHANNELS, 3, 3]),
            ("wide.weight", vec![70, CHANNELS]),
            ("gated.weight", vec![2 * CHANNELS, CHANNELS]),
        ];
        let mut tensors = Vec::new();
        for (name, shape) in shapes {
            let count: usize = shape.iter().product();
            let number = |i: usize| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * 0.4;
            let bytes: Vec<u8> = match dtype {
                Dtype::F32 => (0..count).flat_map(|i| number(i).to_le_bytes()).collect(),
                Dtype::F16 => (0..count).flat_map(|i| half::f16::from_f32(number(i)).to_le_bytes()).collect(),
                Dtype::BF16 => (0..count).flat_map(|i| half::bf16::from_f32(number(i)).to_le_bytes()).collect(),
                // Any byte but what is no number.
                _ => (0..count).map(|i| (i * 37 % 120 + i % 2 * 128) as u8).collect(),
            };
            tensors.push((name.to_owned(), dtype, shape.clone(), bytes));
            if dtype == Dtype::F8_E4M3 {
                let scale = name.replace("weight", "scale_weight");
                tensors.push((scale, Dtype::F32, vec![1], 0.37_f32.to_le_bytes().to_vec()));
            }
            let bias = name.replace("weight", "bias");
            let bytes = (0..shape[0]).flat_map(|i| (i as f32 * 0.01).to_le_bytes()).collect();
            tensors.push((bias, Dtype::F32, vec![shape[0]], bytes));
        }
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            (name.clone(), TensorView::new(*dtype, shape.clone(), bytes).expect("as many bytes as the shape says"))
        });
        safetensors::serialize(views, None).expect("a small file")
    }

    /// What all layers make of one map.
    fn outcome(w: &Weights) -> Vec<f32> {
        let x = Tensor::arange(0_f32, (2 * CHANNELS * 30) as f32, &Device::Cpu).unwrap();
        let x = (x * 0.37).unwrap().sin().unwrap().reshape((2, CHANNELS, 5, 6)).unwrap();
        let map = FeatureMap::from_tensor(&x).unwrap();
        let tokens = Tokens::from_tensor(&x.reshape((2, 30, CHANNELS)).unwrap()).unwrap();
        let conv = Conv2d::load(&w.at("conv"), ConvShape::three(CHANNELS, CHANNELS)).unwrap();
        let grow = Upsample::load(&w.at("grow"), (CHANNELS, CHANNELS), Growth::Nearly).unwrap();
        let wide = Linear::load(&w.at("wide"), CHANNELS, 70, Bias::Yes).unwrap();
        let gated = Linear::load_gated(&w.at("gated"), CHANNELS, CHANNELS).unwrap();
        w.finish().unwrap();
        let made = [
            conv.forward(&map).unwrap().to_tensor().unwrap(),
            grow.forward(&map, After::default()).unwrap().to_tensor().unwrap(),
            grow.forward_to(&map, (9, 11), After::default()).unwrap().to_tensor().unwrap(),
            wide.forward(&tokens).unwrap().to_tensor().unwrap(),
            gated.forward(&tokens).unwrap().to_tensor().unwrap(),
        ];
        made.iter().flat_map(|x| host::values(x).unwrap()).collect()
    }

    #[test]
    fn what_is_read_at_each_use_is_what_stays_to_the_bit() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F8_E4M3, Dtype::F8_E5M2] {
            let w = Weights::from_bytes("toy", file(dtype)).unwrap();
            let kernels = Tier::available().flat_map(|tier| Mode::ALL.map(|mode| Compute::on(tier, mode)));
            let cards = [Card::processor(), Card::processor_in_bf16()].map(|card| Compute::card(card, Mode::Fast));
            for compute in kernels.chain(cards) {
                let compute = compute.with_coarse_products();
                let numerics = compute.numerics();
                let w = w.clone().with_compute(compute);
                let whole = outcome(&w);
                assert!(whole.iter().all(|x| x.is_finite()), "{dtype:?} {numerics}");
                for bytes in [0, w.loaded_bytes() / 2, w.loaded_bytes() - 1] {
                    let part = outcome(&w.clone().staying_within(bytes));
                    assert!(whole == part, "{dtype:?} {numerics}, {bytes} bytes stay");
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_short_between_two_uses_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("toy.safetensors");
        std::fs::write(&path, file(Dtype::F16)).unwrap();
        let w = Weights::open(&path).unwrap().with_compute(Compute::new(Mode::usual())).staying_within(0);
        let wide = Linear::load(&w.at("wide"), CHANNELS, 70, Bias::Yes).unwrap();
        let x = Tokens::from_tensor(&Tensor::ones((1, 3, CHANNELS), DType::F32, &Device::Cpu).unwrap()).unwrap();
        wide.forward(&x).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole / 2).unwrap();
        let error = wide.forward(&x).unwrap_err();
        assert!(error.to_string().contains("when it was opened") && error.to_string().contains("toy.safetensors"));
        assert!(error.hint().unwrap().contains("once its file is complete"));
    }
}
