//! Weights on what an encoder wrote: one number per token, applied as each dialect does.

use candle_core::{Device, Tensor};

use super::Weighting;
use crate::{Result, nn::Tokens};

/// Tells whether any token weighs other than 1.
pub fn any(weights: &[f32]) -> bool {
    weights.iter().any(|weight| *weight != 1.0)
}

/// Applies weights to one row of vectors, (1, tokens, width); `empty` is what the encoder made of the empty text, which
/// ComfyUI's arithmetic starts from.
///
/// # Errors
/// A row of another length.
pub fn apply(row: &Tokens, weights: &[f32], empty: Option<&Tokens>, weighting: Weighting) -> Result<Tokens> {
    if !any(weights) {
        return Ok(row.clone());
    }
    match (weighting, empty) {
        (Weighting::A1111, _) => keep_mean(row, &multiply(row, weights)?),
        (Weighting::A1111NoNorm, _) => multiply(row, weights),
        (Weighting::Comfyui, Some(empty)) => away_from(row, weights, empty),
        (Weighting::None | Weighting::Comfyui, _) => Ok(row.clone()),
    }
}

fn column(weights: &[f32]) -> Result<Tensor> {
    Ok(Tensor::from_slice(weights, (1, weights.len(), 1), &Device::Cpu)?)
}

fn multiply(row: &Tokens, weights: &[f32]) -> Result<Tokens> {
    Tokens::from_tensor(&row.to_tensor()?.broadcast_mul(&column(weights)?)?)
}

/// A1111's emphasis "Original" (`modules/sd_emphasis.py`): the mean of all numbers is brought back to what it was. Where
/// nothing is left that could be brought back, as with weights of 0, it stays as it is.
fn keep_mean(before: &Tokens, after: &Tokens) -> Result<Tokens> {
    let ratio = mean(before)? / mean(after)?;
    match ratio.is_finite() {
        true => Tokens::from_tensor(&(after.to_tensor()? * ratio)?),
        false => Ok(after.clone()),
    }
}

fn mean(row: &Tokens) -> Result<f64> {
    let all = row.to_tensor()?.flatten_all()?.to_vec1::<f32>()?;
    Ok(all.iter().copied().map(f64::from).sum::<f64>() / all.len() as f64)
}

/// ComfyUI's (`comfy/sd1_clip.py`, `encode_token_weights`): each vector moves along the line from the empty text's to its
/// own; one of weight 1 stays as it is to the last bit.
fn away_from(row: &Tokens, weights: &[f32], empty: &Tokens) -> Result<Tokens> {
    let (_, length, width) = row.dims();
    let mut all = row.to_tensor()?.flatten_all()?.to_vec1::<f32>()?;
    let empty = empty.to_tensor()?.flatten_all()?.to_vec1::<f32>()?;
    let vectors = all.chunks_mut(width).zip(empty.chunks(width)).zip(weights);
    for ((vector, empty), weight) in vectors.filter(|(_, weight)| **weight != 1.0) {
        for (x, zero) in vector.iter_mut().zip(empty) {
            *x = (*x - zero) * weight + zero;
        }
    }
    Tokens::from_tensor(&Tensor::from_vec(all, (1, length, width), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32]) -> Tokens {
        Tokens::from_tensor(&Tensor::from_slice(values, (1, values.len() / 2, 2), &Device::Cpu).unwrap()).unwrap()
    }

    fn values(row: &Tokens) -> Vec<f32> {
        row.to_tensor().unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn the_mean_stays_with_a1111() {
        let x = row(&[1.0, 2.0, 3.0, 6.0]);
        let weighted = apply(&x, &[1.0, 2.0], None, Weighting::A1111).unwrap();
        let wanted = [4.0, 8.0, 24.0, 48.0].map(|sevenths| sevenths / 7.0);
        assert!(values(&weighted).iter().zip(wanted).all(|(x, wanted)| (x - wanted).abs() < 1e-6), "{weighted:?}");
        let bare = apply(&x, &[1.0, 2.0], None, Weighting::A1111NoNorm).unwrap();
        assert_eq!(values(&bare), [1.0, 2.0, 6.0, 12.0]);
        let nothing = apply(&x, &[0.0, 0.0], None, Weighting::A1111).unwrap();
        assert_eq!(values(&nothing), [0.0; 4]);
    }

    #[test]
    fn comfyui_moves_away_from_the_empty_text() {
        let (x, empty) = (row(&[1.0, 2.0, 3.0, 6.0]), row(&[0.5, 0.5, 1.0, 1.0]));
        let weighted = apply(&x, &[1.0, 2.0], Some(&empty), Weighting::Comfyui).unwrap();
        assert_eq!(values(&weighted), [1.0, 2.0, 5.0, 11.0]);
    }
}
