//! Convolutions over feature maps.

use candle_core::Tensor;

use super::{
    FeatureMap, Storage, Tokens, host,
    im2col::{self, Window},
    storage::small,
};
use crate::{Result, Weights};

/// A square convolution with a bias.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// (outputs, inputs, kernel, kernel).
    weight: Storage,
    bias: Tensor,
    shape: ConvShape,
}

/// What a convolution reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels read.
    pub inputs: usize,
    /// Channels written.
    pub outputs: usize,
    /// Edge of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Zeros around the picture.
    pub padding: Padding,
}

/// Zeros set around a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As many on each side.
    Around(usize),
    /// One column on the right and one line below: what the VAE's encoder was trained with.
    RightBelow,
}

impl ConvShape {
    /// A window of 3 that keeps the size.
    pub fn three(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, kernel: 3, stride: 1, padding: Padding::Around(1) }
    }

    /// A window of 3 that halves the size.
    pub fn halving(channels: usize, padding: Padding) -> Self {
        Self { stride: 2, padding, ..Self::three(channels, channels) }
    }

    /// A window of one point.
    pub fn point(inputs: usize, outputs: usize) -> Self {
        Self { kernel: 1, padding: Padding::Around(0), ..Self::three(inputs, outputs) }
    }

    /// An odd window that keeps the size.
    pub fn centred(inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self { kernel, padding: Padding::Around(kernel / 2), ..Self::three(inputs, outputs) }
    }
}

impl Conv2d {
    /// Loads `weight` (outputs, inputs, kernel, kernel) and `bias` (outputs).
    pub fn load(w: &Weights, shape: ConvShape) -> Result<Self> {
        let ConvShape { inputs, outputs, kernel, .. } = shape;
        Ok(Self {
            weight: Storage::load(w, "weight", (outputs, inputs, kernel, kernel))?,
            bias: small(w, "bias", outputs)?,
            shape,
        })
    }

    /// Convolves.
    pub fn forward(&self, x: &FeatureMap) -> Result<FeatureMap> {
        FeatureMap::from_tensor(&self.apply(&x.to_tensor(), None)?)
    }

    /// Convolves and adds one value per picture and channel in the same pass: `shift` is (batch, 1, outputs).
    pub fn forward_shifted(&self, x: &FeatureMap, shift: &Tokens) -> Result<FeatureMap> {
        let shift = shift.to_vectors()?;
        FeatureMap::from_tensor(&self.apply(&x.to_tensor(), Some(&shift))?)
    }

    fn apply(&self, x: &Tensor, shift: Option<&Tensor>) -> Result<Tensor> {
        let weight = self.weight.widened()?;
        // (1, outputs) or (batch, outputs)
        let bias = self.bias.unsqueeze(0)?;
        let bias = match shift {
            Some(shift) => shift.broadcast_add(&bias)?,
            None => bias,
        };
        if host::with(x, |_| ()).is_none() {
            return self.composed(x, &weight, &bias);
        }
        match self.shape {
            ConvShape { kernel: 1, stride: 1, padding: Padding::Around(0), .. } => point(x, &weight, &bias),
            shape => im2col::convolve(x, &weight, &bias, Window::of(shape)),
        }
    }

    /// The same in candle's operations.
    fn composed(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let stride = self.shape.stride;
        let y = match self.shape.padding {
            Padding::Around(p) => x.conv2d(weight, p, stride, 1, 1)?,
            Padding::RightBelow => {
                x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?.conv2d(weight, 0, stride, 1, 1)?
            }
        };
        Ok(y.broadcast_add(&bias.unsqueeze(2)?.unsqueeze(3)?)?)
    }
}

/// A window of one point is a matrix applied to the channels; nothing is moved.
fn point(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (batch, inputs, height, width) = x.dims4()?;
    let outputs = weight.dim(0)?;
    let matrix = weight.reshape((1, outputs, inputs))?.expand((batch, outputs, inputs))?;
    let y = matrix.matmul(&x.reshape((batch, inputs, height * width))?)?;
    let bias = bias.flatten_all()?;
    host::with(&bias, |bias| {
        host::update_rows(&y, (height * width).max(1), |plane, values| {
            let shift = bias[plane % bias.len()];
            values.iter_mut().for_each(|y| *y += shift);
        })
    })
    .transpose()?;
    Ok(y.reshape((batch, outputs, height, width))?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn ramp(shape: &[usize], scale: f32) -> Tensor {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * scale);
        Tensor::from_vec(values.collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
    }

    fn conv(shape: ConvShape) -> Conv2d {
        let ConvShape { inputs, outputs, kernel, .. } = shape;
        Conv2d {
            weight: Storage::of(ramp(&[outputs, inputs, kernel, kernel], 0.7)),
            bias: ramp(&[outputs], 0.3),
            shape,
        }
    }

    #[test]
    fn our_windows_equal_candles() {
        let shapes = [
            ConvShape::three(5, 7),
            ConvShape::point(5, 7),
            ConvShape::centred(5, 3, 5),
            ConvShape::halving(5, Padding::Around(1)),
            ConvShape::halving(5, Padding::RightBelow),
        ];
        for shape in shapes {
            for (height, width) in [(8, 8), (9, 11), (2, 3)] {
                let conv = conv(shape);
                let x = ramp(&[2, 5, height, width], 2.0);
                let shift = ramp(&[2, shape.outputs], 1.0);
                let bias = shift.broadcast_add(&conv.bias).unwrap();
                let ours = conv.apply(&x, Some(&shift)).unwrap();
                let weight = conv.weight.widened().unwrap();
                let theirs = conv.composed(&x, &weight, &bias).unwrap();
                assert_eq!(ours.dims(), theirs.dims());
                let gap = (ours - theirs).unwrap().abs().unwrap().max_all().unwrap();
                assert!(gap.to_scalar::<f32>().unwrap() < 1e-5, "{shape:?}");
            }
        }
    }
}
