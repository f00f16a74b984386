//! Seeds: fixed, or left to chance.

use darkroom_core::graph::check::RANDOM;
use darkroom_core::literal::Literal;
use egui::{Align2, FontId, Rect, Ui, vec2};

use super::{Change, Shown};
use crate::icons;
use crate::theme::Theme;

impl Shown<'_> {
    pub(super) fn seed(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        let random = matches!(self.current(), Some(Literal::Text(word)) if word == RANDOM);
        let (left, right) = room.split_left_right_at_x(room.right() - 24.0);
        let response = self.put(ui, "random", right, egui::Button::selectable(random, ""));
        let colour = if random || response.hovered() { theme.text } else { theme.weak };
        icons::die(ui.painter(), right.center(), colour);
        let response = response.on_hover_text(match random {
            true => "a new seed is drawn for every run; press for a fixed one",
            false => "press to draw a new seed for every run",
        });
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(format!("random {}", self.input.name)));
        if response.clicked() {
            return Some(Change::Set(Some(if random { Literal::Integer(0) } else { Literal::from(RANDOM) })));
        }
        if random {
            let text = FontId::proportional(12.5);
            ui.painter().text(left.center(), Align2::CENTER_CENTER, RANDOM, text, theme.weak);
            return None;
        }
        let current = match self.current() {
            Some(Literal::Integer(number)) => u64::try_from(*number).unwrap_or_default(),
            _ => 0,
        };
        // A float holds no 64 bits, so that seeds are texts under way; one that is emptied stays empty for a while.
        let key = self.id.with("emptied");
        let emptied = ui.data(|data| data.get_temp::<u64>(key)) == Some(current);
        let text = if emptied { String::new() } else { current.to_string() };
        let (response, typed) = self.typed(ui, left.shrink2(vec2(2.0, 0.0)), &text, theme);
        if response.changed() && typed.is_empty() {
            ui.data_mut(|data| data.insert_temp(key, current));
        } else if response.changed() || response.lost_focus() {
            ui.data_mut(|data| data.remove::<u64>(key));
        }
        match typed.trim().parse::<u64>() {
            Ok(number) if response.changed() => Some(Change::Toward(Some(Literal::from(number)))),
            _ => response.lost_focus().then_some(Change::Done),
        }
    }
}
