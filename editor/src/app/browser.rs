//! The file browser: a folder's list, a field to type in, and keys for both.
//!
//! Up and Down choose, Enter opens, Tab completes, Backspace in an empty field leads to the folder above. A typed path
//! that ends in a separator leads there at once.

use std::path::{Path, PathBuf};

use darkroom_core::spec::FileSort;
use egui::text::{CCursor, CCursorRange};
use egui::{
    Button, Id, Key, Modifiers, Rect, RichText, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, Ui, pos2, vec2,
};

use super::files::noun;
use crate::document::NodeId;
use crate::session::{Folder, Sort, is_model_folder, sort_of};
use crate::theme::Theme;

/// The browser, open.
pub struct Browser {
    /// What it is for.
    pub purpose: Purpose,
    folder: Folder,
    /// Whether what is chosen may be out of sight.
    stepped: bool,
}

/// What a file is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be opened.
    Open,
    /// To be written.
    Save,
    /// To be named in a field of a node.
    Field {
        /// The node.
        node: NodeId,
        /// The field.
        input: &'static str,
        /// What the file is to be.
        sort: FileSort,
    },
}

/// What came of a frame.
pub enum Picked {
    /// Nothing yet.
    Nothing,
    /// It was given up.
    Away,
    /// A file.
    File(PathBuf),
}

/// Width of the browser.
pub const WIDTH: f32 = 620.0;
/// Height of the list.
const LIST: f32 = 300.0;
/// Height of a line of the list.
const LINE: f32 = 24.0;
/// Width of the column of places.
const PLACES: f32 = 132.0;

impl Browser {
    /// Looks for a file to open.
    pub fn open(folder: &Path) -> Self {
        let wanted = |sort: Sort| sort != Sort::Other;
        Self { purpose: Purpose::Open, folder: Folder::open(folder, wanted), stepped: true }
    }

    /// Looks for a file for a field.
    pub fn for_field(folder: &Path, node: NodeId, input: &'static str, sort: FileSort) -> Self {
        let wanted = match sort {
            FileSort::Picture => |sort: Sort| sort == Sort::Picture,
            _ => |sort: Sort| sort == Sort::Model,
        };
        let purpose = Purpose::Field { node, input, sort };
        Self { purpose, folder: Folder::open(folder, wanted), stepped: true }
    }

    /// Looks for a place to save a workflow, under a name to begin with.
    pub fn save(folder: &Path, name: &str) -> Self {
        let mut folder = Folder::open(folder, |sort| sort == Sort::Workflow);
        folder.narrows = false;
        folder.type_text(name);
        Self { purpose: Purpose::Save, folder, stepped: true }
    }

    /// Shows it; `recent` are files whose folders are near at hand.
    pub fn show(&mut self, ui: &mut Ui, recent: &[PathBuf]) -> Picked {
        let (title, verb) = match self.purpose {
            Purpose::Open => ("Open a workflow, a picture or a model".to_owned(), "Open"),
            Purpose::Save => ("Save as".to_owned(), "Save"),
            Purpose::Field { input, sort, .. } => {
                (format!("Choose {} for `{}`", noun(sort), input.replace('_', " ")), "Choose")
            }
        };
        ui.heading(title);
        ui.add_space(4.0);
        let mut picked = self.keys(ui);
        self.crumbs(ui);
        ui.add_space(2.0);
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(PLACES);
                self.places(ui, recent);
            });
            ui.vertical(|ui| {
                if let Some(index) = self.list(ui) {
                    self.folder.chosen = Some(index);
                    picked = self.pick();
                }
            });
        });
        ui.add_space(4.0);
        self.field(ui);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.add_enabled(self.folder.picked().is_some(), Button::new(verb)).clicked() {
                picked = self.pick();
            }
            if ui.button("Cancel").clicked() {
                picked = Picked::Away;
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.label(RichText::new("Tab completes, Enter opens, ~ is your folder").weak().size(11.0));
            });
        });
        picked
    }

    /// Goes into what is meant, if it is a folder, or else picks it.
    fn pick(&mut self) -> Picked {
        let Some(path) = self.folder.picked() else { return Picked::Nothing };
        let is_model = match self.purpose {
            Purpose::Open => sort_of(&path) == Sort::Model,
            Purpose::Save | Purpose::Field { sort: FileSort::Picture, .. } => false,
            Purpose::Field { .. } => is_model_folder(&path),
        };
        if path.is_dir() && !is_model {
            self.folder.go(&path);
            return Picked::Nothing;
        }
        match self.purpose {
            Purpose::Save if path.extension().is_none() => Picked::File(path.with_extension("ron")),
            _ => Picked::File(path),
        }
    }

    fn keys(&mut self, ui: &Ui) -> Picked {
        let pressed = |key: Key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::ArrowDown) {
            self.step(1);
        }
        if pressed(Key::ArrowUp) {
            self.step(-1);
        }
        if pressed(Key::Tab) {
            self.folder.complete();
            let (end, id) = (self.folder.typed.chars().count(), field_id());
            if let Some(mut state) = TextEdit::load_state(ui.ctx(), id) {
                state.cursor.set_char_range(Some(CCursorRange::one(CCursor::new(end))));
                state.store(ui.ctx(), id);
            }
        }
        if self.folder.typed.is_empty() && pressed(Key::Backspace) {
            self.folder.up();
        }
        if pressed(Key::Enter) { self.pick() } else { Picked::Nothing }
    }

    fn step(&mut self, by: i64) {
        self.folder.step(by);
        self.stepped = true;
    }

    fn crumbs(&mut self, ui: &mut Ui) {
        let path = self.folder.path.clone();
        let mut chain: Vec<_> = path.ancestors().collect();
        chain.reverse();
        let mut to = None;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            let first = chain.len().saturating_sub(5);
            if first > 0 {
                ui.weak("…");
            }
            for (index, each) in chain.iter().enumerate().skip(first) {
                let name = each.file_name().map_or_else(|| each.to_string_lossy(), |name| name.to_string_lossy());
                if index > first {
                    ui.weak("›");
                }
                if ui.add(Button::new(name.as_ref()).frame(false)).clicked() {
                    to = Some((*each).to_owned());
                }
            }
        });
        if let Some(to) = to {
            self.folder.go(&to);
        }
    }

    fn places(&mut self, ui: &mut Ui, recent: &[PathBuf]) {
        let home = std::env::home_dir().map(|home| ("Home".to_owned(), home));
        let here = std::env::current_dir().ok().map(|here| ("Working folder".to_owned(), here));
        let mut places: Vec<_> = home.into_iter().chain(here).collect();
        for folder in recent.iter().filter_map(|file| file.parent()) {
            if places.len() < 9 && !places.iter().any(|(_, known)| known == folder) {
                let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
                places.push((name.unwrap_or_else(|| folder.display().to_string()), folder.to_owned()));
            }
        }
        for (name, folder) in places {
            let button = Button::selectable(folder == self.folder.path, name).truncate();
            if ui.add(button.min_size(vec2(PLACES, LINE))).on_hover_text(folder.display().to_string()).clicked() {
                self.folder.go(&folder);
            }
        }
    }

    /// Shows the list; returns what is picked in it.
    fn list(&mut self, ui: &mut Ui) -> Option<usize> {
        let theme = Theme::current(ui.ctx());
        let mut picked = None;
        let frame = egui::Frame::new().fill(theme.field).corner_radius(5).inner_margin(4.0);
        frame.show(ui, |ui| {
            ui.set_height(LIST);
            ui.spacing_mut().item_spacing.y = 0.0;
            if let Some(fault) = &self.folder.fault {
                ui.colored_label(theme.error, &fault.message);
            } else if self.folder.entries.is_empty() {
                ui.weak(if self.folder.typed.is_empty() { "nothing here" } else { "nothing of that name" });
            }
            let mut area = ScrollArea::vertical().auto_shrink([false, false]);
            if let Some(chosen) = self.folder.chosen.filter(|_| self.stepped) {
                area = area.vertical_scroll_offset((chosen as f32 * LINE - LIST / 2.0).max(0.0));
            }
            self.stepped = false;
            let mut clicked = None;
            area.show_rows(ui, LINE, self.folder.entries.len(), |ui, rows| {
                for index in rows {
                    let response = self.line(ui, index, &theme);
                    if response.clicked() {
                        clicked = Some(index);
                    }
                    if response.double_clicked() {
                        picked = Some(index);
                    }
                }
            });
            if let Some(index) = clicked {
                self.folder.chosen = Some(index);
                let entry = &self.folder.entries[index];
                if self.purpose == Purpose::Save && entry.sort != Sort::Folder {
                    let name = entry.name.clone();
                    self.folder.type_text(&name);
                }
            }
        });
        picked
    }

    fn line(&self, ui: &mut Ui, index: usize, theme: &Theme) -> egui::Response {
        let entry = &self.folder.entries[index];
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LINE), Sense::click());
        let chosen = self.folder.chosen == Some(index);
        if chosen || response.hovered() {
            let fill = if chosen { ui.visuals().selection.bg_fill } else { theme.head };
            ui.painter().rect_filled(rect, 4.0, fill);
        }
        icon(ui, Rect::from_center_size(rect.left_center() + vec2(14.0, 0.0), vec2(14.0, 12.0)), entry.sort, theme);
        let at = rect.left_center() + vec2(30.0, 0.0);
        let font = egui::TextStyle::Body.resolve(ui.style());
        let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
        painter.text(at, egui::Align2::LEFT_CENTER, &entry.name, font, theme.text);
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_role(egui::accesskit::Role::ListItem);
            node.set_label(entry.name.clone());
        });
        response
    }

    fn field(&mut self, ui: &mut Ui) {
        let hint = match self.purpose {
            Purpose::Open | Purpose::Field { .. } => "part of a name, or a path",
            Purpose::Save => "a name, or a path",
        };
        let mut text = self.folder.typed.clone();
        let field = TextEdit::singleline(&mut text).id(field_id()).hint_text(hint).lock_focus(true);
        let response = ui.add(field.desired_width(f32::INFINITY).margin(vec2(8.0, 6.0)));
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("path"));
        if response.changed() {
            self.folder.type_text(&text);
        }
        // A field that asks again loses what it has said about the arrows: they would lead away from it.
        if !response.has_focus() {
            response.request_focus();
        }
    }
}

fn field_id() -> Id {
    Id::unique("path of a file")
}

/// Paints what a file is: the fonts have no such signs.
fn icon(ui: &Ui, rect: Rect, sort: Sort, theme: &Theme) {
    let (painter, stroke) = (ui.painter(), Stroke::new(1.2, theme.weak));
    match sort {
        Sort::Folder => {
            let tab = Rect::from_min_max(rect.min, pos2(rect.center().x, rect.top() + 4.0));
            painter.rect_filled(tab, 1.5, theme.warning);
            painter.rect_filled(rect.with_min_y(rect.top() + 2.5), 2.0, theme.warning);
        }
        Sort::Picture => {
            painter.rect_stroke(rect, 1.5, stroke, StrokeKind::Inside);
            painter.circle_filled(rect.left_top() + vec2(4.5, 4.0), 1.5, theme.weak);
            let (left, right) = (rect.left_bottom() + vec2(2.0, -2.0), rect.right_bottom() + vec2(-2.0, -2.0));
            painter.line(vec![left, rect.center() + vec2(0.5, 0.0), right], stroke);
        }
        Sort::Model => {
            for step in 0..3 {
                let top = rect.top() + step as f32 * 4.2;
                painter.rect_filled(Rect::from_min_size(pos2(rect.left(), top), vec2(14.0, 3.0)), 1.0, theme.weak);
            }
        }
        Sort::Workflow | Sort::Other => {
            let (a, b) = (rect.left_center() + vec2(2.5, 0.0), rect.right_center() - vec2(2.5, 0.0));
            painter.line_segment([a, b], stroke);
            painter.circle_filled(a, 2.5, theme.accent);
            painter.circle_filled(b, 2.5, theme.accent);
        }
    }
}
