//! What runs have told.

use egui::{RichText, ScrollArea, Sense, Ui};

use super::faults::go_to;
use crate::app::App;
use crate::app::tab::Weight;
use crate::theme::Theme;

/// Lists what was told, the newest first. A click leads to the node.
pub fn show(app: &mut App, ui: &mut Ui) {
    let theme = Theme::current(ui.ctx());
    let mut jump = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        for line in app.tab().log.iter().rev().take(500) {
            let colour = match line.weight {
                Weight::Note => theme.weak,
                Weight::Warning => theme.warning,
                Weight::Error => theme.error,
            };
            let place = line.node.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
            let text = RichText::new(format!("{place}{}", line.text)).color(colour);
            if ui.add(egui::Label::new(text).sense(Sense::click())).clicked() {
                jump.clone_from(&line.node);
            }
        }
    });
    if let Some(name) = jump {
        go_to(app, &name);
    }
}
