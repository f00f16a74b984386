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
mod clock;
mod comfyui;
mod config;
mod config_flow;
mod config_sampler;
mod ddim;
mod ddpm;
mod deis;
mod dpm_2;
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
mod ipndm;
mod lcm;
mod linear;
mod lms;
mod noise;
mod pndm;
mod prediction;
mod res_multistep;
mod sa_solver;
mod schedule;
mod seeds;
mod sigma_list;
mod spec;
mod state;
mod tcd;
#[cfg(test)]
mod tests;
mod uni_pc;
mod walk;

pub use clock::Clock;
pub use config::{SchedulerConfig, Snr};
pub use ddim::ddim;
pub use ddpm::ddpm;
pub use deis::deis;
pub use dpm_2::{dpm_2, dpm_2_ancestral};
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
pub use gradient_estimation::gradient_estimation;
pub use guidance::{Calls, Guidance, Guided};
pub use heun::heun;
pub use heunpp2::heunpp2;
pub use ipndm::{ipndm, ipndm_v};
pub use lcm::lcm;
pub use lms::lms;
pub use noise::{Device as NoiseDevice, NoiseMode, NoiseSource};
pub use pndm::pndm;
pub use prediction::{Denoiser, Network, Prediction, Predictor};
pub use res_multistep::{res_multistep, res_multistep_ancestral};
pub use sa_solver::sa_solver;
pub use schedule::{Leftover, Point, Schedule, Start, Step};
pub use seeds::{seeds_2, seeds_3};
pub use sigma_list::sigmas_from_text;
pub use spec::{BetaCurve, Betas, Curve, FinalSigma, Rules, ScheduleSpec, Spacing, TABLES, Table, Trained};
pub use state::{Done, OnStep, State};
pub use tcd::tcd;
pub use uni_pc::{uni_pc, uni_pc_bh2, unipc};

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
    /// How its steps are counted on ComfyUI's schedules.
    pub count: Count,
}

/// How a sampler's steps are counted on ComfyUI's schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// As asked for.
    Plain,
    /// The schedule of one step more, without its last sigma but one (`DISCARD_PENULTIMATE_SIGMA` there).
    WithoutLastButOne,
}

const fn of(name: &'static str, rules: Rules, run: Sampler, doc: &'static str) -> SamplerInfo {
    SamplerInfo { name, doc, run, stochastic: false, rules, count: Count::Plain }
}

const fn noisy(info: SamplerInfo) -> SamplerInfo {
    SamplerInfo { stochastic: true, ..info }
}

const fn one_less(info: SamplerInfo) -> SamplerInfo {
    SamplerInfo { count: Count::WithoutLastButOne, ..info }
}

/// All samplers, in the order in which they are offered.
#[rustfmt::skip]
pub const SAMPLERS: &[SamplerInfo] = &[
    of("euler", Rules::Euler, euler, "Straight steps; the one SDXL was published with."),
    noisy(of("euler_ancestral", Rules::Euler, euler_ancestral, "Steps a little too far and puts fresh noise back; livelier, and every number of steps is another picture.")),
    of("ddim", Rules::Ddim, ddim, "The classic; with eta above 0 it adds fresh noise."),
    of("heun", Rules::Euler, heun, "Looks ahead and averages; twice the work a step, fewer steps needed."),
    of("dpmpp_2m", Rules::Dpm, dpmpp_2m, "Remembers the step before; sharp in 20 steps."),
    noisy(of("dpmpp_2m_sde", Rules::Dpm, dpmpp_2m_sde, "As dpmpp_2m, with fresh noise in every step.")),
    noisy(of("dpmpp_2m_sde_heun", Rules::Dpm, dpmpp_2m_sde_heun, "As dpmpp_2m_sde, with more weight on the step before.")),
    noisy(of("dpmpp_sde", Rules::Euler, dpmpp_sde, "Fresh noise and a look half way; twice the work a step, lively and detailed.")),
    noisy(of("dpmpp_3m_sde", Rules::Dpm, dpmpp_3m_sde, "As dpmpp_2m_sde, remembering two steps; for 30 steps and more.")),
    of("dpmpp_3m", Rules::Dpm, dpmpp_3m, "As dpmpp_2m, remembering two steps."),
    of("dpmpp_2s", Rules::Dpm, dpmpp_2s, "Pairs of steps that need nothing of the past; diffusers' single-step DPM-Solver."),
    noisy(of("dpmpp_2s_ancestral", Rules::Euler, dpmpp_2s_ancestral, "A look half way and fresh noise; twice the work a step.")),
    of("heunpp2", Rules::Euler, heunpp2, "Looks two steps ahead; three times the work a step."),
    one_less(of("dpm_2", Rules::Euler, dpm_2, "Looks half way; twice the work a step.")),
    one_less(noisy(of("dpm_2_ancestral", Rules::Euler, dpm_2_ancestral, "Looks half way and puts fresh noise back; twice the work a step."))),
    of("lms", Rules::Euler, lms, "Remembers three steps and lays a curve through them."),
    of("pndm", Rules::Ddim, pndm, "Remembers three steps; the one SD1.5 was published with."),
    of("ipndm", Rules::Euler, ipndm, "Remembers three steps, as if all were evenly long."),
    of("ipndm_v", Rules::Euler, ipndm_v, "Remembers three steps and how long they were."),
    of("deis", Rules::Euler, deis, "Remembers two steps on the scale of a diffusion process; good with few steps."),
    one_less(of("uni_pc", Rules::Dpm, uni_pc, "Predicts, then corrects at no cost; good with few steps.")),
    one_less(of("uni_pc_bh2", Rules::Dpm, uni_pc_bh2, "As uni_pc, by another norm; steadier under strong guidance.")),
    of("unipc", Rules::Dpm, unipc, "diffusers' UniPC: as uni_pc_bh2, remembering one step."),
    of("res_multistep", Rules::Euler, res_multistep, "Remembers one step in an exponential scheme."),
    noisy(of("res_multistep_ancestral", Rules::Euler, res_multistep_ancestral, "As res_multistep, with fresh noise in every step.")),
    of("gradient_estimation", Rules::Euler, gradient_estimation, "Carries the change of direction on; quick to settle."),
    noisy(of("er_sde", Rules::Euler, er_sde, "Fresh noise, tamed by two earlier steps; detailed in 20 steps.")),
    noisy(of("seeds_2", Rules::Euler, seeds_2, "A look half way with noise that fits together; twice the work a step.")),
    noisy(of("seeds_3", Rules::Euler, seeds_3, "Two looks on the way with noise that fits together; three times the work a step.")),
    noisy(of("sa_solver", Rules::Euler, sa_solver, "Predicts and corrects by four steps, with fresh noise in the middle of the way.")),
    noisy(of("ddpm", Rules::Ddpm, ddpm, "The first of them all: as much fresh noise as a step allows; needs many steps.")),
    noisy(of("lcm", Rules::Lcm, lcm, "For models distilled by latent consistency: 2 to 8 steps, guidance about 1.")),
    noisy(of("tcd", Rules::Tcd, tcd, "For models distilled by trajectory consistency and Hyper-SD's one-step file: 1 to 8 steps; eta 0.3.")),
];

/// Finds a sampler by its name.
pub fn sampler(name: &str) -> std::result::Result<&'static SamplerInfo, Unsupported> {
    SAMPLERS.iter().find(|info| info.name == name).ok_or_else(|| {
        let known = SAMPLERS.iter().map(|info| info.name);
        Unsupported::word("sampler", name, known)
    })
}

impl SamplerInfo {
    /// Makes the schedule of a checkpoint, by a table, for this sampler.
    ///
    /// Fails if the configuration is impossible, if `steps` is out of range, or if the model is a flow that the sampler
    /// cannot walk.
    pub fn schedule(
        &self,
        spec: &ScheduleSpec,
        table: Table,
        steps: usize,
    ) -> std::result::Result<Schedule, Unsupported> {
        let spec = spec.with(table);
        self.check(&spec)?;
        if spec.rules != Rules::Comfyui || self.count == Count::Plain {
            return spec.schedule(steps);
        }
        let mut schedule = spec.schedule(steps + 1)?;
        schedule.points.remove(schedule.len() - 1);
        schedule.stop = schedule.len();
        Ok(schedule)
    }

    /// Makes the last `steps` steps of a longer schedule, of which they are the share `denoise` (above 0, up to 1): image
    /// to image as ComfyUI does it.
    pub fn schedule_of_denoise(
        &self,
        spec: &ScheduleSpec,
        table: Table,
        (steps, denoise): (usize, f64),
    ) -> std::result::Result<Schedule, Unsupported> {
        if !(denoise > 0.0 && denoise <= 1.0) {
            return Err(Unsupported::number("strength", denoise, "above 0 and up to 1"));
        }
        // The same bound as there: what is nearly 1 is 1.
        let all = if denoise > 0.9999 { steps } else { (steps as f64 / denoise) as usize };
        let schedule = self.schedule(spec, table, all)?;
        Ok(if all == steps { schedule } else { schedule.last(steps) })
    }

    /// Refuses a flow where the sampler's formulas are not those of flows.
    pub fn check(&self, spec: &ScheduleSpec) -> std::result::Result<(), Unsupported> {
        let of_noise = matches!(self.rules, Rules::Ddim | Rules::Tcd | Rules::Dpm) && !FLOWS.contains(&self.name);
        if of_noise && matches!(spec.trained, Trained::Flow(_)) {
            let known = SAMPLERS.iter().filter(|info| !matches!(info.rules, Rules::Ddim | Rules::Tcd | Rules::Dpm));
            return Err(Unsupported::word(
                "sampler",
                self.name,
                known.map(|info| info.name).chain(FLOWS.iter().copied()),
            ));
        }
        Ok(())
    }
}

/// Samplers of diffusers' DPM-Solver whose steps ComfyUI takes for flows too.
const FLOWS: &[&str] = &["dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde", "uni_pc", "uni_pc_bh2"];
