//! All nodes there are, by their shelves, to be dragged onto the canvas.

use std::collections::BTreeMap;

use darkroom_core::spec::Spec;
use egui::{Align2, Button, DragAndDrop, FontId, Id, LayerId, Order, RichText, ScrollArea, Sense, TextEdit, Ui, vec2};

use crate::app::App;
use crate::app::palette::score;
use crate::fields::signs;
use crate::theme::Theme;

/// The type of a node that is in the hand.
#[derive(Debug, Clone, Copy)]
struct Held(&'static str);

/// Shows the shelves; a node is pulled from there, or put into the middle of the view by a double click.
pub fn show(app: &mut App, ui: &mut Ui) {
    let key = Id::unique("search in all nodes");
    let mut typed = ui.data(|data| data.get_temp::<String>(key)).unwrap_or_default();
    let edit = TextEdit::singleline(&mut typed).hint_text("search").desired_width(f32::INFINITY);
    let response = ui.add(edit.margin(vec2(8.0, 5.0)));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("search in all nodes"));
    ui.data_mut(|data| data.insert_temp(key, typed.clone()));
    let mut shelves: BTreeMap<&str, Vec<Spec>> = BTreeMap::new();
    for node in app.tab().registry(&*app.backend).all() {
        let spec = node.spec();
        if score(&typed, spec.title).or(score(&typed, spec.category)).is_some() {
            shelves.entry(spec.category).or_default().push(spec.clone());
        }
    }
    let mut put = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        for (shelf, nodes) in &shelves {
            ui.add_space(4.0);
            ui.label(RichText::new(*shelf).weak().size(11.0));
            for spec in nodes {
                if line(app, ui, spec) {
                    put = Some(spec.id);
                }
            }
        }
        if shelves.is_empty() {
            ui.weak("nothing of that name");
        }
    });
    if let Some(kind) = put {
        let middle = app.tab().view.camera.centre;
        app.add(kind, middle, None);
    }
    carry(app, ui);
}

/// One node; tells whether it was clicked twice.
fn line(app: &mut App, ui: &mut Ui, spec: &Spec) -> bool {
    let mut twice = false;
    ui.horizontal(|ui| {
        let is_favourite = app.keeping.settings.favourites.iter().any(|kind| kind == spec.id);
        let star = if is_favourite { signs::star_full } else { signs::star };
        let word = if is_favourite { "no favourite any more" } else { "a favourite" };
        if crate::fields::small_button(ui, &format!("make {} {word}", spec.title), star).clicked() {
            app.keeping.settings.favour(spec.id);
        }
        let button = Button::selectable(false, spec.title).right_text("").sense(Sense::click_and_drag());
        let response = ui.add(button.min_size(vec2(ui.available_width(), 22.0)).truncate());
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(spec.title));
        response.dnd_set_drag_payload(Held(spec.id));
        twice = response.double_clicked();
        let first = spec.doc.split("\n\n").next().unwrap_or_default().to_owned();
        response.on_hover_text(first);
    });
    twice
}

/// Shows what is in the hand, and puts it down where it is let go over the canvas.
fn carry(app: &mut App, ui: &Ui) {
    let ctx = ui.ctx();
    let Some(held) = DragAndDrop::payload::<Held>(ctx) else { return };
    let Some(at) = ctx.pointer_latest_pos() else { return };
    if ctx.input(|input| input.pointer.any_released()) {
        DragAndDrop::clear_payload(ctx);
        let view = &app.tab().view;
        let is_over = view.view.filter(|view| view.contains(at) && !ui.clip_rect().contains(at));
        if let Some(window) = is_over {
            let place = view.camera.transform(window).inverse() * at;
            app.add(held.0, place, None);
        }
        return;
    }
    let title = app.tab().registry(&*app.backend).get(held.0).map_or(held.0, |node| node.spec().title);
    let theme = Theme::current(ctx);
    let painter = ctx.layer_painter(LayerId::new(Order::Tooltip, Id::unique("node in the hand")));
    let galley = painter.layout_no_wrap(title.to_owned(), FontId::proportional(13.5), theme.text);
    let rect = Align2::CENTER_TOP.anchor_size(at, galley.size()).expand2(vec2(12.0, 6.0));
    painter.rect(rect, 8, theme.head, egui::Stroke::new(1.0, theme.accent), egui::StrokeKind::Outside);
    painter.galley(rect.min + vec2(12.0, 6.0), galley, theme.text);
}
