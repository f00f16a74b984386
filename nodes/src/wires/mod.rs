//! What travels between nodes, and how tensors go to and from what core knows: arrays and pictures.

pub mod control;
mod handles;
pub mod latent;
mod prompted;
pub mod repaint;
pub mod sizes;

use candle_core::{Device, Tensor};
use darkroom_core::Choice;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::value::Array;

pub use self::control::Control;
pub use self::handles::{DenoiserHandle, EncoderHandle, Parts, VaeHandle};
pub use self::latent::Latent;
pub use self::prompted::{Framing, Prompted, Side};
use crate::fault::tensor_fault;

/// Pixels along an edge for each pixel of a latent.
pub const REDUCTION: u32 = 8;

/// Whose latents these are: which autoencoder reads them, which denoiser understands them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Space {
    /// Stable Diffusion XL and its kin; the built-in model too.
    Sdxl,
    /// Stable Diffusion 1.5 and its kin.
    Sd15,
}

/// Returns the word for the latents that a family of denoisers draws on: a refiner goes on with those of the base.
pub fn space_of(family: &str) -> &str {
    family.strip_suffix("-refiner").unwrap_or(family)
}

/// Tells whether all numbers of a tensor are finite.
pub fn is_finite(x: &Tensor) -> bool {
    // One number that is not finite makes the sum so.
    x.to_dtype(candle_core::DType::F64)
        .and_then(|x| x.sum_all())
        .and_then(|sum| sum.to_scalar::<f64>())
        .is_ok_and(f64::is_finite)
}

/// Writes a tensor as an array.
pub fn to_array(x: &Tensor) -> Option<Array> {
    Some(Array::f32(x.dims().to_vec(), &x.flatten_all().ok()?.to_vec1::<f32>().ok()?))
}

/// Reads a tensor back.
pub fn to_tensor(array: &Array) -> Option<Tensor> {
    Tensor::from_vec(array.to_f32()?, array.shape.clone(), &Device::Cpu).ok()
}

/// A batch of pictures in `[-1, 1]`, as networks see them: `(count, 3, height, width)`.
///
/// # Errors
/// A fault if the pictures differ in size.
pub fn tensor_of_pictures(pictures: &Pictures) -> Result<Tensor, Fault> {
    let each = |picture: &Picture| {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let channels = picture.channels() as usize;
        let plane =
            |channel: usize| picture.samples().iter().skip(channel).step_by(channels).map(|sample| 2.0 * sample - 1.0);
        let values: Vec<f32> = (0..3).flat_map(plane).collect();
        Tensor::from_vec(values, (1, 3, height, width), &Device::Cpu)
    };
    let all = pictures.iter().map(each).collect::<candle_core::Result<Vec<_>>>().map_err(tensor_fault)?;
    Tensor::cat(&all, 0).map_err(|_| {
        Fault::graph("the pictures of this batch have several sizes").hint("bring them to one size with `upscale`")
    })
}

/// Turns `(1, 3, height, width)` in `[-1, 1]` into a picture.
///
/// # Errors
/// A bug if the shape is another.
pub fn picture_of_tensor(x: &Tensor) -> Result<Picture, Fault> {
    let picture = || {
        let (_, channels, height, width) = x.dims4().ok()?;
        let planes = x.flatten_all().ok()?.to_vec1::<f32>().ok()?;
        let pixels = height * width;
        let sample = |i: usize| (planes[i % channels * pixels + i / channels] / 2.0 + 0.5).clamp(0.0, 1.0);
        // `clamp` lets what is no number through, so that it is found at the node's border.
        let samples: Vec<f32> = (0..pixels * channels).map(sample).collect();
        Picture::new(width.try_into().ok()?, height.try_into().ok()?, 3, samples)
    };
    picture().ok_or_else(|| Fault::bug(format!("{:?} is not the shape of a picture", x.dims())))
}
