//! What stands around the canvas: tabs and buttons above, what is wrong and what was told below, results at the right.

use std::sync::Arc;

use egui::{
    Align, Align2, Area, Button, Color32, Context, Id, Layout, MenuBar, Modal, Order, Panel, ProgressBar, Rect,
    RichText, ScrollArea, Sense, TextEdit, Ui, pos2, vec2,
};

use super::recall::Recall;
use super::tab::Weight;
use super::{App, Dialog};
use crate::canvas::Selection;
use crate::command::{COMMANDS, Command, Menu};
use crate::document::{Document, Edit};
use crate::icons;
use crate::theme::Theme;

/// Which panels are open.
pub struct Side {
    /// What is shown at the right.
    pub shown: Shown,
    /// Whether the log is shown below.
    pub log: bool,
}

/// What is shown at the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Pictures that were made.
    Results,
    /// Steps that can be undone.
    History,
    /// Nothing.
    Nothing,
}

impl Shown {
    /// Returns the name under which it is remembered.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Results => Some("results"),
            Self::History => Some("history"),
            Self::Nothing => None,
        }
    }

    /// Returns what has a name; results, if the name is unknown.
    pub fn named(name: Option<&str>) -> Self {
        match name {
            None => Self::Nothing,
            Some("history") => Self::History,
            Some(_) => Self::Results,
        }
    }
}

impl Default for Side {
    fn default() -> Self {
        Self { shown: Shown::Results, log: false }
    }
}

/// Seconds that a notice stays.
const NOTICE: f64 = 5.0;

/// Shows the panels.
pub fn show(app: &mut App, ui: &mut Ui) {
    Panel::top("bar").show(ui, |ui| {
        ui.add_space(3.0);
        MenuBar::new().ui(ui, |ui| bar(app, ui));
        ui.add_space(3.0);
    });
    Panel::bottom("status").show(ui, |ui| {
        ui.add_space(2.0);
        ui.horizontal(|ui| status(app, ui));
        ui.add_space(2.0);
    });
    if app.side.log || !app.tab().faults.is_empty() {
        Panel::bottom("told").resizable(true).default_size(120.0).show(ui, |ui| told(app, ui));
    }
    if app.side.shown != Shown::Nothing {
        Panel::right("side").resizable(true).default_size(248.0).show(ui, |ui| side(app, ui));
    }
}

fn bar(app: &mut App, ui: &mut Ui) {
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
        if run.on_hover_text(format!("{} — {}", "run", Command::Run.about().shown_keys(&ctx))).clicked() {
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
                let keys = RichText::new(about.shown_keys(ui.ctx())).weak().size(11.0);
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
        let Some(outlook) = &run.outlook else {
            ui.spinner();
            ui.weak("planning");
            return;
        };
        // By seconds of the past where they are known, else every node alike.
        let weight = |node: &&crate::session::NodeOutlook| node.seconds.unwrap_or(1.0).max(0.01);
        let runs = || outlook.nodes.iter().filter(|node| node.fate == crate::session::Fate::Runs);
        let all: f64 = runs().map(|node| weight(&node)).sum();
        let done: f64 =
            runs().map(|node| weight(&node) * f64::from(run.shares.get(&node.name).copied().unwrap_or(0.0))).sum();
        let share = if all > 0.0 { done / all } else { 1.0 };
        let left = outlook.seconds.map(|seconds| format!(", {:.0} s left", (seconds * (1.0 - share)).max(0.0)));
        let queued = if tab.runs.len() > 1 { format!(", {} queued", tab.runs.len() - 1) } else { String::new() };
        let text = format!("{:.0} %{}{queued}", share * 100.0, left.unwrap_or_default());
        ui.add(ProgressBar::new(share as f32).desired_width(200.0).text(text).fill(theme.busy.gamma_multiply(0.6)));
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

fn status(app: &mut App, ui: &mut Ui) {
    let theme = Theme::current(ui.ctx());
    let (errors, told) = (app.tab().faults.len(), app.tab().log.len());
    let text = match errors {
        0 => RichText::new("no faults").color(theme.good),
        1 => RichText::new("1 fault").color(theme.error),
        count => RichText::new(format!("{count} faults")).color(theme.error),
    };
    ui.label(text);
    if ui.selectable_label(app.side.log, format!("log ({told})")).clicked() {
        app.side.log = !app.side.log;
    }
    let sheet = app.tab().document.sheet();
    ui.weak(format!("{} nodes", sheet.nodes.len()));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        for (shown, title) in [(Shown::History, "history"), (Shown::Results, "results")] {
            if ui.selectable_label(app.side.shown == shown, title).clicked() {
                app.side.shown = if app.side.shown == shown { Shown::Nothing } else { shown };
            }
        }
        ui.separator();
        memory(app, ui);
        ui.weak(format!("{:.0} %", app.tab().view.camera.zoom * 100.0));
    });
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

/// What is wrong, and what runs have told. A click leads to the node.
fn told(app: &mut App, ui: &mut Ui) {
    let theme = Theme::current(ui.ctx());
    let mut jump = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        let tab = app.tab();
        for located in &tab.faults {
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

fn side(app: &mut App, ui: &mut Ui) {
    match app.side.shown {
        Shown::Results => results(app, ui),
        Shown::History => history(app, ui),
        Shown::Nothing => (),
    }
}

fn results(app: &mut App, ui: &mut Ui) {
    ui.add_space(4.0);
    ui.strong("Results");
    if app.tab().made.is_empty() {
        ui.add_space(12.0);
        ui.weak("Pictures appear here once something has run. Press Run, or Ctrl+Enter.");
        return;
    }
    let mut recall = None;
    let mut asked = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        let width = ui.available_width() - 8.0;
        for index in (0..app.tab().made.len()).rev() {
            let made = &app.tab().made[index];
            let size = vec2(made.thumb.size.0 as f32, made.thumb.size.1 as f32);
            let picture = egui::Image::new((made.thumb.texture.id(), size * (width / size.x))).sense(Sense::click());
            let response = ui.add(picture.corner_radius(5));
            let name = made.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(format!("result {name}")));
            let clicked = response.clicked();
            response.context_menu(|ui| {
                if ui.button("Open its graph in a tab").clicked() {
                    recall = Some(index);
                    ui.close();
                }
                for (what, title) in [(Recall::Seeds, "Use its seed"), (Recall::Prompts, "Use its prompt")] {
                    if ui.button(title).clicked() {
                        asked = Some((index, what));
                        ui.close();
                    }
                }
                if ui.button("Copy its path").clicked() {
                    ui.ctx().copy_text(made.path.display().to_string());
                    ui.close();
                }
            });
            ui.weak(format!("{name} · {} × {}", made.thumb.size.0, made.thumb.size.1));
            ui.add_space(6.0);
            if clicked {
                app.large = Some((index, egui::Vec2::ZERO, 0.0));
            }
        }
    });
    if let Some((index, what)) = asked {
        let graph = app.graph_of(&app.tab().made[index]);
        app.recall(&graph, what);
    }
    if let Some(index) = recall {
        let opened = Document::of(&app.graph_of(&app.tab().made[index]));
        app.take(opened.document, opened.warnings);
    }
}

fn history(app: &mut App, ui: &mut Ui) {
    ui.add_space(4.0);
    ui.strong("History");
    let (undo, redo) = app.tab().document.steps();
    let (undo, redo): (Vec<_>, Vec<_>) =
        (undo.into_iter().map(str::to_owned).collect(), redo.into_iter().map(str::to_owned).collect());
    let mut back = 0_usize;
    let mut forth = 0_usize;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        if ui.selectable_label(undo.is_empty(), "as opened").clicked() {
            back = undo.len();
        }
        for (index, name) in undo.iter().enumerate() {
            if ui.selectable_label(index + 1 == undo.len(), name).clicked() {
                back = undo.len() - 1 - index;
            }
        }
        for (index, name) in redo.iter().enumerate() {
            if ui.selectable_label(false, RichText::new(name).weak()).clicked() {
                forth = index + 1;
            }
        }
    });
    let document = &mut app.tab_mut().document;
    (0..back).for_each(|_| drop(document.undo()));
    (0..forth).for_each(|_| drop(document.redo()));
}

/// Shows what must be answered first.
pub fn dialogs(app: &mut App, ctx: &Context) {
    let Some(mut dialog) = app.dialog.take() else { return };
    let mut done = None;
    let mut picked = None;
    let modal = Modal::new(Id::unique(("dialog", std::mem::discriminant(&dialog)))).show(ctx, |ui| {
        ui.set_width(if matches!(dialog, Dialog::Files(_)) { super::browser::WIDTH } else { 420.0 });
        let enter = ui.input(|input| input.key_pressed(egui::Key::Enter));
        match &mut dialog {
            Dialog::Files(browser) => match browser.show(ui, &app.keeping.settings.recent) {
                super::browser::Picked::Nothing => (),
                super::browser::Picked::Away => done = Some(0),
                super::browser::Picked::File(path) => picked = Some(path),
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
            Dialog::Rename { title, .. } => {
                ui.heading("Rename");
                line(ui, title, "a title", "title");
                done = buttons(ui, &["Cancel", "OK"]).or(enter.then_some(1));
            }
            Dialog::Find { text } => {
                ui.heading("Find");
                line(ui, text, "name, type or value", "find");
                done = buttons(ui, &["Cancel", "Find"]).or(enter.then_some(1));
            }
            Dialog::Close { tab, .. } => {
                let title = app.tabs.iter().find(|each| each.id == *tab).map(super::Tab::title).unwrap_or_default();
                ui.heading(format!("{} has changes", title.trim_end_matches(" •")));
                ui.label("They are lost if it is closed without saving.");
                done = buttons(ui, &["Cancel", "Close without saving", "Save"]).or(enter.then_some(2));
            }
        }
    });
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
pub(super) fn answer(app: &mut App, ctx: &Context, dialog: Dialog, choice: usize) {
    match dialog {
        Dialog::Files(_) => (),
        Dialog::Overwrite { tab, path } => {
            app.active = app.index(tab).unwrap_or(app.active);
            app.save(&path, super::files::Over::Replace);
        }
        Dialog::Picture { path, workflow } => match choice {
            1 => app.add_file("load_image", "file", &path),
            _ => app.restore(&path, workflow),
        },
        Dialog::Rename { node, title } => {
            app.step("rename", vec![Edit::Title(node, Some(title))]);
        }
        Dialog::Find { text } => find(app, &text),
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

/// Chooses the nodes that a text is found in, and shows them.
fn find(app: &mut App, text: &str) {
    let wanted = text.to_lowercase();
    let tab = app.tab_mut();
    let sheet = Arc::clone(tab.document.sheet());
    let met = sheet.nodes.iter().filter(|(_, node)| {
        let mut words = vec![node.name.clone(), node.kind.clone(), node.title.clone().unwrap_or_default()];
        words.extend(node.fields.iter().filter_map(|(name, _)| node.literal(name).map(ToString::to_string)));
        words.iter().any(|word| word.to_lowercase().contains(&wanted))
    });
    let nodes: std::collections::HashSet<_> = met.map(|(id, _)| *id).collect();
    if nodes.is_empty() {
        app.say(format!("`{text}` is found nowhere"));
        return;
    }
    tab.view.selection = Selection { nodes, ..Selection::default() };
    let App { tabs, active, backend, .. } = app;
    let tab = &mut tabs[*active];
    let what = tab.view.selection.clone();
    tab.with_view(&**backend, |view, state| state.fit(view, Some(&what)));
}

/// Shows what is said to the person, for a while.
pub fn notices(app: &mut App, ctx: &Context) {
    let now = ctx.input(|input| input.time);
    for (_, until) in app.notices.iter_mut().filter(|(_, until)| until.is_infinite()) {
        *until = now + NOTICE;
    }
    app.notices.retain(|(_, until)| *until > now);
    let theme = Theme::current(ctx);
    for (index, (text, until)) in app.notices.iter().rev().take(4).enumerate() {
        ctx.request_repaint_after_secs((*until - now) as f32);
        let area = Area::new(Id::unique(("notice", index))).order(Order::Foreground).interactable(false);
        area.anchor(Align2::CENTER_BOTTOM, vec2(0.0, -44.0 - 38.0 * index as f32)).show(ctx, |ui| {
            egui::Frame::popup(ui.style()).fill(theme.head).show(ui, |ui| {
                ui.set_max_width(640.0);
                ui.label(text);
            });
        });
    }
}

/// Shows a picture large.
pub fn large(app: &mut App, ctx: &Context) {
    let Some((index, mut by, mut zoom)) = app.large.take() else { return };
    let tab = app.tab();
    let Some(made) = tab.made.get(index) else { return };
    let last = tab.made.len() - 1;
    let screen = ctx.content_rect();
    let size = vec2(made.thumb.size.0 as f32, made.thumb.size.1 as f32);
    let fit = ((screen.size() - vec2(80.0, 120.0)) / size).min_elem().min(4.0);
    let mut open = true;
    let mut next = index;
    Area::new(Id::unique("large")).order(Order::Foreground).fixed_pos(screen.min).show(ctx, |ui| {
        let response = ui.interact(screen, Id::unique("large back"), Sense::click_and_drag());
        ui.painter().rect_filled(screen, 0.0, Color32::from_black_alpha(225));
        let scroll = ui.input(|input| input.smooth_scroll_delta.y);
        zoom = (zoom + scroll * 0.003).clamp(-1.5, 3.0);
        by += response.drag_delta();
        let place = Rect::from_center_size(screen.center() + by, size * fit * zoom.exp());
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().image(made.thumb.texture.id(), place, whole, Color32::WHITE);
        let name = made.path.display();
        let text =
            format!("{name}   {} × {}   {:.0} %", made.thumb.size.0, made.thumb.size.1, fit * zoom.exp() * 100.0);
        let at = screen.center_bottom() - vec2(0.0, 24.0);
        ui.painter().text(at, Align2::CENTER_CENTER, text, egui::FontId::proportional(13.0), Color32::LIGHT_GRAY);
        ui.input(|input| {
            if input.key_pressed(egui::Key::ArrowLeft) {
                next = index.saturating_sub(1);
            }
            if input.key_pressed(egui::Key::ArrowRight) {
                next = (index + 1).min(last);
            }
        });
        open = !response.clicked();
    });
    if open {
        app.large = Some(if next == index { (index, by, zoom) } else { (next, egui::Vec2::ZERO, 0.0) });
    }
}
