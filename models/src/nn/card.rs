//! A device of candle's: where tensors lie, and in what numbers products are made there.
//!
//! Whatever comes to a layer is brought to its card first, so that no two tensors of one operation are ever on two
//! devices. Sums, norms and softmaxes are f32 everywhere; what is multiplied is rounded to the card's factors.

use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Tensor};

use super::compute::{Mode, Precision};
use crate::Result;

/// A device of candle's.
#[derive(Clone, Debug)]
pub struct Card {
    device: Device,
    /// As numerics say it.
    kind: &'static str,
    factors: Precision,
    /// The narrowest that it multiplies itself.
    narrowest: Precision,
    /// The most numbers that the windows of a convolution are laid out into at a time; `None` where they are not laid out.
    columns: Option<usize>,
}

/// 512 MiB of bf16. A decoder of 1024² would want ten times as many at once.
#[cfg(feature = "cuda")]
const COLUMNS: usize = 256 << 20;

impl Card {
    /// Takes this processor, in f32: what kernels are checked against.
    pub fn processor() -> Self {
        let (device, factors) = (Device::Cpu, Precision::F32);
        Self { device, kind: "candle", factors, narrowest: factors, columns: None }
    }

    /// Takes this processor, with factors rounded to bf16: what a card in bf16 is checked against.
    pub fn processor_in_bf16() -> Self {
        Self { factors: Precision::Bf16, narrowest: Precision::Bf16, ..Self::processor() }
    }

    /// Opens graphics card number `ordinal`, with a stream of its own.
    ///
    /// Factors are bf16 where asked for and where the card multiplies it itself: from compute capability 8.0 on.
    ///
    /// # Errors
    /// What the driver says.
    #[cfg(feature = "cuda")]
    pub fn cuda(ordinal: usize, mode: Mode) -> Result<Self> {
        let device = Device::new_cuda_with_stream(ordinal)?;
        let (major, _) = capability(&device)?;
        let narrowest = if major >= 8 { Precision::Bf16 } else { Precision::F32 };
        // cuDNN reads windows where they lie.
        let columns = (!cfg!(feature = "cudnn")).then_some(COLUMNS);
        Ok(Self { device, kind: "cuda", factors: narrowest, narrowest, columns }.in_mode(mode))
    }

    /// Returns what the card multiplies.
    pub(super) fn factors(&self) -> Precision {
        self.factors
    }

    /// Returns the same, multiplying as a mode wants it, as far as it can.
    pub(super) fn in_mode(&self, mode: Mode) -> Self {
        let factors = if mode == Mode::Exact { Precision::F32 } else { self.narrowest };
        Self { factors, ..self.clone() }
    }

    /// Says what arithmetic it is.
    pub(super) fn name(&self) -> String {
        let numbers = match self.factors {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        };
        format!("{} {numbers}", self.kind)
    }

    /// Returns the number of the graphics card, if it is one.
    pub fn ordinal(&self) -> Option<usize> {
        match self.device.location() {
            candle_core::DeviceLocation::Cuda { gpu_id } => Some(gpu_id),
            _ => None,
        }
    }

    /// Returns the most numbers that the windows of a convolution are laid out into at a time, if they are laid out.
    pub(super) fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// Returns the most scores that attention holds at a time: 32 MiB on the processor, and 128 where many small products
    /// would leave a card idle. A picture of 1024² would want 1.3 GB at once.
    pub(super) fn scores(&self) -> usize {
        if self.device.is_cpu() { 8 << 20 } else { 32 << 20 }
    }

    /// Returns the same with so few windows at a time.
    #[cfg(test)]
    pub(super) fn with_columns(self, columns: usize) -> Self {
        Self { columns: Some(columns), ..self }
    }

    /// Brings a tensor here, in its own numbers.
    pub(super) fn bring(&self, x: &Tensor) -> Result<Tensor> {
        match x.device().same_device(&self.device) {
            true => Ok(x.clone()),
            // What is a view of something larger travels as itself.
            false => Ok(x.contiguous()?.to_device(&self.device)?),
        }
    }

    /// Brings a tensor here as f32.
    pub(super) fn wide(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.bring(x)?.to_dtype(DType::F32)?)
    }

    /// Brings a tensor here as what is multiplied. Candle's processor multiplies f32 alone: there it is rounded.
    pub(super) fn factor(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.bring(x)?;
        match self.factors {
            Precision::F32 => Ok(x.to_dtype(DType::F32)?),
            Precision::Bf16 if self.device.is_cpu() => Ok(x.to_dtype(DType::BF16)?.to_dtype(DType::F32)?),
            Precision::Bf16 => Ok(x.to_dtype(DType::BF16)?),
        }
    }

    /// Waits until everything is done that was asked of the card; what was freed is the system's then.
    pub(super) fn settle(&self) {
        // A card that is gone is told of at the next operation.
        let _ = self.device.synchronize();
    }
}

/// Returns numbers as they are kept between layers.
pub(super) fn kept(x: &Tensor, precision: Precision) -> Result<Tensor> {
    Ok(x.to_dtype(match precision {
        Precision::F32 => DType::F32,
        Precision::Bf16 => DType::BF16,
    })?)
}

/// The major and the minor compute capability of a card.
#[cfg(feature = "cuda")]
fn capability(device: &Device) -> Result<(i32, i32)> {
    use candle_core::cuda_backend::{WrapErr as _, cudarc::driver::sys::CUdevice_attribute};

    let stream = device.as_cuda_device()?.cuda_stream();
    let ask = |what| stream.context().attribute(what).w();
    let major = ask(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = ask(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    Ok((major, minor))
}

/// A small vector of a layer, f32: on the processor, and on the card once the card asked for it.
#[derive(Clone, Debug)]
pub struct Vector {
    values: Vec<f32>,
    there: Arc<OnceLock<Tensor>>,
}

impl Vector {
    /// Takes the values.
    pub fn new(values: Vec<f32>) -> Self {
        Self { values, there: Arc::default() }
    }

    /// Returns it on a card: always the same one, that of its layer.
    pub(super) fn on(&self, card: &Card) -> Result<&Tensor> {
        if let Some(there) = self.there.get() {
            return Ok(there);
        }
        let made = Tensor::new(&self.values[..], &card.device)?;
        Ok(self.there.get_or_init(|| made))
    }
}

impl std::ops::Deref for Vector {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_multiplied_is_rounded_as_the_card_would() {
        let x = Tensor::new(&[1.0_f32, 1.001, -3.3], &Device::Cpu).unwrap();
        let rounded = x.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap();
        let factor = |card: Card| card.factor(&x).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(factor(Card::processor_in_bf16()), rounded);
        assert_eq!(factor(Card::processor()), x.to_vec1::<f32>().unwrap());
        assert_ne!(rounded[1], 1.001);
    }

    #[test]
    fn a_vector_is_brought_once() {
        let (vector, card) = (Vector::new(vec![1.0, 2.0]), Card::processor());
        let first = vector.on(&card).unwrap().clone();
        assert_eq!(first.id(), vector.clone().on(&card).unwrap().id());
        assert_eq!(first.to_vec1::<f32>().unwrap(), *vector);
    }
}
