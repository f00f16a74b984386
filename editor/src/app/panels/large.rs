//! A picture seen large, alone or compared with a second one, which then moves and grows with it.

use std::path::{Path, PathBuf};

use egui::{Align2, Area, Color32, Context, CursorIcon, FontId, Id, Key, Order, Painter, Rect, Sense, Stroke, Ui};
use egui::{Vec2, pos2, vec2};

use crate::app::App;
use crate::app::gallery::{Deed, Large, Way};
use crate::app::recall::Recall;
use crate::app::shelf::Size;
use crate::status::Thumb;

/// How near to the line between two pictures it can be taken hold of.
const NEAR: f32 = 12.0;
/// Room for the words below.
const BELOW: f32 = 76.0;

/// What is asked for in this view.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Deed(Deed),
    Compare,
    Way,
    Swap,
    Step(isize),
    Fit,
    Close,
}

/// Keys of this view, with what they do and what stands on its button.
const KEYS: [(Key, Asked, &str); 10] = [
    (Key::S, Asked::Deed(Deed::Recall(Recall::Seeds)), "Seed (S)"),
    (Key::P, Asked::Deed(Deed::Recall(Recall::Prompts)), "Prompt (P)"),
    (Key::A, Asked::Deed(Deed::Recall(Recall::All)), "Values (A)"),
    (Key::W, Asked::Deed(Deed::Graph), "Graph (W)"),
    (Key::Period, Asked::Deed(Deed::Star), "Star (.)"),
    (Key::Delete, Asked::Deed(Deed::Delete), "Delete"),
    (Key::F, Asked::Fit, "Fit (F)"),
    (Key::C, Asked::Compare, "Compare (C)"),
    (Key::M, Asked::Way, "Way (M)"),
    (Key::X, Asked::Swap, "Swap (X)"),
];

/// Shows a picture large.
pub fn large(app: &mut App, ctx: &Context) {
    let Some(mut large) = app.large.take() else { return };
    let list = app.pictures();
    let screen = ctx.content_rect();
    let mut asked = if app.dialog.is_none() { keys(ctx) } else { None };
    let area = Area::new(Id::unique("large")).order(Order::Foreground).fixed_pos(screen.min);
    area.show(ctx, |ui| {
        // Pictures are looked at in the dark, whatever surrounds them else.
        *ui.visuals_mut() = ctx.style_of(egui::Theme::Dark).visuals.clone();
        let back = ui.interact(screen, Id::unique("large back"), Sense::click_and_drag());
        ui.painter().rect_filled(screen, 0.0, Color32::from_rgb(0x12, 0x11, 0x10));
        let room = Rect::from_min_max(screen.min, screen.max - vec2(0.0, BELOW));
        let pictures = [Some(large.path.clone()), large.second.clone()];
        let pictures = pictures.map(|path| path.and_then(|path| app.shelf.picture(&path, Size::Whole)));
        hand(ui, &back, room, &mut large);
        show(ui, room, &large, &pictures);
        if back.clicked() && large.second.is_none() {
            asked = Some(Asked::Close);
        }
        words(ui, room, &large, &pictures);
        let bar = Rect::from_min_max(pos2(screen.left() + 12.0, screen.bottom() - 36.0), screen.max - vec2(12.0, 6.0));
        ui.scope_builder(egui::UiBuilder::new().max_rect(bar), |ui| {
            ui.horizontal(|ui| buttons(ui, &large, &mut asked));
        });
    });
    match asked {
        Some(Asked::Close) => return,
        Some(Asked::Deed(deed)) => {
            let path = large.path.clone();
            app.large = Some(large);
            app.deed(ctx, &path, deed);
            return;
        }
        Some(asked) => apply(&mut large, asked, &list, &app.gallery.chosen),
        None => (),
    }
    app.large = Some(large);
}

fn keys(ctx: &Context) -> Option<Asked> {
    ctx.input(|input| {
        let bare = input.modifiers.is_none();
        let key = KEYS.iter().find(|(key, ..)| bare && input.key_pressed(*key)).map(|(_, asked, _)| *asked);
        let step = |key, by| input.key_pressed(key).then_some(Asked::Step(by));
        let copied = input.events.iter().any(|event| matches!(event, egui::Event::Copy));
        let copied = copied.then_some(Asked::Deed(Deed::Copy));
        key.or(step(Key::ArrowLeft, -1)).or(step(Key::ArrowRight, 1)).or(copied)
    })
}

/// Does what concerns this view alone.
fn apply(large: &mut Large, asked: Asked, list: &[PathBuf], chosen: &[PathBuf]) {
    match asked {
        Asked::Compare => {
            large.second = match large.second {
                Some(_) => None,
                None => {
                    let other = chosen.iter().find(|path| **path != large.path);
                    other.cloned().or_else(|| step(list, &large.path, 1)).or_else(|| step(list, &large.path, -1))
                }
            };
        }
        Asked::Way => {
            let at = Way::ALL.iter().position(|(way, _)| *way == large.way).unwrap_or(0);
            large.way = Way::ALL[(at + 1) % Way::ALL.len()].0;
        }
        Asked::Swap => {
            if let Some(second) = &mut large.second {
                std::mem::swap(&mut large.path, second);
            }
        }
        // While two are compared, the second one is another.
        Asked::Step(by) => match &mut large.second {
            Some(second) => *second = step(list, second, by).unwrap_or_else(|| second.clone()),
            None => {
                if let Some(path) = step(list, &large.path, by) {
                    *large = Large { way: large.way, ..Large::new(path) };
                }
            }
        },
        Asked::Fit => (large.by, large.zoom) = (Vec2::ZERO, 0.0),
        Asked::Deed(_) | Asked::Close => (),
    }
}

/// The picture so many places further.
fn step(list: &[PathBuf], from: &Path, by: isize) -> Option<PathBuf> {
    let index = list.iter().position(|path| path == from)?;
    list.get(index.checked_add_signed(by)?).cloned()
}

/// Moves, grows, and moves the line.
fn hand(ui: &Ui, back: &egui::Response, room: Rect, large: &mut Large) {
    let line = room.left() + room.width() * large.split;
    let divides = large.second.is_some() && large.way == Way::Line;
    let near = |at: egui::Pos2| divides && (at.x - line).abs() < NEAR && room.contains(at);
    let held = Id::unique("large line");
    if back.drag_started() {
        let on_line = ui.input(|input| input.pointer.press_origin()).is_some_and(near);
        ui.data_mut(|data| data.insert_temp(held, on_line));
    }
    if back.hover_pos().is_some_and(near) {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
    if back.dragged() {
        match ui.data(|data| data.get_temp(held)).unwrap_or(false) {
            true => large.split = (large.split + back.drag_delta().x / room.width()).clamp(0.02, 0.98),
            false => large.by += back.drag_delta(),
        }
    }
    let scroll = ui.input(|input| input.smooth_scroll_delta.y);
    if let (true, Some(at)) = (scroll != 0.0, back.hover_pos()) {
        let zoom = (large.zoom + scroll * 0.003).clamp(-1.5, 4.0);
        // What lies under the hand stays there.
        let from = at - room.center() - large.by;
        large.by += from * (1.0 - (zoom - large.zoom).exp());
        large.zoom = zoom;
    }
}

/// Where a picture lies: all of it at first, in the middle of its room.
fn place(thumb: &Thumb, room: Rect, large: &Large) -> Rect {
    let size = vec2(thumb.size.0 as f32, thumb.size.1 as f32);
    Rect::from_center_size(room.center() + large.by, size * fit(size, room) * large.zoom.exp())
}

fn fit(size: Vec2, room: Rect) -> f32 {
    ((room.size() - vec2(48.0, 48.0)).max(vec2(32.0, 32.0)) / size).min_elem().min(4.0)
}

fn image(painter: &Painter, thumb: &Thumb, place: Rect) {
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    painter.image(thumb.texture.id(), place, whole, Color32::WHITE);
}

fn show(ui: &Ui, room: Rect, large: &Large, [first, second]: &[Option<Thumb>; 2]) {
    let all = ui.painter().with_clip_rect(room);
    let letter = |painter: &Painter, text: &str, at: egui::Pos2, align: Align2| {
        let font = FontId::proportional(15.0);
        painter.text(at + vec2(1.0, 1.0), align, text, font.clone(), Color32::BLACK);
        painter.text(at, align, text, font, Color32::WHITE);
    };
    let wait = |painter: &Painter, room: Rect| {
        painter.text(room.center(), Align2::CENTER_CENTER, "…", FontId::proportional(24.0), Color32::GRAY);
    };
    let Some(first) = first else { return wait(&all, room) };
    if large.second.is_none() {
        return image(&all, first, place(first, room, large));
    }
    let Some(second) = second else {
        image(&all, first, place(first, room, large));
        return wait(&all, room);
    };
    match large.way {
        Way::Line => {
            let x = room.left() + room.width() * large.split;
            let left = Rect::from_min_max(room.min, pos2(x, room.bottom()));
            let right = Rect::from_min_max(pos2(x, room.top()), room.max);
            image(&all.with_clip_rect(left), first, place(first, room, large));
            image(&all.with_clip_rect(right), second, place(second, room, large));
            all.line_segment([pos2(x, room.top()), pos2(x, room.bottom())], Stroke::new(2.0, Color32::WHITE));
            all.circle_filled(pos2(x, room.center().y), 7.0, Color32::WHITE);
            letter(&all, "A", left.right_top() + vec2(-10.0, 10.0), Align2::RIGHT_TOP);
            letter(&all, "B", right.left_top() + vec2(10.0, 10.0), Align2::LEFT_TOP);
        }
        Way::Beside => {
            let middle = room.center().x;
            let left = Rect::from_min_max(room.min, pos2(middle, room.bottom()));
            let right = Rect::from_min_max(pos2(middle, room.top()), room.max);
            image(&all.with_clip_rect(left), first, place(first, left, large));
            image(&all.with_clip_rect(right), second, place(second, right, large));
            letter(&all, "A", left.left_top() + vec2(12.0, 10.0), Align2::LEFT_TOP);
            letter(&all, "B", right.left_top() + vec2(12.0, 10.0), Align2::LEFT_TOP);
        }
        Way::Hover => {
            let over =
                ui.input(|input| input.pointer.hover_pos()).is_some_and(|at| place(first, room, large).contains(at));
            let (thumb, text) = if over { (second, "B") } else { (first, "A") };
            image(&all, thumb, place(thumb, room, large));
            letter(&all, text, room.left_top() + vec2(12.0, 10.0), Align2::LEFT_TOP);
        }
    }
}

/// What is seen, in words.
fn words(ui: &mut Ui, room: Rect, large: &Large, [first, second]: &[Option<Thumb>; 2]) {
    let name = |path: &Path, thumb: &Option<Thumb>| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match thumb {
            Some(thumb) => format!("{name}   {} × {}", thumb.size.0, thumb.size.1),
            None => name,
        }
    };
    let zoom = first
        .as_ref()
        .map_or(1.0, |thumb| fit(vec2(thumb.size.0 as f32, thumb.size.1 as f32), room) * large.zoom.exp());
    let text = match &large.second {
        None => format!("{}   {:.0} %", name(&large.path, first), zoom * 100.0),
        Some(path) => {
            let way = Way::ALL.iter().find(|(way, _)| *way == large.way).map_or("", |(_, word)| word);
            format!("A {}   —   B {}   —   {way}", name(&large.path, first), name(path, second))
        }
    };
    let line = Rect::from_min_max(pos2(room.left(), room.bottom()), pos2(room.right(), room.bottom() + 34.0));
    let label = egui::Label::new(egui::RichText::new(text).color(Color32::LIGHT_GRAY)).selectable(false);
    ui.put(line, label);
}

fn buttons(ui: &mut Ui, large: &Large, asked: &mut Option<Asked>) {
    for (_, each, title) in KEYS {
        let pairs = matches!(each, Asked::Way | Asked::Swap);
        if pairs && large.second.is_none() {
            continue;
        }
        let pressed = each == Asked::Compare && large.second.is_some();
        if ui.selectable_label(pressed, title).clicked() {
            *asked = Some(each);
        }
    }
    if ui.button("Copy").on_hover_text("copy the picture (Ctrl+C)").clicked() {
        *asked = Some(Asked::Deed(Deed::Copy));
    }
    if ui.button("Close (Esc)").clicked() {
        *asked = Some(Asked::Close);
    }
}
