//! What is at the right: results, and the steps that can be undone.

use egui::{RichText, ScrollArea, Sense, Ui, vec2};

use super::Shown;
use crate::app::App;
use crate::app::recall::Recall;
use crate::document::Document;

pub fn side(app: &mut App, ui: &mut Ui) {
    match app.side.shown {
        Shown::Results => results(app, ui),
        Shown::History => history(app, ui),
        Shown::Nothing => (),
    }
}

fn results(app: &mut App, ui: &mut Ui) {
    ui.add_space(4.0);
    ui.strong("Results");
    if app.tab().made.is_empty() {
        ui.add_space(12.0);
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

fn history(app: &mut App, ui: &mut Ui) {
    ui.add_space(4.0);
    ui.strong("History");
    let (undo, redo) = app.tab().document.steps();
    let (undo, redo): (Vec<_>, Vec<_>) =
        (undo.into_iter().map(str::to_owned).collect(), redo.into_iter().map(str::to_owned).collect());
    let mut back = 0_usize;
    let mut forth = 0_usize;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        if ui.selectable_label(undo.is_empty(), "as opened").clicked() {
            back = undo.len();
        }
        for (index, name) in undo.iter().enumerate() {
            if ui.selectable_label(index + 1 == undo.len(), name).clicked() {
                back = undo.len() - 1 - index;
            }
        }
        for (index, name) in redo.iter().enumerate() {
            if ui.selectable_label(false, RichText::new(name).weak()).clicked() {
                forth = index + 1;
            }
        }
    });
    let document = &mut app.tab_mut().document;
    (0..back).for_each(|_| drop(document.undo()));
    (0..forth).for_each(|_| drop(document.redo()));
}
