//! Made-up weights for benches: cheap, and the same for the same seed and name.

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;

use crate::Result;

/// Values that one task makes at a time.
const CHUNK: usize = 64 * 1024;

/// Returns a tensor of noise that a network can be run with.
pub fn tensor(name: &str, shape: &[usize], seed: u64, dtype: DType) -> Result<Tensor> {
    let gain = name.ends_with("weight");
    let value: Box<dyn Fn(u64) -> f32 + Sync> = match shape {
        [_, inner @ ..] if !inner.is_empty() => {
            // Uniform in ±sqrt(3 / inputs) has a variance of 1 / inputs, so that values keep their size.
            let edge = (3.0 / inner.iter().product::<usize>() as f32).sqrt();
            let salt = name.bytes().fold(seed, |salt, byte| mix(salt ^ u64::from(byte)));
            Box::new(move |i| (mix(salt.wrapping_add(i)) >> 40) as f32 * edge / 8_388_608.0 - edge)
        }
        _ => Box::new(move |_| f32::from(u8::from(gain))),
    };
    let count = shape.iter().product();
    match dtype {
        DType::F16 => filled(count, shape, |i| f16::from_f32(value(i))),
        DType::BF16 => filled(count, shape, |i| bf16::from_f32(value(i))),
        _ => filled(count, shape, value),
    }
}

fn filled<T: candle_core::WithDType>(count: usize, shape: &[usize], value: impl Fn(u64) -> T + Sync) -> Result<Tensor> {
    let mut values = vec![T::zero(); count];
    let chunks = values.par_chunks_mut(CHUNK).enumerate();
    chunks.for_each(|(n, chunk)| {
        for (i, out) in chunk.iter_mut().enumerate() {
            *out = value((n * CHUNK + i) as u64);
        }
    });
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

/// The mixing step of SplitMix64.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use crate::Weights;

    #[test]
    fn the_same_seed_and_name_give_the_same_noise_of_variance_one_over_inputs() {
        let shapes = [("a.weight", vec![64, 256]), ("b.weight", vec![64, 256])];
        let make = |seed| {
            let shapes = shapes.iter().map(|(name, shape)| (name.to_string(), shape.clone()));
            Weights::random("noise", shapes, seed)
        };
        let values = |seed, name: &str| {
            let x = make(seed).get(name, (64, 256)).unwrap();
            x.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let a = values(1, "a.weight");
        assert_eq!(a, values(1, "a.weight"));
        assert_ne!(a, values(2, "a.weight"));
        assert_ne!(a, values(1, "b.weight"));
        let variance = a.iter().map(|x| x * x).sum::<f32>() / a.len() as f32;
        assert!((variance * 256.0 - 1.0).abs() < 0.05, "{variance}");
    }
}
