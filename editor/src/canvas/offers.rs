//! What only nodes in and of sub-graphs have: a door, and rings by which an input or output inside is offered outside.

use darkroom_core::graph::Subgraph;
use egui::{
    Align2, CornerRadius, CursorIcon, FontId, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2,
};

use super::{Action, Frame, Seen};
use crate::document::{Field, Side};

/// From a socket to its ring.
const APART: f32 = 15.0;

/// Shows the door of a node that stands for a sub-graph, in the middle of its lower edge.
pub fn door(canvas: &mut Ui, frame: &mut Frame<'_, '_>, seen: &Seen) {
    if Subgraph::of_kind(&seen.node.kind).is_none() || seen.node.collapsed {
        return;
    }
    let at = seen.rect.center_bottom();
    let response = canvas.interact(
        Rect::from_center_size(at, Vec2::splat(18.0)),
        frame.view.id.with(("door", seen.id)),
        Sense::click(),
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("enter {}", seen.node.label())));
    let colour = if response.hovered() { frame.theme.accent } else { frame.theme.weak };
    let stroke = Stroke::new(1.2, colour);
    let outer = Rect::from_center_size(at, Vec2::splat(11.0));
    frame.painter.rect_filled(outer.expand(2.5), CornerRadius::same(3), frame.theme.body);
    frame.painter.rect_stroke(outer, CornerRadius::same(2), stroke, StrokeKind::Inside);
    frame.painter.rect_filled(Rect::from_center_size(at, Vec2::splat(4.5)), CornerRadius::same(1), colour);
    if response.on_hover_cursor(CursorIcon::PointingHand).clicked() {
        frame.actions.push(Action::Enter(seen.id));
    }
}

/// Shows, inside of a sub-graph, which sockets of a node are offered outside; a click offers one, or takes it back.
pub fn rings(canvas: &mut Ui, frame: &mut Frame<'_, '_>, seen: &Seen) {
    if !frame.view.status.inside || seen.node.collapsed {
        return;
    }
    let hovered = frame.pointer.is_some_and(|at| seen.rect.expand(2.0 * APART).contains(at));
    let status = frame.view.status.of(seen.id);
    let sides = [(&seen.shape.inputs, Side::Input), (&seen.shape.outputs, Side::Output)];
    for (sockets, side) in sides {
        for socket in sockets {
            let wired = side == Side::Input
                && matches!(seen.node.fields.get(&socket.name), Some(Field::Wire(_) | Field::Lost(_)));
            let offered = status.and_then(|status| match side {
                Side::Input => status.offered.get(&socket.name),
                Side::Output => status.given.get(&Some(socket.name.clone())).or_else(|| status.given.get(&None)),
            });
            if wired && offered.is_none() {
                continue;
            }
            let (way, align) = match side {
                Side::Input => (vec2(-1.0, 0.0), Align2::RIGHT_CENTER),
                Side::Output => (vec2(1.0, 0.0), Align2::LEFT_CENTER),
            };
            let at = seen.rect.min + socket.at + way * APART;
            let id = frame.view.id.with(("offer", seen.id, side, &socket.name));
            let response = canvas.interact(Rect::from_center_size(at, Vec2::splat(12.0)), id, Sense::click());
            let label = || format!("offer {} of {} outside", socket.name, seen.node.label());
            response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, offered.is_some(), label()));
            let theme = &frame.theme;
            match offered {
                Some(name) => {
                    frame.painter.circle_filled(at, 4.5, theme.accent);
                    let text = name.replace('_', " ");
                    frame.painter.text(at + way * 9.0, align, text, FontId::proportional(12.0), theme.accent);
                }
                None if response.hovered() || hovered => {
                    let colour = if response.hovered() { theme.accent } else { theme.weak };
                    frame.painter.circle_stroke(at, 4.0, Stroke::new(1.2, colour));
                }
                None => (),
            }
            let words = if offered.is_some() { "offered outside; click to take it back" } else { "offer outside" };
            if response.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(words).clicked() {
                frame.actions.push(Action::Offer { node: seen.id, side, end: socket.name.clone() });
            }
        }
    }
}
