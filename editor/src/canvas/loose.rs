//! A wire in the hand: what it would be fastened to, and why it cannot be.

use std::collections::HashSet;

use egui::{CornerRadius, CursorIcon, FontId, Pos2, Rect, Stroke, StrokeKind, Ui, vec2};

use super::gesture::{Drop, Gesture, Loose};
use super::shape::Socket;
use super::wires::Course;
use super::{Action, Frame, Seen, ViewState, sockets};
use crate::document::{Edit, NodeId};
use crate::theme;

/// Draws the wire in the hand, finds what it would be fastened to, and says why it cannot be.
pub fn follow(canvas: &Ui, frame: &Frame<'_, '_>, state: &mut ViewState, seen: &[Seen], at: Pos2) {
    let style = frame.view.habits.wires;
    let tails = tails(frame, state);
    let Gesture::Wire { loose, from, blocked, target } = &mut state.gesture else { return };
    let kind = match loose {
        Loose::Output { kind, .. } | Loose::Input { kind, .. } => *kind,
        Loose::Bundle { node, output, .. } => sockets::kind_of(frame.view, *node, output.as_deref()),
    };
    // Its beginning may have scrolled on.
    if let Loose::Output { node, output, from: Some(_), .. } = loose
        && let Some(start) = seen.iter().find(|seen| seen.id == *node)
    {
        *from = start.rect.min + start.shape.output(output.as_deref());
    }
    let met = meet(seen, at, frame.transform.scaling);
    *target = met.as_ref().and_then(|(seen, sockets)| {
        let fits =
            |(socket, is_input): &&(&Socket, bool)| loose.fits(socket.kind, *is_input) && !blocked.contains(&seen.id);
        let (socket, is_input) = sockets.iter().find(fits)?;
        let drops = loose.at(seen.id, &socket.name, *is_input, seen.shape.outputs.len() > 1);
        (!drops.is_empty()).then(|| (drops, seen.rect.min + socket.at))
    });
    let mut refusal = None;
    if let Some((drops, _)) = target {
        refusal = (frame.view.refuse)(drops);
    } else if let Some((seen, sockets)) = &met
        && seen.id != loose.node()
    {
        refusal = Some(why_not(frame, loose, blocked, seen, sockets));
    }
    let end = target.as_ref().map_or(at, |(_, at)| *at);
    let ends = match loose {
        Loose::Output { .. } => vec![(*from, end)],
        Loose::Input { .. } => vec![(end, *from)],
        Loose::Bundle { .. } => tails.into_iter().map(|tail| (end, tail)).collect(),
    };
    let colour = if refusal.is_some() { frame.theme.error } else { frame.theme.kind(kind) };
    for (from, to) in ends {
        let course = Course::new(from, &[], to, style);
        course.paint(&frame.painter, colour, 2.5_f32.max(1.5 / frame.transform.scaling));
    }
    frame.painter.circle_filled(end, theme::SOCKET, colour);
    if let Some(words) = refusal {
        canvas.ctx().set_cursor_icon(CursorIcon::NotAllowed);
        say(frame, at, &words);
    }
}

/// Where wires end that are held where they begin.
fn tails(frame: &Frame<'_, '_>, state: &mut ViewState) -> Vec<Pos2> {
    let Gesture::Wire { loose: Loose::Bundle { ends, .. }, .. } = &state.gesture else { return Vec::new() };
    let ends = ends.clone();
    let tail = |(to, input): (NodeId, String)| {
        let wire = frame.view.sheet.nodes.get(&to)?.wire(&input)?;
        state.course(frame.view, to, &input, wire).map(|course| course.end())
    };
    ends.into_iter().filter_map(tail).collect()
}

/// The node at a place, with its sockets, the nearest first. Above the text of a node all of its sockets are meant.
fn meet(seen: &[Seen], at: Pos2, zoom: f32) -> Option<(&Seen, Vec<(&Socket, bool)>)> {
    let reach = theme::REACH / zoom.clamp(0.5, 1.0);
    let node = seen.iter().rev().find(|seen| seen.rect.expand(reach).contains(at))?;
    let far = |socket: &Socket| (node.rect.min + socket.at - at).length();
    let inputs = node.shape.inputs.iter().map(|socket| (socket, true));
    let mut sockets: Vec<_> = inputs.chain(node.shape.outputs.iter().map(|socket| (socket, false))).collect();
    if !node.rect.contains(at) {
        sockets.retain(|(socket, _)| far(socket) < reach);
    }
    sockets.sort_by(|a, b| far(a.0).total_cmp(&far(b.0)));
    (!sockets.is_empty()).then_some((node, sockets))
}

/// Says why a wire cannot be fastened to the node under the hand.
fn why_not(
    frame: &Frame<'_, '_>,
    loose: &Loose,
    blocked: &HashSet<NodeId>,
    seen: &Seen,
    sockets: &[(&Socket, bool)],
) -> String {
    let label = |id: NodeId| frame.view.sheet.nodes.get(&id).map_or("", |node| node.label());
    if blocked.contains(&seen.id) {
        return format!("`{}` and `{}` would wait for each other", label(loose.node()), label(seen.id));
    }
    let wanted = loose.wants_input();
    match (loose, sockets.iter().find(|(_, is_input)| *is_input == wanted)) {
        (Loose::Output { kind, .. }, Some((socket, _))) => {
            format!("`{}` of `{}` takes {}, this is {kind}", socket.name, label(seen.id), socket.kind)
        }
        (Loose::Input { input, kind, .. }, Some((socket, _))) => {
            format!("`{input}` takes {kind}, `{}` gives {}", label(seen.id), socket.kind)
        }
        (Loose::Bundle { kinds, ends, .. }, Some((socket, _))) => {
            // One of the wires speaks against it, and it is said which.
            let worst = kinds.iter().zip(ends).find(|(kind, _)| !kind.accepts(socket.kind));
            let (kind, (to, input)) = worst.expect("a bundle that fits is not refused");
            format!("`{input}` of `{}` takes {kind}, `{}` gives {}", label(*to), label(seen.id), socket.kind)
        }
        (Loose::Bundle { .. }, None) => format!("`{}` gives nothing", label(seen.id)),
        (Loose::Output { kind, .. }, None) => format!("`{}` takes no {kind}", label(seen.id)),
        (Loose::Input { kind, .. }, None) => format!("`{}` gives no {kind}", label(seen.id)),
    }
}

/// A sentence beside the hand, in the size of the window.
fn say(frame: &Frame<'_, '_>, at: Pos2, words: &str) {
    let theme = &frame.theme;
    let size = 1.0 / frame.transform.scaling;
    let room = 300.0 * size;
    let galley = frame.painter.layout(words.to_owned(), FontId::proportional(12.5 * size), theme.text, room);
    let corner = at + vec2(16.0, 14.0) * size;
    let rect = Rect::from_min_size(corner, galley.size()).expand2(vec2(8.0, 5.0) * size);
    frame.painter.rect_filled(rect, CornerRadius::same(5), theme.panel);
    frame.painter.rect_stroke(rect, CornerRadius::same(5), Stroke::new(size, theme.error), StrokeKind::Outside);
    frame.painter.galley(corner, galley, theme.text);
}

/// Fastens a wire, or asks what to fasten it to.
pub fn dropped(
    frame: &mut Frame<'_, '_>,
    seen: &[Seen],
    (loose, blocked): (Loose, HashSet<NodeId>),
    target: Option<(Vec<Drop>, Pos2)>,
    at: Pos2,
) {
    let taken_off = match &loose {
        Loose::Output { from, .. } => from.clone(),
        Loose::Input { .. } | Loose::Bundle { .. } => None,
    };
    let Some((drops, _)) = target else {
        // The socket that it was taken from reaches out a little.
        let on_node = seen.iter().any(|seen| seen.rect.expand(theme::REACH / 2.0).contains(at));
        let refusal = meet(seen, at, frame.transform.scaling)
            .filter(|(seen, _)| seen.id != loose.node())
            .map(|(seen, sockets)| why_not(frame, &loose, &blocked, seen, &sockets));
        if let Some(words) = refusal {
            frame.actions.push(Action::Say(words));
        } else if let Some((node, input)) = taken_off {
            if !on_node {
                frame.actions.push(Action::step("remove a wire", vec![Edit::Disconnect(node, input)]));
            }
        } else if !on_node && !matches!(loose, Loose::Bundle { .. }) {
            frame.actions.push(Action::Palette { at, loose: Some(loose) });
        }
        return;
    };
    // Where it was before, nothing is to be done.
    let stays = |drop: &Drop| match (&loose, &taken_off) {
        (Loose::Bundle { node, output, .. }, _) => (*node, output) == (drop.from, &drop.output),
        (_, Some((node, input))) => (*node, input) == (drop.to, &drop.input),
        _ => false,
    };
    if !drops.iter().any(stays) {
        frame.actions.push(Action::Draw { drops, from: taken_off });
    }
}
