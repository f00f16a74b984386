//! Work that a walk may leave out, for a picture that is nearly the same: guidance in a part of the way alone, and a step
//! cache. Off unless somebody asks; what was left out is told at the end.

use std::collections::HashMap;

use candle_core::Tensor;
use darkroom_core::Params;
use darkroom_core::fault::Fault;
use darkroom_core::node::Known;
use darkroom_models::sampling::{Interval, Network, Patience, Place, StepCache};

use crate::fault::tensor_fault;
use crate::sampling::names::StepCacheName;

/// What a walk may leave out.
#[derive(Params)]
pub struct Savers {
    /// From where on guidance pulls, as a share of the way that is walked. Before, the negative is not asked, which halves
    /// the work.
    #[param(default = 0.0, range = 0.0..=1.0, advanced)]
    pub guidance_start: f64,
    /// Up to where guidance pulls. Behind, the negative is not asked, which halves the work.
    #[param(default = 1.0, range = 0.0..=1.0, advanced)]
    pub guidance_end: f64,
    /// Who may answer in place of the network at steps that change little. It saves steps and changes the picture a little.
    #[param(default = StepCacheName::None, advanced)]
    pub step_cache: StepCacheName,
    /// How much an answer of the step cache may be off, as a share of itself: more saves more. 0 never lets it answer.
    #[param(default = 0.2, range = 0.0..=3.0, advanced)]
    pub step_cache_threshold: f64,
    /// From where on the step cache may answer, as a share of the way that is walked.
    #[param(default = 0.15, range = 0.0..=1.0, advanced)]
    pub step_cache_start: f64,
    /// Up to where the step cache may answer.
    #[param(default = 0.95, range = 0.0..=1.0, advanced)]
    pub step_cache_end: f64,
}

impl Savers {
    /// The part of the way in which guidance pulls.
    pub fn guided(&self) -> Interval {
        Interval { start: self.guidance_start, end: self.guidance_end }
    }

    /// Puts the step cache before a network, if one is wanted, with what it remembered when the run was killed.
    ///
    /// # Errors
    /// A fault of a memory that is none.
    pub fn cache<'a>(
        &self,
        network: &'a dyn Network,
        place: &'a Place,
        past: &HashMap<String, Tensor>,
    ) -> Result<Option<StepCache<'a>>, Fault> {
        let interval = Interval { start: self.step_cache_start, end: self.step_cache_end };
        let patience = Patience { threshold: self.step_cache_threshold, interval };
        match self.step_cache {
            StepCacheName::None => Ok(None),
            StepCacheName::Easycache => StepCache::new(network, place, patience, past).map(Some).map_err(tensor_fault),
        }
    }

    /// Says of a walk over so many steps, of which it took some, how much guidance took part; nothing where it always did.
    pub fn told_of_guidance(&self, taken: usize, steps: usize) -> Option<String> {
        let inside = (0..taken).filter(|index| self.guided().holds(*index, steps)).count();
        (inside < taken).then(|| format!("guidance took part in {inside} of {taken} steps"))
    }
}

/// Says how often a step cache answered.
pub fn told_of_cache(cache: &StepCache<'_>) -> String {
    let tally = cache.tally();
    format!("`easycache` answered {} of {} times in place of the network", tally.answered, tally.asked)
}

/// Refuses intervals that hold nothing.
///
/// # Errors
/// A fault of a part that ends before it starts, with the way out.
pub fn check(known: &Known<'_>) -> Result<(), Fault> {
    if let (Some(start), Some(end)) = (known.param::<f64>("guidance_start")?, known.param::<f64>("guidance_end")?)
        && start >= end
    {
        return Err(Fault::graph(format!("guidance starts at {start} and ends at {end}, so it never pulls"))
            .hint("set `guidance_start` below `guidance_end`, or `guidance: 1` to switch it off"));
    }
    let word = known.param::<StepCacheName>("step_cache")?;
    if let (Some(StepCacheName::Easycache), Some(start), Some(end)) =
        (word, known.param::<f64>("step_cache_start")?, known.param::<f64>("step_cache_end")?)
        && start >= end
    {
        return Err(Fault::graph(format!("the step cache starts at {start} and ends at {end}, so it never answers"))
            .hint("set `step_cache_start` below `step_cache_end`, or `step_cache: \"none\"` to switch it off"));
    }
    Ok(())
}
