//! Numbers: typed, or pulled.

use darkroom_core::literal::Literal;
use darkroom_core::types::Kind;
use egui::{CornerRadius, DragValue, Rect, Ui, vec2};

use super::{Change, Shown, as_number};
use crate::theme::Theme;

impl Shown<'_> {
    pub(super) fn number(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let param = self.param();
        let room = self.named(ui, rect, theme);
        let (room, chosen) = self.paired(ui, room, theme);
        if chosen.is_some() {
            return chosen;
        }
        let Some(current) = self.current().and_then(as_number) else {
            return self.unset(ui, room);
        };
        let whole = self.input.kind == Kind::INTEGER;
        let mut value = current;
        let range = param.range.as_ref().and_then(|(low, high)| Some((as_number(low)?, as_number(high)?)));
        let step = param.multiple_of.map_or(if whole { 1.0 } else { 0.01 }, |step| step as f64);
        let speed = match range {
            Some((low, high)) if !whole && high - low <= 2.0 => (high - low) / 200.0,
            _ if whole => (step * 0.25).max(0.1),
            _ => 0.05,
        };
        let mut drag = DragValue::new(&mut value).speed(speed).update_while_editing(false);
        drag = if whole { drag.max_decimals(0) } else { drag.max_decimals(4) };
        if let Some((low, high)) = range {
            drag = drag.range(low..=high).clamp_existing_to_range(false);
        }
        if let Some(unit) = param.unit {
            drag = drag.suffix(format!(" {unit}"));
        }
        let response = self.put(ui, "number", room, drag);
        self.bar(ui, room, current, range, theme);
        self.finish(ui, &response, room, theme);
        if let Some(change) = self.reset(&response) {
            return Some(change);
        }
        let rounded = if param.multiple_of.is_some() { (value / step).round() * step } else { value };
        let literal = if whole { Literal::Integer(rounded.round() as i128) } else { Literal::Number(rounded) };
        let changed = response.changed() && Some(&literal) != self.current();
        match (changed, response.dragged()) {
            (true, true) => Some(Change::Toward(Some(literal))),
            (true, false) => Some(Change::Set(Some(literal))),
            _ => response.drag_stopped().then_some(Change::Done),
        }
    }

    /// Shows how much of a short range is taken, as a slider does.
    fn bar(&self, ui: &Ui, room: Rect, current: f64, range: Option<(f64, f64)>, theme: &Theme) {
        let Some((low, high)) = range.filter(|(low, high)| high > low && high - low <= 1000.0) else { return };
        let share = ((current - low) / (high - low)).clamp(0.0, 1.0) as f32;
        let line = Rect::from_min_max(room.left_bottom() - vec2(-2.0, 2.5), room.right_bottom() - vec2(2.0, 1.0));
        let full = Rect::from_min_size(line.min, vec2(line.width() * share, line.height()));
        ui.painter().rect_filled(full, CornerRadius::same(1), theme.accent.gamma_multiply(0.75));
    }

    /// A value that is left out, with a way to give one.
    fn unset(&self, ui: &mut Ui, room: Rect) -> Option<Change> {
        let button = egui::Button::new(egui::RichText::new("not set").weak().size(12.0));
        let response = self.put(ui, "unset", room, button);
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(self.input.name.replace('_', " ")));
        let first = self.param().range.as_ref().map(|(low, _)| low.clone());
        response.clicked().then(|| Change::Set(Some(first.unwrap_or(Literal::Integer(0)))))
    }
}
