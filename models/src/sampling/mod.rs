//! From noise to a latent: schedules, predictions, guidance, noise, and the samplers that walk them.
//!
//! A run reads like this. A [`SchedulerConfig`] is read from the checkpoint; with a [`Table`] chosen by the user it
//! becomes a [`Schedule`]: a list of (sigma, timestep) points. A network and its conditions become a [`Denoiser`]
//! ([`Guided`], then [`Predictor`]). [`NoiseSource`] gives the first latent, and a sampler of [`SAMPLERS`] walks
//! from point to point, telling `on_step` after each.
//!
//! Inside, a latent is always x = x0 + sigma · noise ("variance exploding"; for flow models the mixture
//! (1 − sigma) · x0 + sigma · noise). What a scheduler of diffusers keeps in another scale is x / sqrt(sigma² + 1).

mod adams;
mod ancestral;
mod beta_quantile;
mod betas;
mod cfg_pp;
mod clock;
mod comfyui;
mod config;
mod config_flow;
mod config_sampler;
mod ddim;
mod ddpm;
mod deis;
mod dpm_2;
mod dpm_adaptive;
mod dpm_fast;
mod dpm_solver;
mod dpmpp_2m;
mod dpmpp_2s;
mod dpmpp_3m;
mod dpmpp_sde;
mod dpmpp_sde_multistep;
mod er_sde;
mod error;
mod euler;
mod euler_ancestral;
mod exponential;
mod flow;
mod gradient_estimation;
mod guidance;
mod heun;
mod heunpp2;
mod interval;
mod ipndm;
mod lcm;
mod linear;
mod lms;
mod noise;
mod pndm;
mod prediction;
mod res_multistep;
mod sa_solver;
mod samplers;
mod schedule;
mod seeds;
mod sigma_list;
mod spec;
mod state;
mod step_cache;
mod tcd;
#[cfg(test)]
mod tests;
mod uni_pc;
mod walk;

pub use cfg_pp::{dpmpp_2m_cfg_pp, dpmpp_2s_ancestral_cfg_pp, euler_ancestral_cfg_pp, euler_cfg_pp};
pub use clock::Clock;
pub use config::{SchedulerConfig, Snr};
pub use ddim::ddim;
pub use ddpm::ddpm;
pub use deis::deis;
pub use dpm_2::{dpm_2, dpm_2_ancestral};
pub use dpm_adaptive::dpm_adaptive;
pub use dpm_fast::dpm_fast;
pub use dpmpp_2m::dpmpp_2m;
pub use dpmpp_2s::{dpmpp_2s, dpmpp_2s_ancestral};
pub use dpmpp_3m::dpmpp_3m;
pub use dpmpp_sde::dpmpp_sde;
pub use dpmpp_sde_multistep::{dpmpp_2m_sde, dpmpp_2m_sde_heun, dpmpp_3m_sde};
pub use er_sde::er_sde;
pub use error::Unsupported;
pub use euler::euler;
pub use euler_ancestral::euler_ancestral;
pub use flow::{Flow, Growth, Shift};
pub use gradient_estimation::{gradient_estimation, gradient_estimation_cfg_pp};
pub use guidance::{Calls, Guidance, Guided};
pub use heun::heun;
pub use heunpp2::heunpp2;
pub use interval::{Interval, Place, Within};
pub use ipndm::{ipndm, ipndm_v};
pub use lcm::lcm;
pub use lms::lms;
pub use noise::{Device as NoiseDevice, NoiseMode, NoiseSource};
pub use pndm::pndm;
pub use prediction::{Denoiser, Network, Prediction, Predictor, Sides};
pub use res_multistep::{res_multistep, res_multistep_ancestral, res_multistep_ancestral_cfg_pp, res_multistep_cfg_pp};
pub use sa_solver::sa_solver;
pub use samplers::{Asks, Count, Path, SAMPLERS, SamplerInfo, sampler};
pub use schedule::{Leftover, Point, Schedule, Start, Step};
pub use seeds::{seeds_2, seeds_3};
pub use sigma_list::sigmas_from_text;
pub use spec::{BetaCurve, Betas, Curve, FinalSigma, Rules, ScheduleSpec, Spacing, TABLES, Table, Trained};
pub use state::{Done, OnStep, State};
pub use step_cache::{Patience, StepCache, Tally};
pub use tcd::tcd;
pub use uni_pc::{uni_pc, uni_pc_bh2, unipc};
pub use walk::Given;

/// What sampling returns.
pub type Result<T> = candle_core::Result<T>;

/// A sampler: walks `state` along the schedule, from `state.index` to the schedule's stop.
///
/// It does not know which model, which guidance, or who watches. An error of the model or of `on_step` (a cancel)
/// stops it at once.
pub type Sampler = fn(Given<'_>, State) -> Result<State>;
