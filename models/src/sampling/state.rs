//! Where a run stands: a plain value, so that it can be stored, looked at, and gone on from.

use std::collections::HashMap;

use candle_core::{Error, Tensor};

use super::{NoiseSource, Result, Step};

/// Where a sampler stands between two steps.
///
/// Together with the [`NoiseSource`] it is all that is needed to go on: a run stopped after any step and continued
/// gives the same bits as one that was not stopped.
#[derive(Clone, Debug)]
pub struct State {
    /// The latent: x0 + sigma · noise, f32.
    pub x: Tensor,
    /// Steps done, counted from the first point of the schedule.
    pub index: usize,
    /// What the sampler remembers of earlier steps, oldest first; of the shape of `x`, but for numbers of `dpm_adaptive`.
    pub history: Vec<Tensor>,
}

/// A step that was just taken.
pub struct Done<'a> {
    /// The state after it. A watcher may replace the latent, as inpainting does.
    pub state: &'a mut State,
    /// The clean picture the model saw in it: x0 as predicted at the start of the step. For previews.
    pub clean: &'a Tensor,
    /// The noise source after it; clone it to store the run.
    pub noise: &'a NoiseSource,
    /// The step itself.
    pub step: Step,
}

/// Told after each step; an error stops the run at once.
pub type OnStep<'a> = dyn FnMut(Done<'_>) -> Result<()> + 'a;

impl State {
    /// Starts at a point of the schedule (0 for text to image).
    #[must_use]
    pub fn new(x: Tensor, index: usize) -> Self {
        Self { x, index, history: Vec::new() }
    }

    /// Returns the tensors by name, to be stored beside `index`.
    #[must_use]
    pub fn tensors(&self) -> HashMap<String, Tensor> {
        let history = self.history.iter().enumerate();
        let mut named: HashMap<_, _> = history.map(|(i, past)| (format!("history.{i}"), past.clone())).collect();
        named.insert("x".to_owned(), self.x.clone());
        named
    }

    /// Rebuilds a state from what [`State::tensors`] gave.
    pub fn from_tensors(index: usize, mut named: HashMap<String, Tensor>) -> Result<Self> {
        let missing = || Error::Msg("a stored sampler state has no tensor `x`".to_owned());
        let x = named.remove("x").ok_or_else(missing)?;
        let history = (0..).map_while(|i| named.remove(&format!("history.{i}"))).collect();
        Ok(Self { x, index, history })
    }

    /// Notes something for later steps, and forgets the oldest beyond `most`.
    pub(super) fn remember(&mut self, past: Tensor, most: usize) {
        self.history.push(past);
        let spare = self.history.len().saturating_sub(most);
        self.history.drain(..spare);
    }

    /// Ends a step: counts it and tells the watcher.
    pub(super) fn done(
        &mut self,
        step: Step,
        clean: &Tensor,
        noise: &NoiseSource,
        on_step: &mut OnStep<'_>,
    ) -> Result<()> {
        self.index += 1;
        on_step(Done { state: self, clean, noise, step })
    }
}

/// a · x + b · y, with the factors in f64 and the tensors in theirs.
pub(super) fn blend(a: f64, x: &Tensor, b: f64, y: &Tensor) -> Result<Tensor> {
    x.affine(a, 0.0)? + y.affine(b, 0.0)?
}

/// The sum of tensors, each times a factor; there is at least one.
pub(super) fn combine(terms: &[(f64, &Tensor)]) -> Result<Tensor> {
    let mut terms = terms.iter().filter(|(factor, _)| *factor != 0.0);
    let Some((factor, first)) = terms.next() else {
        return Err(Error::Msg("a sum of no tensors".to_owned()));
    };
    terms.try_fold(first.affine(*factor, 0.0)?, |sum, (factor, tensor)| sum + tensor.affine(*factor, 0.0)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_stored_state_comes_back_whole() {
        let one = |value: f32| Tensor::new(&[value], &Device::Cpu).unwrap();
        let state = State { x: one(1.0), index: 3, history: vec![one(2.0), one(3.0)] };
        let back = State::from_tensors(3, state.tensors()).unwrap();
        let read = |tensor: &Tensor| tensor.to_vec1::<f32>().unwrap();
        assert_eq!((read(&back.x), back.index), (vec![1.0], 3));
        assert_eq!(back.history.iter().map(read).collect::<Vec<_>>(), [[2.0], [3.0]]);
    }

    #[test]
    fn a_state_without_a_latent_is_refused() {
        assert!(State::from_tensors(0, HashMap::new()).is_err());
    }
}
