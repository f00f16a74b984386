//! Big weights that stay as small as their file has them, and are widened to f32 at each use.
//!
//! Widening is exact: eight-bit floats go through a table of their 256 values, blocks through candle's dequantisation.
//! Nothing else is quantised on the way. Work is split where blocks end, so that threads cannot change a bit.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use candle_core::{
    Device, Tensor,
    quantized::{GgmlDType, QStorage, QTensor},
};
use rayon::prelude::*;

use super::header::Stored;
use crate::{Error, Result};

/// Numbers that one task widens at a time: a whole number of blocks of every kind.
const CHUNK: usize = 1 << 16;

/// A weight in the bytes of its file.
#[derive(Clone)]
pub struct Packed {
    shape: Vec<usize>,
    numbers: Numbers,
}

#[derive(Clone)]
enum Numbers {
    /// Eight-bit floats, and what they are multiplied by.
    Bytes { bytes: Arc<[u8]>, stored: Stored, scale: f32 },
    /// Blocks, in pieces of [`CHUNK`] numbers.
    Blocks(Arc<[QTensor]>),
}

/// The kind of an eight-bit weight, and what all of it is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EightBits {
    /// Four bits of exponent, three of fraction.
    E4M3(f32),
    /// Five bits of exponent, two of fraction.
    E5M2(f32),
}

impl Packed {
    /// Returns what eight-bit floats it is made of, if it is.
    pub fn eight_bits(&self) -> Option<EightBits> {
        match &self.numbers {
            Numbers::Bytes { stored: Stored::F8_E4M3, scale, .. } => Some(EightBits::E4M3(*scale)),
            Numbers::Bytes { stored: Stored::F8_E5M2, scale, .. } => Some(EightBits::E5M2(*scale)),
            _ => None,
        }
    }

    /// Returns the bytes of eight-bit floats.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.numbers {
            Numbers::Bytes { bytes, .. } => Some(bytes),
            Numbers::Blocks(_) => None,
        }
    }

    /// Takes eight-bit floats that `scale` multiplies.
    pub(super) fn of_bytes(bytes: &[u8], stored: Stored, shape: &[usize], scale: f32) -> Self {
        Self { shape: shape.into(), numbers: Numbers::Bytes { bytes: bytes.into(), stored, scale } }
    }

    /// Takes blocks, whose number fits the shape.
    pub(super) fn of_blocks(bytes: &[u8], kind: GgmlDType, shape: &[usize]) -> Result<Self> {
        let size = CHUNK / kind.block_size() * kind.type_size();
        let pieces: Result<Vec<QTensor>> = bytes.par_chunks(size).map(|piece| blocks(piece, kind)).collect();
        Ok(Self { shape: shape.into(), numbers: Numbers::Blocks(pieces?.into()) })
    }

    /// Returns the weight in f32.
    pub fn widened(&self) -> Result<Tensor> {
        let mut out = vec![0.0; self.shape.iter().product()];
        match &self.numbers {
            Numbers::Bytes { bytes, stored, scale } => {
                let table = table(*stored)?.map(|x| x * scale);
                out.par_chunks_mut(CHUNK).zip(bytes.par_chunks(CHUNK)).for_each(|(out, bytes)| {
                    for (out, byte) in out.iter_mut().zip(bytes) {
                        *out = table[usize::from(*byte)];
                    }
                });
            }
            Numbers::Blocks(pieces) => {
                let fill = |(out, piece): (&mut [f32], &QTensor)| {
                    out.copy_from_slice(&piece.dequantize(&Device::Cpu)?.to_vec1::<f32>()?);
                    Ok::<_, Error>(())
                };
                out.par_chunks_mut(CHUNK).zip(pieces.par_iter()).try_for_each(fill)?;
            }
        }
        Ok(Tensor::from_vec(out, &self.shape[..], &Device::Cpu)?)
    }

    /// Returns the same numbers under another shape of as many.
    pub fn reshaped(mut self, shape: &[usize]) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), self.shape.iter().product::<usize>());
        self.shape = shape.into();
        self
    }

    /// Returns the shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the bytes in memory.
    pub fn bytes(&self) -> usize {
        match &self.numbers {
            Numbers::Bytes { bytes, .. } => bytes.len(),
            Numbers::Blocks(pieces) => pieces.iter().map(QTensor::storage_size_in_bytes).sum(),
        }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({:?}, {} bytes)", self.shape, self.bytes())
    }
}

/// Copies blocks to where candle may read them: it takes for granted that they are aligned, and a mapped file's need
/// not be.
fn blocks(bytes: &[u8], kind: GgmlDType) -> Result<QTensor> {
    const ALIGN: usize = 8;
    let mut room = vec![0_u8; bytes.len() + ALIGN];
    let start = room.as_ptr().align_offset(ALIGN);
    let aligned = &mut room[start..start + bytes.len()];
    aligned.copy_from_slice(bytes);
    let storage = QStorage::from_data((&*aligned).into(), &Device::Cpu, kind)?;
    Ok(QTensor::new(storage, bytes.len() / kind.type_size() * kind.block_size())?)
}

/// Returns the value of each byte.
pub(super) fn table(stored: Stored) -> Result<[f32; 256]> {
    static E4M3: LazyLock<[f32; 256]> = LazyLock::new(|| std::array::from_fn(|byte| e4m3(byte as u8)));
    static E5M2: LazyLock<[f32; 256]> = LazyLock::new(|| std::array::from_fn(|byte| e5m2(byte as u8)));
    match stored {
        Stored::F8_E4M3 => Ok(*E4M3),
        Stored::F8_E5M2 => Ok(*E5M2),
        other => Err(Error::Shape(format!("{other} is no float of eight bits"))),
    }
}

/// Sign, four bits of exponent (bias 7), three of fraction; no infinity, and all ones is not a number (OCP 8-bit
/// floating point specification, "FN").
fn e4m3(byte: u8) -> f32 {
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(byte >> 3 & 15), f32::from(byte & 7));
    match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => sign * fraction * 2_f32.powi(-9),
        _ => sign * (8.0 + fraction) * 2_f32.powi(exponent - 10),
    }
}

/// The upper byte of an f16.
fn e5m2(byte: u8) -> f32 {
    half::f16::from_bits(u16::from(byte) << 8).to_f32()
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;

    #[test]
    fn eight_bit_floats_have_the_values_of_their_specification() {
        let values = table(Stored::F8_E4M3).unwrap();
        assert_eq!((values[0x7E], values[0xFE], values[0x01], values[0x08]), (448.0, -448.0, 0.001_953_125, 0.015_625));
        assert_eq!(values[0x38], 1.0);
        assert!(values[0x7F].is_nan() && values[0xFF].is_nan());
        let values = table(Stored::F8_E5M2).unwrap();
        assert_eq!((values[0x7B], values[0x01], values[0x3C]), (57344.0, 1.525_878_9e-5, 1.0));
        assert!(values[0x7C].is_infinite() && values[0x7D].is_nan());
        assert!(table(Stored::F16).is_err());
    }

    #[test]
    fn every_kind_of_block_widens_as_candle_does_whatever_the_alignment() {
        use GgmlDType::{Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, Q8K};
        // More than one piece, and the last one short.
        let (rows, width) = (300, 512);
        let x = (Tensor::arange(0_u32, rows * width, &Device::Cpu).unwrap().to_dtype(DType::F32).unwrap() * 0.37)
            .unwrap()
            .sin()
            .unwrap()
            .reshape((rows as usize, width as usize))
            .unwrap();
        for kind in [Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K, Q8K] {
            let theirs = QTensor::quantize(&x, kind).unwrap();
            let mut bytes = vec![0];
            bytes.extend_from_slice(&theirs.data().unwrap());
            let ours = Packed::of_blocks(&bytes[1..], kind, x.dims()).unwrap();
            assert_eq!(ours.bytes(), bytes.len() - 1, "{kind:?}");
            let theirs = theirs.dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
            assert_eq!(ours.widened().unwrap().to_vec2::<f32>().unwrap(), theirs, "{kind:?}");
        }
    }
}
