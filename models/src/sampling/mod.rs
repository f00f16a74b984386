//! From noise to a latent: schedules, predictions, guidance, noise, and the samplers that walk them.
//!
//! A run reads like this. A [`SchedulerConfig`] is read from the checkpoint; with a [`Table`] chosen by the user it
//! becomes a [`Schedule`]: a list of (sigma, timestep) points. A network and its conditions become a [`Denoiser`]
//! ([`Guided`], then [`Predictor`]). [`NoiseSource`] gives the first latent, and a sampler of [`SAMPLERS`] walks
//! from point to point, telling `on_step` after each.
//!
//! Inside, a latent is always x = x0 + sigma · noise ("variance exploding"; for flow models the mixture
//! (1 − sigma) · x0 + sigma · noise). What a scheduler of diffusers keeps in another scale is x / sqrt(sigma² + 1).

mod betas;
mod config;
mod ddim;
mod dpmpp_2m;
mod error;
mod euler;
mod euler_ancestral;
mod guidance;
mod heun;
mod noise;
mod prediction;
mod schedule;
mod spec;
mod state;

pub use config::SchedulerConfig;
pub use ddim::ddim;
pub use dpmpp_2m::{dpmpp_2m, dpmpp_2m_sde};
pub use error::Unsupported;
pub use euler::euler;
pub use euler_ancestral::euler_ancestral;
pub use guidance::{Calls, Guidance, Guided};
pub use heun::heun;
pub use noise::{Device as NoiseDevice, NoiseMode, NoiseSource};
pub use prediction::{Denoiser, Network, Prediction, Predictor};
pub use schedule::{Point, Schedule, Start, Step};
pub use spec::{BetaCurve, Betas, Curve, FinalSigma, Rules, ScheduleSpec, Spacing, TABLES, Table};
pub use state::{Done, OnStep, State};

/// What sampling returns.
pub type Result<T> = candle_core::Result<T>;

/// A sampler: walks `state` along the schedule, from `state.index` to the schedule's stop.
///
/// It does not know which model, which guidance, or who watches. An error of the model or of `on_step` (a cancel)
/// stops it at once.
pub type Sampler = fn(&dyn Denoiser, State, &Schedule, &mut NoiseSource, &mut OnStep<'_>) -> Result<State>;

/// One entry of the list of samplers.
#[derive(Clone, Copy, Debug)]
pub struct SamplerInfo {
    /// The name in a graph.
    pub name: &'static str,
    /// One sentence for the user.
    pub doc: &'static str,
    /// The sampler itself.
    pub run: Sampler,
    /// Whether steps draw fresh noise at the usual eta.
    pub stochastic: bool,
    /// Whose rules the schedule follows when the checkpoint's are not kept.
    pub rules: Rules,
}

/// All samplers, in the order in which they are offered.
#[rustfmt::skip]
pub const SAMPLERS: &[SamplerInfo] = &[
    SamplerInfo { name: "euler", doc: "Straight steps; the one SDXL was published with.", run: euler, stochastic: false, rules: Rules::Euler },
    SamplerInfo { name: "euler_ancestral", doc: "Steps a little too far and puts fresh noise back; livelier, and every number of steps is another picture.", run: euler_ancestral, stochastic: true, rules: Rules::Euler },
    SamplerInfo { name: "ddim", doc: "The classic; with eta above 0 it adds fresh noise.", run: ddim, stochastic: false, rules: Rules::Ddim },
    SamplerInfo { name: "heun", doc: "Looks ahead and averages; twice the work a step, fewer steps needed.", run: heun, stochastic: false, rules: Rules::Euler },
    SamplerInfo { name: "dpmpp_2m", doc: "Remembers the step before; sharp in 20 steps.", run: dpmpp_2m, stochastic: false, rules: Rules::Dpm },
    SamplerInfo { name: "dpmpp_2m_sde", doc: "As dpmpp_2m, with fresh noise in every step.", run: dpmpp_2m_sde, stochastic: true, rules: Rules::Dpm },
];

/// Finds a sampler by its name.
pub fn sampler(name: &str) -> std::result::Result<&'static SamplerInfo, Unsupported> {
    SAMPLERS.iter().find(|info| info.name == name).ok_or_else(|| {
        let known = SAMPLERS.iter().map(|info| info.name);
        Unsupported::word("sampler", name, known)
    })
}
