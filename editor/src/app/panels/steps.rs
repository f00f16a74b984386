//! The steps that can be undone.

use egui::{RichText, ScrollArea, Ui};

use crate::app::App;

/// Shows the steps of the document in front. A click leads back or forth to one.
pub fn show(app: &mut App, ui: &mut Ui) {
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
