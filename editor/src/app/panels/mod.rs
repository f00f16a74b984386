//! What stands around the canvas: tabs and buttons above, what is wrong and what was told below, results at the right.

mod bar;
pub mod dialogs;
mod over;
mod side;
mod status;
mod told;

use egui::{MenuBar, Panel, Ui};

pub use self::dialogs::dialogs;
pub use self::over::{large, notices};
use crate::app::App;

/// Which panels are open.
pub struct Side {
    /// What is shown at the right.
    pub shown: Shown,
    /// Whether the log is shown below.
    pub log: bool,
}

/// What is shown at the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Pictures that were made.
    Results,
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
            Self::History => Some("history"),
            Self::Nothing => None,
        }
    }

    /// Returns what has a name; results, if the name is unknown.
    pub fn named(name: Option<&str>) -> Self {
        match name {
            None => Self::Nothing,
            Some("history") => Self::History,
            Some(_) => Self::Results,
        }
    }
}

impl Default for Side {
    fn default() -> Self {
        Self { shown: Shown::Results, log: false }
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
    if app.side.log || app.tab().all_faults().next().is_some() {
        Panel::bottom("told").resizable(true).default_size(120.0).show(ui, |ui| told::told(app, ui));
    }
    if app.side.shown != Shown::Nothing {
        Panel::right("side").resizable(true).default_size(248.0).show(ui, |ui| side::side(app, ui));
    }
}
