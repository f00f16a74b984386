//! Workflows to begin with: what each draws, and what it needs that is not there.

use std::sync::Arc;

use darkroom_core::fault::FaultKind;
use darkroom_core::graph;
use darkroom_core::plan::Wish;
use egui::{Color32, ColorImage, Context, Image, RichText, ScrollArea, Sense, TextureOptions, Ui, vec2};

use crate::app::{App, Dialog};
use crate::document::{Document, preamble};
use crate::session::{Ask, DocumentId};
use crate::status::Thumb;
use crate::theme::Theme;

/// A workflow to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// What it is called.
    pub name: &'static str,
    /// The workflow, as a file holds it; the comments at its head say what it is for.
    pub text: &'static str,
    /// A picture that it made, as a PNG.
    pub picture: Option<&'static [u8]>,
}

impl Template {
    /// Returns what it is for.
    fn about(&self) -> String {
        let lines = preamble(self.text).lines().map(|line| line.trim().trim_start_matches('/').trim());
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ").replace('`', "")
    }
}

/// A template as it is shown.
pub struct Card {
    template: Template,
    about: String,
    thumb: Option<Thumb>,
    /// What it needs that is not there.
    missing: Vec<String>,
}

/// Width of the dialog in points.
pub const WIDTH: f32 = 780.0;
/// Templates in a row.
const COLUMNS: usize = 3;
/// Height of a picture in points.
const PICTURE: f32 = 150.0;

/// A document that is never opened: whoever asks what a template needs.
const NOBODY: DocumentId = DocumentId(u64::MAX);

/// Looks what there is, and what each needs.
pub fn open(app: &mut App, ctx: &Context) {
    let templates = app.templates;
    let cards = templates.iter().map(|template| card(app, ctx, *template)).collect();
    app.dialog = Some(Dialog::Templates(cards));
}

fn card(app: &mut App, ctx: &Context, template: Template) -> Card {
    let ask = graph::read(template.text).ok().map(|loaded| Ask {
        document: NOBODY,
        revision: 0,
        path: None,
        graph: Arc::new(loaded.graph),
        wish: Wish::default(),
    });
    let faults = ask.and_then(|ask| app.backend.check(&ask).err()).unwrap_or_default();
    let missing = faults.0.into_iter().filter(|located| located.fault.kind != FaultKind::Graph);
    let missing = missing.map(|located| located.fault.message).collect();
    let thumb = template.picture.and_then(|bytes| image::load_from_memory(bytes).ok()).map(|picture| {
        let small = picture.thumbnail(512, 512).to_rgba8();
        let size = [small.width() as usize, small.height() as usize];
        let image = ColorImage::from_rgba_unmultiplied(size, small.as_raw());
        let texture = ctx.load_texture(format!("template {}", template.name), image, TextureOptions::LINEAR);
        Thumb { texture, size: (picture.width(), picture.height()) }
    });
    Card { about: template.about(), template, thumb, missing }
}

/// Shows them; returns the one that was chosen.
pub fn show(ui: &mut Ui, cards: &[Card]) -> Option<Template> {
    ui.heading("Templates");
    ui.add_space(4.0);
    let mut chosen = None;
    ScrollArea::vertical().max_height(560.0).show(ui, |ui| {
        let gap = ui.spacing().item_spacing.x;
        let width = (ui.available_width() - gap * COLUMNS as f32) / COLUMNS as f32;
        for row in cards.chunks(COLUMNS) {
            ui.horizontal_top(|ui| {
                for card in row {
                    ui.allocate_ui(vec2(width, 0.0), |ui| {
                        ui.set_width(width);
                        if show_card(ui, card, width) {
                            chosen = Some(card.template);
                        }
                    });
                }
            });
            ui.add_space(10.0);
        }
    });
    chosen
}

fn show_card(ui: &mut Ui, card: &Card, width: f32) -> bool {
    let theme = Theme::current(ui.ctx());
    let shown = ui.vertical(|ui| {
        let (room, _) = ui.allocate_exact_size(vec2(width, PICTURE), Sense::hover());
        ui.painter().rect_filled(room, 6.0, theme.field);
        match &card.thumb {
            Some(thumb) => {
                // The middle of it, as much as there is room for.
                let size = vec2(thumb.size.0 as f32, thumb.size.1 as f32);
                let share = (room.size() / size) / (room.size() / size).max_elem();
                let part = egui::Rect::from_center_size(egui::pos2(0.5, 0.5), share);
                let image = Image::new((thumb.texture.id(), room.size())).uv(part).corner_radius(6);
                image.paint_at(ui, room);
            }
            None => {
                let font = egui::FontId::proportional(12.0);
                ui.painter().text(room.center(), egui::Align2::CENTER_CENTER, "no picture", font, theme.weak);
            }
        }
        ui.strong(card.template.name);
        ui.add(egui::Label::new(RichText::new(&card.about).weak()).wrap());
        for missing in &card.missing {
            ui.add(egui::Label::new(RichText::new(missing).color(theme.warning)).wrap());
        }
    });
    let rect = shown.response.rect;
    let response = ui.interact(rect, ui.scope_id().with(("template", card.template.name)), Sense::click());
    let name = format!("template {}", card.template.name);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Button, true, name.clone()));
    if response.hovered() {
        ui.ctx().set_cursor_icon(egui::CursorIcon::PointingHand);
    }
    let edge = if response.hovered() || response.has_focus() { theme.accent } else { Color32::TRANSPARENT };
    let stroke = egui::Stroke::new(1.5, edge);
    ui.painter().rect_stroke(rect.expand(4.0), 8.0, stroke, egui::StrokeKind::Inside);
    response.clicked()
}

/// Opens a template in a tab of its own.
pub fn begin(app: &mut App, template: Template) {
    // All of them are tested.
    if let Ok(opened) = Document::read(template.text, None) {
        app.take(opened.document, opened.warnings);
    }
}
