//! A schedule: the points a sampler walks over, and what follows from them.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{Clock, Prediction, Result, Rules, SchedulerConfig, Table, Unsupported};

/// A place on the way from noise to picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// How much noise is in the latent, in units of the clean one's standard deviation.
    pub sigma: f64,
    /// What the network is told; may be a fraction.
    pub timestep: f64,
}

/// From one point to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Where the latent is.
    pub now: Point,
    /// Where it goes.
    pub next: Point,
}

/// How strong the first noise is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// The first sigma.
    SigmaMax,
    /// sqrt(sigma² + 1): a first latent of unit variance in the variance-preserving scale.
    UnitVariance,
}

/// What becomes of the noise that is left where a part of the way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leftover {
    /// It stays, for another run to go on from.
    Kept,
    /// The last step takes all of it.
    Removed,
}

/// The points of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// One point more than steps; the last is where the run ends, and its timestep is never asked for.
    pub points: Vec<Point>,
    /// Steps to take, counted from the first point; less than all hands over a latent that is still noisy.
    pub stop: usize,
    /// What the network predicts.
    pub prediction: Prediction,
    /// How strong the first noise is.
    pub start: Start,
    /// Whether the reference hands its last latent over in the variance-preserving scale.
    pub preserving: bool,
    /// Timesteps the network was trained on.
    pub trained: usize,
    /// Whose rules the points follow.
    pub rules: Rules,
    /// Which timestep belongs to a sigma between the points.
    pub clock: Clock,
}

impl Schedule {
    /// Makes the schedule of a checkpoint, with whose rules and by which table.
    ///
    /// Fails if the configuration is impossible or `steps` is not between 1 and the trained timesteps.
    pub fn from_config(
        config: &SchedulerConfig,
        rules: Rules,
        table: Table,
        steps: usize,
    ) -> std::result::Result<Self, Unsupported> {
        config.spec(rules)?.with(table).schedule(steps)
    }

    /// Returns the number of steps of the whole way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len().saturating_sub(1)
    }

    /// Tells whether there is no step at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Iterates over the steps that are left after `index` steps.
    pub fn steps_from(&self, index: usize) -> impl Iterator<Item = Step> {
        let pairs = self.points.windows(2).take(self.stop).skip(index);
        pairs.map(|pair| Step { now: pair[0], next: pair[1] })
    }

    /// Stops after this many steps of the whole way.
    #[must_use]
    pub fn stopping_at(mut self, stop: usize) -> Self {
        self.stop = stop.min(self.len());
        self
    }

    /// Cuts out the steps from `start` up to `end` as a way of its own, as ComfyUI's start and end steps do.
    ///
    /// Fails if there is no step between them.
    pub fn part(mut self, start: usize, end: usize, leftover: Leftover) -> std::result::Result<Self, Unsupported> {
        let end = end.min(self.len());
        if start >= end {
            let range = format!("below `end_step`, {end} of {} steps", self.len());
            return Err(Unsupported::number("start_step", start as f64, range));
        }
        let clean = end == self.len();
        self.points = self.points[start..=end].to_vec();
        if let (false, Leftover::Removed, Some(last)) = (clean, leftover, self.points.last_mut()) {
            *last = Point { sigma: 0.0, timestep: 0.0 };
        }
        self.stop = end - start;
        if start > 0 {
            self.start = Start::SigmaMax;
        }
        // What is handed over in the middle is handed over as it is.
        self.preserving &= clean;
        Ok(self)
    }

    /// Keeps the last so many steps as a way of its own, as ComfyUI's "denoise" does.
    pub(super) fn last(self, steps: usize) -> Self {
        let spare = self.len().saturating_sub(steps);
        let whole = self.clone();
        if spare == 0 { whole } else { self.part(spare, usize::MAX, Leftover::Kept).unwrap_or(whole) }
    }

    /// Returns the schedule with a first sigma whose logarithm a solver can take: a flow's 1 is moved down a little,
    /// as ComfyUI moves it.
    #[must_use]
    pub fn with_finite_start(&self) -> Self {
        let mut schedule = self.clone();
        let first = schedule.points.first_mut().filter(|point| point.sigma >= 1.0);
        if let (Prediction::Flow, Some(first)) = (self.prediction, first) {
            *first = self.clock.point(self.clock.sigma_after(1e-4));
        }
        schedule
    }

    /// Returns how much of the picture is in the latent at a sigma: all of it but for flows.
    #[must_use]
    pub fn alpha(&self, sigma: f64) -> f64 {
        if self.prediction == Prediction::Flow { 1.0 - sigma } else { 1.0 }
    }

    /// Returns half the logarithm of the signal-to-noise ratio at a sigma.
    #[must_use]
    pub fn lambda(&self, sigma: f64) -> f64 {
        (self.alpha(sigma) / sigma).ln()
    }

    /// Returns the sigma of a [`Schedule::lambda`].
    #[must_use]
    pub fn sigma_of(&self, lambda: f64) -> f64 {
        let ratio = (-lambda).exp();
        if self.prediction == Prediction::Flow { ratio / (1.0 + ratio) } else { ratio }
    }

    /// Returns the sigma in the middle of a step, by lambda. Rounded to single precision wherever torch rounds: what a
    /// Brownian motion gives there depends on the millionths of a sigma.
    pub(super) fn halfway(&self, step: Step) -> f64 {
        let round = |number: f64| f64::from(number as f32);
        let is_flow = self.prediction == Prediction::Flow;
        let [from, to] = [step.now.sigma, step.next.sigma].map(|sigma| {
            let ratio = if is_flow { round(sigma / round(1.0 - sigma)) } else { sigma };
            -round(ratio.ln())
        });
        let middle = round(from + 0.5 * round(to - from));
        if is_flow { round(1.0 / round(1.0 + round(middle.exp()))) } else { round((-middle).exp()) }
    }

    /// Returns the smallest sigma above 0 and the largest of a way from a step to the stop.
    pub(super) fn span(&self, index: usize) -> (f64, f64) {
        let sigmas = self.points[..=self.stop].iter().skip(index).map(|point| point.sigma);
        let above = sigmas.filter(|sigma| *sigma > 0.0);
        above.fold((f64::INFINITY, 0.0), |(low, high), sigma| (sigma.min(low), sigma.max(high)))
    }

    /// Returns the factor from noise of variance 1 to the first latent.
    #[must_use]
    pub fn initial_scale(&self) -> f64 {
        let sigma = self.points.first().map_or(0.0, |point| point.sigma);
        match self.start {
            Start::SigmaMax => sigma,
            Start::UnitVariance => (sigma * sigma + 1.0).sqrt(),
        }
    }

    /// Returns the first latent of a run from nothing but noise of variance 1.
    pub fn initial(&self, noise: &Tensor) -> Result<Tensor> {
        noise.affine(self.initial_scale(), 0.0)
    }

    /// Brings a clean latent to the point at `index`, as image to image and inpainting do.
    pub fn noised(&self, clean: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor> {
        let sigma = self.points.get(index).map_or(0.0, |point| point.sigma);
        self.prediction.noised(clean, noise, sigma)
    }

    /// Returns the latent as the reference hands it to the autoencoder.
    ///
    /// Matters only where the last sigma is not 0 (DDIM as published for SDXL): there the reference's latent is
    /// smaller by sqrt(sigma² + 1). A run that stops early hands its latent over as it is.
    pub fn finish(&self, x: &Tensor) -> Result<Tensor> {
        let sigma = self.points.last().map_or(0.0, |point| point.sigma);
        if !self.preserving || sigma == 0.0 || self.stop < self.len() {
            return Ok(x.clone());
        }
        x.affine(1.0 / (sigma * sigma + 1.0).sqrt(), 0.0)
    }

    /// Returns the step to start from for image to image at a strength between 0 and 1.
    #[must_use]
    pub fn start_of_strength(&self, strength: f64) -> usize {
        let all = self.len();
        all - ((all as f64 * strength) as usize).min(all)
    }

    /// Returns the first step of a latent in which a sigma of noise was left: that of the nearest point from below.
    #[must_use]
    pub fn at_sigma(&self, sigma: f64) -> usize {
        // The points of two schedules that mean the same may differ in their last bits.
        let above = |point: &&Point| point.sigma > sigma * (1.0 + 1e-5);
        self.points[..self.len()].iter().take_while(above).count()
    }

    /// Returns the first step of the second of two experts who share the way at a fraction between 0 and 1:
    /// the first takes the timesteps from round(trained · (1 − fraction)) up.
    #[must_use]
    pub fn handover(&self, fraction: f64) -> usize {
        let cutoff = (self.trained as f64 * (1.0 - fraction)).round_ties_even();
        self.points[..self.len()].iter().take_while(|point| point.timestep >= cutoff).count()
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn ten_steps() -> Schedule {
        let config = SchedulerConfig::from_json("{}").unwrap();
        Schedule::from_config(&config, Rules::Euler, Table::Trailing, 10).unwrap()
    }

    #[test]
    fn steps_go_on_where_they_were_and_stop_where_told() {
        let whole: Vec<_> = ten_steps().steps_from(0).collect();
        assert_eq!(whole.len(), 10);
        let cut = ten_steps().stopping_at(7);
        assert_eq!(cut.steps_from(4).collect::<Vec<_>>(), whole[4..7]);
        assert_eq!((cut.len(), cut.steps_from(12).count()), (10, 0));
        assert_eq!(ten_steps().stopping_at(99).stop, 10);
    }

    #[test]
    fn strength_counts_steps_from_the_end() {
        let starts = [0.0, 0.09, 0.3, 0.99, 1.0].map(|strength| ten_steps().start_of_strength(strength));
        assert_eq!(starts, [10, 10, 7, 1, 0]);
    }

    #[test]
    fn experts_share_the_way_without_a_gap() {
        // 999, 899, … 99; the first expert keeps t >= 200.
        assert_eq!(ten_steps().handover(0.8), 8);
        assert_eq!(ten_steps().handover(0.0), 0);
        assert_eq!(ten_steps().handover(1.0), 10);
    }

    #[test]
    fn a_latent_is_gone_on_with_where_it_was_left() {
        let schedule = ten_steps();
        for (index, point) in schedule.points.iter().enumerate() {
            assert_eq!(schedule.at_sigma(point.sigma), index);
        }
        assert_eq!(schedule.at_sigma(1e9), 0);
    }

    #[test]
    fn only_a_noisy_end_in_the_preserving_scale_is_rescaled() {
        let x = Tensor::new(&[5.0_f32], &Device::Cpu).unwrap();
        let finish = |schedule: &Schedule| schedule.finish(&x).unwrap().to_vec1::<f32>().unwrap()[0];
        let mut schedule = ten_steps();
        schedule.points[10].sigma = 0.75;
        assert_eq!(finish(&schedule), 5.0);
        schedule.preserving = true;
        assert_eq!(finish(&schedule), 4.0);
        assert_eq!(finish(&schedule.stopping_at(5)), 5.0);
    }
}
