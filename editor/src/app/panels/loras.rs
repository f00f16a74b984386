//! The LoRAs of each model in one list: added, taken out, put in order, weighed, and switched off and on.

use std::sync::Arc;

use darkroom_core::graph::Mode;
use darkroom_core::spec::Spec;
use egui::{Id, Rect, RichText, ScrollArea, Sense, Ui, vec2};

use crate::app::App;
use crate::app::stack::{Stack, Stacks, stacked};
use crate::canvas::Action;
use crate::document::{Edit, NodeId, Sheet};
use crate::fields::{Shown, signs, small_button};
use crate::theme::{self, Theme};

/// What was pressed.
enum Pressed {
    Add(Stack),
    Step(&'static str, Vec<Edit>),
    See(String),
    Field(Action),
}

/// Shows all models with what is laid over them.
pub fn show(app: &mut App, ui: &mut Ui) {
    let Some(spec) = stacked(app.backend.registry()) else {
        ui.weak("no node lays a LoRA over a model");
        return;
    };
    let sheet = Arc::clone(app.tab().sheet());
    let mut pressed = Vec::new();
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        let stacks = Stacks { sheet: &sheet, registry: app.backend.registry(), spec: &spec };
        let all = stacks.all();
        if all.is_empty() {
            ui.weak("there is no model yet");
        }
        for stack in all {
            head(ui, &sheet, &stack, &mut pressed);
            for index in 0..stack.nodes.len() {
                row(app, ui, &stacks, &stack, index, &mut pressed);
            }
            ui.add_space(6.0);
        }
    });
    let ctx = ui.ctx().clone();
    for each in pressed {
        match each {
            Pressed::Add(stack) => app.add_lora(&stack),
            Pressed::Step(name, edits) => drop(app.step(name, edits)),
            Pressed::See(name) => super::faults::go_to(app, &name),
            Pressed::Field(action) => app.do_action(&ctx, action),
        }
    }
}

fn head(ui: &mut Ui, sheet: &Sheet, stack: &Stack, pressed: &mut Vec<Pressed>) {
    let Some(base) = sheet.nodes.get(&stack.base) else { return };
    ui.horizontal(|ui| {
        ui.strong(base.label());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let response = ui.button("Add");
            ui.ctx()
                .accesskit_node_builder(response.id, |node| node.set_label(format!("add a LoRA to {}", base.label())));
            if response.on_hover_text("lay one more LoRA over this model").clicked() {
                pressed.push(Pressed::Add(stack.clone()));
            }
        });
    });
    if stack.nodes.is_empty() {
        ui.weak("nothing is laid over it");
    }
}

fn row(app: &App, ui: &mut Ui, stacks: &Stacks<'_>, stack: &Stack, index: usize, pressed: &mut Vec<Pressed>) {
    let (id, theme) = (stack.nodes[index], Theme::current(ui.ctx()));
    let Some(node) = stacks.sheet.nodes.get(&id) else { return };
    let label = node.label().to_owned();
    egui::Frame::new().fill(theme.head).corner_radius(5).inner_margin(6.0).show(ui, |ui| {
        ui.horizontal(|ui| {
            let mut on = node.mode == Mode::Active;
            let response = ui.checkbox(&mut on, "");
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(format!("use {label}")));
            if response.changed() {
                pressed.extend(stacks.switch(id).map(|edit| Pressed::Step("switch a LoRA", vec![edit])));
            }
            let title = RichText::new(&label).color(if on { theme.text } else { theme.weak });
            if ui.add(egui::Button::new(title).frame(false)).on_hover_text("show it on the canvas").clicked() {
                pressed.push(Pressed::See(node.name.clone()));
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if small_button(ui, &format!("take {label} out"), signs::cross).clicked() {
                    pressed.push(Pressed::Step("take a LoRA out", stacks.remove(id)));
                }
                let mut change =
                    |ui: &mut Ui,
                     word: &str,
                     to: Option<&NodeId>,
                     sign: fn(&egui::Painter, egui::Pos2, egui::Color32)| {
                        let response = ui
                            .add_enabled_ui(to.is_some(), |ui| small_button(ui, &format!("move {label} {word}"), sign));
                        if let Some(to) = to.filter(|_| response.inner.clicked()) {
                            pressed.push(Pressed::Step("put LoRAs in order", stacks.swap(id, *to)));
                        }
                    };
                change(ui, "down", stack.nodes.get(index + 1), signs::down);
                change(ui, "up", index.checked_sub(1).and_then(|before| stack.nodes.get(before)), signs::up);
            });
        });
        fields(app, ui, stacks.spec, id, stacks.sheet, pressed);
    });
}

/// The fields that most people need.
fn fields(app: &App, ui: &mut Ui, spec: &Spec, id: NodeId, sheet: &Sheet, pressed: &mut Vec<Pressed>) {
    let (tab, node) = (app.tab(), &sheet.nodes[&id]);
    for input in spec.inputs.iter().filter(|input| input.param.as_ref().is_some_and(|param| !param.advanced)) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), theme::ROW), Sense::hover());
        let name = Id::unique(("stack", tab.id.0, id, input.name));
        let shown = Shown::of(name, (id, node), spec, input, &tab.status);
        if node.wire(input.name).is_some() {
            ui.painter().text(
                rect.left_center(),
                egui::Align2::LEFT_CENTER,
                format!("{} comes by a wire", input.name),
                egui::FontId::proportional(12.5),
                Theme::current(ui.ctx()).weak,
            );
        } else if let Some(change) = shown.show(ui, Rect::from_min_size(rect.min, rect.size())) {
            pressed.extend(Action::of(change, id, input).into_iter().map(Pressed::Field));
        }
    }
}
