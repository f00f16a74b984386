//! How the canvas behaves, as a person likes it.

use serde::{Deserialize, Serialize};

/// How the canvas behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// Whether places are brought to the grid.
    pub snap: bool,
    /// Whether the wheel moves the view up and down, instead of zooming.
    pub wheel_pans: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self { snap: true, wheel_pans: false }
    }
}
