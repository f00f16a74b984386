//! The list of samplers: what each is called, what it asks for, and over which points it walks.

use super::dpm_fast::lay as laid;
use super::dpm_solver::above_zero;
use super::{Rules, Sampler, Schedule, ScheduleSpec, Table, Trained, Unsupported};
use super::{
    ddim, ddpm, deis, dpm_2, dpm_2_ancestral, dpm_adaptive, dpm_fast, dpmpp_2m, dpmpp_2m_cfg_pp, dpmpp_2m_sde,
    dpmpp_2m_sde_heun, dpmpp_2s, dpmpp_2s_ancestral, dpmpp_2s_ancestral_cfg_pp, dpmpp_3m, dpmpp_3m_sde, dpmpp_sde,
    er_sde, euler, euler_ancestral, euler_ancestral_cfg_pp, euler_cfg_pp, gradient_estimation,
    gradient_estimation_cfg_pp, heun, heunpp2, ipndm, ipndm_v, lcm, lms, pndm, res_multistep, res_multistep_ancestral,
    res_multistep_ancestral_cfg_pp, res_multistep_cfg_pp, sa_solver, seeds_2, seeds_3, tcd, uni_pc, uni_pc_bh2, unipc,
};

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
    /// Over which points it walks.
    pub path: Path,
    /// What it asks of the model.
    pub asks: Asks,
}

/// Over which points a sampler walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Those of the schedule.
    Schedule,
    /// As many as the schedule has, between its ends, where the sampler lays them.
    Laid,
    /// As many as it takes, between the schedule's ends.
    Found,
}

/// What a sampler asks of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// The clean latent under guidance.
    Guided,
    /// What the negative side alone makes of it, too: guidance is never off.
    BothSides,
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
    let (count, path, asks) = (Count::Plain, Path::Schedule, Asks::Guided);
    SamplerInfo { name, doc, run, stochastic: false, rules, count, path, asks }
}

const fn noisy(info: SamplerInfo) -> SamplerInfo {
    SamplerInfo { stochastic: true, ..info }
}

const fn one_less(info: SamplerInfo) -> SamplerInfo {
    SamplerInfo { count: Count::WithoutLastButOne, ..info }
}

const fn over(path: Path, info: SamplerInfo) -> SamplerInfo {
    SamplerInfo { path, ..info }
}

const fn by_sides(info: SamplerInfo) -> SamplerInfo {
    SamplerInfo { asks: Asks::BothSides, ..info }
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
    over(Path::Laid, of("dpm_fast", Rules::Euler, dpm_fast, "DPM-Solver in few looks, as many as there are steps; of the schedule only the ends count.")),
    over(Path::Found, of("dpm_adaptive", Rules::Euler, dpm_adaptive, "DPM-Solver that takes as many steps as it needs; of the schedule only the ends count.")),
    by_sides(of("euler_cfg_pp", Rules::Euler, euler_cfg_pp, "As euler, by CFG++: for a guidance of 0.5 to 2.")),
    noisy(by_sides(of("euler_ancestral_cfg_pp", Rules::Euler, euler_ancestral_cfg_pp, "As euler_ancestral, by CFG++: for a guidance of 0.5 to 2."))),
    noisy(by_sides(of("dpmpp_2s_ancestral_cfg_pp", Rules::Euler, dpmpp_2s_ancestral_cfg_pp, "As dpmpp_2s_ancestral, by CFG++: for a guidance of 0.5 to 2."))),
    by_sides(of("dpmpp_2m_cfg_pp", Rules::Euler, dpmpp_2m_cfg_pp, "As dpmpp_2m, by CFG++: for a guidance of 0.5 to 2.")),
    by_sides(of("res_multistep_cfg_pp", Rules::Euler, res_multistep_cfg_pp, "As res_multistep, by CFG++: for a guidance of 0.5 to 2.")),
    noisy(by_sides(of("res_multistep_ancestral_cfg_pp", Rules::Euler, res_multistep_ancestral_cfg_pp, "As res_multistep_ancestral, by CFG++: for a guidance of 0.5 to 2."))),
    by_sides(of("gradient_estimation_cfg_pp", Rules::Euler, gradient_estimation_cfg_pp, "As gradient_estimation, by CFG++: for a guidance of 0.5 to 2.")),
];

/// Finds a sampler by its name.
pub fn sampler(name: &str) -> Result<&'static SamplerInfo, Unsupported> {
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
    pub fn schedule(&self, spec: &ScheduleSpec, table: Table, steps: usize) -> Result<Schedule, Unsupported> {
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
    ) -> Result<Schedule, Unsupported> {
        if !(denoise > 0.0 && denoise <= 1.0) {
            return Err(Unsupported::number("strength", denoise, "above 0 and up to 1"));
        }
        // The same bound as there: what is nearly 1 is 1.
        let all = if denoise > 0.9999 { steps } else { (steps as f64 / denoise) as usize };
        let schedule = self.schedule(spec, table, all)?;
        Ok(if all == steps { schedule } else { schedule.last(steps) })
    }

    /// Returns the points that are walked over in a way of a schedule, for samplers that do not walk over the schedule's.
    /// Such a way is cut to its first and last step before, and has as many steps as the sampler asks for.
    #[must_use]
    pub fn lay(&self, schedule: Schedule) -> Schedule {
        match self.path {
            Path::Schedule => schedule,
            Path::Laid => laid(schedule),
            Path::Found => above_zero(schedule),
        }
    }

    /// Refuses a flow where the sampler's formulas are not those of flows.
    pub fn check(&self, spec: &ScheduleSpec) -> Result<(), Unsupported> {
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
