//! What a schedule is made from: the trained noise, how points are spread over it, and whose rules are followed.
//!
//! diffusers' scheduler classes spread their points in ways that differ in small things (how many, rounded or not,
//! between which ends a curve is laid), and ComfyUI in others. The pictures differ, so both are here, by name.

use serde::{Deserialize, Serialize};

use super::betas::SigmaTable;
use super::{Point, Prediction, Schedule, Start, Unsupported};

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
}

/// All tables with the names and sentences for the user, in the order in which they are offered.
#[rustfmt::skip]
pub const TABLES: &[(&str, &str, Table)] = &[
    ("model", "The steps the checkpoint was published with.", Table::Model),
    ("karras", "More steps where the picture is nearly clean; crisp detail.", Table::Karras),
    ("exponential", "Still more steps near the clean end.", Table::Exponential),
    ("trailing", "Starts at the noisiest timestep; for few steps and distilled models.", Table::Trailing),
    ("linspace", "From the noisiest timestep to the cleanest, evenly.", Table::Linspace),
    ("sgm_uniform", "ComfyUI's sgm_uniform: as trailing, by ComfyUI's sigmas.", Table::SgmUniform),
    ("normal", "ComfyUI's normal: from the noisiest timestep to the cleanest, evenly.", Table::Normal),
    ("simple", "ComfyUI's simple: every so many of the trained sigmas.", Table::Simple),
    ("comfyui_karras", "ComfyUI's karras: over all of the trained sigmas.", Table::ComfyuiKarras),
    ("comfyui_exponential", "ComfyUI's exponential: over all of the trained sigmas.", Table::ComfyuiExponential),
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
    /// The trained noise.
    pub betas: Betas,
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
    pub fn with(mut self, table: Table) -> Self {
        match table {
            Table::Model => {}
            Table::Karras => self.curve = Curve::Karras,
            Table::Exponential => self.curve = Curve::Exponential,
            Table::Trailing => (self.curve, self.spacing) = (Curve::Model, Spacing::Trailing),
            Table::Linspace => (self.curve, self.spacing) = (Curve::Model, Spacing::Linspace),
            Table::SgmUniform => self = self.comfyui(Curve::Model, Spacing::SgmUniform),
            Table::Normal => self = self.comfyui(Curve::Model, Spacing::Linspace),
            Table::Simple => self = self.comfyui(Curve::Model, Spacing::Simple),
            Table::ComfyuiKarras => self = self.comfyui(Curve::Karras, Spacing::Linspace),
            Table::ComfyuiExponential => self = self.comfyui(Curve::Exponential, Spacing::Linspace),
        }
        self
    }

    fn comfyui(self, curve: Curve, spacing: Spacing) -> Self {
        let (rules, end, curve_ends) = (Rules::Comfyui, FinalSigma::Zero, (None, None));
        Self { curve, spacing, rules, end, curve_ends, ..self }
    }

    /// Makes the schedule of a number of steps, 1 to the trained timesteps.
    pub fn schedule(&self, steps: usize) -> Result<Schedule, Unsupported> {
        self.betas.check()?;
        self.check_steps(steps)?;
        let table = SigmaTable::new(&self.betas, self.floor());
        let mut points = self.points(&table, steps);
        let last = if self.end == FinalSigma::Zero { 0.0 } else { table.min() };
        points.push(Point { sigma: last, timestep: 0.0 });
        Ok(Schedule {
            stop: steps,
            points,
            prediction: self.prediction,
            start: self.start(),
            preserving: matches!(self.rules, Rules::Ddim | Rules::Dpm),
            trained: self.betas.count,
        })
    }

    fn check_steps(&self, steps: usize) -> Result<(), Unsupported> {
        let leading = matches!(self.spacing, Spacing::Leading { .. });
        let most = self.betas.count - usize::from(leading && self.rules == Rules::Dpm);
        if (1..=most).contains(&steps) {
            return Ok(());
        }
        let range = format!("1 to {most}: the model was trained on {} timesteps", self.betas.count);
        Err(Unsupported::number("steps", steps as f64, range))
    }

    /// What is left of the picture at the end of a schedule that ends in pure noise: not 0, or sigma would be infinite.
    fn floor(&self) -> f32 {
        match self.rules {
            // ComfyUI's constant, in comfy/model_sampling.py.
            Rules::Comfyui => 4.897_345e-8,
            // diffusers' constant: the smallest f16. Its DDIM needs none and takes 0, which sigma cannot express.
            _ => 2_f32.powi(-24),
        }
    }

    fn start(&self) -> Start {
        match (self.rules, self.spacing) {
            (Rules::Euler, Spacing::Trailing | Spacing::Linspace) => Start::SigmaMax,
            _ => Start::UnitVariance,
        }
    }

    fn points(&self, table: &SigmaTable, steps: usize) -> Vec<Point> {
        let spaced = self.timesteps(steps);
        let spaced = spaced.into_iter().map(|timestep| Point { sigma: self.sigma_at(table, timestep), timestep });
        let mut points: Vec<_> = match self.curve {
            Curve::Model => spaced.collect(),
            Curve::Karras | Curve::Exponential => self.curve_points(table, &spaced.collect::<Vec<_>>()),
        };
        for point in &mut points {
            if self.rules == Rules::Comfyui {
                point.timestep = table.nearest_timestep_of(point.sigma);
            }
            // The reference keeps both in single precision.
            point.sigma = f64::from(point.sigma as f32);
            point.timestep = f64::from(point.timestep as f32);
        }
        points
    }

    fn sigma_at(&self, table: &SigmaTable, timestep: f64) -> f64 {
        match self.rules {
            Rules::Comfyui => table.log_linear_at(timestep),
            _ => table.linear_at(timestep),
        }
    }

    /// Lays a curve between two ends.
    fn curve_points(&self, table: &SigmaTable, spaced: &[Point]) -> Vec<Point> {
        let (largest, smallest) = match self.rules {
            Rules::Dpm | Rules::Comfyui => (table.max(), table.min()),
            Rules::Euler | Rules::Ddim => (spaced[0].sigma, spaced[spaced.len() - 1].sigma),
        };
        let (smallest, largest) = (self.curve_ends.0.unwrap_or(smallest), self.curve_ends.1.unwrap_or(largest));
        let point = |share: f64| {
            let sigma = match self.curve {
                Curve::Karras => even_root(largest, smallest, share),
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
    fn timesteps(&self, steps: usize) -> Vec<f64> {
        let trained = self.betas.count as f64;
        let spare = usize::from(self.rules == Rules::Dpm);
        let each = (0..steps).map(|i| i as f64);
        match self.spacing {
            Spacing::Leading { offset } => {
                let distance = self.betas.count / (steps + spare);
                (0..steps).rev().map(|i| ((i + spare) * distance + offset) as f64).collect()
            }
            Spacing::Trailing => {
                let distance = trained - (trained - trained / steps as f64);
                each.map(|i| (trained - i * distance).round_ties_even() - 1.0).collect()
            }
            Spacing::Linspace => {
                let distance = (trained - 1.0) / (steps + spare).saturating_sub(1).max(1) as f64;
                let evenly = (0..steps).rev().map(|i| (i + spare) as f64 * distance);
                match self.rules {
                    Rules::Euler | Rules::Comfyui => evenly.collect(),
                    Rules::Ddim | Rules::Dpm => evenly.map(f64::round_ties_even).collect(),
                }
            }
            Spacing::SgmUniform => each.map(|i| (trained - 1.0) * (1.0 - i / steps as f64)).collect(),
            Spacing::Simple => each.map(|i| trained - 1.0 - (i * (trained / steps as f64)).floor()).collect(),
        }
    }
}

/// Between two sigmas, evenly in their seventh root.
fn even_root(largest: f64, smallest: f64, share: f64) -> f64 {
    const RHO: f64 = 7.0;
    let (from, to) = (largest.powf(1.0 / RHO), smallest.powf(1.0 / RHO));
    (from + share * (to - from)).powf(RHO)
}
