//! A part of a way, and networks that answer otherwise outside it.
//!
//! Guidance inside an interval alone: Kynkäänniemi et al., arXiv 2404.07724. At the noisiest steps it narrows what can be
//! drawn, at the cleanest it does nothing that is seen; where it takes no part, one side of the prompt is asked instead of
//! two. The paper's interval is one of sigmas; ours is one of steps, like those of controls.

use std::cell::Cell;

use candle_core::Tensor;

use super::{Network, Result, Sides};

/// A part of a way, as shares (0 to 1) of the steps that are walked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// From where on.
    pub start: f64,
    /// Up to where.
    pub end: f64,
}

/// Where a walk stands, for those who must know it without being told at every question.
#[derive(Debug)]
pub struct Place {
    steps: usize,
    index: Cell<usize>,
}

/// A network inside a part of the way, and another one outside it.
pub struct Within<'a> {
    /// Where the walk stands.
    pub place: &'a Place,
    /// The part.
    pub interval: Interval,
    /// Whom to ask there.
    pub inside: &'a dyn Network,
    /// Whom to ask elsewhere.
    pub outside: &'a dyn Network,
}

impl Interval {
    /// Tells whether the whole of step `index` of `steps` lies inside. Rule: diffusers
    /// `pipelines/controlnet/pipeline_controlnet_sd_xl.py`, `controlnet_keep`.
    #[must_use]
    pub fn holds(self, index: usize, steps: usize) -> bool {
        let (index, steps) = (index as f64, steps as f64);
        index / steps >= self.start && (index + 1.0) / steps <= self.end
    }
}

impl Place {
    /// Stands before the first of so many steps.
    #[must_use]
    pub fn before(steps: usize) -> Self {
        Self { steps, index: Cell::new(0) }
    }

    /// Notes how many steps are done.
    pub fn reach(&self, index: usize) {
        self.index.set(index);
    }

    /// Tells whether the step that is being taken lies in a part of the way.
    #[must_use]
    pub fn is_in(&self, interval: Interval) -> bool {
        interval.holds(self.index.get(), self.steps)
    }
}

impl Within<'_> {
    fn network(&self) -> &dyn Network {
        if self.place.is_in(self.interval) { self.inside } else { self.outside }
    }
}

impl Network for Within<'_> {
    fn predict(&self, x_in: &Tensor, timestep: f64) -> Result<Tensor> {
        self.network().predict(x_in, timestep)
    }

    fn predict_sides(&self, x_in: &Tensor, timestep: f64) -> Result<Sides> {
        self.network().predict_sides(x_in, timestep)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::sampling::{Calls, Guidance, Guided};

    fn inside(start: f64, end: f64, steps: usize) -> Vec<usize> {
        (0..steps).filter(|index| Interval { start, end }.holds(*index, steps)).collect()
    }

    #[test]
    fn a_step_is_inside_where_both_its_ends_are() {
        assert_eq!(inside(0.0, 1.0, 5), [0, 1, 2, 3, 4]);
        assert_eq!(inside(0.2, 0.8, 10), [2, 3, 4, 5, 6, 7]);
        assert_eq!(inside(0.25, 0.75, 10), [3, 4, 5, 6]);
        assert_eq!(inside(0.0, 0.3, 10), [0, 1, 2]);
        assert_eq!(inside(0.6, 0.7, 2), [0; 0]);
        for steps in 1..=1000 {
            assert_eq!(inside(0.0, 1.0, steps).len(), steps);
        }
    }

    #[test]
    fn outside_the_interval_the_negative_is_not_asked() {
        let asked = Cell::new((0, 0));
        let count = |negative, positive| {
            let (before, after) = asked.get();
            asked.set((before + negative, after + positive));
        };
        let negative = |x: &Tensor, _| {
            count(1, 0);
            x.affine(0.5, 0.0)
        };
        let positive = |x: &Tensor, _| {
            count(0, 1);
            x.affine(2.0, 0.0)
        };
        let calls = Calls::Apart { negative: &negative, positive: &positive };
        let guided = Guided { calls, guidance: Guidance { scale: 3.0, rescale: 0.0 } };
        let place = Place::before(10);
        let interval = Interval { start: 0.2, end: 0.7 };
        let within = Within { place: &place, interval, inside: &guided, outside: &positive };
        let x = Tensor::new(&[1.0_f32], &Device::Cpu).unwrap();
        let read = |x: &Tensor| x.to_vec1::<f32>().unwrap()[0];
        for index in 0..10 {
            place.reach(index);
            let is_in = (2..7).contains(&index);
            let (wanted, away) = if is_in { (5.0, 0.5) } else { (2.0, 2.0) };
            assert_eq!(read(&within.predict(&x, 0.0).unwrap()), wanted, "step {index}");
            let sides = within.predict_sides(&x, 0.0).unwrap();
            assert_eq!((read(&sides.guided), read(&sides.negative)), (wanted, away), "step {index}");
        }
        assert_eq!(asked.get(), (10, 20));
    }
}
