//! Files: pictures by their names, models from a list; what is not here can be fetched, and shows how far it is.

use darkroom_core::literal::Literal;
use darkroom_core::spec::FileSort;
use egui::{Align2, Button, CornerRadius, FontId, Rect, RichText, Ui};

use super::{Change, Request, Shown, signs};
use crate::session::{Pulling, bytes_for_people};
use crate::theme::Theme;

/// Width of a small button.
const BUTTON: f32 = 22.0;

impl Shown<'_> {
    pub(super) fn file(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        if let Some(pulling) = self.pulling() {
            return self.progress(ui, room, pulling, theme);
        }
        let (room, right) = room.split_left_right_at_x(room.right() - BUTTON);
        let label = format!("browse for {}", self.input.name.replace('_', " "));
        let browse = self.small(ui, "browse", right, &label, signs::folder, theme);
        if browse.on_hover_text("look for a file; or drop one here").clicked() {
            return Some(Change::Ask(Request::Browse));
        }
        let (room, asked) = self.lacking(ui, room.with_max_x(room.right() - 2.0));
        let change = match self.param().file {
            Some(FileSort::Picture) | None => self.line(ui, room, theme),
            Some(_) => self.model(ui, room, theme),
        };
        asked.or(change)
    }

    /// The name that stands here.
    fn name(&self) -> Option<&str> {
        match self.current()? {
            Literal::Text(name) => Some(name),
            _ => None,
        }
    }

    fn pulling(&self) -> Option<&Pulling> {
        let name = self.name()?;
        self.pulls.iter().find(|pulling| pulling.name == name)
    }

    /// A model by its name: a press shows all there are.
    fn model(&self, ui: &mut Ui, room: Rect, theme: &Theme) -> Option<Change> {
        let name = self.name().unwrap_or_default();
        // What tells models apart is rather at the end of their names.
        let short = name.rsplit('/').next().unwrap_or(name);
        let text = if name.is_empty() { RichText::new("choose").weak() } else { RichText::new(short) };
        // Beside the name there is room for the sign.
        let button = Button::new(text.size(12.5)).right_text("  ").truncate().min_size(room.size());
        let response = self.put(ui, "models", room, button);
        signs::more(ui.painter(), room.right_center() - egui::vec2(8.0, 0.0), theme.weak);
        self.finish(ui, &response, room, theme);
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_value(name));
        if self.wrong.is_none() && !name.is_empty() {
            response.clone().on_hover_text(name);
        }
        if let Some(change) = self.reset(&response) {
            return Some(change);
        }
        response.clicked().then_some(Change::Ask(Request::Models))
    }

    /// A button to fetch what is named and not here, if there is such a thing; and the room that is left.
    fn lacking(&self, ui: &mut Ui, room: Rect) -> (Rect, Option<Change>) {
        let lacks = self.status.map(|status| &status.lacks[..]).unwrap_or_default();
        let lacked = lacks.iter().find(|(input, name)| input == self.input.name && Some(name.as_str()) == self.name());
        let Some((_, name)) = lacked else { return (room, None) };
        let (left, right) = room.split_left_right_at_x(room.right() - 38.0);
        let response = self.put(ui, "pull", right, Button::new(RichText::new("Pull").size(12.0)));
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(format!("pull {name}")));
        let response = response.on_hover_text(format!("`{name}` is not here: fetch it"));
        let asked = response.clicked().then(|| Change::Ask(Request::Pull(name.clone())));
        (left.with_max_x(left.right() - 2.0), asked)
    }

    /// How far a fetch is, and a way to stop it.
    fn progress(&self, ui: &mut Ui, room: Rect, pulling: &Pulling, theme: &Theme) -> Option<Change> {
        let (room, right) = room.split_left_right_at_x(room.right() - BUTTON);
        let words = words_of(pulling);
        let share = if pulling.of == 0 { 0.0 } else { pulling.done as f32 / pulling.of as f32 };
        let room = room.with_max_x(room.right() - 2.0);
        let painter = ui.painter().with_clip_rect(room.intersect(ui.clip_rect()));
        painter.rect_filled(room, CornerRadius::same(5), theme.field);
        let done = room.with_max_x(room.left() + room.width() * share.clamp(0.0, 1.0));
        painter.rect_filled(done, CornerRadius::same(5), theme.busy.gamma_multiply(0.35));
        let short = match pulling.of {
            0 => words.clone(),
            _ => format!("{:.0} %, {}/s", share * 100.0, bytes_for_people(pulling.rate as u64)),
        };
        painter.text(room.center(), Align2::CENTER_CENTER, short, FontId::proportional(11.0), theme.text);
        let told = ui.interact(room, self.id.with("progress"), egui::Sense::hover());
        ui.ctx().accesskit_node_builder(told.id, |node| {
            node.set_role(egui::accesskit::Role::ProgressIndicator);
            node.set_label(format!("fetching {}", pulling.name));
            node.set_value(words.clone());
            node.set_numeric_value(f64::from(share));
        });
        told.on_hover_text(format!("{}: {words}", pulling.name));
        let stop = self.small(ui, "stop", right, &format!("stop fetching {}", pulling.name), signs::cross, theme);
        let stop = stop.on_hover_text("stop; what is here stays, and is not fetched again");
        stop.clicked().then(|| Change::Ask(Request::Stop(pulling.name.clone())))
    }
}

/// Says how far a fetch is.
pub fn words_of(pulling: &Pulling) -> String {
    let Pulling { done, of, rate, .. } = pulling;
    if *of == 0 {
        return "waiting".to_owned();
    }
    let (done, of, rate) = (bytes_for_people(*done), bytes_for_people(*of), bytes_for_people(*rate as u64));
    format!("{done} of {of}, {rate}/s")
}
