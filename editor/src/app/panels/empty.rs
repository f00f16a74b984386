//! What stands on a canvas without nodes: ways to begin.

use egui::{Align, Area, Button, Id, Layout, Order, RichText, Ui, vec2};

use crate::app::App;
use crate::command::Command;

/// Shows ways to begin in the middle of the canvas.
pub fn show(app: &mut App, ui: &Ui) {
    let Some(view) = app.tab().view.view.filter(|_| app.tab().document.sheet().nodes.is_empty()) else { return };
    let ways = [
        (Command::Templates, "Begin with a template"),
        (Command::Open, "Open a workflow or a picture"),
        (Command::AddNode, "Add a node"),
    ];
    let mut asked = None;
    let place = view.center() - vec2(150.0, 90.0);
    Area::new(Id::unique(("ways to begin", app.tab().id.0))).order(Order::Middle).fixed_pos(place).show(
        ui.ctx(),
        |ui| {
            ui.set_width(300.0);
            ui.with_layout(Layout::top_down(Align::Center), |ui| {
                ui.label(RichText::new("Nothing here yet").heading());
                ui.add_space(8.0);
                for (command, title) in ways {
                    let keys = RichText::new(app.keymap.shown(command, ui.ctx())).weak().size(11.0);
                    if ui.add(Button::new(title).right_text(keys).min_size(vec2(300.0, 30.0))).clicked() {
                        asked = Some(command);
                    }
                }
            });
        },
    );
    if let Some(command) = asked.filter(|_| app.dialog.is_none() && app.palette.is_none()) {
        app.act(&ui.ctx().clone(), command);
    }
}
