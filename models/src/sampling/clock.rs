//! From sigma to what the network is told, and back.

use serde::{Deserialize, Serialize};

use super::betas::SigmaTable;
use super::flow::Flow;
use super::{Betas, Point};

/// Which timestep belongs to which sigma, for one network.
///
/// Samplers that look between two points of a schedule ask it; so do those that need the ends of the trained range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clock(Kind);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Trained { table: SigmaTable, told: Told },
    Flow { shift: f64, trained: usize },
}

/// How a timestep between two trained ones is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Told {
    /// As the fraction it is.
    Fraction,
    /// As the nearest whole one.
    Nearest,
}

impl Clock {
    /// diffusers' sigmas.
    pub(super) fn diffusers(betas: &Betas) -> Self {
        Self(Kind::Trained { table: SigmaTable::new(betas), told: Told::Fraction })
    }

    /// ComfyUI's sigmas, which differ in the fifth digit.
    pub(super) fn comfyui(betas: &Betas) -> Self {
        Self(Kind::Trained { table: SigmaTable::comfyui(betas), told: Told::Nearest })
    }

    /// A flow's: sigma is the time itself, bent by the shift.
    pub(super) fn flow(flow: &Flow, shift: f64) -> Self {
        Self(Kind::Flow { shift, trained: flow.trained })
    }

    /// Returns the point of a sigma.
    #[must_use]
    pub fn point(&self, sigma: f64) -> Point {
        let timestep = match &self.0 {
            Kind::Trained { table, told: Told::Fraction } => f64::from(table.timestep_of(sigma) as f32),
            Kind::Trained { table, told: Told::Nearest } => table.nearest_timestep_of(sigma),
            Kind::Flow { trained, .. } => sigma * *trained as f64,
        };
        Point { sigma, timestep }
    }

    /// Returns the sigma of a timestep, by the trained entries on both sides of it.
    #[must_use]
    pub fn sigma_at(&self, timestep: f64) -> f64 {
        match &self.0 {
            Kind::Trained { table, told: Told::Fraction } => table.linear_at(timestep),
            Kind::Trained { table, told: Told::Nearest } => table.log_linear_at(timestep),
            Kind::Flow { shift, trained } => bent(*shift, timestep / *trained as f64),
        }
    }

    /// Returns the sigma that is left after a share (0 to 1) of the trained time.
    #[must_use]
    pub fn sigma_after(&self, share: f64) -> f64 {
        match &self.0 {
            Kind::Trained { table, .. } => table.log_linear_at((1.0 - share) * (table.len() - 1) as f64),
            Kind::Flow { shift, .. } => bent(*shift, 1.0 - share),
        }
    }

    /// The sigma of a trained entry, counted from the smallest.
    pub(super) fn entry(&self, index: usize) -> f64 {
        match &self.0 {
            Kind::Trained { table, .. } => table.linear_at(index as f64),
            Kind::Flow { shift, trained } => bent(*shift, (index + 1) as f64 / *trained as f64),
        }
    }

    /// How many entries were trained.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Kind::Trained { table, .. } => table.len(),
            Kind::Flow { trained, .. } => *trained,
        }
    }

    /// The smallest trained sigma.
    pub(super) fn min(&self) -> f64 {
        self.entry(0)
    }

    /// The largest trained sigma.
    pub(super) fn max(&self) -> f64 {
        self.entry(self.len() - 1)
    }

    /// The timesteps ComfyUI spaces evenly: from that of the largest sigma to that of the smallest.
    pub(super) fn ends(&self) -> (f64, f64) {
        match &self.0 {
            Kind::Trained { table, .. } => ((table.len() - 1) as f64, 0.0),
            // Its flow takes sigma times the count for the timestep, shift or no shift.
            Kind::Flow { trained, .. } => (self.max() * *trained as f64, self.min() * *trained as f64),
        }
    }
}

/// A flow's time under a shift: s · t / (1 + (s − 1) · t).
pub(super) fn bent(shift: f64, time: f64) -> f64 {
    shift * time / (1.0 + (shift - 1.0) * time)
}
