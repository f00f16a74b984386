//! One of several words, and yes or no.

use darkroom_core::literal::Literal;
use egui::{ComboBox, Rect, Ui, vec2};

use super::{Change, Shown};
use crate::theme::Theme;

impl Shown<'_> {
    pub(super) fn choice(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        let current = match self.current() {
            Some(Literal::Text(word)) => word.clone(),
            Some(other) => other.to_string(),
            None => "—".to_owned(),
        };
        let mut chosen = None;
        let response = ui
            .scope_builder(egui::UiBuilder::new().id_salt(self.id).max_rect(room), |ui| {
                let combo = ComboBox::from_id_salt(self.id.with("choice")).selected_text(&current);
                combo.width(room.width()).truncate().height(360.0).show_ui(ui, |ui| {
                    crate::layer::undo_transform(ui);
                    for choice in self.param().choices {
                        let label = ui.selectable_label(choice.name == current, choice.name);
                        if label.on_hover_text(choice.doc).clicked() {
                            chosen = Some(Literal::from(choice.name));
                        }
                    }
                })
            })
            .inner
            .response;
        self.finish(ui, &response, room, theme);
        self.reset(&response).or_else(|| chosen.map(|word| Change::Set(Some(word))))
    }

    pub(super) fn toggle(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        let mut on = matches!(self.current(), Some(Literal::Boolean(true)));
        let place = Rect::from_min_size(room.min, vec2(20.0, room.height()));
        let response = self.put(ui, "box", place, egui::Checkbox::without_text(&mut on));
        self.finish(ui, &response, place, theme);
        response.changed().then_some(Change::Set(Some(Literal::Boolean(on))))
    }
}
