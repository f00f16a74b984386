//! A line of text.

use darkroom_core::literal::Literal;
use egui::{FontId, Rect, Response, TextEdit, Ui, vec2};

use super::{Change, Shown};
use crate::theme::Theme;

impl Shown<'_> {
    pub(super) fn text(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        self.line(ui, room, theme)
    }

    /// The value as a line of text.
    pub(super) fn line(&self, ui: &mut Ui, room: Rect, theme: &Theme) -> Option<Change> {
        let (text, raw) = match self.current() {
            Some(Literal::Text(text)) => (text.clone(), false),
            Some(other) => (other.to_string(), true),
            None => (String::new(), false),
        };
        let (response, typed) = self.typed(ui, room, &text, theme);
        if !response.changed() {
            return response.lost_focus().then_some(Change::Done);
        }
        let unset = typed.is_empty() && !self.input.required && self.param().default.is_none();
        let value = match (unset, raw) {
            (true, _) => None,
            (_, true) => Some(Literal::Raw(typed)),
            _ => Some(Literal::Text(typed)),
        };
        Some(Change::Toward(value))
    }

    /// A line of text; returns what it is now.
    pub(super) fn typed(&self, ui: &mut Ui, room: Rect, text: &str, theme: &Theme) -> (Response, String) {
        let mut typed = text.to_owned();
        let edit = TextEdit::singleline(&mut typed).id(self.id).margin(vec2(6.0, 2.0)).font(FontId::proportional(12.5));
        let response = ui.put(room, edit);
        self.finish(ui, &response, room, theme);
        (response, typed)
    }
}
