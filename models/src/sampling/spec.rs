//! What a schedule is made from: the trained noise, how points are spread over it, and whose rules are followed.
//!
//! diffusers' scheduler classes spread their points in ways that differ in small things (how many, rounded or not,
//! between which ends a curve is laid), and ComfyUI in others. The pictures differ, so both are here, by name.

use serde::{Deserialize, Serialize};

use super::beta_quantile::quantile;
use super::betas::SigmaTable;
use super::clock::Clock;
use super::flow::{Flow, Shift};
use super::{Point, Prediction, Schedule, Start, Unsupported, comfyui};

/// What a network was trained with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Trained {
    /// Noise that grows by betas.
    Betas(Betas),
    /// A flow.
    Flow(Flow),
}

/// The noise a network was trained with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Betas {
    /// How the betas rise.
    pub curve: BetaCurve,
    /// The first, above 0 and below 1.
    pub start: f64,
    /// The last, above 0 and below 1.
    pub end: f64,
    /// How many timesteps, 1 to a million.
    pub count: usize,
    /// Whether the last timestep is stretched to pure noise.
    pub zero_snr: bool,
}

/// How betas rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaCurve {
    /// Evenly.
    Linear,
    /// Their roots evenly (all of Stable Diffusion).
    ScaledLinear,
}

/// How points are spread over the trained timesteps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spacing {
    /// Multiples of a whole distance, from the small end, moved up by `offset`.
    Leading {
        /// What is added to every timestep.
        offset: usize,
    },
    /// From the largest timestep down, in equal distances.
    Trailing,
    /// From the largest to the smallest.
    Linspace,
    /// From the largest down, stopping one distance short of the smallest (ComfyUI's `sgm_uniform`).
    SgmUniform,
    /// Every so many entries of the trained table (ComfyUI's `simple`).
    Simple,
    /// Every so many entries of the trained table, from its second (ComfyUI's `ddim_uniform`).
    DdimUniform,
    /// Evenly over the steps a consistency model was distilled with (diffusers' LCM and TCD).
    Distilled {
        /// How many those were.
        steps: usize,
    },
}

/// Which curve the sigmas follow between the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Curve {
    /// The trained one, at the spaced timesteps.
    Model,
    /// Evenly in sigma to the power of 1/7: Karras et al., arXiv 2206.00364, equation 5.
    Karras,
    /// Evenly in the logarithm of sigma.
    Exponential,
    /// By the quantiles of a beta distribution, dense at both ends: arXiv 2407.12173.
    Beta,
    /// Small even steps, then growing ones (ComfyUI's `linear_quadratic`).
    LinearQuadratic,
    /// Evenly in the angle whose tangent is sigma (ComfyUI's `kl_optimal`).
    KlOptimal,
}

/// Where a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinalSigma {
    /// Without noise.
    Zero,
    /// At the smallest trained sigma.
    SigmaMin,
}

/// Whose rules a schedule follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rules {
    /// diffusers' Euler, Euler ancestral and Heun: fractional timesteps, curves between the spaced ends.
    Euler,
    /// diffusers' DDIM: whole timesteps.
    Ddim,
    /// diffusers' DDPM: as DDIM, always down to 0.
    Ddpm,
    /// diffusers' LCM: timesteps of the distillation, down to 0.
    Lcm,
    /// diffusers' TCD: timesteps of the distillation, down to the smallest trained sigma.
    Tcd,
    /// diffusers' flows: sigma is time.
    Flow,
    /// diffusers' DPM-Solver multistep: whole timesteps, one more than asked for and the last left out; curves over the whole table.
    Dpm,
    /// ComfyUI: sigmas between timesteps by logarithm, the nearest timestep told, curves over the whole table.
    Comfyui,
}

/// A schedule by name, as a user chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// As the checkpoint says.
    Model,
    /// Karras, by diffusers' rules.
    Karras,
    /// Exponential, by diffusers' rules.
    Exponential,
    /// Beta, by diffusers' rules.
    Beta,
    /// Leading, by diffusers' rules.
    Leading,
    /// Trailing, by diffusers' rules.
    Trailing,
    /// Linspace, by diffusers' rules.
    Linspace,
    /// ComfyUI's `sgm_uniform`.
    SgmUniform,
    /// ComfyUI's `normal`.
    Normal,
    /// ComfyUI's `simple`.
    Simple,
    /// ComfyUI's `karras`.
    ComfyuiKarras,
    /// ComfyUI's `exponential`.
    ComfyuiExponential,
    /// ComfyUI's `beta`.
    ComfyuiBeta,
    /// ComfyUI's `ddim_uniform`.
    DdimUniform,
    /// ComfyUI's `linear_quadratic`.
    LinearQuadratic,
    /// ComfyUI's `kl_optimal`.
    KlOptimal,
}

/// All tables with the names and sentences for the user, in the order in which they are offered.
#[rustfmt::skip]
pub const TABLES: &[(&str, &str, Table)] = &[
    ("model", "The steps the checkpoint was published with.", Table::Model),
    ("karras", "More steps where the picture is nearly clean; crisp detail.", Table::Karras),
    ("exponential", "Still more steps near the clean end.", Table::Exponential),
    ("beta", "More steps at both ends: the composition and the finest detail.", Table::Beta),
    ("leading", "Even steps that stop short of the noisiest; as SD1.5 and SDXL were published.", Table::Leading),
    ("trailing", "Starts at the noisiest timestep; for few steps and distilled models.", Table::Trailing),
    ("linspace", "From the noisiest timestep to the cleanest, evenly.", Table::Linspace),
    ("sgm_uniform", "ComfyUI's sgm_uniform: as trailing, by ComfyUI's sigmas.", Table::SgmUniform),
    ("normal", "ComfyUI's normal: from the noisiest timestep to the cleanest, evenly.", Table::Normal),
    ("simple", "ComfyUI's simple: every so many of the trained sigmas.", Table::Simple),
    ("comfyui_karras", "ComfyUI's karras: over all of the trained sigmas.", Table::ComfyuiKarras),
    ("comfyui_exponential", "ComfyUI's exponential: over all of the trained sigmas.", Table::ComfyuiExponential),
    ("comfyui_beta", "ComfyUI's beta: trained sigmas, dense at both ends; a step fewer where two fall together.", Table::ComfyuiBeta),
    ("ddim_uniform", "ComfyUI's ddim_uniform: every so many of the trained sigmas, from the small end; a step or more longer where the number does not divide.", Table::DdimUniform),
    ("linear_quadratic", "ComfyUI's linear_quadratic: small steps while noise is strong, then growing ones.", Table::LinearQuadratic),
    ("kl_optimal", "ComfyUI's kl_optimal: evenly in the angle of sigma.", Table::KlOptimal),
];

impl Table {
    /// Finds a table by its name.
    pub fn named(name: &str) -> Result<Self, Unsupported> {
        let found = TABLES.iter().find(|(known, ..)| *known == name);
        let unknown = || Unsupported::word("schedule", name, TABLES.iter().map(|(known, ..)| *known));
        found.map(|(.., table)| *table).ok_or_else(unknown)
    }
}

/// All that a schedule follows from, but the number of steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduleSpec {
    /// What the network was trained with.
    pub trained: Trained,
    /// How points are spread.
    pub spacing: Spacing,
    /// Which curve the sigmas follow.
    pub curve: Curve,
    /// Where the run ends.
    pub end: FinalSigma,
    /// Whose rules are followed.
    pub rules: Rules,
    /// What the network predicts.
    pub prediction: Prediction,
    /// Ends of a curve, where the checkpoint names them: smallest and largest sigma.
    pub curve_ends: (Option<f64>, Option<f64>),
}

impl ScheduleSpec {
    /// Changes to a table chosen by name.
    #[must_use]
    pub fn with(self, table: Table) -> Self {
        let spaced = |spacing| Self { curve: Curve::Model, spacing, ..self };
        match table {
            Table::Model => self,
            Table::Karras => Self { curve: Curve::Karras, ..self },
            Table::Exponential => Self { curve: Curve::Exponential, ..self },
            Table::Beta => Self { curve: Curve::Beta, ..self },
            // Where the checkpoint names no offset, the one all Stable Diffusion models are published with.
            Table::Leading => match self.spacing {
                Spacing::Leading { .. } => spaced(self.spacing),
                _ => spaced(Spacing::Leading { offset: 1 }),
            },
            Table::Trailing => spaced(Spacing::Trailing),
            Table::Linspace => spaced(Spacing::Linspace),
            Table::SgmUniform => self.comfyui(Curve::Model, Spacing::SgmUniform),
            Table::Normal => self.comfyui(Curve::Model, Spacing::Linspace),
            Table::Simple => self.comfyui(Curve::Model, Spacing::Simple),
            Table::DdimUniform => self.comfyui(Curve::Model, Spacing::DdimUniform),
            Table::ComfyuiKarras => self.comfyui(Curve::Karras, Spacing::Linspace),
            Table::ComfyuiExponential => self.comfyui(Curve::Exponential, Spacing::Linspace),
            Table::ComfyuiBeta => self.comfyui(Curve::Beta, Spacing::Linspace),
            Table::LinearQuadratic => self.comfyui(Curve::LinearQuadratic, Spacing::Linspace),
            Table::KlOptimal => self.comfyui(Curve::KlOptimal, Spacing::Linspace),
        }
    }

    fn comfyui(self, curve: Curve, spacing: Spacing) -> Self {
        let (rules, end, curve_ends) = (Rules::Comfyui, FinalSigma::Zero, (None, None));
        Self { curve, spacing, rules, end, curve_ends, ..self }
    }

    /// Fixes the shift of a flow that follows from the picture's size in tokens; changes nothing else.
    #[must_use]
    pub fn for_tokens(mut self, tokens: usize) -> Self {
        if let Trained::Flow(flow) = &mut self.trained {
            flow.shift = flow.shift.for_tokens(tokens);
        }
        self
    }

    /// Makes the schedule of a number of steps, 1 to the trained timesteps.
    pub fn schedule(&self, steps: usize) -> Result<Schedule, Unsupported> {
        let clock = self.clock()?;
        self.check_steps(steps)?;
        let mut points = match (self.rules, &self.trained) {
            (Rules::Comfyui, _) => {
                let sigmas = comfyui::sigmas(&clock, self.spacing, self.curve, steps).into_iter();
                sigmas.map(|sigma| clock.point(f64::from(sigma as f32))).collect()
            }
            (_, Trained::Flow(flow)) => self.flow_points(flow, &clock, steps)?,
            (_, Trained::Betas(betas)) => self.points(&SigmaTable::new(betas), betas, steps),
        };
        let last = if self.end == FinalSigma::Zero { 0.0 } else { clock.min() };
        points.push(Point { sigma: last, timestep: 0.0 });
        Ok(self.over(points, clock))
    }

    /// Makes a schedule over sigmas that someone wrote down, as ComfyUI runs them: falling, at least two, the last
    /// maybe 0.
    pub fn schedule_over(&self, sigmas: &[f64]) -> Result<Schedule, Unsupported> {
        let clock = Self { rules: Rules::Comfyui, ..*self }.clock()?;
        let falling = sigmas.windows(2).all(|pair| pair[1] < pair[0]);
        if sigmas.len() < 2 || !falling || sigmas.iter().any(|sigma| !sigma.is_finite() || *sigma < 0.0) {
            return Err(Unsupported::Together(
                "`sigmas` must be two or more numbers, each smaller than the one before and none below 0".to_owned(),
            ));
        }
        if matches!(self.trained, Trained::Flow(_)) && sigmas[0] > 1.0 {
            return Err(Unsupported::number("sigmas", sigmas[0], "at most 1: the model is a flow"));
        }
        let points = sigmas.iter().map(|sigma| clock.point(*sigma)).collect();
        let custom = self.comfyui(Curve::Model, Spacing::Linspace);
        Ok(custom.over(points, clock))
    }

    fn over(&self, points: Vec<Point>, clock: Clock) -> Schedule {
        Schedule {
            stop: points.len() - 1,
            prediction: self.prediction,
            start: self.start(points[0].sigma, &clock),
            preserving: matches!(self.rules, Rules::Ddim | Rules::Ddpm | Rules::Dpm | Rules::Lcm | Rules::Tcd),
            trained: clock.len(),
            rules: self.rules,
            points,
            clock,
        }
    }

    fn clock(&self) -> Result<Clock, Unsupported> {
        match &self.trained {
            Trained::Betas(betas) => {
                betas.check()?;
                Ok(if self.rules == Rules::Comfyui { Clock::comfyui(betas) } else { Clock::diffusers(betas) })
            }
            Trained::Flow(flow) => match flow.shift {
                Shift::Fixed(shift) => Ok(Clock::flow(flow, shift)),
                Shift::ByTokens { .. } => Err(Unsupported::Together(
                    "this flow's shift follows from the size of the picture, which is not known here".to_owned(),
                )),
            },
        }
    }

    fn flow_points(&self, flow: &Flow, clock: &Clock, steps: usize) -> Result<Vec<Point>, Unsupported> {
        let Shift::Fixed(shift) = flow.shift else { return Ok(Vec::new()) };
        if self.curve != Curve::Model || self.spacing != Spacing::Linspace {
            return Err(Unsupported::Together(
                "a flow has one schedule of diffusers', `model`; the others are ComfyUI's".to_owned(),
            ));
        }
        let sigmas = flow.sigmas(shift, steps).into_iter();
        Ok(sigmas.map(|sigma| clock.point(f64::from(sigma as f32))).collect())
    }

    fn check_steps(&self, steps: usize) -> Result<(), Unsupported> {
        let trained = match &self.trained {
            Trained::Betas(betas) => betas.count,
            Trained::Flow(flow) => flow.trained,
        };
        let most = match self.spacing {
            Spacing::Leading { .. } if self.rules == Rules::Dpm => trained - 1,
            Spacing::Distilled { steps } => steps,
            _ => trained,
        };
        if (1..=most).contains(&steps) {
            return Ok(());
        }
        let range = format!("1 to {most}: the model was trained on {trained} timesteps");
        Err(Unsupported::number("steps", steps as f64, range))
    }

    fn start(&self, first: f64, clock: &Clock) -> Start {
        match (self.rules, self.spacing) {
            _ if self.prediction == Prediction::Flow => Start::SigmaMax,
            (Rules::Euler, Spacing::Trailing | Spacing::Linspace) => Start::SigmaMax,
            // ComfyUI fills up to unit variance only where the run begins with all the noise there is.
            (Rules::Comfyui, _) if first < clock.max() * (1.0 - 1e-5) => Start::SigmaMax,
            _ => Start::UnitVariance,
        }
    }

    fn points(&self, table: &SigmaTable, betas: &Betas, steps: usize) -> Vec<Point> {
        let spaced = self.timesteps(betas.count, steps);
        let spaced = spaced.into_iter().map(|timestep| Point { sigma: table.linear_at(timestep), timestep });
        let mut points: Vec<_> = match self.curve {
            Curve::Model => spaced.collect(),
            _ => self.curve_points(table, &spaced.collect::<Vec<_>>()),
        };
        for point in &mut points {
            // The reference keeps both in single precision.
            point.sigma = f64::from(point.sigma as f32);
            point.timestep = f64::from(point.timestep as f32);
        }
        points
    }

    /// Lays a curve between two ends.
    fn curve_points(&self, table: &SigmaTable, spaced: &[Point]) -> Vec<Point> {
        let (largest, smallest) = match self.rules {
            Rules::Dpm => (table.max(), table.min()),
            _ => (spaced[0].sigma, spaced[spaced.len() - 1].sigma),
        };
        let (smallest, largest) = (self.curve_ends.0.unwrap_or(smallest), self.curve_ends.1.unwrap_or(largest));
        let point = |share: f64| {
            let sigma = match self.curve {
                Curve::Karras => even_root(largest, smallest, share),
                Curve::Beta => smallest + quantile(1.0 - share) * (largest - smallest),
                _ => (largest.ln() + share * (smallest.ln() - largest.ln())).exp(),
            };
            Point { sigma, timestep: self.curve_timestep(table.timestep_of(sigma)) }
        };
        let last = (spaced.len() - 1).max(1) as f64;
        (0..spaced.len()).map(|i| point(i as f64 / last)).collect()
    }

    /// The DPM-Solver class rounds the timesteps of its Karras curve and cuts off those of others.
    fn curve_timestep(&self, timestep: f64) -> f64 {
        match (self.rules, self.curve) {
            (Rules::Dpm, Curve::Karras) => timestep.round_ties_even(),
            (Rules::Dpm, _) => timestep.trunc(),
            _ => timestep,
        }
    }

    /// Spreads the timesteps, largest first.
    fn timesteps(&self, count: usize, steps: usize) -> Vec<f64> {
        let trained = count as f64;
        let spare = usize::from(self.rules == Rules::Dpm);
        let each = (0..steps).map(|i| i as f64);
        match self.spacing {
            Spacing::Leading { offset } => {
                let distance = count / (steps + spare);
                (0..steps).rev().map(|i| ((i + spare) * distance + offset) as f64).collect()
            }
            Spacing::Trailing => {
                let distance = trained - (trained - trained / steps as f64);
                each.map(|i| (trained - i * distance).round_ties_even() - 1.0).collect()
            }
            Spacing::Distilled { steps: known } => {
                let (distance, share) = (count / known, known as f64 / steps as f64);
                each.map(|i| ((known - (i * share) as usize) * distance - 1) as f64).collect()
            }
            _ => {
                let distance = (trained - 1.0) / (steps + spare).saturating_sub(1).max(1) as f64;
                let evenly = (0..steps).rev().map(|i| (i + spare) as f64 * distance);
                match self.rules {
                    Rules::Euler => evenly.collect(),
                    _ => evenly.map(f64::round_ties_even).collect(),
                }
            }
        }
    }
}

/// Between two sigmas, evenly in their seventh root.
pub(super) fn even_root(largest: f64, smallest: f64, share: f64) -> f64 {
    const RHO: f64 = 7.0;
    let (from, to) = (largest.powf(1.0 / RHO), smallest.powf(1.0 / RHO));
    (from + share * (to - from)).powf(RHO)
}
