//! Fields: a widget for any parameter, from its manual alone. A new node needs no line here.

mod choice;
mod number;
mod prompt;
mod seed;
mod text;

use darkroom_core::literal::Literal;
use darkroom_core::spec::{Input, ParamSpec};
use darkroom_core::types::Kind;
use egui::{Align2, CornerRadius, FontId, Id, Rect, Response, Sense, Ui, vec2};

pub use prompt::is_wheel_kept;

use crate::theme::Theme;

/// What a hand did to a field. A value of `None` gives the default back.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Another value, which is meant as it is.
    Set(Option<Literal>),
    /// A value on the way to another one, as one keystroke of several.
    Toward(Option<Literal>),
    /// The hand has let go: whatever comes next is a change of its own.
    Done,
}

/// A field to be shown.
pub struct Shown<'a> {
    /// The widget's lasting name.
    pub id: Id,
    /// The parameter.
    pub input: &'a Input,
    /// What stands in the document, if anything does.
    pub value: Option<&'a Literal>,
    /// What is wrong with it.
    pub wrong: Option<&'a str>,
}

impl Shown<'_> {
    pub(super) fn param(&self) -> &ParamSpec {
        self.input.param.as_ref().expect("a field is a parameter")
    }

    fn current(&self) -> Option<&Literal> {
        self.value.or(self.param().default.as_ref())
    }

    /// Shows the field, name and value, in a rectangle of the canvas or of a panel.
    pub fn show(&self, ui: &mut Ui, rect: Rect) -> Option<Change> {
        let param = self.param();
        let theme = Theme::current(ui.ctx());
        match (param.multiline, self.input.kind) {
            (true, _) => self.prompt(ui, rect, &theme),
            (_, Kind::BOOLEAN) => self.toggle(ui, rect, &theme),
            _ if param.seed => self.seed(ui, rect, &theme),
            _ if !param.choices.is_empty() => self.choice(ui, rect, &theme),
            (_, Kind::INTEGER | Kind::NUMBER) => self.number(ui, rect, &theme),
            _ => self.text(ui, rect, &theme),
        }
    }

    /// Paints the name at the left and returns the room for the value.
    fn named(&self, ui: &Ui, rect: Rect, theme: &Theme) -> Rect {
        let colour = match (self.wrong, self.value) {
            (Some(_), _) => theme.error,
            (None, Some(_)) => theme.text,
            (None, None) => theme.weak,
        };
        let name = self.input.name.replace('_', " ");
        let text = ui.painter().text(rect.left_center(), Align2::LEFT_CENTER, name, FontId::proportional(12.5), colour);
        let hover = ui.interact(text.expand(2.0), self.id.with("name"), Sense::hover());
        hover.on_hover_ui(|ui| {
            crate::canvas::undo_transform(ui);
            manual(ui, self.input);
        });
        let left = (rect.left() + rect.width() * 0.42).max(text.right() + 6.0).min(rect.right() - 60.0);
        Rect::from_min_max(egui::pos2(left, rect.top() + 2.0), rect.right_bottom() - vec2(0.0, 2.0))
    }

    /// Gives a widget its name for those who hear the screen, and marks what is wrong.
    fn finish(&self, ui: &Ui, response: &Response, rect: Rect, theme: &Theme) {
        let name = self.input.name.replace('_', " ");
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
        if let Some(words) = self.wrong {
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_invalid(egui::accesskit::Invalid::True));
            response.clone().on_hover_text(words);
            let stroke = egui::Stroke::new(1.5, theme.error);
            ui.painter().rect_stroke(rect, CornerRadius::same(5), stroke, egui::StrokeKind::Outside);
        }
    }

    /// Puts a widget somewhere, under a name that lasts whatever else comes and goes on the canvas.
    fn put(&self, ui: &mut Ui, part: &str, room: Rect, widget: impl egui::Widget) -> Response {
        let builder = egui::UiBuilder::new().scope_id(self.id.with(part)).max_rect(room);
        ui.scope_builder(builder, |ui| ui.put(room, widget)).inner
    }

    /// A double click gives the default back.
    fn reset(&self, response: &Response) -> Option<Change> {
        if !response.double_clicked() || self.value.is_none() {
            return None;
        }
        // The first of the two clicks has begun to write.
        response.surrender_focus();
        Some(Change::Set(None))
    }
}

/// Reads a number.
fn as_number(literal: &Literal) -> Option<f64> {
    match literal {
        Literal::Integer(number) => Some(*number as f64),
        Literal::Number(number) => Some(*number),
        _ => None,
    }
}

/// Shows the manual of a parameter or socket.
pub fn manual(ui: &mut Ui, input: &Input) {
    ui.set_max_width(320.0);
    ui.strong(input.name);
    ui.label(input.doc);
    let Some(param) = &input.param else {
        ui.weak(format!("takes {}", input.kind));
        return;
    };
    let unit = param.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    if let Some((low, high)) = &param.range {
        ui.weak(format!("from {low} to {high}{unit}"));
    }
    match &param.default {
        Some(default) => ui.weak(format!("{default}{unit} if nothing is given; double click gives it back")),
        None if !input.required => ui.weak("may be left out"),
        None => ui.weak("must be given"),
    };
}
