//! A matrix applied to the last dimension.

use candle_core::{D, Tensor};
use darkroom_kernels::{self as kernels, Curve, Finish, Order, Panels, Residual};

use super::{
    Activation, Compute, Tokens,
    card::{Card, Vector, kept},
    compute::Precision,
    rows::{Numbers, Rows},
    storage::small,
    weight::{Use, Weight, next_number},
};
use crate::{Error, Result, Weights};

/// A matrix, and maybe a bias, applied to every vector.
#[derive(Clone, Debug)]
pub struct Linear {
    /// (outputs, inputs).
    weight: Weight,
    bias: Option<Vector>,
    compute: Compute,
    inputs: usize,
    outputs: usize,
    /// Half of the outputs are gates of the others.
    gated: Gate,
    number: u64,
}

/// Whether a layer adds a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// `weight` and `bias`.
    Yes,
    /// `weight` alone.
    No,
}

/// Whether half of the outputs are gates of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    None,
    /// Through the exact gelu.
    Gelu,
}

impl Linear {
    /// Loads `weight` (outputs, inputs) and `bias`.
    pub fn load(w: &Weights, inputs: usize, outputs: usize, bias: Bias) -> Result<Self> {
        Self::with(w, &[outputs, inputs], bias, Gate::None)
    }

    /// Loads the same from a convolution of one point, (outputs, inputs, 1, 1).
    pub fn load_pointwise(w: &Weights, inputs: usize, outputs: usize) -> Result<Self> {
        Self::with(w, &[outputs, inputs, 1, 1], Bias::Yes, Gate::None)
    }

    /// Loads `weight` (2 · outputs, inputs) and `bias`: the first half of the results are values, the second, through the
    /// exact gelu, their gates.
    pub fn load_gated(w: &Weights, inputs: usize, outputs: usize) -> Result<Self> {
        Self::with(w, &[2 * outputs, inputs], Bias::Yes, Gate::Gelu)
    }

    fn with(w: &Weights, shape: &[usize], bias: Bias, gated: Gate) -> Result<Self> {
        let (outputs, inputs, compute) = (shape[0], shape[1], w.compute().clone());
        let order = if gated == Gate::None { Order::Plain } else { Order::Gated };
        let weight = Weight::load(w, shape, (compute.products(), Use::Product(order)))?;
        let bias = match bias {
            Bias::Yes => Some(Vector::new(small(w, "bias", outputs)?)),
            Bias::No => None,
        };
        Ok(Self { weight, bias, compute, inputs, outputs, gated, number: next_number() })
    }

    /// Applies the matrix to every vector.
    pub fn forward(&self, x: &Tokens) -> Result<Tokens> {
        self.run(x, After::default())
    }

    /// The same, in the numbers that the factors of products are: for what is multiplied next.
    pub fn forward_to_factors(&self, x: &Tokens) -> Result<Tokens> {
        self.run(x, After { precision: self.compute.factors(), ..After::default() })
    }

    /// The same, of tokens that stay as they are for a whole walk: made once, where they remember.
    pub fn forward_once(&self, x: &Tokens) -> Result<Tokens> {
        x.remembered(self.number, || self.forward_to_factors(x))
    }

    /// Applies the matrix to every vector and bends the results, for what is multiplied next.
    pub fn forward_bent(&self, x: &Tokens, activation: Activation) -> Result<Tokens> {
        self.run(x, After { precision: self.compute.factors(), bend: Some(activation), ..After::default() })
    }

    /// Applies the matrix to every vector and adds the results to `onto`.
    pub fn forward_onto(&self, x: &Tokens, onto: Tokens) -> Result<Tokens> {
        self.run(x, After { onto: Some(onto), ..After::default() })
    }

    fn run(&self, x: &Tokens, mut after: After) -> Result<Tokens> {
        let (batch, length, inputs) = x.dims();
        if inputs != self.inputs {
            let what = format!("a matrix of {} inputs does not read vectors of {inputs}", self.inputs);
            return Err(Error::Shape(what));
        }
        let width = if self.gated == Gate::None { self.outputs } else { self.outputs / 2 };
        let dims = (batch, length, width);
        if let Some(onto) = &after.onto {
            super::same("tokens", dims, onto.dims())?;
        }
        match (&self.weight, self.compute.cpu()) {
            (Weight::Panels(panels), Some(cpu)) => {
                let x = x.rows(cpu)?;
                // Taken out, so that its numbers are added to where they lie.
                let onto = after.onto.take().map(|onto| onto.into_rows(cpu)).transpose()?;
                if let Some(beside) = self.compute.beside() {
                    // What is multiplied, if it is not multiplied as it lies, and the sums before and after the bias.
                    let factor = beside.card.factors().bytes() % size_of::<f32>();
                    beside.note(cpu, batch * length * (inputs * factor + 2 * self.outputs * size_of::<f32>()));
                }
                let made = self.multiply(cpu, &x, panels, (&after, onto));
                self.weight.check()?;
                Ok(Tokens::from_rows(made, dims))
            }
            (weight @ (Weight::Plain(_) | Weight::Fetched(_)), _) => self.composed(x, weight, &after),
            (weight, _) => unreachable!("{weight:?} in a matrix"),
        }
    }

    fn multiply(&self, cpu: &kernels::Cpu, x: &Rows, panels: &Panels, (after, onto): (&After, Option<Rows>)) -> Rows {
        let width = panels.width();
        let residual = if onto.is_some() { Residual::Target } else { Residual::None };
        let mut numbers = match onto {
            Some(onto) => onto.into_numbers(Precision::F32),
            None => Numbers::room(cpu, after.precision, x.count() * width),
        };
        let curve = after.bend.map_or(Curve::None, Activation::curve);
        let finish = Finish { bias: self.bias.as_deref(), curve, residual, ..Finish::default() };
        x.with(|source| kernels::linear(cpu, &source, panels, &finish, &mut numbers.target()));
        x.like(numbers, width)
    }

    /// The same in candle's operations.
    fn composed(&self, x: &Tokens, weight: &Weight, after: &After) -> Result<Tokens> {
        let card = &self.compute.composing();
        let (batch, length, inputs) = x.dims();
        let rows = card.factor(&x.tensor()?)?.reshape((batch * length, inputs))?;
        let weight = weight.on(card)?.reshape((self.outputs, inputs))?;
        let y = self.finished(card, rows.matmul(&weight.t()?)?, after)?;
        let y = Tokens::made(&y.reshape((batch, length, y.dim(1)?))?)?;
        match &after.onto {
            Some(onto) => onto.within(&self.compute)?.add(&y),
            None => Ok(y),
        }
    }

    /// Does to the sums what is asked, in f32.
    fn finished(&self, card: &Card, sums: Tensor, after: &After) -> Result<Tensor> {
        let mut y = card.wide(&sums)?;
        drop(sums);
        // Each result takes the place of what it was made of, so that two of them are there at most.
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias.on(card)?)?;
        }
        if self.gated == Gate::Gelu {
            let width = self.outputs / 2;
            let gates = y.narrow(D::Minus1, width, width)?.gelu_erf()?;
            y = (y.narrow(D::Minus1, 0, width)? * gates)?;
        }
        if let Some(activation) = after.bend {
            y = activation.composed(&y)?;
        }
        kept(&y, after.precision)
    }
}

/// What is done to the results.
struct After {
    precision: Precision,
    bend: Option<Activation>,
    onto: Option<Tokens>,
}

impl Default for After {
    fn default() -> Self {
        Self { precision: Precision::F32, bend: None, onto: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Mode, host};

    fn values(x: &Tokens) -> Vec<f32> {
        host::values(&x.to_tensor().unwrap()).unwrap()
    }

    /// What a layer makes of the same tokens, by kernels and by candle's operations.
    fn both(mode: Mode, make: impl Fn(&Weights) -> Linear, run: impl Fn(&Linear, &Tokens) -> Tokens) -> f32 {
        let shapes = [("weight".to_owned(), vec![24, 10]), ("bias".to_owned(), vec![24])];
        let w = Weights::random("linear", shapes, 3);
        let x = host::tensor((0..2 * 5 * 10).map(|i| (i as f32 * 0.7).sin()).collect(), (2, 5, 10)).unwrap();
        let x = Tokens::from_tensor(&x).unwrap();
        let ours = make(&w.clone().with_compute(Compute::new(mode)));
        let theirs = make(&w.with_compute(Compute::composed()));
        let (ours, theirs) = (values(&run(&ours, &x)), values(&run(&theirs, &x)));
        ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn kernels_and_candle_agree() {
        let plain = |w: &Weights| Linear::load(w, 10, 24, Bias::Yes).unwrap();
        let gated = |w: &Weights| Linear::load_gated(w, 10, 12).unwrap();
        for (mode, bound) in [(Mode::Exact, 2e-6), (Mode::Fast, 3e-2)] {
            assert!(both(mode, plain, |linear, x| linear.forward(x).unwrap()) < bound);
            assert!(both(mode, plain, |linear, x| linear.forward_to_factors(x).unwrap()) < bound);
            assert!(both(mode, gated, |linear, x| linear.forward(x).unwrap()) < bound);
            let onto = |linear: &Linear, x: &Tokens| linear.forward_onto(x, linear.forward(x).unwrap()).unwrap();
            assert!(both(mode, plain, onto) < bound);
            let bent = |linear: &Linear, x: &Tokens| linear.forward_bent(x, Activation::QuickGelu).unwrap();
            assert!(both(mode, plain, bent) < bound);
        }
    }

    #[test]
    fn what_is_made_of_remembering_tokens_is_made_once() {
        let w = Weights::random("linear", [("weight".to_owned(), vec![4, 4])], 3);
        let linear = Linear::load(&w, 4, 4, Bias::No).unwrap();
        let x = Tokens::from_tensor(&host::tensor(vec![1.0; 8], (1, 2, 4)).unwrap()).unwrap();
        let count = |x: &Tokens| {
            let before = linear.compute.figures();
            linear.forward_once(x).unwrap();
            let after = linear.compute.figures();
            after.fresh + after.again - before.fresh - before.again
        };
        assert!(count(&x) > 0 && count(&x) > 0);
        let x = x.remembering();
        assert!(count(&x) > 0);
        assert_eq!(count(&x.clone()), 0);
    }

    #[test]
    fn vectors_of_another_width_are_refused() {
        let w = Weights::random("linear", [("weight".to_owned(), vec![4, 4])], 3);
        let linear = Linear::load(&w, 4, 4, Bias::No).unwrap();
        let x = Tokens::from_tensor(&host::tensor(vec![1.0; 6], (1, 2, 3)).unwrap()).unwrap();
        assert!(linear.forward(&x).unwrap_err().to_string().contains("vectors of 3"));
    }
}
