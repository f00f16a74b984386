//! What stands around the canvas: tabs and buttons above, what is wrong and what was told below, results at the right.

mod bar;
pub mod dialogs;
mod faults;
mod large;
mod log;
mod memory;
mod notices;
mod past;
mod results;
mod runs;
mod status;
mod steps;

use egui::{MenuBar, Panel, Ui};

pub use self::dialogs::dialogs;
pub use self::large::large;
pub use self::log::Sieve;
pub use self::memory::Stock;
pub use self::notices::notices;
use crate::app::App;

/// Which panels are open.
pub struct Side {
    /// What is shown at the right.
    pub shown: Shown,
    /// Whether what is wrong is shown below.
    pub faults: bool,
    /// Whether the log is shown below.
    pub log: bool,
}

/// What is shown at the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Pictures that were made.
    Results,
    /// What runs and what waits.
    Runs,
    /// What sits in memory and on disk.
    Memory,
    /// Steps that can be undone.
    History,
    /// Nothing.
    Nothing,
}

impl Shown {
    /// Returns the name under which it is remembered.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Results => Some("results"),
            Self::Runs => Some("runs"),
            Self::Memory => Some("memory"),
            Self::History => Some("history"),
            Self::Nothing => None,
        }
    }

    /// Returns what has a name; results, if the name is unknown.
    pub fn named(name: Option<&str>) -> Self {
        match name {
            None => Self::Nothing,
            Some("runs") => Self::Runs,
            Some("memory") => Self::Memory,
            Some("history") => Self::History,
            Some(_) => Self::Results,
        }
    }
}

impl Default for Side {
    fn default() -> Self {
        Self { shown: Shown::Results, faults: false, log: false }
    }
}

/// Shows the panels.
pub fn show(app: &mut App, ui: &mut Ui) {
    Panel::top("bar").show(ui, |ui| {
        ui.add_space(3.0);
        MenuBar::new().ui(ui, |ui| bar::bar(app, ui));
        ui.add_space(3.0);
    });
    Panel::bottom("status").show(ui, |ui| {
        ui.add_space(2.0);
        ui.horizontal(|ui| status::status(app, ui));
        ui.add_space(2.0);
    });
    if app.side.faults {
        Panel::bottom("faults").resizable(true).default_size(120.0).show(ui, |ui| faults::show(app, ui));
    }
    if app.side.log {
        Panel::bottom("log").resizable(true).default_size(140.0).show(ui, |ui| log::show(app, ui));
    }
    let shown = app.side.shown;
    if shown != Shown::Nothing {
        Panel::right("side").resizable(true).default_size(280.0).show(ui, |ui| {
            ui.add_space(4.0);
            match shown {
                Shown::Results => results::show(app, ui),
                Shown::Runs => runs::show(app, ui),
                Shown::Memory => memory::show(app, ui),
                Shown::History => steps::show(app, ui),
                Shown::Nothing => (),
            }
        });
    }
}
