//! Texts of several lines: words are weighed by keys, and a long text takes the wheel while it is typed in.

use darkroom_core::literal::Literal;
use egui::text::{CCursor, CCursorRange};
use egui::{Color32, CornerRadius, FontId, Id, Rect, TextEdit, Ui, vec2};

use super::{Change, Shown};
use crate::theme::{self, Theme};
use crate::weights::{self, Turn};

impl Shown<'_> {
    pub(super) fn prompt(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let (head, room) = rect.split_top_bottom_at_y(rect.top() + theme::ROW);
        self.named(ui, head, theme);
        let mut text = match self.current() {
            Some(Literal::Text(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let weighed = self.weighed(ui, &mut text) || self.remembered(ui, &mut text);
        let builder = egui::UiBuilder::new().id_salt(self.id.with("box")).max_rect(room.shrink2(vec2(0.0, 2.0)));
        let response = ui
            .scope_builder(builder, |ui| {
                ui.painter().rect_filled(ui.max_rect(), CornerRadius::same(5), theme.field);
                let mut area =
                    egui::ScrollArea::vertical().id_salt(self.id.with("scroll")).max_height(room.height() - 4.0);
                area = self.turned(ui, area);
                let edit = TextEdit::multiline(&mut text).id(self.id).desired_width(f32::INFINITY).desired_rows(1);
                let edit = edit.min_size(vec2(0.0, room.height() - 4.0)).margin(vec2(6.0, 4.0));
                let shown = area.show(ui, |ui| ui.add(edit.font(FontId::proportional(12.5))));
                let most = (shown.content_size.y - shown.inner_rect.height()).max(0.0);
                let known = (shown.state.clamped_offset().y, most);
                ui.data_mut(|data| data.insert_temp(self.id.with("scrolled"), known));
                shown.inner
            })
            .inner;
        let edge = if response.has_focus() { theme.accent } else { Color32::TRANSPARENT };
        let stroke = egui::Stroke::new(1.0, edge);
        ui.painter().rect_stroke(room.shrink2(vec2(0.0, 2.0)), CornerRadius::same(5), stroke, egui::StrokeKind::Inside);
        self.finish(ui, &response, room, theme);
        match response.changed() || weighed {
            true => Some(Change::Toward(Some(Literal::Text(text)))),
            false => response.lost_focus().then_some(Change::Done),
        }
    }

    /// Weighs what is marked in a prompt, or the word at the caret, by Ctrl and the arrows up and down.
    fn weighed(&self, ui: &Ui, text: &mut String) -> bool {
        if !ui.memory(|memory| memory.has_focus(self.id)) {
            return false;
        }
        let turn = ui.input_mut(|input| {
            let mut pressed = |key| input.consume_key(egui::Modifiers::COMMAND, key);
            match (pressed(egui::Key::ArrowUp), pressed(egui::Key::ArrowDown)) {
                (true, _) => Some(Turn::Up),
                (_, true) => Some(Turn::Down),
                _ => None,
            }
        });
        let (Some(turn), Some(mut state)) = (turn, TextEdit::load_state(ui.ctx(), self.id)) else { return false };
        let Some(marked) = state.cursor.char_range().map(|range| range.as_sorted_char_range()) else { return false };
        let Some((turned, at)) = weights::turned(text, marked.start.0..marked.end.0, turn) else { return false };
        *text = turned;
        let [start, end] = [at.start, at.end].map(CCursor::new);
        state.cursor.set_char_range(Some(CCursorRange::two(start, end)));
        state.store(ui.ctx(), self.id);
        true
    }

    /// Puts prompts that were run before in the place of a text, by Alt and the arrows: up leads back, down leads forth
    /// to what was typed.
    fn remembered(&self, ui: &Ui, text: &mut String) -> bool {
        if self.prompts.is_empty() || !ui.memory(|memory| memory.has_focus(self.id)) {
            return false;
        }
        let by = ui.input_mut(|input| {
            let mut pressed = |key| i64::from(input.consume_key(egui::Modifiers::ALT, key));
            pressed(egui::Key::ArrowUp) - pressed(egui::Key::ArrowDown)
        });
        let key = self.id.with("remembered");
        // Where the hand is among them, and what stands there and stood there first.
        let kept = ui.data(|data| data.get_temp::<(usize, String, String)>(key));
        let (place, _, typed) = kept.filter(|(_, shown, _)| shown == text).unwrap_or((0, String::new(), text.clone()));
        let all: Vec<_> = self.prompts.iter().filter(|prompt| **prompt != typed).collect();
        let next = (place as i64 + by).clamp(0, all.len() as i64) as usize;
        if by == 0 || next == place {
            return false;
        }
        *text = next.checked_sub(1).map_or_else(|| typed.clone(), |index| all[index].clone());
        let end = CCursor::new(text.chars().count());
        if let Some(mut state) = TextEdit::load_state(ui.ctx(), self.id) {
            state.cursor.set_char_range(Some(CCursorRange::one(end)));
            state.store(ui.ctx(), self.id);
        }
        ui.data_mut(|data| data.insert_temp(key, (next, text.clone(), typed)));
        true
    }

    /// Scrolls a long text by the wheel while it is typed in; the wheel over any other text is the canvas's. egui takes
    /// no part in it: for its scroll areas the pointer is never over a layer that is moved and scaled.
    fn turned(&self, ui: &Ui, area: egui::ScrollArea) -> egui::ScrollArea {
        let wheel = egui::containers::scroll_area::ScrollSource { mouse_wheel: false, ..Default::default() };
        let area = area.scroll_source(wheel);
        let known = ui.data(|data| data.get_temp::<(f32, f32)>(self.id.with("scrolled")));
        let typing = ui.memory(|memory| memory.has_focus(self.id));
        let Some((offset, most)) = known.filter(|(_, most)| typing && *most > 1.0) else { return area };
        let from_global = ui.ctx().layer_transform_from_global(ui.layer_id()).unwrap_or_default();
        let pointer = ui.input(|input| input.pointer.latest_pos()).map(|at| from_global * at);
        if !pointer.is_some_and(|at| ui.max_rect().contains(at)) {
            return area;
        }
        keep_wheel(ui.ctx());
        match ui.input(|input| input.smooth_scroll_delta.y) * from_global.scaling {
            0.0 => area,
            by => area.vertical_scroll_offset((offset - by).clamp(0.0, most)),
        }
    }
}

fn wheel_id() -> Id {
    Id::unique("darkroom wheel is kept")
}

/// Keeps the wheel from whatever lies below, in this frame: a long text that is typed in scrolls.
fn keep_wheel(ctx: &egui::Context) {
    let frame = ctx.cumulative_pass_nr();
    ctx.data_mut(|data| data.insert_temp(wheel_id(), frame));
}

/// Tells whether a field has kept the wheel in this frame.
pub fn is_wheel_kept(ctx: &egui::Context) -> bool {
    ctx.data(|data| data.get_temp::<u64>(wheel_id())) == Some(ctx.cumulative_pass_nr())
}
