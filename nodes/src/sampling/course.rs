//! Where a walk goes, begins and stops: what a node is told in the words of diffusers and of ComfyUI.

use darkroom_core::Params;
use darkroom_core::fault::Fault;
use darkroom_models::sampling::{self, Leftover, Path, SamplerInfo, Schedule};

use crate::sampling::names::{AddNoise, LeftoverName, StrengthName};
use crate::sampling::settings::{Settings, unsupported};
use crate::sampling::walk::{Begin, First};
use crate::wires::DenoiserHandle;
use crate::wires::latent::Latent;

/// What a person says of the way.
#[derive(Params)]
pub struct Course {
    /// Where to stop, as a share of the way: below 1 the rest of the noise is left for a `refine` to take out.
    #[param(default = 1.0, range = 0.0..=1.0, advanced)]
    pub end: f64,
    /// How `strength` counts steps.
    #[param(default = StrengthName::Diffusers, advanced)]
    pub strength_by: StrengthName,
    /// Sigmas to walk over in place of `schedule` and `steps`: falling numbers such as `14.6, 7.1, 2.9, 0.6, 0`.
    #[param(advanced)]
    pub sigmas: Option<String>,
    /// The first step to take, counted from 0; in place of `strength`.
    #[param(range = Some(0)..=Some(1000), advanced)]
    pub start_step: Option<u32>,
    /// The step to stop before; in place of `end`.
    #[param(range = Some(1)..=Some(10_000), advanced)]
    pub end_step: Option<u32>,
    /// What becomes of noise that is left at `end_step`.
    #[param(default = LeftoverName::Keep, advanced)]
    pub leftover: LeftoverName,
    /// Whether noise is put on the latent first.
    #[param(default = AddNoise::Enable, advanced)]
    pub add_noise: AddNoise,
}

/// A walk that is about to be laid out: by what settings, of what, and how much of it is drawn anew.
#[derive(Clone, Copy)]
pub struct Errand<'a> {
    pub settings: &'a Settings,
    pub denoiser: &'a DenoiserHandle,
    pub latent: &'a Latent,
    pub strength: f64,
}

impl Course {
    /// Lays the points of the way, up to where it stops, and says where it begins.
    ///
    /// # Errors
    /// A fault of settings that do not go together.
    pub fn lay(&self, errand: Errand<'_>) -> Result<(Schedule, Begin), Fault> {
        self.check(errand.strength)?;
        let whole = self.points(errand)?;
        let begin = self.begin(errand.latent, errand.strength, &whole)?;
        self.walked(errand.settings.sampler()?, self.stop(whole, begin.index)?, begin)
    }

    /// As [`Course::lay`], taken over at a share of the way with the noise that was left. Whole steps alone are handed over,
    /// so that a sampler that looks twice a step begins with its first look.
    ///
    /// # Errors
    /// A fault of settings that do not go together.
    pub fn lay_from(&self, errand: Errand<'_>, start: f64) -> Result<(Schedule, Begin), Fault> {
        self.check(errand.strength)?;
        let whole = self.points(errand)?;
        let begin = Begin { index: whole.handover(start), first: First::Kept };
        self.walked(errand.settings.sampler()?, self.stop(whole, begin.index)?, begin)
    }

    /// Hands the way to the sampler, which may lay other points between its first and its last.
    fn walked(&self, sampler: &SamplerInfo, way: Schedule, begin: Begin) -> Result<(Schedule, Begin), Fault> {
        if sampler.path == Path::Schedule || begin.index >= way.stop {
            return Ok((way, begin));
        }
        let stop = way.stop;
        let way = way.part(begin.index, stop, Leftover::Kept).map_err(unsupported)?;
        Ok((sampler.lay(way), Begin { index: 0, ..begin }))
    }

    fn check(&self, strength: f64) -> Result<(), Fault> {
        if self.end_step.is_some() && self.end < 1.0 {
            return Err(Fault::graph("`end` and `end_step` both say where to stop").hint("take one of them away"));
        }
        if self.start_step.is_some() && strength < 1.0 {
            return Err(
                Fault::graph("`strength` and `start_step` both say where to begin").hint("take one of them away")
            );
        }
        Ok(())
    }

    /// Tells whether ComfyUI's way of counting makes the steps a part of a longer way.
    fn lengthens(&self, latent: &Latent, strength: f64) -> bool {
        let finished = latent.x.is_some() && latent.noise_left == 0.0;
        finished && self.strength_by == StrengthName::Comfyui && strength > 0.0 && self.sigmas.is_none()
    }

    fn points(&self, errand: Errand<'_>) -> Result<Schedule, Fault> {
        let Errand { settings, denoiser, latent, strength } = errand;
        let sampler = settings.sampler()?;
        let spec = settings.spec(denoiser)?;
        if let Some(text) = &self.sigmas {
            sampler.check(&spec).map_err(unsupported)?;
            let made = sampling::sigmas_from_text(text).and_then(|sigmas| spec.schedule_over(&sigmas));
            return made
                .map_err(|error| Fault::graph(error.to_string()).hint("write them as `14.6, 7.1, 2.9, 0.6, 0`"));
        }
        if !self.lengthens(latent, strength) {
            return settings.schedule(denoiser);
        }
        let share = (settings.steps as usize, strength);
        sampler.schedule_of_denoise(&spec, settings.table()?, share).map_err(unsupported)
    }

    fn begin(&self, latent: &Latent, strength: f64, schedule: &Schedule) -> Result<Begin, Fault> {
        let strength = if self.lengthens(latent, strength) { 1.0 } else { strength };
        let mut begin = Begin::of(latent, schedule, strength);
        if let Some(step) = self.start_step {
            begin.index = step as usize;
            if begin.index >= schedule.len() {
                let steps = schedule.len();
                return Err(Fault::graph(format!("`start_step` is {step}, and the way has {steps} steps"))
                    .hint(format!("choose 0 to {}", steps - 1)));
            }
        }
        if self.add_noise == AddNoise::Disable {
            if latent.x.is_none() {
                return Err(Fault::graph("a blank latent without noise holds nothing to draw from")
                    .hint("set `add_noise: enable`, or connect a latent that noise was left in"));
            }
            begin.first = First::Kept;
        }
        Ok(begin)
    }

    fn stop(&self, whole: Schedule, begin: usize) -> Result<Schedule, Fault> {
        let Some(end) = self.end_step.map(|end| end as usize) else {
            let stop = whole.handover(self.end);
            return Ok(if self.end < 1.0 { whole.stopping_at(stop) } else { whole });
        };
        if end <= begin {
            return Err(Fault::graph(format!("`end_step` is {end}, and the walk begins at step {begin}"))
                .hint("choose a later `end_step`"));
        }
        match self.leftover {
            LeftoverName::Keep => Ok(whole.stopping_at(end)),
            LeftoverName::Remove => whole.part(0, end, Leftover::Removed).map_err(unsupported),
        }
    }
}

#[cfg(test)]
mod tests {
    use darkroom_models::sampling::{Rules, SchedulerConfig};

    use super::*;

    fn course() -> Course {
        Course {
            strength_by: StrengthName::Diffusers,
            end: 1.0,
            sigmas: None,
            start_step: None,
            end_step: None,
            leftover: LeftoverName::Keep,
            add_noise: AddNoise::Enable,
        }
    }

    fn ten_steps() -> Schedule {
        SchedulerConfig::from_json("{}").unwrap().spec(Rules::Euler).unwrap().schedule(10).unwrap()
    }

    fn blank() -> Latent {
        Latent::blank(std::sync::Arc::from("sdxl"), 64, 64, 1)
    }

    #[test]
    fn two_words_on_one_end_are_refused_with_a_way_out() {
        let ends = Course { end: 0.5, end_step: Some(3), ..course() };
        let starts = Course { start_step: Some(3), ..course() };
        for (course, strength, word) in [(ends, 1.0, "`end_step`"), (starts, 0.5, "`start_step`")] {
            let fault = course.check(strength).unwrap_err();
            assert!(fault.message.contains(word) && fault.hint.is_some(), "{}", fault.message);
        }
    }

    #[test]
    fn steps_begin_and_stop_where_they_are_told() {
        let course = Course { start_step: Some(2), end_step: Some(7), ..course() };
        let begin = course.begin(&blank(), 1.0, &ten_steps()).unwrap();
        assert_eq!((begin.index, begin.first), (2, First::Noise));
        let kept = course.stop(ten_steps(), begin.index).unwrap();
        assert_eq!((kept.stop, kept.len()), (7, 10));
        let removed = Course { leftover: LeftoverName::Remove, ..course }.stop(ten_steps(), 2).unwrap();
        assert_eq!((removed.stop, removed.len(), removed.points[7].sigma), (7, 7, 0.0));
    }

    #[test]
    fn steps_beyond_the_way_are_refused() {
        let late = Course { start_step: Some(10), ..course() };
        assert!(late.begin(&blank(), 1.0, &ten_steps()).unwrap_err().message.contains("the way has 10 steps"));
        let short = Course { end_step: Some(2), ..course() };
        assert!(short.stop(ten_steps(), 2).unwrap_err().message.contains("begins at step 2"));
    }

    #[test]
    fn a_sampler_that_lays_its_own_points_is_given_the_part_it_walks() {
        let fast = sampling::sampler("dpm_fast").unwrap();
        let begin = Begin { index: 2, first: First::Kept };
        let whole = ten_steps();
        let (way, begun) = course().walked(fast, whole.clone().stopping_at(7), begin).unwrap();
        assert_eq!((begun.index, begun.first, way.len(), way.stop), (0, First::Kept, 5, 5));
        assert_eq!((way.points[0].sigma, way.points[5].sigma), (whole.points[2].sigma, whole.points[7].sigma));
        let euler = sampling::sampler("euler").unwrap();
        assert_eq!(course().walked(euler, whole.clone(), begin).unwrap(), (whole, begin));
    }

    #[test]
    fn a_blank_latent_needs_noise() {
        let course = Course { add_noise: AddNoise::Disable, ..course() };
        assert!(course.begin(&blank(), 1.0, &ten_steps()).unwrap_err().message.contains("blank latent"));
    }
}
