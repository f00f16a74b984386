//! Fields: a widget for any parameter, from its manual alone. A new node needs no line here.

use darkroom_core::graph::check::RANDOM;
use darkroom_core::literal::Literal;
use darkroom_core::spec::{Input, ParamSpec};
use darkroom_core::types::Kind;
use egui::{Align2, Color32, ComboBox, CornerRadius, DragValue, FontId, Id, Rect, Response, Sense, TextEdit, Ui, vec2};

use crate::icons;
use crate::theme::{self, Theme};

/// What a hand did to a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The new value; `None` gives the default back.
    pub value: Option<Literal>,
    /// Whether it belongs to what the hand is doing still, as one keystroke of several.
    pub more: bool,
}

/// A field to be shown.
pub struct Shown<'a> {
    /// The widget's lasting name.
    pub id: Id,
    /// The parameter.
    pub input: &'a Input,
    /// What stands in the document, if anything does.
    pub value: Option<&'a Literal>,
    /// Whether it is at fault.
    pub wrong: bool,
}

impl Shown<'_> {
    fn param(&self) -> &ParamSpec {
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
            (true, _) => theme.error,
            (false, Some(_)) => theme.text,
            (false, None) => theme.weak,
        };
        let name = self.input.name.replace('_', " ");
        let text = ui.painter().text(rect.left_center(), Align2::LEFT_CENTER, name, FontId::proportional(12.5), colour);
        let hover = ui.interact(text.expand(2.0), self.id.with("name"), Sense::hover());
        hover.on_hover_ui(|ui| manual(ui, self.input));
        let left = (rect.left() + rect.width() * 0.42).max(text.right() + 6.0).min(rect.right() - 60.0);
        Rect::from_min_max(egui::pos2(left, rect.top() + 2.0), rect.right_bottom() - vec2(0.0, 2.0))
    }

    /// Gives a widget its name for those who hear the screen, and marks what is wrong.
    fn finish(&self, ui: &Ui, response: &Response, rect: Rect, theme: &Theme) {
        let name = self.input.name.replace('_', " ");
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
        if self.wrong {
            let stroke = egui::Stroke::new(1.5, theme.error);
            ui.painter().rect_stroke(rect, CornerRadius::same(5), stroke, egui::StrokeKind::Outside);
        }
    }

    fn number(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let param = self.param();
        let room = self.named(ui, rect, theme);
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
        let response = ui.push_id(self.id, |ui| ui.put(room, drag)).inner;
        self.bar(ui, room, current, range, theme);
        self.finish(ui, &response, room, theme);
        if let Some(change) = self.reset(&response) {
            return Some(change);
        }
        let rounded = if param.multiple_of.is_some() { (value / step).round() * step } else { value };
        let literal = if whole { Literal::Integer(rounded.round() as i128) } else { Literal::Number(rounded) };
        (response.changed() && Some(&literal) != self.current())
            .then(|| Change { value: Some(literal), more: response.dragged() })
    }

    /// Shows how much of a short range is taken, as a slider does.
    fn bar(&self, ui: &Ui, room: Rect, current: f64, range: Option<(f64, f64)>, theme: &Theme) {
        let Some((low, high)) = range.filter(|(low, high)| high > low && high - low <= 1000.0) else { return };
        let share = ((current - low) / (high - low)).clamp(0.0, 1.0) as f32;
        let line = Rect::from_min_max(room.left_bottom() - vec2(-2.0, 2.5), room.right_bottom() - vec2(2.0, 1.0));
        let full = Rect::from_min_size(line.min, vec2(line.width() * share, line.height()));
        ui.painter().rect_filled(full, CornerRadius::same(1), theme.accent.gamma_multiply(0.75));
    }

    fn seed(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        let random = matches!(self.current(), Some(Literal::Text(word)) if word == RANDOM);
        let (left, right) = room.split_left_right_at_x(room.right() - 24.0);
        let dice = egui::Button::selectable(random, "");
        let response = ui.push_id(self.id.with("random"), |ui| ui.put(right, dice)).inner;
        icons::die(ui.painter(), right.center(), if random { theme.text } else { theme.weak });
        let response = response.on_hover_text(match random {
            true => "a new seed is drawn for every run; press for a fixed one",
            false => "press to draw a new seed for every run",
        });
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(format!("random {}", self.input.name)));
        if response.clicked() {
            let value = if random { Literal::Integer(0) } else { Literal::from(RANDOM) };
            return Some(Change { value: Some(value), more: false });
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
        // A float holds no 64 bits, so that seeds are texts under way.
        let change = self.typed(ui, left.shrink2(vec2(2.0, 0.0)), &current.to_string(), theme)?;
        let number = change.0.trim().parse::<u64>().ok()?;
        Some(Change { value: Some(Literal::from(number)), more: change.1 })
    }

    fn choice(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
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
                    crate::canvas::undo_transform(ui);
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
        self.reset(&response).or_else(|| chosen.map(|word| Change { value: Some(word), more: false }))
    }

    fn toggle(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        let mut on = matches!(self.current(), Some(Literal::Boolean(true)));
        let place = Rect::from_min_size(room.min, vec2(20.0, room.height()));
        let response = ui.push_id(self.id, |ui| ui.put(place, egui::Checkbox::without_text(&mut on))).inner;
        self.finish(ui, &response, place, theme);
        response.changed().then_some(Change { value: Some(Literal::Boolean(on)), more: false })
    }

    fn text(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        let (text, raw) = match self.current() {
            Some(Literal::Text(text)) => (text.clone(), false),
            Some(other) => (other.to_string(), true),
            None => (String::new(), false),
        };
        let (typed, more) = self.typed(ui, room, &text, theme)?;
        let unset = typed.is_empty() && !self.input.required && self.param().default.is_none();
        let value = match (unset, raw) {
            (true, _) => None,
            (_, true) => Some(Literal::Raw(typed)),
            _ => Some(Literal::Text(typed)),
        };
        Some(Change { value, more })
    }

    /// A line of text; returns what it is now, and whether the hand goes on, once it changes.
    fn typed(&self, ui: &mut Ui, room: Rect, text: &str, theme: &Theme) -> Option<(String, bool)> {
        let mut typed = text.to_owned();
        let edit = TextEdit::singleline(&mut typed).id(self.id).margin(vec2(6.0, 2.0)).font(FontId::proportional(12.5));
        let response = ui.put(room, edit);
        self.finish(ui, &response, room, theme);
        response.changed().then(|| (typed, response.has_focus()))
    }

    fn prompt(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let (head, room) = rect.split_top_bottom_at_y(rect.top() + theme::ROW);
        self.named(ui, head, theme);
        let mut text = match self.current() {
            Some(Literal::Text(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let builder = egui::UiBuilder::new().id_salt(self.id.with("box")).max_rect(room.shrink2(vec2(0.0, 2.0)));
        let response = ui
            .scope_builder(builder, |ui| {
                ui.painter().rect_filled(ui.max_rect(), CornerRadius::same(5), theme.field);
                let area = egui::ScrollArea::vertical().id_salt(self.id.with("scroll")).max_height(room.height() - 4.0);
                let focus = ui.memory(|memory| memory.has_focus(self.id));
                let area = area.scroll_source(egui::containers::scroll_area::ScrollSource {
                    mouse_wheel: focus,
                    ..Default::default()
                });
                let edit = TextEdit::multiline(&mut text).id(self.id).desired_width(f32::INFINITY).desired_rows(4);
                area.show(ui, |ui| ui.add(edit.margin(vec2(6.0, 4.0)).font(FontId::proportional(12.5)))).inner
            })
            .inner;
        let edge = if response.has_focus() { theme.accent } else { Color32::TRANSPARENT };
        let stroke = egui::Stroke::new(1.0, edge);
        ui.painter().rect_stroke(room.shrink2(vec2(0.0, 2.0)), CornerRadius::same(5), stroke, egui::StrokeKind::Inside);
        self.finish(ui, &response, room, theme);
        response.changed().then(|| Change { value: Some(Literal::Text(text)), more: response.has_focus() })
    }

    /// A value that is left out, with a way to give one.
    fn unset(&self, ui: &mut Ui, room: Rect) -> Option<Change> {
        let button = egui::Button::new(egui::RichText::new("not set").weak().size(12.0));
        let response = ui.push_id(self.id, |ui| ui.put(room, button)).inner;
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(self.input.name.replace('_', " ")));
        let first = self.param().range.as_ref().map(|(low, _)| low.clone());
        response.clicked().then(|| Change { value: Some(first.unwrap_or(Literal::Integer(0))), more: false })
    }

    /// A double click gives the default back.
    fn reset(&self, response: &Response) -> Option<Change> {
        (response.double_clicked() && self.value.is_some()).then_some(Change { value: None, more: false })
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
