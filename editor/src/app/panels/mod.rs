//! What stands around the canvas: the bar above, the line below, and panels that can be moved.

mod bar;
pub mod dialogs;
mod empty;
mod faults;
mod form;
mod large;
mod log;
mod loras;
mod memory;
mod nodes;
mod notices;
mod past;
mod results;
mod runs;
pub mod settings;
mod status;
mod steps;
pub mod templates;
mod tiles;

use egui::{CentralPanel, MenuBar, Panel, Ui};

pub use self::dialogs::dialogs;
pub use self::large::large;
pub use self::log::Sieve;
pub use self::memory::Stock;
pub use self::notices::notices;
pub use self::settings::settings;
pub use self::tiles::{Pane, Tiles, Turn};
use crate::app::App;

/// Shows the window.
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
    CentralPanel::default().frame(egui::Frame::NONE).show(ui, |ui| tiles::show(app, ui));
}
