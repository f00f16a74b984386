//! The gallery: pictures as a grid, and what is known of the one that is chosen.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use darkroom_core::residency::gibibytes;
use egui::{Align2, Color32, CornerRadius, FontId, Label, Panel, Rect, RichText, ScrollArea, Sense, Slider, Stroke};
use egui::{StrokeKind, TextEdit, Ui, pos2, vec2};

use crate::app::App;
use crate::app::gallery::{Deed, Large, Scope};
use crate::app::recall::Recall;
use crate::app::shelf::Size;
use crate::app::times::{ago, date, lasted, now};
use crate::fields::signs;
use crate::theme::Theme;

/// Room between pictures.
const GAP: f32 = 6.0;
/// Least and greatest edge of a thumbnail.
const EDGES: std::ops::RangeInclusive<f32> = 64.0..=384.0;

/// Shows the gallery.
pub fn show(app: &mut App, ui: &mut Ui) {
    head(app, ui);
    let list = app.pictures();
    if !app.gallery.chosen.is_empty() {
        Panel::bottom("chosen picture").show_separator_line(true).show(ui, |ui| {
            ui.add_space(4.0);
            chosen(app, ui);
        });
    }
    if list.is_empty() {
        ui.add_space(12.0);
        ui.add(Label::new(RichText::new(nothing(app)).color(Theme::current(ui.ctx()).weak)).wrap());
        return;
    }
    grid(app, ui, &list);
}

/// Why there is nothing to see.
fn nothing(app: &App) -> &'static str {
    let sifted = app.gallery.starred || !app.gallery.filter.trim().is_empty();
    match (sifted, app.gallery.scope) {
        (true, _) => "No picture is like this.",
        (false, Scope::Tab | Scope::All) => "Pictures appear here once something has run. Press Run, or Ctrl+Enter.",
        (false, Scope::Folder) if app.keeping.disk.output.is_none() => "There is no output folder.",
        (false, Scope::Folder) => "The output folder has no pictures yet.",
    }
}

fn head(app: &mut App, ui: &mut Ui) {
    ui.horizontal_wrapped(|ui| {
        for (scope, title, about) in [
            (Scope::Tab, "This", "pictures of this workflow"),
            (Scope::All, "All", "pictures of all open workflows"),
            (Scope::Folder, "Folder", "all pictures of the output folder, of earlier times too"),
        ] {
            let button = ui.selectable_label(app.gallery.scope == scope, title).on_hover_text(about);
            if button.clicked() {
                app.gallery.scope = scope;
                if let (Scope::Folder, Some(folder)) = (scope, app.keeping.disk.output.clone()) {
                    app.shelf.look_again(&folder);
                }
            }
        }
        let starred = ui.selectable_label(app.gallery.starred, "Starred").on_hover_text("only those with a star");
        if starred.clicked() {
            app.gallery.starred = !app.gallery.starred;
        }
    });
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 96.0).max(80.0);
        let filter = TextEdit::singleline(&mut app.gallery.filter).hint_text("name, prompt, seed").desired_width(width);
        let field = ui.add(filter);
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("filter the pictures"));
        ui.spacing_mut().slider_width = ui.available_width() - 4.0;
        let edge = &mut app.keeping.settings.thumbnail;
        let slider = ui.add(Slider::new(edge, EDGES).show_value(false));
        ui.ctx().accesskit_node_builder(slider.id, |node| node.set_label("size of the pictures"));
        slider.on_hover_text("size of the pictures");
    });
    ui.add_space(2.0);
}

fn grid(app: &mut App, ui: &mut Ui, list: &Arc<Vec<PathBuf>>) {
    let width = ui.available_width() - 10.0;
    let wanted = app.keeping.settings.thumbnail;
    let columns = (((width + GAP) / (wanted + GAP)).round() as usize).max(1);
    let edge = ((width + GAP) / columns as f32 - GAP).floor();
    let rows = list.len().div_ceil(columns);
    ui.spacing_mut().item_spacing = vec2(GAP, GAP);
    ScrollArea::vertical().auto_shrink([false, false]).show_rows(ui, edge, rows, |ui, shown| {
        for row in shown {
            ui.horizontal(|ui| {
                for path in list.iter().skip(row * columns).take(columns) {
                    cell(app, ui, path, edge);
                }
            });
        }
    });
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn cell(app: &mut App, ui: &mut Ui, path: &Path, edge: f32) {
    let theme = Theme::current(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(vec2(edge, edge), Sense::click());
    let label = format!("result {}", name(path));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_role(egui::accesskit::Role::Button);
        node.set_label(label);
    });
    let painter = ui.painter_at(rect.expand(2.0));
    painter.rect_filled(rect, 5.0, theme.field);
    match app.shelf.picture(path, Size::Small) {
        Some(thumb) => {
            let size = vec2(thumb.size.0 as f32, thumb.size.1 as f32);
            let place = Rect::from_center_size(rect.center(), size * (edge / size.max_elem()));
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            painter.image(thumb.texture.id(), place, whole, Color32::WHITE);
        }
        None => {
            let text = if app.shelf.fault(path).is_some() { "cannot be read" } else { "…" };
            painter.text(rect.center(), Align2::CENTER_CENTER, text, FontId::proportional(11.0), theme.weak);
        }
    }
    if app.gallery.stars.has(path) {
        signs::star_full(&painter, rect.right_top() + vec2(-12.0, 12.0), theme.warning);
    }
    let place = app.gallery.chosen.iter().position(|chosen| chosen == path);
    let colour = if place.is_some() {
        Some(theme.accent)
    } else {
        (response.hovered() || response.has_focus()).then_some(theme.weak)
    };
    if let Some(colour) = colour {
        painter.rect_stroke(rect, CornerRadius::same(5), Stroke::new(2.0, colour), StrokeKind::Inside);
    }
    if let (Some(place), 2) = (place, app.gallery.chosen.len()) {
        let at = rect.left_top() + vec2(12.0, 12.0);
        painter.circle_filled(at, 9.0, theme.accent);
        painter.text(at, Align2::CENTER_CENTER, ["A", "B"][place], FontId::proportional(11.0), theme.on_accent);
    }
    if response.double_clicked() {
        app.large = Some(Large::new(path.to_owned()));
    } else if response.clicked() {
        let besides = ui.input(|input| input.modifiers.command || input.modifiers.shift);
        app.gallery.choose(path, besides);
    }
    response.context_menu(|ui| menu(app, ui, path));
}

/// Each deed with its title.
const DEEDS: [(Deed, &str); 10] = [
    (Deed::Enlarge, "Look at it large"),
    (Deed::Recall(Recall::Seeds), "Use its seed"),
    (Deed::Recall(Recall::Prompts), "Use its prompt"),
    (Deed::Recall(Recall::All), "Use all its values"),
    (Deed::Graph, "Open its graph in a tab"),
    (Deed::Star, "Star"),
    (Deed::Copy, "Copy the picture"),
    (Deed::Path, "Copy its path"),
    (Deed::Folder, "Show its folder"),
    (Deed::Delete, "Delete…"),
];

fn menu(app: &mut App, ui: &mut Ui, path: &Path) {
    for (deed, title) in DEEDS {
        let title = if deed == Deed::Star && app.gallery.stars.has(path) { "Take its star away" } else { title };
        if ui.button(title).clicked() {
            let ctx = ui.ctx().clone();
            app.deed(&ctx, path, deed);
            ui.close();
        }
    }
}

/// What is known of the picture that is chosen, and what can be done with it.
fn chosen(app: &mut App, ui: &mut Ui) {
    let paths = app.gallery.chosen.clone();
    let mut deed = None;
    match &paths[..] {
        [path] => {
            about(app, ui, path);
            ui.horizontal_wrapped(|ui| {
                let star = if app.gallery.stars.has(path) { "Unstar" } else { "Star" };
                let short = [
                    (Deed::Enlarge, "Large"),
                    (Deed::Star, star),
                    (Deed::Recall(Recall::Seeds), "Seed"),
                    (Deed::Recall(Recall::Prompts), "Prompt"),
                    (Deed::Recall(Recall::All), "Values"),
                    (Deed::Graph, "Graph"),
                    (Deed::Copy, "Copy"),
                    (Deed::Delete, "Delete"),
                ];
                for (each, title) in short {
                    let about = DEEDS.iter().find(|(known, _)| *known == each).map_or("", |(_, about)| about);
                    if ui.small_button(title).on_hover_text(about).clicked() {
                        deed = Some(each);
                    }
                }
            });
            if let Some(deed) = deed {
                let ctx = ui.ctx().clone();
                app.deed(&ctx, path, deed);
            }
        }
        [first, second] => {
            for (letter, path) in [("A", first), ("B", second)] {
                ui.horizontal(|ui| {
                    ui.strong(letter);
                    ui.add(Label::new(name(path)).truncate());
                });
            }
            ui.horizontal(|ui| {
                if ui.button("Compare").on_hover_text("one beside the other, large").clicked() {
                    app.large = Some(Large { second: Some(second.clone()), ..Large::new(first.clone()) });
                }
                if ui.button("Delete both").clicked() {
                    app.dialog = Some(crate::app::Dialog::Delete { paths: paths.clone() });
                }
            });
        }
        _ => (),
    }
    ui.add_space(4.0);
}

fn about(app: &mut App, ui: &mut Ui, path: &Path) {
    ui.add(Label::new(RichText::new(name(path)).strong()).truncate()).on_hover_text(path.display().to_string());
    let mut words = Vec::new();
    if let Some(about) = app.shelf.about(path) {
        words.push(format!("{} × {}", about.size.0, about.size.1));
        words.push(gibibytes(about.bytes));
    }
    words.extend(app.seconds_of(path).map(lasted));
    let time = app.time_of(path);
    words.extend(time.map(|at| ago(at, now())));
    let line = ui.weak(words.join(" · "));
    if let Some(at) = time {
        line.on_hover_text(date(at));
    }
    if let Some(fault) = app.shelf.fault(path) {
        let text = RichText::new(fault.message.clone()).color(Theme::current(ui.ctx()).error);
        ui.add(Label::new(text).wrap());
        return;
    }
    let Some(facts) = app.facts_of(path) else { return };
    let mut words = Vec::new();
    for (title, all) in [("seed", &facts.seeds), ("model", &facts.models)] {
        if !all.is_empty() {
            words.push(format!("{title} {}", all.join(", ")));
        }
    }
    ui.add(Label::new(RichText::new(words.join(" · ")).weak()).wrap());
    ScrollArea::vertical().id_salt("prompts").max_height(72.0).auto_shrink([false, true]).show(ui, |ui| {
        for prompt in &facts.prompts {
            ui.add(Label::new(prompt).wrap());
        }
    });
}
