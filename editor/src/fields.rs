//! Fields: a widget for any parameter, from its manual alone. A new node needs no line here.

use darkroom_core::graph::check::RANDOM;
use darkroom_core::literal::Literal;
use darkroom_core::spec::{Input, ParamSpec};
use darkroom_core::types::Kind;
use egui::text::{CCursor, CCursorRange};
use egui::{Align2, Color32, ComboBox, CornerRadius, DragValue, FontId, Id, Rect, Response, Sense, TextEdit, Ui, vec2};

use crate::icons;
use crate::theme::{self, Theme};
use crate::weights::{self, Turn};

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
        ui.data_mut(|data| data.insert_temp(self.id.with("widget"), response.id));
        if let Some(words) = self.wrong {
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_invalid(egui::accesskit::Invalid::True));
            response.clone().on_hover_text(words);
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

    /// Puts a widget somewhere, under a name that lasts whatever else comes and goes on the canvas.
    fn put(&self, ui: &mut Ui, part: &str, room: Rect, widget: impl egui::Widget) -> Response {
        let builder = egui::UiBuilder::new().scope_id(self.id.with(part)).max_rect(room);
        ui.scope_builder(builder, |ui| ui.put(room, widget)).inner
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
        self.reset(&response).or_else(|| chosen.map(|word| Change::Set(Some(word))))
    }

    fn toggle(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
        let mut on = matches!(self.current(), Some(Literal::Boolean(true)));
        let place = Rect::from_min_size(room.min, vec2(20.0, room.height()));
        let response = self.put(ui, "box", place, egui::Checkbox::without_text(&mut on));
        self.finish(ui, &response, place, theme);
        response.changed().then_some(Change::Set(Some(Literal::Boolean(on))))
    }

    fn text(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let room = self.named(ui, rect, theme);
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
    fn typed(&self, ui: &mut Ui, room: Rect, text: &str, theme: &Theme) -> (Response, String) {
        let mut typed = text.to_owned();
        let edit = TextEdit::singleline(&mut typed).id(self.id).margin(vec2(6.0, 2.0)).font(FontId::proportional(12.5));
        let response = ui.put(room, edit);
        self.finish(ui, &response, room, theme);
        (response, typed)
    }

    fn prompt(&self, ui: &mut Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        let (head, room) = rect.split_top_bottom_at_y(rect.top() + theme::ROW);
        self.named(ui, head, theme);
        let mut text = match self.current() {
            Some(Literal::Text(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let weighed = self.weighed(ui, &mut text);
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

    /// A value that is left out, with a way to give one.
    fn unset(&self, ui: &mut Ui, room: Rect) -> Option<Change> {
        let button = egui::Button::new(egui::RichText::new("not set").weak().size(12.0));
        let response = self.put(ui, "unset", room, button);
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(self.input.name.replace('_', " ")));
        let first = self.param().range.as_ref().map(|(low, _)| low.clone());
        response.clicked().then(|| Change::Set(Some(first.unwrap_or(Literal::Integer(0)))))
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

/// Returns the widget of a field that was drawn, by the field's lasting name.
pub fn widget_of(ctx: &egui::Context, field: Id) -> Option<Id> {
    ctx.data(|data| data.get_temp(field.with("widget")))
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
