//! The line below: faults, nodes, memory.

use egui::{Align, Layout, Rect, RichText, Sense, Ui, vec2};

use super::{Pane, Turn};
use crate::app::App;
use crate::theme::Theme;

pub fn status(app: &mut App, ui: &mut Ui) {
    let theme = Theme::current(ui.ctx());
    let text = match app.tab().all_faults().count() {
        0 => RichText::new("no faults").color(theme.good),
        1 => RichText::new("1 fault").color(theme.error),
        count => RichText::new(format!("{count} faults")).color(theme.error),
    };
    panel(app, ui, Pane::Faults, text);
    let told = format!("log ({})", app.tab().log.len());
    panel(app, ui, Pane::Log, told.into());
    let sheet = app.tab().sheet();
    ui.weak(format!("{} nodes", sheet.nodes.len()));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        panel(app, ui, Pane::Steps, "steps".into());
        panel(app, ui, Pane::Form, "form".into());
        panel(app, ui, Pane::Memory, "memory".into());
        panel(app, ui, Pane::Runs, "runs".into());
        panel(app, ui, Pane::Results, "results".into());
        panel(app, ui, Pane::Loras, "LoRAs".into());
        panel(app, ui, Pane::Nodes, "nodes".into());
        ui.separator();
        memory(app, ui);
        ui.weak(format!("{:.0} %", app.tab().view.camera.zoom * 100.0));
    });
}

/// A button that brings a panel into sight, or closes it.
fn panel(app: &mut App, ui: &mut Ui, pane: Pane, text: RichText) {
    let seen = app.tiles.is_seen(pane);
    // On the colour of what is open only plain text is read well.
    let text = if seen { RichText::new(text.text().to_owned()) } else { text };
    if ui.selectable_label(seen, text).clicked() {
        app.tiles.ask(pane, Turn::Toggle);
        ui.ctx().request_repaint();
    }
}

/// What is in use of what may be, and what the plan would need.
fn memory(app: &App, ui: &mut Ui) {
    let (budget, used) = app.backend.memory();
    let peak = app.tab().outlook.as_ref().map_or(0, |outlook| outlook.peak_bytes);
    let theme = Theme::current(ui.ctx());
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let words = format!("{:.1} of {:.0} GiB", gibibytes(used.max(peak)), gibibytes(budget));
    let (rect, response) = ui.allocate_exact_size(vec2(120.0, 8.0), Sense::hover());
    let share = |bytes: u64| (bytes as f32 / budget.max(1) as f32).clamp(0.0, 1.0);
    let part = |share: f32| Rect::from_min_size(rect.min, vec2(rect.width() * share, rect.height()));
    let over = if peak > budget { theme.error } else { theme.busy };
    ui.painter().rect_filled(rect, 4.0, theme.field);
    ui.painter().rect_filled(part(share(peak)), 4.0, over.gamma_multiply(0.4));
    ui.painter().rect_filled(part(share(used)), 4.0, over);
    response.on_hover_text(format!(
        "memory for models and scratch: {:.2} GiB in use, the plan needs {:.2} GiB at once, {:.1} GiB may be used",
        gibibytes(used),
        gibibytes(peak),
        gibibytes(budget)
    ));
    ui.weak(words);
}
