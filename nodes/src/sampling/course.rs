//! Where a walk goes, begins and stops: what `denoise` is told in the words of diffusers and of ComfyUI.

use darkroom_core::fault::Fault;
use darkroom_models::sampling::{self, Leftover, Schedule};

use crate::sampling::names::{AddNoise, LeftoverName, StrengthName};
use crate::sampling::walk::{Begin, First, Settings, unsupported};
use crate::wires::DenoiserHandle;
use crate::wires::latent::Latent;

/// What a person says of the way.
pub struct Course<'a> {
    pub strength: f64,
    pub strength_by: StrengthName,
    pub end: f64,
    pub sigmas: Option<&'a str>,
    pub start_step: Option<u32>,
    pub end_step: Option<u32>,
    pub leftover: LeftoverName,
    pub add_noise: AddNoise,
}

impl Course<'_> {
    /// Lays the points of the way, up to where it stops, and says where it begins.
    ///
    /// # Errors
    /// A fault of settings that do not go together.
    pub fn lay(
        &self,
        settings: &Settings,
        denoiser: &DenoiserHandle,
        latent: &Latent,
    ) -> Result<(Schedule, Begin), Fault> {
        self.check()?;
        let whole = self.points(settings, denoiser, latent)?;
        let begin = self.begin(latent, &whole)?;
        Ok((self.stop(whole, begin.index)?, begin))
    }

    fn check(&self) -> Result<(), Fault> {
        if self.end_step.is_some() && self.end < 1.0 {
            return Err(Fault::graph("`end` and `end_step` both say where to stop").hint("take one of them away"));
        }
        if self.start_step.is_some() && self.strength < 1.0 {
            return Err(
                Fault::graph("`strength` and `start_step` both say where to begin").hint("take one of them away")
            );
        }
        Ok(())
    }

    /// Tells whether ComfyUI's way of counting makes the steps a part of a longer way.
    fn lengthens(&self, latent: &Latent) -> bool {
        let finished = latent.x.is_some() && latent.noise_left == 0.0;
        finished && self.strength_by == StrengthName::Comfyui && self.strength > 0.0 && self.sigmas.is_none()
    }

    fn points(&self, settings: &Settings, denoiser: &DenoiserHandle, latent: &Latent) -> Result<Schedule, Fault> {
        let sampler = settings.sampler()?;
        let spec = settings.spec(denoiser)?;
        if let Some(text) = self.sigmas {
            sampler.check(&spec).map_err(unsupported)?;
            let made = sampling::sigmas_from_text(text).and_then(|sigmas| spec.schedule_over(&sigmas));
            return made
                .map_err(|error| Fault::graph(error.to_string()).hint("write them as `14.6, 7.1, 2.9, 0.6, 0`"));
        }
        if !self.lengthens(latent) {
            return settings.schedule(denoiser);
        }
        let share = (settings.steps as usize, self.strength);
        sampler.schedule_of_denoise(&spec, settings.table()?, share).map_err(unsupported)
    }

    fn begin(&self, latent: &Latent, schedule: &Schedule) -> Result<Begin, Fault> {
        let strength = if self.lengthens(latent) { 1.0 } else { self.strength };
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

    fn course() -> Course<'static> {
        Course {
            strength: 1.0,
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
        let starts = Course { strength: 0.5, start_step: Some(3), ..course() };
        for (course, word) in [(ends, "`end_step`"), (starts, "`start_step`")] {
            let fault = course.check().unwrap_err();
            assert!(fault.message.contains(word) && fault.hint.is_some(), "{}", fault.message);
        }
    }

    #[test]
    fn steps_begin_and_stop_where_they_are_told() {
        let course = Course { start_step: Some(2), end_step: Some(7), ..course() };
        let begin = course.begin(&blank(), &ten_steps()).unwrap();
        assert_eq!((begin.index, begin.first), (2, First::Noise));
        let kept = course.stop(ten_steps(), begin.index).unwrap();
        assert_eq!((kept.stop, kept.len()), (7, 10));
        let removed = Course { leftover: LeftoverName::Remove, ..course }.stop(ten_steps(), 2).unwrap();
        assert_eq!((removed.stop, removed.len(), removed.points[7].sigma), (7, 7, 0.0));
    }

    #[test]
    fn steps_beyond_the_way_are_refused() {
        let late = Course { start_step: Some(10), ..course() };
        assert!(late.begin(&blank(), &ten_steps()).unwrap_err().message.contains("the way has 10 steps"));
        let short = Course { end_step: Some(2), ..course() };
        assert!(short.stop(ten_steps(), 2).unwrap_err().message.contains("begins at step 2"));
    }

    #[test]
    fn a_blank_latent_needs_noise() {
        let course = Course { add_noise: AddNoise::Disable, ..course() };
        assert!(course.begin(&blank(), &ten_steps()).unwrap_err().message.contains("blank latent"));
    }
}
