//! What sits in memory and on disk, and what can be let go of.

use egui::{Align, Button, Layout, Rect, RichText, ScrollArea, Sense, Ui, vec2};

use darkroom_core::residency::gibibytes;

use crate::app::App;
use crate::app::times::lasted;
use crate::session::{Holding, Seat, Spare};
use crate::theme::Theme;

/// So many things of one kind are shown.
const SHOWN: usize = 200;

/// What sits in memory and on disk, when that was last asked.
#[derive(Debug, Default)]
pub struct Stock {
    holdings: Vec<Holding>,
    /// Whether it was asked, and whether an answer came.
    asked: bool,
    known: bool,
}

impl Stock {
    /// Takes in what sits where.
    pub fn take(&mut self, mut holdings: Vec<Holding>) {
        holdings.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.title.cmp(&b.title)));
        self.holdings = holdings;
        self.known = true;
    }

    /// Lets it be asked anew: something has changed.
    pub fn ask_again(&mut self) {
        self.asked = false;
    }
}

/// Shows what sits where. It is asked when it is first shown, and after each run.
pub fn show(app: &mut App, ui: &mut Ui) {
    if !std::mem::replace(&mut app.stock.asked, true) {
        app.backend.take_stock();
    }
    let mut spare = None;
    budget(app, ui);
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        if !app.stock.known {
            ui.weak("asking…");
            return;
        }
        let seats = [
            (Seat::Device, "Models", "weights that are loaded on the processor; they come back when they are needed"),
            (Seat::Memory, "Results in memory", "what nodes made; without it they run again"),
            (Seat::Disk, "Results on disk", "what nodes made, kept for other times; without it they run again"),
        ];
        for (seat, title, about) in seats {
            ui.add_space(6.0);
            let all = app.stock.holdings.iter().filter(|holding| holding.what.seat() == seat);
            let all: Vec<_> = all.collect();
            section(ui, (title, about), &all, seat, &mut spare);
        }
    });
    if let Some(spare) = spare {
        app.backend.let_go(spare);
    }
}

fn budget(app: &App, ui: &mut Ui) {
    let theme = Theme::current(ui.ctx());
    let (budget, used) = app.backend.memory();
    let text = format!("{} of {} for models and scratch in use", gibibytes(used), gibibytes(budget));
    ui.label(text);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 6.0), Sense::hover());
    let share = (used as f32 / budget.max(1) as f32).clamp(0.0, 1.0);
    ui.painter().rect_filled(rect, 3.0, theme.field);
    let part = Rect::from_min_size(rect.min, vec2(rect.width() * share, rect.height()));
    ui.painter().rect_filled(part, 3.0, theme.busy);
}

fn section(ui: &mut Ui, (title, about): (&str, &str), all: &[&Holding], seat: Seat, spare: &mut Option<Spare>) {
    let bytes: u64 = all.iter().map(|holding| holding.bytes).sum();
    ui.horizontal(|ui| {
        ui.strong(title).on_hover_text(about);
        ui.weak(gibibytes(bytes));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let free = all.iter().any(|holding| !holding.used);
            let button = ui.add_enabled(free, Button::new("Free all").small());
            let label = format!("free all {}", title.to_lowercase());
            ui.ctx().accesskit_node_builder(button.id, |node| node.set_label(label));
            if button.on_hover_text("all that no run uses").clicked() {
                *spare = Some(Spare::All(seat));
            }
        });
    });
    for holding in all.iter().take(SHOWN) {
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if holding.used {
                    ui.weak("in use").on_hover_text("a run uses it: it stays until that is over");
                } else {
                    let button = ui.add(Button::new("Free").small());
                    let label = format!("free {}", holding.title);
                    ui.ctx().accesskit_node_builder(button.id, |node| node.set_label(label));
                    if button.clicked() {
                        *spare = Some(Spare::One(holding.what));
                    }
                }
                ui.weak(gibibytes(holding.bytes));
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(egui::Label::new(&holding.title).truncate());
                    if let Some(seconds) = holding.seconds {
                        let took = RichText::new(lasted(seconds)).weak().small();
                        ui.add(egui::Label::new(took).truncate()).on_hover_text("so long it took to make");
                    }
                });
            });
        });
    }
    if all.len() > SHOWN {
        ui.label(RichText::new(format!("and {} smaller ones", all.len() - SHOWN)).weak());
    }
}
