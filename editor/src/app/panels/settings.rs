//! The window of settings: looks, habits of the canvas, keys.

use egui::{Align, Button, ComboBox, Context, Event, Grid, Key, Layout, RichText, ScrollArea, TextEdit, Ui, Window};

use crate::app::App;
use crate::app::palette::score;
use crate::command::{COMMANDS, Command};
use crate::habits::{Habits, Style};
use crate::keymap::{Keymap, Preset, Stroke};
use crate::session::Look;
use crate::theme::Theme;

/// What is done in the window.
#[derive(Default)]
pub struct Page {
    /// What is searched for among the commands.
    search: String,
    /// The command that gets the next key that is pressed.
    pub hears: Option<Command>,
    /// Why it did not get it.
    refused: Option<String>,
}

/// Shows the window, if it is open.
pub fn settings(app: &mut App, ctx: &Context) {
    let Some(mut page) = app.page.take() else { return };
    listen(app, ctx, &mut page);
    let mut open = true;
    let window = Window::new("Settings").open(&mut open).collapsible(false).resizable(false);
    window.default_pos(ctx.content_rect().center() - egui::vec2(240.0, 280.0)).show(ctx, |ui| {
        ui.set_width(460.0);
        Grid::new("settings").num_columns(2).spacing([24.0, 8.0]).show(ui, |ui| {
            looks(app, ui);
            habits(app, ui);
        });
        ui.add_space(8.0);
        ui.separator();
        keys(app, ui, &mut page);
    });
    if open {
        app.page = Some(page);
    }
}

fn looks(app: &mut App, ui: &mut Ui) {
    ui.label("Colours");
    ui.horizontal(|ui| {
        for (look, title) in [(None, "as the system"), (Some(Look::Dark), "dark"), (Some(Look::Light), "light")] {
            if ui.selectable_label(app.keeping.settings.look == look, title).clicked() {
                app.wear(ui.ctx(), look);
            }
        }
    });
    ui.end_row();
    ui.label("Size of the interface");
    ui.horizontal(|ui| {
        for (command, sign) in [(Command::Smaller, "−"), (Command::Larger, "+")] {
            let button = ui.button(sign).on_hover_text(app.keymap.shown(command, ui.ctx()));
            ui.ctx().accesskit_node_builder(button.id, |node| node.set_label(command.about().title));
            if button.clicked() {
                app.act(&ui.ctx().clone(), command);
            }
        }
        ui.label(format!("{:.0} %", ui.ctx().zoom_factor() * 100.0));
    });
    ui.end_row();
}

fn habits(app: &mut App, ui: &mut Ui) {
    let habits = &mut app.keeping.settings.habits;
    ui.label("The wheel");
    ui.horizontal(|ui| {
        ui.selectable_value(&mut habits.wheel_pans, false, "zooms");
        ui.selectable_value(&mut habits.wheel_pans, true, "moves the view");
    });
    ui.end_row();
    ui.label("Grid");
    ui.horizontal(|ui| {
        for grid in Habits::GRIDS {
            let title = if grid == 0 { "off".to_owned() } else { grid.to_string() };
            ui.selectable_value(&mut habits.grid, grid, title);
        }
    });
    ui.end_row();
    ui.label("Wires");
    ui.horizontal(|ui| {
        for style in Style::ALL {
            ui.selectable_value(&mut habits.wires, style, style.words());
        }
    });
    ui.end_row();
}

fn keys(app: &mut App, ui: &mut Ui, page: &mut Page) {
    ui.horizontal(|ui| {
        ui.strong("Keys");
        ui.weak("as in");
        let name = |preset| Preset::ALL.iter().find(|(each, _)| *each == preset).map_or("", |(_, name)| *name);
        let shown = ComboBox::from_id_salt("preset").selected_text(name(app.keymap.preset())).show_ui(ui, |ui| {
            for (preset, name) in Preset::ALL {
                if ui.selectable_label(app.keymap.preset() == preset, name).clicked() {
                    app.keymap = Keymap::of(preset);
                    app.keep_keys();
                }
            }
        });
        ui.ctx().accesskit_node_builder(shown.response.id, |node| node.set_label("preset of keys"));
        let search = ui.add(TextEdit::singleline(&mut page.search).hint_text("search").desired_width(f32::INFINITY));
        ui.ctx().accesskit_node_builder(search.id, |node| node.set_label("search keys"));
    });
    if let Some(words) = &page.refused {
        ui.colored_label(Theme::current(ui.ctx()).error, words);
    }
    ui.add_space(4.0);
    let usual = Keymap::of(app.keymap.preset());
    let mut reset = None;
    ScrollArea::vertical().max_height(300.0).auto_shrink([false, false]).show(ui, |ui| {
        let search = page.search.clone();
        for about in COMMANDS.iter().filter(|about| score(&search, about.title).is_some()) {
            ui.horizontal(|ui| {
                ui.label(about.title.trim_end_matches('…'));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let differs = app.keymap.strokes(about.command) != usual.strokes(about.command);
                    if differs && ui.small_button("reset").clicked() {
                        reset = Some(about.command);
                    }
                    key(app, ui, page, about.command);
                });
            });
        }
    });
    if let Some(command) = reset {
        page.refused = None;
        give(app, page, command, usual.strokes(command).to_vec());
    }
}

/// Shows a command's keys on a button; pressed, it waits for another one.
fn key(app: &App, ui: &mut Ui, page: &mut Page, command: Command) {
    let hears = page.hears == Some(command);
    let strokes = app.keymap.strokes(command).iter();
    let shown = strokes.map(|(with, key)| ui.ctx().format_shortcut(&egui::KeyboardShortcut::new(*with, *key)));
    let shown: Vec<_> = shown.collect();
    let text = match (hears, shown.is_empty()) {
        (true, _) => RichText::new("press a key…"),
        (false, true) => RichText::new("none").weak(),
        (false, false) => RichText::new(shown.join(", ")),
    };
    let button = ui.add(Button::selectable(hears, text));
    let title = command.about().title.trim_end_matches('…');
    ui.ctx().accesskit_node_builder(button.id, |node| node.set_label(format!("keys of {title}")));
    if button.on_hover_text("press to give it another key; Escape leaves it, Backspace takes its keys away").clicked() {
        page.hears = Some(command);
        page.refused = None;
    }
}

/// Gives the next key that is pressed to the command that waits for one.
fn listen(app: &mut App, ctx: &Context, page: &mut Page) {
    let Some(command) = page.hears else { return };
    let pressed = ctx.input_mut(|input| {
        let index = input.events.iter().position(|event| matches!(event, Event::Key { pressed: true, .. }))?;
        match input.events.remove(index) {
            Event::Key { key, modifiers, .. } => Some((modifiers, key)),
            _ => None,
        }
    });
    let Some((held, key)) = pressed else { return };
    page.hears = None;
    match key {
        Key::Escape => (),
        Key::Backspace if held.is_none() => give(app, page, command, Vec::new()),
        _ => {
            let with = egui::Modifiers { ctrl: false, mac_cmd: false, command: held.command, ..held };
            give(app, page, command, vec![(with, key)]);
        }
    }
}

fn give(app: &mut App, page: &mut Page, command: Command, strokes: Vec<Stroke>) {
    let taken = strokes.iter().find_map(|stroke| app.keymap.taken(command, *stroke));
    if let Some(other) = taken {
        let title = other.about().title.trim_end_matches('…');
        page.refused = Some(format!("“{title}” has that key: give it another one first"));
        return;
    }
    app.keymap.set(command, strokes);
    app.keep_keys();
}
