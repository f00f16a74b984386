//! The queue: what runs, what waits, and how runs are asked for; and below the runs that are over.

use darkroom_core::plan::Goal;
use egui::{Align, Button, Checkbox, ComboBox, DragValue, Label, Layout, ProgressBar, ScrollArea, Ui};

use super::past;
use crate::app::queue::{MOST_TIMES, Seeds};
use crate::app::times::{ago, lasted, now};
use crate::app::{App, Origin, Run, Tab};
use crate::command::Command;
use crate::session::Ticket;
use crate::theme::Theme;

/// What is asked for in this panel.
enum Asked {
    Cancel(Ticket),
    Hasten(Ticket),
    Act(Command),
}

/// Shows the queue.
pub fn show(app: &mut App, ui: &mut Ui) {
    let mut asked = None;
    how(app, ui, &mut asked);
    ui.separator();
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        queue(app, ui, &mut asked);
        past::show(app, ui);
    });
    match asked {
        Some(Asked::Cancel(ticket)) => app.backend.cancel(ticket),
        Some(Asked::Hasten(ticket)) => app.hasten(ticket),
        Some(Asked::Act(command)) => {
            let ctx = ui.ctx().clone();
            app.act(&ctx, command);
        }
        None => (),
    }
}

/// How often, with which seeds, and when.
fn how(app: &mut App, ui: &mut Ui, asked: &mut Option<Asked>) {
    ui.horizontal_wrapped(|ui| {
        let times = ui.add(DragValue::new(&mut app.queue.times).range(1..=MOST_TIMES).suffix(" ×"));
        ui.ctx().accesskit_node_builder(times.id, |node| node.set_label("runs at one press"));
        times.on_hover_text("so many runs at one press of Run");
        let title = |seeds: Seeds| match seeds {
            Seeds::Count => "seeds count up",
            Seeds::Draw => "seeds are drawn",
        };
        let seeds = ComboBox::from_id_salt("seeds").selected_text(title(app.queue.seeds)).show_ui(ui, |ui| {
            for each in [Seeds::Count, Seeds::Draw] {
                ui.selectable_value(&mut app.queue.seeds, each, title(each));
            }
        });
        ui.ctx().accesskit_node_builder(seeds.response.id, |node| node.set_label("seeds of several runs"));
        let mut live = app.tab().live.is_some();
        let live = ui.add(Checkbox::new(&mut live, "on change"));
        if live.on_hover_text("run this workflow whenever it changes and nothing is wrong with it").clicked() {
            *asked = Some(Asked::Act(Command::RunChanged));
        }
    });
}

fn queue(app: &App, ui: &mut Ui, asked: &mut Option<Asked>) {
    let runs = app.runs();
    if runs.is_empty() {
        ui.weak("Nothing runs, and nothing waits.");
        return;
    }
    for (tab, run) in runs.iter().filter(|(_, run)| run.began.is_some()) {
        under_way(ui, tab, run, asked);
    }
    let waiting: Vec<_> = runs.iter().filter(|(_, run)| run.began.is_none()).collect();
    if waiting.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        ui.strong(format!("{} waiting", waiting.len()));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.add(Button::new("Clear").small()).on_hover_text("take all that waits out").clicked() {
                *asked = Some(Asked::Act(Command::ClearQueue));
            }
        });
    });
    // A thousand runs may wait.
    let height = ui.spacing().interact_size.y;
    let tall = (waiting.len() as f32 * (height + ui.spacing().item_spacing.y)).min(200.0);
    let list = ScrollArea::vertical().id_salt("waiting").auto_shrink([false, true]).max_height(tall);
    list.show_rows(ui, height, waiting.len(), |ui, rows| {
        for index in rows {
            let (tab, run) = waiting[index];
            ui.horizontal(|ui| waits(ui, (index, tab, run), asked));
        }
    });
}

/// What is run of a document, in words.
fn title(tab: &Tab, run: &Run) -> String {
    let name = tab.title();
    let name = name.trim_end_matches(" •");
    let to = match &run.wish.goal {
        Goal::Effects => String::new(),
        Goal::Node(node) => format!(" to {node}"),
    };
    let anew = if run.wish.fresh { ", all anew" } else { "" };
    let why = if run.origin == Origin::Change { ", it changed" } else { "" };
    format!("{name}{to}{anew}{why}")
}

fn under_way(ui: &mut Ui, tab: &Tab, run: &Run, asked: &mut Option<Asked>) {
    let theme = Theme::current(ui.ctx());
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let stop = ui.add(Button::new("Stop").small());
            let label = format!("stop the run of {}", tab.title().trim_end_matches(" •"));
            ui.ctx().accesskit_node_builder(stop.id, |node| node.set_label(label));
            if stop.clicked() {
                *asked = Some(Asked::Cancel(run.ticket));
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(egui::RichText::new(title(tab, run)).strong()).truncate());
            });
        });
    });
    match run.share() {
        Some(share) => {
            let left = run.left().map(|left| format!(", {} left", lasted(left))).unwrap_or_default();
            let text = format!("{:.0} %{left}", share * 100.0);
            ui.add(ProgressBar::new(share).text(text).fill(theme.busy.gamma_multiply(0.6)));
        }
        None => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.weak("planning");
            });
        }
    }
    let since = run.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
    let node = run.nodes.first().map(|node| format!("{node}, ")).unwrap_or_default();
    ui.weak(format!("{node}for {}", lasted(since)));
    ui.add_space(6.0);
}

fn waits(ui: &mut Ui, (index, tab, run): (usize, &Tab, &Run), asked: &mut Option<Asked>) {
    let name = title(tab, run);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let cancel = ui.add(Button::new("Cancel").small());
        ui.ctx()
            .accesskit_node_builder(cancel.id, |node| node.set_label(format!("cancel run {} of {name}", index + 1)));
        if cancel.clicked() {
            *asked = Some(Asked::Cancel(run.ticket));
        }
        let first = ui.add_enabled(index > 0, Button::new("First").small());
        ui.ctx().accesskit_node_builder(first.id, |node| node.set_label(format!("run {} of {name} first", index + 1)));
        if first.on_hover_text("before all others that wait").clicked() {
            *asked = Some(Asked::Hasten(run.ticket));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let text = ui.add(Label::new(format!("{}. {name}", index + 1)).truncate());
            text.on_hover_text(format!("asked for {}", ago(run.asked, now())));
        });
    });
}
