//! Fields: a widget for any parameter, from its manual alone. A new node needs no line here.

mod choice;
mod drops;
mod file;
mod number;
mod prompt;
mod seed;
pub mod signs;
mod size;
mod text;

use darkroom_core::literal::Literal;
use darkroom_core::spec::{Input, ParamSpec, Spec};
use darkroom_core::types::Kind;
use egui::{Align2, CornerRadius, FontId, Id, Rect, Response, Sense, Ui, vec2};

pub use drops::{give, under_pointer};
pub use prompt::is_wheel_kept;

use crate::document::{Count, Node, NodeId};
use crate::session::Pulling;
use crate::status::{NodeStatus, Status};
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
    /// Other values for several fields of the node.
    Several(Vec<(&'static str, Option<Literal>)>),
    /// A seed, and which way it goes on after each run.
    Seed(Option<Literal>, Option<Count>),
    /// Something that the window must do.
    Ask(Request),
}

/// What a field asks of the window.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Show what models there are.
    Models,
    /// Look for a file.
    Browse,
    /// Take a file that was dropped.
    Take(std::path::PathBuf),
    /// Fetch what has this name.
    Pull(String),
    /// Stop fetching it.
    Stop(String),
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
    /// The node and its manual, where it is a field of one.
    pub node: Option<(&'a Node, &'a Spec)>,
    /// What is known of that node.
    pub status: Option<&'a NodeStatus>,
    /// What is being fetched.
    pub pulls: &'a [Pulling],
    /// Prompts that were run, the last one first.
    pub prompts: &'a [String],
}

impl<'a> Shown<'a> {
    /// Shows a field of a node.
    pub fn of(id: Id, node: (NodeId, &'a Node), spec: &'a Spec, input: &'a Input, all: &'a Status) -> Self {
        let (number, node) = node;
        let status = all.of(number);
        let faults = status.map(|status| &status.faults[..]).unwrap_or_default();
        let wrong = faults.iter().find(|located| located.place.input.as_deref() == Some(input.name));
        Self {
            id,
            input,
            value: node.literal(input.name),
            wrong: wrong.map(|located| located.fault.message.as_str()),
            node: Some((node, spec)),
            status,
            pulls: &all.pulls,
            prompts: &all.prompts,
        }
    }
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
        if let Some(taken) = self.dropped(ui, rect, &theme) {
            return Some(taken);
        }
        match (param.multiline, self.input.kind) {
            (true, _) => self.prompt(ui, rect, &theme),
            (_, Kind::BOOLEAN) => self.toggle(ui, rect, &theme),
            _ if param.seed => self.seed(ui, rect, &theme),
            _ if !param.choices.is_empty() => self.choice(ui, rect, &theme),
            _ if param.file.is_some() => self.file(ui, rect, &theme),
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
            crate::layer::undo_transform(ui);
            manual(ui, self.input);
        });
        let left = (rect.left() + rect.width() * 0.42).max(text.right() + 6.0).min(rect.right() - 60.0);
        Rect::from_min_max(egui::pos2(left, rect.top() + 2.0), rect.right_bottom() - vec2(0.0, 2.0))
    }

    /// Gives a widget its name for those who hear the screen, and marks what is wrong.
    fn finish(&self, ui: &Ui, response: &Response, rect: Rect, theme: &Theme) {
        let name = self.input.name.replace('_', " ");
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
        ui.data_mut(|data| data.insert_temp(self.id.with("widget"), response.id));
        if let Some(words) = self.wrong {
            ui.ctx().accesskit_node_builder(response.id, |node| {
                node.set_invalid(egui::accesskit::Invalid::True);
                node.set_description(words);
            });
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

/// A small button of a panel, with a painted sign and a name for those who hear the screen.
pub fn small_button(ui: &mut Ui, label: &str, sign: fn(&egui::Painter, egui::Pos2, egui::Color32)) -> Response {
    let button = egui::Button::new("").frame_when_inactive(false).min_size(vec2(22.0, 22.0));
    let response = ui.add(button);
    let visuals = ui.style().interact(&response);
    sign(ui.painter(), response.rect.center(), visuals.fg_stroke.color);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(label));
    response.on_hover_text(label)
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

/// Returns the widget of a field that was drawn, by the field's lasting name.
pub fn widget_of(ctx: &egui::Context, field: Id) -> Option<Id> {
    ctx.data(|data| data.get_temp(field.with("widget")))
}
