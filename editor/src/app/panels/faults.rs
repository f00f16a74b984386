//! What is wrong with the document in front: what, why, and the way out. A click leads there.

use egui::{Label, RichText, ScrollArea, Sense, Ui};

use crate::app::App;
use crate::theme::Theme;

/// Shows all that is wrong.
pub fn show(app: &mut App, ui: &mut Ui) {
    let theme = Theme::current(ui.ctx());
    let (mut jump, mut pull) = (None, None);
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        let tab = app.tab();
        if tab.all_faults().next().is_none() {
            ui.weak("Nothing is wrong with this workflow.");
        }
        for located in tab.all_faults() {
            let within = located.place.within.as_ref().map(|within| format!("{DEFINITION}{}", within.definition));
            let node = located.place.node.as_ref().map(|(name, _)| name.clone()).or(within);
            let input = located.place.input.as_ref().map(|input| format!(".{input}")).unwrap_or_default();
            let place = node.as_ref().map(|name| format!("{name}{input}: ")).unwrap_or_default();
            let text = RichText::new(format!("{place}{}", located.fault.message)).color(theme.error);
            if ui.add(Label::new(text).wrap().sense(Sense::click())).clicked() {
                jump.clone_from(&node);
            }
            if let Some(hint) = &located.fault.hint {
                ui.indent("hint", |ui| ui.weak(hint));
            }
            if let (Some(name), Some(lacked)) = (&node, app.tab().lacked(located)) {
                let response = ui.button("Pull");
                ui.ctx()
                    .accesskit_node_builder(response.id, |node| node.set_label(format!("pull {lacked} for {name}")));
                if response.on_hover_text(format!("fetch `{lacked}`")).clicked() {
                    pull = Some(lacked.to_owned());
                }
            }
        }
    });
    if let Some(name) = pull {
        app.pull(name);
    }
    if let Some(name) = jump {
        go_to(app, &name);
    }
}

/// What stands before the name of a definition in place of the way to a node.
const DEFINITION: &str = "sub-graph ";

/// Chooses a node by its way, in the sub-graph that it lies in, and brings it into the middle; of a definition, shows what
/// is inside.
pub fn go_to(app: &mut App, way: &str) {
    let App { tabs, active, backend, .. } = app;
    let tab = &mut tabs[*active];
    if let Some((within, id)) = tab.find(way) {
        tab.show_at(&**backend, within, [id]);
    } else if let Some(within) = way.strip_prefix(DEFINITION).and_then(|name| tab.find_definition(name)) {
        tab.go(within);
    }
}
