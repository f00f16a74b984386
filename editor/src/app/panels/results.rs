//! Pictures that were made.

use egui::{ScrollArea, Sense, Ui, vec2};

use crate::app::App;
use crate::app::recall::Recall;
use crate::document::Document;

/// Shows them, the newest first.
pub fn show(app: &mut App, ui: &mut Ui) {
    if app.tab().made.is_empty() {
        ui.weak("Pictures appear here once something has run. Press Run, or Ctrl+Enter.");
        return;
    }
    let mut recall = None;
    let mut asked = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        let width = ui.available_width() - 8.0;
        for index in (0..app.tab().made.len()).rev() {
            let made = &app.tab().made[index];
            let size = vec2(made.thumb.size.0 as f32, made.thumb.size.1 as f32);
            let picture = egui::Image::new((made.thumb.texture.id(), size * (width / size.x))).sense(Sense::click());
            let response = ui.add(picture.corner_radius(5));
            let name = made.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(format!("result {name}")));
            let clicked = response.clicked();
            response.context_menu(|ui| {
                if ui.button("Open its graph in a tab").clicked() {
                    recall = Some(index);
                    ui.close();
                }
                for (what, title) in [(Recall::Seeds, "Use its seed"), (Recall::Prompts, "Use its prompt")] {
                    if ui.button(title).clicked() {
                        asked = Some((index, what));
                        ui.close();
                    }
                }
                if ui.button("Copy its path").clicked() {
                    ui.ctx().copy_text(made.path.display().to_string());
                    ui.close();
                }
            });
            ui.weak(format!("{name} · {} × {}", made.thumb.size.0, made.thumb.size.1));
            ui.add_space(6.0);
            if clicked {
                app.large = Some((index, egui::Vec2::ZERO, 0.0));
            }
        }
    });
    if let Some((index, what)) = asked {
        let graph = app.graph_of(&app.tab().made[index]);
        app.recall(&graph, what);
    }
    if let Some(index) = recall {
        let opened = Document::of(&app.graph_of(&app.tab().made[index]));
        app.take(opened.document, opened.warnings);
    }
}
