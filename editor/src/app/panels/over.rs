//! What lies over everything: notices, and pictures seen large.

use egui::{Align2, Area, Color32, Context, Id, Order, Rect, Sense, pos2, vec2};

use crate::app::App;
use crate::theme::Theme;

/// Seconds that a notice stays.
const NOTICE: f64 = 5.0;

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
