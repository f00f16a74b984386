//! The bar above: menus, tabs, what would happen, and the button that makes it happen.

use egui::{Align, Button, Layout, ProgressBar, RichText, Ui, vec2};

use crate::app::App;
use crate::command::{COMMANDS, Command, Menu};
use crate::document::Document;
use crate::icons;
use crate::theme::Theme;

pub fn bar(app: &mut App, ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    let mut asked = None;
    menus(app, ui, &mut asked);
    ui.separator();
    tabs(app, ui);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let theme = Theme::current(ui.ctx());
        let running = !app.tab().runs.is_empty();
        let run = Button::new(RichText::new("    Run").color(theme.on_accent).strong()).fill(theme.accent);
        let blocked =
            app.tab().faults.iter().any(|located| located.fault.kind == darkroom_core::fault::FaultKind::Graph);
        let run = ui.add_enabled(!blocked, run.min_size(vec2(84.0, 24.0)));
        icons::play(ui.painter(), run.rect.left_center() + vec2(18.0, 0.0), theme.on_accent);
        let run = run.on_disabled_hover_text("something is wrong with this graph: see below");
        if run.on_hover_text(format!("{} — {}", "run", app.keymap.shown(Command::Run, &ctx))).clicked() {
            asked = Some(Command::Run);
        }
        if running {
            let stop = ui.add(Button::new("    Stop").min_size(vec2(72.0, 24.0)));
            icons::stop(ui.painter(), stop.rect.left_center() + vec2(18.0, 0.0), theme.text);
            if stop.clicked() {
                asked = Some(Command::Stop);
            }
        }
        outlook(app, ui);
    });
    if let Some(command) = asked {
        app.act(&ctx, command);
    }
}

fn menus(app: &mut App, ui: &mut Ui, asked: &mut Option<Command>) {
    let menus =
        [(Menu::File, "File"), (Menu::Edit, "Edit"), (Menu::Node, "Node"), (Menu::View, "View"), (Menu::Run, "Run")];
    for (menu, title) in menus {
        ui.menu_button(title, |ui| {
            ui.set_min_width(220.0);
            for about in COMMANDS.iter().filter(|about| about.menu == menu) {
                let keys = RichText::new(app.keymap.shown(about.command, ui.ctx())).weak().size(11.0);
                if ui.add(Button::new(about.title).right_text(keys)).clicked() {
                    *asked = Some(about.command);
                    ui.close();
                }
                if about.command == Command::Open {
                    recent(app, ui);
                }
            }
        });
    }
}

fn recent(app: &mut App, ui: &mut Ui) {
    let files = app.keeping.settings.recent.clone();
    ui.add_enabled_ui(!files.is_empty(), |ui| {
        ui.menu_button("Open recent", |ui| {
            for file in files {
                let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let folder = file.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
                let button = Button::new(name).right_text(RichText::new(folder).weak().size(11.0));
                if ui.add(button).clicked() {
                    app.keeping.arrivals.push_back(file);
                    ui.close();
                }
            }
        });
    });
}

fn tabs(app: &mut App, ui: &mut Ui) {
    let mut closed = None;
    for index in 0..app.tabs.len() {
        let title = app.tabs[index].title();
        let response = ui.add(Button::selectable(index == app.active, title));
        if response.clicked() {
            app.active = index;
        }
        if response.middle_clicked() {
            closed = Some(index);
        }
    }
    if ui.button("+").on_hover_text("a new workflow").clicked() {
        app.take(Document::default(), Vec::new());
    }
    if let Some(index) = closed {
        app.active = index;
        let ctx = ui.ctx().clone();
        app.act(&ctx, Command::Close);
    }
}

/// What would happen, or how far it is.
fn outlook(app: &App, ui: &mut Ui) {
    let tab = app.tab();
    let theme = Theme::current(ui.ctx());
    if let Some(run) = tab.runs.first() {
        let queued = if tab.runs.len() > 1 { format!(", {} queued", tab.runs.len() - 1) } else { String::new() };
        let Some(share) = run.share() else {
            let ahead = app.ahead().filter(|_| run.began.is_none());
            ui.spinner();
            match ahead {
                Some(0) | None => drop(ui.weak(format!("planning{queued}"))),
                Some(ahead) => drop(ui.weak(format!("waiting behind {ahead}{queued}"))),
            }
            return;
        };
        let left = run.left().map(|left| format!(", {left:.0} s left")).unwrap_or_default();
        let text = format!("{:.0} %{left}{queued}", share * 100.0);
        ui.add(ProgressBar::new(share).desired_width(200.0).text(text).fill(theme.busy.gamma_multiply(0.6)));
        return;
    }
    let Some(outlook) = &tab.outlook else { return };
    let text = match outlook.runs {
        0 => "everything is there".to_owned(),
        runs => {
            let seconds = outlook.seconds.map(|seconds| format!(", about {seconds:.0} s")).unwrap_or_default();
            format!("{runs} of {} will run{seconds}", outlook.of)
        }
    };
    ui.weak(text);
}
