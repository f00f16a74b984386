//! What is wrong, and what runs have told.

use egui::{RichText, ScrollArea, Sense, Ui};

use crate::app::App;
use crate::app::tab::Weight;
use crate::canvas::Selection;
use crate::theme::Theme;

/// What is wrong, and what runs have told. A click leads to the node.
pub fn told(app: &mut App, ui: &mut Ui) {
    let theme = Theme::current(ui.ctx());
    let mut jump = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        let tab = app.tab();
        for located in tab.all_faults() {
            let node = located.place.node.as_ref().map(|(name, _)| name.clone());
            let input = located.place.input.as_ref().map(|input| format!(".{input}")).unwrap_or_default();
            let place = node.as_ref().map(|name| format!("{name}{input}: ")).unwrap_or_default();
            let text = RichText::new(format!("{place}{}", located.fault.message)).color(theme.error);
            if ui.add(egui::Label::new(text).sense(Sense::click())).clicked() {
                jump.clone_from(&node);
            }
            if let Some(hint) = &located.fault.hint {
                ui.indent("hint", |ui| ui.weak(hint));
            }
        }
        if !app.side.log {
            return;
        }
        for line in tab.log.iter().rev().take(500) {
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

/// Chooses a node and brings it into the middle.
fn go_to(app: &mut App, name: &str) {
    let App { tabs, active, backend, .. } = app;
    let tab = &mut tabs[*active];
    if let Some(id) = tab.document.sheet().named(name) {
        tab.view.selection = Selection::node(id);
        let what = tab.view.selection.clone();
        tab.with_view(&**backend, |view, state| state.fit(view, Some(&what)));
    }
}
