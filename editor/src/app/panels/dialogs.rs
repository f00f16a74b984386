//! Questions that must be answered first.

use egui::{Align, Context, Id, Layout, Modal, TextEdit, Ui, vec2};

use super::templates;
use crate::app::files::Over;
use crate::app::shelf::BIN;
use crate::app::{App, Dialog, Tab, browser};
use crate::command::Command;
use crate::document::{NodeId, Sheet};

/// Shows what must be answered first.
pub fn dialogs(app: &mut App, ctx: &Context) {
    let Some(mut dialog) = app.dialog.take() else { return };
    let mut done = None;
    let mut picked = None;
    let mut template = None;
    let modal = Modal::new(Id::unique(("dialog", std::mem::discriminant(&dialog)))).show(ctx, |ui| {
        ui.set_width(match dialog {
            Dialog::Files(_) => browser::WIDTH,
            Dialog::Templates(_) => templates::WIDTH,
            _ => 420.0,
        });
        let enter = ui.input(|input| input.key_pressed(egui::Key::Enter));
        match &mut dialog {
            Dialog::Files(browser) => match browser.show(ui, &app.keeping.settings.recent) {
                browser::Picked::Nothing => (),
                browser::Picked::Away => done = Some(0),
                browser::Picked::File(path) => picked = Some(path),
            },
            Dialog::Overwrite { tab, path } => {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let own = app.tabs.iter().find(|each| each.id == *tab).and_then(|tab| tab.document.path());
                ui.heading(format!("Replace {name}?"));
                ui.label(match own == Some(&**path) {
                    true => "The file holds something else than when it was opened or saved here.",
                    false => "There is a file of that name. What it holds is lost.",
                });
                done = buttons(ui, &["Cancel", "Replace"]);
            }
            Dialog::Picture { path, workflow } => {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                ui.heading(name);
                match workflow {
                    Ok(_) => ui.label("This picture carries the workflow that made it."),
                    Err(fault) => ui.label(&fault.message),
                };
                let all: &[&str] = &["Cancel", "Use as input", "Open its workflow in a tab"];
                let titles = if workflow.is_ok() { all } else { &all[..2] };
                ui.weak("As input, it is read by a node of the graph in front.");
                done = buttons(ui, titles).or(enter.then_some(titles.len() - 1));
            }
            Dialog::NameSubgraph { text, .. } => {
                ui.heading("Name the sub-graph");
                line(ui, text, "a name", "name of the sub-graph");
                done = buttons(ui, &["Cancel", "OK"]).or(enter.then_some(1));
            }
            Dialog::Find { text } => {
                ui.heading("Find");
                line(ui, text, "name, type or value", "find");
                done = buttons(ui, &["Cancel", "Find"]).or(enter.then_some(1));
            }
            Dialog::Templates(cards) => template = templates::show(ui, cards),
            Dialog::Close { tab, .. } => {
                let title = app.tabs.iter().find(|each| each.id == *tab).map(Tab::title).unwrap_or_default();
                ui.heading(format!("{} has changes", title.trim_end_matches(" •")));
                ui.label("They are lost if it is closed without saving.");
                done = buttons(ui, &["Cancel", "Close without saving", "Save"]).or(enter.then_some(2));
            }
            Dialog::Delete { paths } => {
                match &paths[..] {
                    [path] => {
                        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                        ui.heading(format!("Delete {name}?"));
                    }
                    paths => drop(ui.heading(format!("Delete {} pictures?", paths.len()))),
                }
                ui.label(format!("Nothing is lost: it goes to the folder `{BIN}` beside it."));
                done = buttons(ui, &["Cancel", "Delete"]).or(enter.then_some(1));
            }
        }
    });
    if let Some(template) = template {
        templates::begin(app, template);
        return;
    }
    if let (Dialog::Files(browser), Some(path)) = (&dialog, &picked) {
        app.with_file(path, browser.purpose);
        return;
    }
    if modal.should_close() || done == Some(0) {
        // Whoever gives one answer up does not want the rest closed either.
        app.keeping.closing = None;
        return;
    }
    match done {
        Some(choice) => answer(app, ctx, dialog, choice),
        None => app.dialog = Some(dialog),
    }
}

fn line(ui: &mut Ui, text: &mut String, hint: &'static str, label: &str) {
    let response =
        ui.add(TextEdit::singleline(text).hint_text(hint).desired_width(f32::INFINITY).margin(vec2(8.0, 6.0)));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(label));
    if ui.memory(|memory| memory.focused().is_none()) {
        response.request_focus();
    }
    ui.add_space(6.0);
}

fn buttons(ui: &mut Ui, titles: &[&str]) -> Option<usize> {
    let mut pressed = None;
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        for (index, title) in titles.iter().enumerate().rev() {
            if ui.button(*title).clicked() {
                pressed = Some(index);
            }
        }
    });
    pressed
}

/// Does what an answer asks for.
pub fn answer(app: &mut App, ctx: &Context, dialog: Dialog, choice: usize) {
    match dialog {
        Dialog::Files(_) | Dialog::Templates(_) => (),
        Dialog::Overwrite { tab, path } => {
            app.active = app.index(tab).unwrap_or(app.active);
            app.save(&path, Over::Replace);
        }
        Dialog::Picture { path, workflow } => match choice {
            1 => app.add_file("load_image", "file", &path),
            _ => app.restore(&path, workflow),
        },
        Dialog::NameSubgraph { name, text } => app.named_subgraph(&name, &text),
        Dialog::Find { text } => find(app, &text),
        Dialog::Delete { paths } => app.delete_pictures(&paths),
        Dialog::Close { tab } => {
            app.active = app.index(tab).unwrap_or(app.active);
            match (choice, &mut app.keeping.closing) {
                (2, _) => app.act(ctx, Command::Save),
                (_, Some(closing)) => closing.give_up(tab),
                _ => (),
            }
        }
    }
}

/// Chooses the nodes that a text is found in, and shows them: those in front, or else those of the first level that has
/// some.
fn find(app: &mut App, text: &str) {
    let wanted = text.to_lowercase();
    let tab = app.tab();
    let met = |sheet: &Sheet| -> Vec<NodeId> {
        let met = sheet.nodes.iter().filter(|(_, node)| {
            let mut words = vec![node.name.clone(), node.kind.clone(), node.title.clone().unwrap_or_default()];
            words.extend(node.fields.iter().filter_map(|(name, _)| node.literal(name).map(ToString::to_string)));
            words.iter().any(|word| word.to_lowercase().contains(&wanted))
        });
        met.map(|(id, _)| *id).collect()
    };
    let here = Some((tab.levels.within.clone(), met(tab.sheet()))).filter(|(_, nodes)| !nodes.is_empty());
    let elsewhere = || {
        let all = tab.document.sheet().levels().map(|(level, sheet)| (level, met(sheet)));
        all.filter(|(_, nodes)| !nodes.is_empty()).find_map(|(level, nodes)| {
            let within = level.map_or(Some(Vec::new()), |name| tab.find_definition(name))?;
            Some((within, nodes))
        })
    };
    let Some((within, nodes)) = here.or_else(elsewhere) else {
        app.say(format!("`{text}` is found nowhere"));
        return;
    };
    let App { tabs, active, backend, .. } = app;
    tabs[*active].show_at(&**backend, within, nodes);
}
