//! What is said to the person, for a while, over everything else.

use egui::{Align2, Area, Context, Id, Order, vec2};

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
        let area = Area::new(Id::unique(("notice", index))).order(Order::Tooltip).interactable(false);
        area.anchor(Align2::CENTER_BOTTOM, vec2(0.0, -44.0 - 38.0 * index as f32)).show(ctx, |ui| {
            egui::Frame::popup(ui.style()).fill(theme.head).show(ui, |ui| {
                ui.set_max_width(640.0);
                ui.label(text);
            });
        });
    }
}
