//! The big weights of layers: packed for kernels, or as candle's operations take them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use candle_core::{CpuStorage, Storage as Raw, Tensor};
use darkroom_kernels::{Arith, Cpu, Doubled, Kept, Order, Panels, Rows, Size, Tier, narrow};

use super::{Storage, compute::Mode, host};
use crate::{
    Error, Result, Weights,
    weights::{EightBits, Packed},
};

/// A weight of a layer.
#[derive(Clone, Debug)]
pub(super) enum Weight {
    /// For products, and for convolutions of one point.
    Panels(Panels),
    /// For a convolution behind a doubling, and for the same behind another change of size, where there may be one.
    Doubled(Arc<Doubled>, Option<Panels>),
    /// For candle's operations; also where there are no values at all.
    Plain(Storage),
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
        let cpu = match compute.cpu() {
            Some(cpu) if !w.is_dry() => cpu.clone(),
            _ => return Ok(Weight::Plain(Storage::load(w, "weight", shape)?)),
        };
        // The shapes of two uses of one weight differ in nothing that a name tells.
        let key = format!("{arith:?} {usage:?}");
        w.shared(&key, || {
            let base = match w.unchanged() {
                Some(w) if arith != Arith::Bytes => Some(Self::load(&w, shape, (arith, usage))?),
                _ => None,
            };
            let storage = match base.and_then(|base| base.unpacked(&cpu)) {
                // What is changed is what was packed: a file is read once, however often its changes change.
                Some(base) => {
                    let base = Storage::Dense(host::tensor(base, shape)?);
                    Storage::Patched(Box::new(base), w.patches().to_vec())
                }
                // What is packed is not kept as it was beside.
                None => Storage::load(&w.as_stored("weight"), "weight", shape)?,
            };
            Self::pack(w, &cpu, (storage, shape), (arith, usage))
        })
    }

    /// Returns the numbers that were packed, if what is kept are they.
    fn unpacked(&self, cpu: &Cpu) -> Option<Vec<f32>> {
        match self {
            Weight::Panels(panels) | Weight::Doubled(_, Some(panels)) => panels.unpacked(cpu),
            Weight::Doubled(_, None) | Weight::Plain(_) => None,
        }
    }

    fn pack(
        w: &Weights,
        cpu: &Cpu,
        (storage, shape): (Storage, &[usize]),
        (arith, usage): (Arith, Use),
    ) -> Result<Self> {
        let taps: usize = shape[2..].iter().product();
        let size = Size { outputs: shape[0], depth: shape[1], taps };
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
        let Use::Growth(growth) = usage else { return Ok(Weight::Panels(panels())) };
        // Sums of the weights of a file are not of its kind any more.
        let kept = if arith == Arith::F32 && mode == Mode::Exact { Kept::F32 } else { Kept::Bf16 };
        let four = Size { taps: 4, ..size };
        let whole = rows.at_hand().unwrap_or_else(|| rows.clone());
        let four = Doubled::new(&whole, |rows| Panels::pack(cpu, &rows, four, (arith, kept, order)));
        Ok(Weight::Doubled(Arc::new(four), (growth == Growth::Nearly).then(panels)))
    }
}

/// How the file has a weight.
enum Stored {
    F32,
    F16,
    Bf16,
    Eight(EightBits),
    /// In blocks: widened and packed at each use.
    Late,
}

impl Stored {
    fn of(storage: &Storage) -> Self {
        match storage {
            Storage::Widened(tensor) if tensor.dtype() == candle_core::DType::F16 => Stored::F16,
            Storage::Widened(_) => Stored::Bf16,
            _ => Stored::F32,
        }
    }

    /// Returns how it is kept, and what its sums are multiplied by.
    fn packed(&self, arith: Arith, mode: Mode) -> (Kept, f32) {
        let kept = match (arith, self) {
            (Arith::Bytes, _) => Kept::Bytes,
            (_, Stored::Late) => Kept::Late,
            (_, Stored::Eight(EightBits::E4M3(scale))) => return (Kept::E4M3, *scale),
            (_, Stored::Eight(EightBits::E5M2(scale))) => return (Kept::E5M2, *scale),
            (Arith::F32, Stored::F16) => Kept::F16,
            (Arith::F32, Stored::F32) if mode == Mode::Exact => Kept::F32,
            (Arith::F32 | Arith::Bf16, _) => Kept::Bf16,
        };
        (kept, 1.0)
    }
}

/// A tensor on the processor, in order.
struct Whole(Tensor);

impl Whole {
    fn new(tensor: &Tensor) -> Result<Self> {
        let tensor = tensor.contiguous()?;
        match &*tensor.storage_and_layout().0 {
            Raw::Cpu(CpuStorage::F32(_) | CpuStorage::F16(_) | CpuStorage::BF16(_)) => {}
            _ => return Err(Error::Shape(format!("weights of {:?} are not packed", tensor.dtype()))),
        }
        Ok(Self(tensor))
    }
}

impl Rows for Whole {
    fn row(&self, output: usize, to: &mut [f32]) {
        let (storage, layout) = self.0.storage_and_layout();
        let first = layout.start_offset() + output * to.len();
        let range = first..first + to.len();
        match &*storage {
            Raw::Cpu(CpuStorage::F32(x)) => to.copy_from_slice(&x[range]),
            Raw::Cpu(CpuStorage::F16(x)) => narrow::widen_f16(Tier::chosen(), &x[range], to),
            Raw::Cpu(CpuStorage::BF16(x)) => narrow::widen_bf16(Tier::chosen(), &x[range], to),
            _ => unreachable!("checked when it was made"),
        }
    }
}

/// A weight in the bytes of its file.
struct Small(Packed);

impl Rows for Small {
    fn row(&self, _: usize, _: &mut [f32]) {
        unreachable!("it is asked for whole")
    }

    fn at_hand(&self) -> Option<Arc<dyn Rows>> {
        let widened = self.0.widened().and_then(|tensor| Whole::new(&tensor));
        Some(Arc::new(widened.expect("it was read once already, when its blocks were cut")))
    }

    fn bytes(&self, output: usize, to: &mut [u8]) {
        let all = self.0.as_bytes().expect("only eight-bit weights are asked for their bytes");
        to.copy_from_slice(&all[output * to.len()..][..to.len()]);
    }
}

/// Returns a number that no other layer has.
pub(super) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
