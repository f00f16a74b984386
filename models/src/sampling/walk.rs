//! The loop that samplers share: look, step, tell.

use candle_core::Tensor;

use super::state::combine;
use super::{Denoiser, NoiseSource, OnStep, Point, Result, Schedule, Sides, State, Step};

/// What a sampler is given: who looks, where the way lies, where noise comes from, and who watches.
pub struct Given<'a> {
    /// Sees the clean latent.
    pub model: &'a dyn Denoiser,
    /// The points of the way.
    pub schedule: &'a Schedule,
    /// Fresh noise.
    pub noise: &'a mut NoiseSource,
    /// Told after each step.
    pub on_step: &'a mut OnStep<'a>,
}

/// What a sampler has at hand while it takes a step.
pub(super) struct Hand<'a> {
    model: &'a dyn Denoiser,
    noise: &'a mut NoiseSource,
    /// The whole way.
    pub schedule: &'a Schedule,
    /// The step to take; its next sigma is smaller than its first.
    pub step: Step,
}

impl Given<'_> {
    /// Walks to the schedule's stop; `take` moves the state on, given the clean latent seen where it is.
    ///
    /// A step between two equal sigmas moves nothing and makes the sampler forget what it remembers: nothing can be
    /// divided by its length.
    pub(super) fn each_step(
        self,
        mut state: State,
        mut take: impl FnMut(&mut Hand<'_>, &mut State, &Tensor) -> Result<()>,
    ) -> Result<State> {
        let Self { model, schedule, noise, on_step } = self;
        for step in schedule.steps_from(state.index) {
            let clean = model.denoise(&state.x, step.now)?;
            if step.next.sigma < step.now.sigma {
                take(&mut Hand { model, noise, schedule, step }, &mut state, &clean)?;
            } else {
                state.history.clear();
            }
            state.done(step, &clean, noise, on_step)?;
        }
        Ok(state)
    }

    /// As [`Given::each_step`], for steps in lambda: a first sigma that has none is moved down a little, and noise is asked
    /// for between the sigmas of the way.
    pub(super) fn each_step_by_lambda(
        self,
        state: State,
        take: impl FnMut(&mut Hand<'_>, &mut State, &Tensor) -> Result<()>,
    ) -> Result<State> {
        let Self { model, schedule, noise, on_step } = self;
        let (smallest, largest) = schedule.span(state.index);
        noise.span(smallest, largest);
        let schedule = &schedule.with_finite_start();
        Given { model, schedule, noise, on_step }.each_step(state, take)
    }

    /// As [`Given::each_step`], by both sides of the prompt.
    pub(super) fn each_step_by_sides(
        self,
        mut state: State,
        mut take: impl FnMut(&mut Hand<'_>, &mut State, &Sides) -> Result<()>,
    ) -> Result<State> {
        let Self { model, schedule, noise, on_step } = self;
        for step in schedule.steps_from(state.index) {
            let sides = model.denoise_sides(&state.x, step.now)?;
            if step.next.sigma < step.now.sigma {
                take(&mut Hand { model, noise, schedule, step }, &mut state, &sides)?;
            } else {
                state.history.clear();
            }
            state.done(step, &sides.guided, noise, on_step)?;
        }
        Ok(state)
    }
}

impl Hand<'_> {
    /// The sigma the step starts from.
    pub fn now(&self) -> f64 {
        self.step.now.sigma
    }

    /// The sigma the step goes to.
    pub fn next(&self) -> f64 {
        self.step.next.sigma
    }

    /// Tells whether the step ends without noise.
    pub fn is_last(&self) -> bool {
        self.next() == 0.0
    }

    /// The sigma so many steps before this one.
    pub fn before(&self, state: &State, steps: usize) -> f64 {
        self.schedule.points[state.index - steps].sigma
    }

    /// The clean latent as seen at a point of the schedule.
    pub fn look_at(&self, x: &Tensor, at: Point) -> Result<Tensor> {
        self.model.denoise(x, at)
    }

    /// The clean latent as seen at a sigma between points.
    pub fn look(&self, x: &Tensor, sigma: f64) -> Result<Tensor> {
        self.model.denoise(x, self.schedule.clock.point(sigma))
    }

    /// The clean latent as the negative side alone sees it, at a sigma between points.
    pub fn look_at_negative(&self, x: &Tensor, sigma: f64) -> Result<Tensor> {
        Ok(self.model.denoise_sides(x, self.schedule.clock.point(sigma))?.negative)
    }

    /// Adds fresh noise; draws none where the factor is 0.
    pub fn noised(&mut self, x: Tensor, factor: f64) -> Result<Tensor> {
        if factor == 0.0 {
            return Ok(x);
        }
        combine(&[(1.0, &x), (factor, &self.fresh(&x)?)])
    }

    /// Adds the noise that is fresh between the step's start and a sigma; draws none where the factor is 0.
    pub fn noised_since(&mut self, x: Tensor, factor: f64, to: f64) -> Result<Tensor> {
        if factor == 0.0 {
            return Ok(x);
        }
        let noise = self.noise.draw_between(x.shape(), self.step.now.sigma, to)?;
        combine(&[(1.0, &x), (factor, &noise.to_device(x.device())?.to_dtype(x.dtype())?)])
    }

    /// Draws noise like a latent.
    pub fn fresh(&mut self, x: &Tensor) -> Result<Tensor> {
        self.noise.draw(x.shape())?.to_device(x.device())?.to_dtype(x.dtype())
    }

    /// The share of fresh noise, or the sampler's usual one.
    pub fn eta_or(&self, usual: f64) -> f64 {
        self.noise.eta_or(usual)
    }
}

/// The direction a latent moves in as sigma changes.
pub(super) fn slope(x: &Tensor, clean: &Tensor, sigma: f64) -> Result<Tensor> {
    (x - clean)? / sigma
}

/// Moves a latent in a straight line from a sigma to another.
pub(super) fn straight(x: &Tensor, clean: &Tensor, from: f64, to: f64) -> Result<Tensor> {
    combine(&[(to / from, x), (1.0 - to / from, clean)])
}
