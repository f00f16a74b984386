//! Convolutions over feature maps.

use candle_core::Tensor;
use darkroom_kernels::{self as kernels, Cpu, Curve, Finish, Order, Residual, Window};

use super::{
    Compute, FeatureMap, Tokens,
    card::{Card, Vector, kept},
    feature_map::Dims,
    rows::{Numbers, Rows},
    storage::small,
    weight::{Growth, Use, Weight},
};
use crate::{Error, Result, Weights};

/// A square convolution with a bias.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// (outputs, inputs, kernel, kernel).
    weight: Weight,
    bias: Vector,
    shape: ConvShape,
    compute: Compute,
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

    fn window(self) -> Window {
        let (before, after) = match self.padding {
            Padding::Around(p) => (p, p),
            Padding::RightBelow => (0, 1),
        };
        Window { kernel: self.kernel, stride: self.stride, before, after }
    }

    /// Tells whether a place of the result is one of the map, and nothing around it.
    fn is_matrix(self) -> bool {
        self.window() == Window { kernel: 1, stride: 1, before: 0, after: 0 }
    }
}

/// What is done to the sums of a convolution: `onto + factor · curve(sum + bias + shift)`.
#[derive(Clone, Debug)]
pub struct After<'a> {
    /// One value per picture and channel: (batch, 1, outputs).
    pub shift: Option<&'a Tokens>,
    /// What is left of negative values.
    pub slope: Option<f64>,
    /// What the results are multiplied by.
    pub factor: f64,
    /// What the results are added to.
    pub onto: Option<FeatureMap>,
}

impl Default for After<'_> {
    fn default() -> Self {
        Self { shift: None, slope: None, factor: 1.0, onto: None }
    }
}

/// A convolution of three by three behind a map that has grown.
#[derive(Clone, Debug)]
pub struct Upsample(Conv2d);

impl Upsample {
    /// Loads `weight` (outputs, inputs, 3, 3) and `bias` (outputs).
    pub fn load(w: &Weights, (inputs, outputs): (usize, usize), growth: Growth) -> Result<Self> {
        Ok(Self(Conv2d::with(w, ConvShape::three(inputs, outputs), Use::Growth(growth))?))
    }

    /// Doubles height and width, each place taking the nearest value, and convolves.
    pub fn forward(&self, x: &FeatureMap, after: After<'_>) -> Result<FeatureMap> {
        let Dims { height, width, .. } = x.dims();
        self.forward_to(x, (2 * height, 2 * width), after)
    }

    /// Brings the map to a size, each place taking the nearest value, and convolves.
    pub fn forward_to(&self, x: &FeatureMap, size: (usize, usize), after: After<'_>) -> Result<FeatureMap> {
        let Dims { height, width, .. } = x.dims();
        match &self.0.weight {
            Weight::Doubled(..) if size == (2 * height, 2 * width) => self.0.run(x, after),
            Weight::Doubled(_, None) => {
                Err(Error::Shape(format!("{height}x{width} does not double to {}x{}", size.0, size.1)))
            }
            Weight::Doubled(_, Some(nine)) => {
                let conv = Conv2d { weight: Weight::Panels(nine.clone()), ..self.0.clone() };
                conv.run(&x.resize_nearest(size.0, size.1)?, after)
            }
            _ => self.0.run(&x.resize_nearest(size.0, size.1)?, after),
        }
    }
}

impl Conv2d {
    /// Loads `weight` (outputs, inputs, kernel, kernel) and `bias` (outputs).
    pub fn load(w: &Weights, shape: ConvShape) -> Result<Self> {
        Self::with(w, shape, Use::Product(Order::Plain))
    }

    fn with(w: &Weights, shape: ConvShape, usage: Use) -> Result<Self> {
        let ConvShape { inputs, outputs, kernel, .. } = shape;
        let compute = w.compute().clone();
        let arith = match usage {
            Use::Product(_) => compute.products(),
            // Behind a doubling weights are added up, and their sums have no scale of bytes that is good for all four.
            Use::Growth(_) => compute.arith(),
        };
        let weight = Weight::load(w, &[outputs, inputs, kernel, kernel], (arith, usage))?;
        Ok(Self { weight, bias: Vector::new(small(w, "bias", outputs)?), shape, compute })
    }

    /// Convolves.
    pub fn forward(&self, x: &FeatureMap) -> Result<FeatureMap> {
        self.run(x, After::default())
    }

    /// Convolves, and does to the sums what is asked, in the same pass.
    pub fn forward_then(&self, x: &FeatureMap, after: After<'_>) -> Result<FeatureMap> {
        self.run(x, after)
    }

    fn run(&self, x: &FeatureMap, mut after: After<'_>) -> Result<FeatureMap> {
        let dims = self.reach(x.dims())?;
        if let Some(onto) = &after.onto {
            super::same("maps", dims, onto.dims())?;
        }
        if let Some(shift) = after.shift {
            super::same("shifts", (dims.batch, 1, dims.channels), shift.dims())?;
        }
        match (&self.weight, self.compute.cpu()) {
            (weight @ (Weight::Plain(_) | Weight::Fetched(_)), _) => self.composed(x, weight, dims, &after),
            (weight, None) => unreachable!("{weight:?} without a processor"),
            (_, Some(cpu)) => {
                if let Some(beside) = self.compute.beside() {
                    beside.note(cpu, self.beside(&beside.card, x.dims(), dims));
                }
                let rows = x.rows(cpu)?;
                // Taken out, so that its numbers are added to where they lie.
                let onto = after.onto.take().map(|onto| onto.into_rows(cpu)).transpose()?;
                let size = (x.dims().height, x.dims().width);
                let numbers = self.convolve(cpu, (&rows, size), dims, (&after, onto))?;
                self.weight.check()?;
                Ok(FeatureMap::from_rows(Rows::new(cpu, numbers, dims.channels, dims.height * dims.width), dims))
            }
        }
    }

    /// Returns the size of the result.
    fn reach(&self, x: Dims) -> Result<Dims> {
        let ConvShape { inputs, outputs, kernel, .. } = self.shape;
        if x.channels != inputs {
            let what = format!("a convolution of {inputs} channels does not read maps of {}", x.channels);
            return Err(Error::Shape(what));
        }
        if matches!(self.weight, Weight::Doubled(..)) {
            return Ok(Dims { channels: outputs, height: 2 * x.height, width: 2 * x.width, ..x });
        }
        let places = |edge: usize| {
            let what = || Error::Shape(format!("a window of {kernel} does not fit into {edge}"));
            self.shape.window().places(edge).ok_or_else(what)
        };
        Ok(Dims { channels: outputs, height: places(x.height)?, width: places(x.width)?, ..x })
    }

    fn convolve(
        &self,
        cpu: &Cpu,
        (x, size): (&Rows, (usize, usize)),
        dims: Dims,
        (after, onto): (&After<'_>, Option<Rows>),
    ) -> Result<Numbers> {
        let count = dims.batch * dims.channels * dims.height * dims.width;
        let residual = if onto.is_some() { Residual::Target } else { Residual::None };
        let mut numbers = match onto {
            Some(onto) => onto.into_numbers(self.compute.maps()),
            None => Numbers::room(cpu, self.compute.maps(), count),
        };
        let shift = match after.shift {
            Some(shift) => Some(shift.rows(cpu)?.to_vec()),
            None => None,
        };
        let finish = Finish {
            bias: Some(&self.bias[..]),
            shift: shift.as_deref(),
            curve: after.slope.map_or(Curve::None, |slope| Curve::Leaky(slope as f32)),
            factor: after.factor as f32,
            residual,
        };
        let target = &mut numbers.target();
        x.with(|source| match &self.weight {
            Weight::Doubled(four, _) => four.convolve(cpu, &source, size, &finish, target),
            Weight::Panels(panels) if self.shape.is_matrix() => kernels::linear(cpu, &source, panels, &finish, target),
            Weight::Panels(panels) => {
                kernels::convolve(cpu, &source, size, (panels, self.shape.window()), &finish, target);
            }
            Weight::Plain(_) | Weight::Fetched(_) => unreachable!("it is computed by candle's operations"),
        });
        Ok(numbers)
    }

    /// The same in candle's operations, some lines at a time.
    fn composed(&self, x: &FeatureMap, weight: &Weight, dims: Dims, after: &After<'_>) -> Result<FeatureMap> {
        let card = &self.compute.composing();
        let Window { kernel, stride, before, after: behind } = self.shape.window();
        let weight = weight.on(card)?;
        let mut x = card.factor(&x.tensor()?)?;
        let lines = self.lines(card, dims);
        let finished = |sums| kept(&self.finished(card, &sums, after)?, self.compute.maps());
        let y = if lines >= dims.height && before == behind {
            finished(x.conv2d(&weight, before, stride, 1, 1)?)?
        } else {
            for axis in [2, 3] {
                x = x.pad_with_zeros(axis, before, behind)?;
            }
            let strip = |top: usize| {
                let height = lines.min(dims.height - top);
                let strip = x.narrow(2, top * stride, (height - 1) * stride + kernel)?.contiguous()?;
                finished(strip.conv2d(&weight, 0, stride, 1, 1)?)
            };
            Tensor::cat(&(0..dims.height).step_by(lines).map(strip).collect::<Result<Vec<_>>>()?, 2)?
        };
        drop(x);
        let y = FeatureMap::made(&y)?;
        match &after.onto {
            Some(onto) => onto.within(&self.compute)?.add(&y),
            None => Ok(y),
        }
    }

    /// Does to the sums what is asked, in f32, but for adding them to others.
    fn finished(&self, card: &Card, sums: &Tensor, after: &After<'_>) -> Result<Tensor> {
        let bias = self.bias.on(card)?.unsqueeze(0)?;
        let bias = match after.shift {
            Some(shift) => card.wide(&shift.tensor()?)?.squeeze(1)?.broadcast_add(&bias)?,
            None => bias,
        };
        let mut y = card.wide(sums)?.broadcast_add(&bias.unsqueeze(2)?.unsqueeze(3)?)?;
        if let Some(slope) = after.slope {
            y = (y.relu()? + (y.minimum(0.0)? * slope)?)?;
        }
        if after.factor == 1.0 { Ok(y) } else { Ok((y * after.factor)?) }
    }

    /// Returns how many lines of the result are made at a time, so that their windows, laid out, are not too many.
    fn lines(&self, card: &Card, dims: Dims) -> usize {
        let ConvShape { inputs, kernel, .. } = self.shape;
        let line = dims.batch * dims.width * inputs * kernel * kernel;
        card.columns().map_or(dims.height, |most| most / line.max(1)).clamp(1, dims.height.max(1))
    }

    /// Returns the bytes that candle's operations need beside the maps: what is multiplied, with its edges, its windows
    /// laid out, and the sums.
    fn beside(&self, card: &Card, x: Dims, y: Dims) -> usize {
        let ConvShape { inputs, outputs, kernel, .. } = self.shape;
        let (wide, factor) = (size_of::<f32>(), card.factors().bytes());
        let lines = self.lines(card, y);
        // What is rounded, what has edges, and what has grown, is another map.
        let copies = [factor < wide, lines < y.height, y.height > x.height].into_iter().filter(|is| *is).count();
        let places = y.batch * lines * y.width;
        let windows = card.columns().map_or(0, |_| places * inputs * kernel * kernel * factor);
        let read = x.batch * inputs * (x.height * x.width).max(y.height * y.width);
        copies * read * factor + windows + 2 * places * outputs * wide
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Mode, host};

    fn ramp(shape: (usize, usize, usize, usize), scale: f32) -> Tensor {
        let count = shape.0 * shape.1 * shape.2 * shape.3;
        host::tensor((0..count).map(|i| ((i * 7919 % 1009) as f32 / 1009.0 - 0.5) * scale).collect(), shape).unwrap()
    }

    fn weights(shape: ConvShape) -> Weights {
        let ConvShape { inputs, outputs, kernel, .. } = shape;
        let tensors =
            [("weight".to_owned(), vec![outputs, inputs, kernel, kernel]), ("bias".to_owned(), vec![outputs])];
        Weights::random("conv", tensors, 5)
    }

    #[track_caller]
    fn assert_near(ours: &FeatureMap, theirs: &FeatureMap, bound: f32) {
        assert_eq!(ours.dims(), theirs.dims());
        let (ours, theirs) =
            (host::values(&ours.to_tensor().unwrap()).unwrap(), host::values(&theirs.to_tensor().unwrap()).unwrap());
        let gap = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(gap < bound, "{gap}");
    }

    #[test]
    fn strips_make_the_whole() {
        let x = FeatureMap::from_tensor(&ramp((2, 5, 11, 7), 1.0)).unwrap();
        let around = ConvShape::three(5, 6);
        let shapes = [around, ConvShape::halving(5, Padding::RightBelow), ConvShape { stride: 2, ..around }];
        for shape in shapes {
            let run = |card| {
                let w = weights(shape).with_compute(Compute::card(card, Mode::Exact));
                Conv2d::load(&w, shape).unwrap().forward(&x).unwrap()
            };
            let whole = run(Card::processor());
            // One line at a time, and three with less at the end.
            for columns in [1, 3 * 2 * 7 * 5 * 9] {
                assert_near(&run(Card::processor().with_columns(columns)), &whole, 1e-6);
            }
        }
    }

    #[test]
    fn kernels_and_candle_agree_whatever_the_window() {
        let shapes = [
            ConvShape::three(5, 7),
            ConvShape::point(5, 7),
            ConvShape::centred(5, 3, 5),
            ConvShape::halving(5, Padding::Around(1)),
            ConvShape::halving(5, Padding::RightBelow),
        ];
        for (mode, bound) in [(Mode::Exact, 3e-6), (Mode::Fast, 3e-2)] {
            for shape in shapes {
                let w = weights(shape);
                let ours = Conv2d::load(&w.clone().with_compute(Compute::new(mode)), shape).unwrap();
                let theirs = Conv2d::load(&w.with_compute(Compute::composed()), shape).unwrap();
                for (height, width) in [(8, 8), (9, 11), (2, 3)] {
                    let x = FeatureMap::from_tensor(&ramp((2, 5, height, width), 2.0)).unwrap();
                    let shift = ramp((2, 1, 1, shape.outputs), 1.0).squeeze(1).unwrap();
                    let shift = Tokens::from_tensor(&shift).unwrap();
                    let after = |onto| After { shift: Some(&shift), slope: Some(0.2), factor: 0.5, onto };
                    let onto = theirs.forward(&x).unwrap();
                    let run = |conv: &Conv2d| conv.forward_then(&x, after(Some(onto.clone()))).unwrap();
                    assert_near(&run(&ours), &run(&theirs), bound);
                }
            }
        }
    }

    #[test]
    fn a_doubling_is_a_convolution_of_the_map_resized() {
        let shape = ConvShape::three(5, 7);
        let w = weights(shape);
        let plain = Conv2d::load(&w, shape).unwrap();
        let x = FeatureMap::from_tensor(&ramp((2, 5, 3, 4), 2.0)).unwrap();
        let theirs = plain.forward(&x.resize_nearest(6, 8).unwrap()).unwrap();
        let odd = plain.forward(&x.resize_nearest(5, 7).unwrap()).unwrap();
        let computes = [(Compute::default(), 3e-6), (Compute::composed(), 3e-6), (Compute::new(Mode::Fast), 3e-2)];
        for (compute, bound) in computes {
            let grown = Upsample::load(&w.clone().with_compute(compute), (5, 7), Growth::Nearly).unwrap();
            assert_near(&grown.forward(&x, After::default()).unwrap(), &theirs, bound);
            assert_near(&grown.forward_to(&x, (5, 7), After::default()).unwrap(), &odd, bound);
        }
    }

    #[test]
    fn maps_that_do_not_fit_are_refused() {
        let conv = Conv2d::load(&weights(ConvShape::three(5, 7)), ConvShape::three(5, 7)).unwrap();
        let fault = conv.forward(&FeatureMap::from_tensor(&ramp((1, 4, 3, 3), 1.0)).unwrap()).unwrap_err();
        assert_eq!(fault.to_string(), "a convolution of 5 channels does not read maps of 4");
    }
}
