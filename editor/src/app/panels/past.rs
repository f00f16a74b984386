//! Runs that are over: when, how long, what came of them, and what has changed in the graph since.

use std::sync::Arc;

use darkroom_core::graph::Graph;
use egui::{Button, CollapsingHeader, Image, Label, RichText, Sense, Ui, vec2};

use crate::app::App;
use crate::app::gallery::Large;
use crate::app::shelf::Size;
use crate::app::times::{ago, date, lasted, now};
use crate::document::{Change, Document, diff};
use crate::session::{Outcome, Past};
use crate::theme::Theme;

/// So many differences are shown.
const SHOWN: usize = 40;

/// Shows the runs of the document in front that are over, the last one first.
pub fn show(app: &mut App, ui: &mut Ui) {
    let runs: Vec<_> = app.tab().past.runs().to_vec();
    if runs.is_empty() {
        return;
    }
    ui.add_space(6.0);
    ui.strong("Earlier runs");
    let mut back = None;
    for (index, run) in runs.iter().enumerate().rev() {
        let before = index.checked_sub(1).map(|before| &*runs[before].graph);
        let header = CollapsingHeader::new(title(ui, index + 1, run)).id_salt(("past", index, run.at));
        let header = header.show(ui, |ui| {
            pictures(app, ui, run);
            let graph = app.tab_mut().graph();
            changes(ui, "changed since then", &diff(&run.graph, &graph));
            if let Some(before) = before {
                changes(ui, "changed for this run", &diff(before, &run.graph));
            }
            if ui.add(Button::new("Bring this graph back").small()).on_hover_text("in a tab of its own").clicked() {
                back = Some(Arc::clone(&run.graph));
            }
        });
        header.header_response.on_hover_text(date(run.at));
    }
    if let Some(graph) = back {
        bring_back(app, &graph);
    }
}

fn title(ui: &Ui, number: usize, run: &Past) -> RichText {
    let theme = Theme::current(ui.ctx());
    let when = format!("#{number}  {}", ago(run.at, now()));
    let (word, colour) = match &run.outcome {
        Outcome::Done => (format!("{when}, {}", lasted(run.seconds)), theme.text),
        Outcome::Stopped => (format!("{when}, stopped after {}", lasted(run.seconds)), theme.weak),
        Outcome::Failed(_) => (format!("{when}, failed after {}", lasted(run.seconds)), theme.error),
    };
    RichText::new(word).color(colour)
}

fn pictures(app: &mut App, ui: &mut Ui, run: &Past) {
    if let Outcome::Failed(why) = &run.outcome {
        ui.add(Label::new(RichText::new(why).color(Theme::current(ui.ctx()).error)).wrap());
    }
    ui.horizontal_wrapped(|ui| {
        for path in &run.pictures {
            let Some(thumb) = app.shelf.picture(path, Size::Small) else { continue };
            let size = vec2(thumb.size.0 as f32, thumb.size.1 as f32);
            let image = Image::new((thumb.texture.id(), size * (64.0 / size.max_elem()))).sense(Sense::click());
            let response = ui.add(image.corner_radius(4));
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(format!("picture {name} of a run")));
            if response.on_hover_text(name).clicked() {
                app.large = Some(Large::new(path.clone()));
            }
        }
    });
}

fn changes(ui: &mut Ui, title: &str, changes: &[Change]) {
    let theme = Theme::current(ui.ctx());
    if changes.is_empty() {
        ui.weak(format!("{title}: nothing"));
        return;
    }
    ui.weak(format!("{title}:"));
    for change in changes.iter().take(SHOWN) {
        let colour = match change {
            Change::Added(..) => theme.good,
            Change::Removed(_) => theme.error,
            Change::Input { .. } | Change::Mode(..) | Change::Face(_) => theme.text,
        };
        ui.add(Label::new(RichText::new(change.to_string()).monospace().size(11.0).color(colour)).wrap());
    }
    if changes.len() > SHOWN {
        ui.weak(format!("and {} more", changes.len() - SHOWN));
    }
}

fn bring_back(app: &mut App, graph: &Graph) {
    let opened = Document::of(graph);
    app.take(opened.document, opened.warnings);
}
