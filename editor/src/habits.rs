//! How the canvas behaves, as a person likes it.

use egui::{Pos2, pos2};
use serde::{Deserialize, Serialize};

use crate::theme;

/// How the canvas behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// Places are brought to multiples of so many points; 0 leaves them where they are.
    pub grid: u8,
    /// Whether the wheel moves the view up and down, instead of zooming.
    pub wheel_pans: bool,
    /// How wires run.
    pub wires: Style,
    /// Whether it is told what colours and shapes of sockets mean.
    pub legend: bool,
    /// Whether all of the sheet is shown small in a corner.
    pub minimap: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { grid: theme::GRID as u8, wheel_pans: false, wires: Style::default(), legend: false, minimap: false }
    }
}

impl Habits {
    /// The steps of the grid that are offered.
    pub const GRIDS: [u8; 4] = [0, 8, 16, 32];

    /// Brings a place to the grid, if there is one.
    pub fn snapped(self, at: Pos2) -> Pos2 {
        snapped(at, f32::from(self.grid.max(1)))
    }

    /// Returns how far one step by keys leads.
    pub fn step(self) -> i32 {
        match self.grid {
            0 => theme::GRID as i32,
            step => i32::from(step),
        }
    }
}

/// How wires run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// In curves.
    #[default]
    Curved,
    /// Straight from end to end.
    Straight,
    /// Along the axes, with round corners.
    Square,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Curved, Self::Straight, Self::Square];

    /// Returns what comes after it.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Curved => Self::Straight,
            Self::Straight => Self::Square,
            Self::Square => Self::Curved,
        }
    }

    /// Returns the word that a person reads.
    pub fn words(self) -> &'static str {
        match self {
            Self::Curved => "in curves",
            Self::Straight => "straight",
            Self::Square => "along the axes",
        }
    }
}

/// Brings a place to the grid.
pub fn snapped(at: Pos2, grid: f32) -> Pos2 {
    pos2((at.x / grid).round() * grid, (at.y / grid).round() * grid)
}
