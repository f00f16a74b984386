//! Where the numbers of a weight come from, and as what they are kept.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, DType, Storage as Raw, Tensor};
use darkroom_kernels::{Arith, Kept, Rows, Tier, narrow};

use super::{Storage, compute::Mode};
use crate::{
    Error, Result, Weights,
    weights::{EightBits, Packed, format::Format, header, rows::Numbers},
};

/// Returns how the numbers of a changed layer are kept where it is not changed, if changes are made to those.
pub fn kept_unchanged(w: &Weights, arith: Arith) -> Option<Kept> {
    let base = w.unchanged().filter(|_| arith != Arith::Bytes)?;
    Some(Stored::of_file(&base).packed(arith, w.compute().mode()).0)
}

/// Rounds what is changed to what is kept of it: the result is then the same, whether it was kept or is read again.
pub fn as_kept(base: Tensor, kept: Option<Kept>) -> Result<Tensor> {
    match kept {
        Some(Kept::Bf16) => Ok(base.to_dtype(DType::BF16)?.to_dtype(DType::F32)?),
        _ => Ok(base),
    }
}

/// Returns how sums of weights are kept: they are not of the kind of the file any more.
pub fn sums_kept(arith: Arith, mode: Mode) -> Kept {
    if arith == Arith::F32 && mode == Mode::Exact { Kept::F32 } else { Kept::Bf16 }
}

/// How the file has a weight.
pub enum Stored {
    F32,
    F16,
    Bf16,
    Eight(EightBits),
    /// In blocks: widened and packed at each use.
    Late,
}

impl From<Numbers> for Stored {
    fn from(numbers: Numbers) -> Self {
        match numbers {
            Numbers::F32 => Stored::F32,
            Numbers::F16 => Stored::F16,
            Numbers::Bf16 => Stored::Bf16,
            Numbers::Eight(bits) => Stored::Eight(bits),
        }
    }
}

impl Stored {
    /// What a weight counts as once it was read.
    pub fn of_file(w: &Weights) -> Self {
        match w.format("weight").filter(|_| w.patches().is_empty()) {
            Some(Format::Blocks(_)) => Stored::Late,
            Some(Format::Plain(header::Stored::F16)) => Stored::F16,
            Some(Format::Plain(header::Stored::BF16)) => Stored::Bf16,
            Some(Format::Plain(header::Stored::F8_E4M3)) => Stored::Eight(EightBits::E4M3(1.0)),
            Some(Format::Plain(header::Stored::F8_E5M2)) => Stored::Eight(EightBits::E5M2(1.0)),
            _ => Stored::F32,
        }
    }

    pub fn of(storage: &Storage) -> Self {
        match storage {
            Storage::Widened(tensor) if tensor.dtype() == DType::F16 => Stored::F16,
            Storage::Widened(_) => Stored::Bf16,
            _ => Stored::F32,
        }
    }

    /// Returns how it is kept, and what its sums are multiplied by.
    pub fn packed(&self, arith: Arith, mode: Mode) -> (Kept, f32) {
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
pub struct Whole(Tensor);

impl Whole {
    pub fn new(tensor: &Tensor) -> Result<Self> {
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

/// A weight that is read whole at each use: in blocks, in another order than is wanted, changed, or for a card.
pub struct Read {
    weights: Weights,
    pub shape: Vec<usize>,
    /// How the numbers that are changed would be kept, were they kept: a change that stays is made to those.
    kept: Option<Kept>,
    fault: OnceLock<String>,
}

impl Read {
    pub fn new(w: &Weights, shape: &[usize], arith: Arith) -> Self {
        let (weights, kept) = (w.as_stored("weight"), kept_unchanged(w, arith));
        Self { weights, shape: shape.into(), kept, fault: OnceLock::new() }
    }

    /// Reads it; numbers of 16 bits stay what they are.
    pub fn tensor(&self) -> Result<Tensor> {
        let storage = Storage::load(&self.weights, "weight", &self.shape[..])?;
        let storage = match (storage, self.kept) {
            (Storage::Patched(base, patches), kept) => {
                Storage::Patched(Box::new(Storage::Dense(as_kept(base.widened()?, kept)?)), patches)
            }
            (storage, _) => storage,
        };
        match storage {
            Storage::Dense(tensor) | Storage::Widened(tensor) => Ok(tensor),
            storage => storage.widened(),
        }
    }
}

impl Rows for Read {
    fn row(&self, _: usize, _: &mut [f32]) {
        unreachable!("it is asked for whole")
    }

    fn at_hand(&self) -> Option<Arc<dyn Rows>> {
        match self.tensor().and_then(|tensor| Whole::new(&tensor)) {
            Ok(whole) => Some(Arc::new(whole)),
            Err(error) => {
                let _ = self.fault.set(error.to_string());
                Some(Arc::new(Unread))
            }
        }
    }

    fn fault(&self) -> Option<String> {
        self.fault.get().cloned()
    }
}

/// What could not be read: no numbers.
struct Unread;

impl Rows for Unread {
    fn row(&self, _: usize, to: &mut [f32]) {
        to.fill(f32::NAN);
    }
}

/// A weight in the bytes of its file.
pub struct Small(pub Packed);

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
