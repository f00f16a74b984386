//! Convolution as a matrix product: the window around each output point becomes a column, a tile of lines at a time.
//!
//! The kernel is used as it lies in the file and the product is written in the map's own order, so nothing but the
//! columns is moved; their number is bounded, not the picture's size.

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::{ConvShape, Padding, host};
use crate::{Error, Result};

/// The most values that the columns of a tile may take: 32 MiB.
const COLUMNS: usize = 8 << 20;

/// How a window walks over a picture.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    kernel: usize,
    stride: usize,
    /// Zeros above and on the left.
    before: usize,
    /// Zeros below and on the right.
    after: usize,
}

impl Window {
    /// Reads it off a convolution.
    pub fn of(shape: ConvShape) -> Self {
        let (before, after) = match shape.padding {
            Padding::Around(p) => (p, p),
            Padding::RightBelow => (0, 1),
        };
        Self { kernel: shape.kernel, stride: shape.stride, before, after }
    }

    /// How many places the window takes along an edge.
    fn places(&self, edge: usize) -> Result<usize> {
        let room = edge + self.before + self.after;
        let what = || format!("a window of {} does not fit into {edge}", self.kernel);
        let free = room.checked_sub(self.kernel).ok_or_else(|| Error::Shape(what()))?;
        Ok(free / self.stride + 1)
    }
}

/// Convolves x (batch, inputs, height, width) with `weight` (outputs, inputs, k, k); `bias` is (1 or batch, outputs).
pub fn convolve(x: &Tensor, weight: &Tensor, bias: &Tensor, window: Window) -> Result<Tensor> {
    let (batch, inputs, height, width) = x.dims4()?;
    let outputs = weight.dim(0)?;
    let (lines, places) = (window.places(height)?, window.places(width)?);
    let depth = inputs * window.kernel * window.kernel;
    let matrix = weight.reshape((outputs, depth))?;
    let biases: Vec<Vec<f32>> = bias.to_vec2()?;
    let tile = (COLUMNS / (depth * places)).clamp(1, lines);
    let room = Tensor::zeros(depth * tile * places, DType::F32, x.device())?;
    let mut out = vec![0.0; batch * outputs * lines * places];
    for (b, out) in out.chunks_mut(outputs * lines * places).enumerate() {
        let picture = x.get(b)?;
        let bias = &biases[b % biases.len()];
        for first in (0..lines).step_by(tile) {
            let count = tile.min(lines - first);
            let columns = room.narrow(0, 0, depth * count * places)?.reshape((depth, count * places))?;
            let source = Source { size: (height, width), window, first, places };
            fill(&columns, &picture, &source)?;
            let product = matrix.matmul(&columns)?;
            let at = first * places;
            host::with(&product, |product| {
                let planes = out.par_chunks_mut(lines * places);
                let rows = product.par_chunks(count * places);
                planes.zip(rows).zip(bias).for_each(|((plane, row), bias)| {
                    for (out, value) in plane[at..].iter_mut().zip(row) {
                        *out = value + bias;
                    }
                });
            });
        }
    }
    host::tensor(out, (batch, outputs, lines, places))
}

/// What the columns of a tile are read from.
struct Source {
    /// Height and width of the picture.
    size: (usize, usize),
    window: Window,
    /// The tile's first line of output.
    first: usize,
    /// Output points in a line.
    places: usize,
}

/// Writes a tile's columns, one task per channel and place in the window.
fn fill(columns: &Tensor, picture: &Tensor, source: &Source) -> Result<()> {
    let (height, width) = source.size;
    let kernel = source.window.kernel;
    let length = columns.dim(1)?;
    host::with(picture, |picture| {
        host::update_rows(columns, length, |row, out| {
            let (channel, tap) = (row / (kernel * kernel), row % (kernel * kernel));
            let plane = &picture[channel * height * width..][..height * width];
            for (i, out) in out.chunks_mut(source.places).enumerate() {
                source.line(plane, (tap / kernel, tap % kernel), source.first + i, out);
            }
        })
    })
    .transpose()?;
    Ok(())
}

impl Source {
    /// Writes what the window's place `(down, right)` sees along one line of output.
    fn line(&self, plane: &[f32], (down, right): (usize, usize), line: usize, out: &mut [f32]) {
        let Window { stride, before, .. } = self.window;
        let (height, width) = self.size;
        let y = (line * stride + down).checked_sub(before);
        let Some(y) = y.filter(|y| *y < height) else {
            return out.fill(0.0);
        };
        let row = &plane[y * width..][..width];
        // Output i reads column i · stride + right - before, which has to lie in 0..width.
        let start = before.saturating_sub(right).div_ceil(stride).min(out.len());
        let end = (width + before).saturating_sub(right).div_ceil(stride);
        let end = end.clamp(start, out.len());
        out[..start].fill(0.0);
        out[end..].fill(0.0);
        if start == end {
            return;
        }
        let seen = &row[start * stride + right - before..];
        let inner = &mut out[start..end];
        match stride {
            1 => inner.copy_from_slice(&seen[..inner.len()]),
            _ => {
                let steps = inner.iter_mut().zip(seen.iter().step_by(stride));
                steps.for_each(|(out, x)| *out = *x);
            }
        }
    }
}
