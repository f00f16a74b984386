//! The rows of a node: names of sockets, fields, and what is folded away or hidden.

use darkroom_core::spec::{Input, Output, Spec};
use darkroom_core::types::Type;
use egui::{CursorIcon, FontId, Id, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::nodes::line;
use super::shape::{Row, What};
use super::{Action, Frame, PLAIN, Seen, ViewState, pictures};
use crate::document::{Edit, Field, NodeId};
use crate::fields::Shown;
use crate::icons;
use crate::theme;

/// Shows a row.
#[expect(clippy::too_many_arguments, reason = "a row knows all of its surroundings")]
pub fn show(
    canvas: &mut Ui,
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    seen: &Seen,
    spec: Option<&Spec>,
    row: &Row,
    rect: Rect,
    opacity: f32,
) {
    let inner = rect.shrink2(vec2(theme::SIDE, 0.0));
    let painter = frame.painter.clone();
    let middle = rect.top() + theme::ROW / 2.0;
    let (text, weak) = (frame.theme.text.gamma_multiply(opacity), frame.theme.weak.gamma_multiply(opacity));
    let half = inner.width() / 2.0 - 4.0;
    match (&row.what, spec) {
        (What::Sockets(input, output), Some(spec)) => {
            if let Some(input) = input.map(|index| &spec.inputs[index]) {
                let wired = seen.node.fields.contains_key(input.name);
                let lacks = input.required && !wired;
                let colour = if lacks && frame.view.status.of(seen.id).is_some() { frame.theme.warning } else { text };
                line(&painter, pos2(inner.left(), middle), half, &input.name.replace('_', " "), 12.5, colour);
            }
            if let Some((index, output)) = output.map(|index| (index, &spec.outputs[index])) {
                let told = frame.view.status.of(seen.id).and_then(|status| status.types.get(index));
                let room = if input.is_some() { half } else { inner.width() };
                let galley = painter.layout_no_wrap(gives(output, told, room), FontId::proportional(12.5), weak);
                painter.galley(pos2(inner.right() - galley.size().x, middle - galley.size().y / 2.0), galley, weak);
            }
        }
        (What::Param(index), Some(spec)) => {
            let input = &spec.inputs[*index];
            let wired = matches!(seen.node.fields.get(input.name), Some(Field::Wire(_) | Field::Lost(_)));
            if wired || frame.transform.scaling < PLAIN {
                line(&painter, pos2(inner.left(), middle), inner.width(), &input.name.replace('_', " "), 12.5, text);
            } else if state.gesture.is_idle() || state.gesture.leaves_fields() {
                field(canvas, frame, seen, spec, input, inner);
            } else {
                line(&painter, pos2(inner.left(), middle), inner.width(), &input.name.replace('_', " "), 12.5, weak);
            }
        }
        (What::Fold(count), _) => {
            let unfolded = state.unfolded.contains(&seen.id);
            let words = if unfolded { "fewer".to_owned() } else { format!("{count} more") };
            let response = canvas.interact(inner, frame.view.id.with(("fold", seen.id)), Sense::click());
            let label = format!("{words} of {}", seen.node.label());
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, label.clone()));
            let colour = if response.hovered() { text } else { weak };
            icons::fold(&painter, pos2(inner.left() + 4.0, middle), colour, unfolded);
            line(&painter, pos2(inner.left() + 14.0, middle), inner.width() - 14.0, &words, 12.0, colour);
            if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
                match unfolded {
                    true => state.unfolded.remove(&seen.id),
                    false => state.unfolded.insert(seen.id),
                };
            }
        }
        (What::Hidden(count), _) => {
            let words = format!("{count} hidden");
            let response = canvas.interact(inner, frame.view.id.with(("hidden", seen.id)), Sense::click());
            let label = format!("{words} of {}", seen.node.label());
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, label.clone()));
            let colour = if response.hovered() || response.has_focus() { text } else { weak };
            (0..3).for_each(|dot| {
                painter.circle_filled(pos2(inner.left() + 1.0 + 4.0 * dot as f32, middle), 1.3, colour);
            });
            line(&painter, pos2(inner.left() + 16.0, middle), inner.width() - 16.0, &words, 12.0, colour);
            let response =
                response.on_hover_text("sockets without wires and parameters at their defaults; press to see them");
            if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
                frame.actions.push(Action::step("show what is unused", vec![Edit::Compact(seen.id, false)]));
            }
        }
        (What::Picture, _) => pictures::show(canvas, frame, state, seen, inner),
        (What::Unknown(name), _) => {
            let value = match seen.node.fields.get(name) {
                Some(Field::Literal(literal)) => literal.to_string(),
                Some(Field::Lost(link)) => format!("from {link}, which is not there"),
                _ => String::new(),
            };
            line(&painter, pos2(inner.left(), middle), half, name, 12.5, text);
            line(&painter, pos2(inner.center().x + 4.0, middle), half, &value, 12.0, frame.theme.warning);
        }
        _ => (),
    }
}

/// What stands at an output: its name, and how large the picture is that it gives, where that is known and finds room.
fn gives(output: &Output, told: Option<&Type>, room: f32) -> String {
    let name = output.name.replace('_', " ");
    let Some(size) = told.and_then(size_of) else { return name };
    // About as wide as letters of this size are.
    let fits = (name.chars().count() + 2 + size.chars().count()) as f32 * 6.6 < room;
    if fits { format!("{name}  {size}") } else { size }
}

/// Writes how large a picture is, or will become: `512×768`, or `512×768 ×4` for several.
pub fn size_of(of: &Type) -> Option<String> {
    let size = format!("{}×{}", of.width?, of.height?);
    Some(match of.count {
        Some(count) if count > 1 => format!("{size} ×{count}"),
        _ => size,
    })
}

fn field(canvas: &mut Ui, frame: &mut Frame<'_, '_>, seen: &Seen, spec: &Spec, input: &Input, rect: Rect) {
    let id = field_id(frame.view.id, seen.id, input.name);
    let shown = Shown::of(id, (seen.id, &seen.node), spec, input, frame.view.status);
    if let Some(change) = shown.show(canvas, rect) {
        frame.actions.extend(Action::of(change, seen.id, input));
    }
}

/// Returns the lasting name of a node's field, for who wants to give it the focus.
pub fn field_id(document: Id, node: NodeId, input: &str) -> Id {
    document.with((node, input))
}
