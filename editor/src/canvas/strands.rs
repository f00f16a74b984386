//! All wires in view, as they are painted, and the one that the pointer is over.

use std::borrow::Cow;

use egui::{Mesh, Response, pos2};

use super::net::Strand;
use super::wires::Course;
use super::{BARE, Frame, PLAIN, ViewState, nodes};
use crate::document::NodeId;

/// A wire that the pointer is over: where it ends, and the piece of it.
pub type Hovered = (NodeId, String, usize);

/// Paints the wires, and returns the one that the pointer is over.
pub fn show(frame: &Frame<'_, '_>, state: &mut ViewState, back: &Response) -> Option<Hovered> {
    let near = 7.0 / frame.transform.scaling.max(0.2);
    let pointer = frame.pointer.filter(|_| back.hovered() && !state.is_busy());
    let mut hovered: Option<(f32, usize, usize)> = None;
    let strands = state.net.strands();
    let mut drawn = Vec::new();
    for strand in strands.iter() {
        let Some(wire) = strand.wire() else { continue };
        let held = state.gesture.holds(strand.to) || state.gesture.holds(wire.node);
        let (course, bounds) = match held || state.gesture.bends_wire(strand.to, strand.input()) {
            true => match state.course(frame.view, strand.to, strand.input(), wire) {
                Some(course) => (Cow::Owned(course.clone()), course.bounds()),
                None => continue,
            },
            false => (Cow::Borrowed(&strand.course), strand.bounds),
        };
        let bounds = bounds.expand(near);
        if !bounds.intersects(frame.window) || state.gesture.carries(strand.to, strand.input()) {
            continue;
        }
        if let Some(at) = pointer.filter(|at| bounds.contains(*at)) {
            let (distance, piece) = course.distance(at);
            if distance < near && hovered.is_none_or(|(least, ..)| distance < least) {
                hovered = Some((distance, drawn.len(), piece));
            }
        }
        drawn.push((strand, course));
    }
    let mut far = (frame.transform.scaling < BARE).then(Mesh::default);
    for (index, (strand, course)) in drawn.iter().enumerate() {
        let is_hovered = hovered.is_some_and(|(_, each, _)| each == index);
        paint(frame, state, strand, course, is_hovered, far.as_mut());
    }
    frame.painter.extend(far.map(egui::Shape::mesh));
    if let Some((_, index, _)) = hovered {
        tell(frame, drawn[index].0, back);
    }
    hovered.map(|(_, index, piece)| (drawn[index].0.to, drawn[index].0.input().to_owned(), piece))
}

fn paint(
    frame: &Frame<'_, '_>,
    state: &ViewState,
    strand: &Strand,
    course: &Course,
    is_hovered: bool,
    far: Option<&mut Mesh>,
) {
    let Some(wire) = strand.wire() else { return };
    let (zoom, sheet) = (frame.transform.scaling, frame.view.sheet);
    let chosen = [strand.to, wire.node].iter().any(|id| state.selection.nodes.contains(id));
    let mut colour = frame.theme.kind(strand.kind);
    let ends = [strand.to, wire.node];
    let shaken = state.gesture.shaken().is_some_and(|id| ends.contains(&id));
    if shaken || ends.iter().any(|id| nodes::is_muted(sheet, *id)) || state.gesture.dims() {
        colour = colour.gamma_multiply(0.3);
    }
    if state.gesture.cuts(course) {
        colour = frame.theme.error;
    }
    let width = 2.0_f32.max(1.2 / zoom) * if is_hovered || chosen { 1.7 } else { 1.0 };
    if let Some(far) = far {
        course.paint_far(far, colour, width);
        return;
    }
    if zoom > PLAIN {
        course.paint(&frame.painter, frame.theme.canvas, width + 2.5);
    }
    course.paint(&frame.painter, colour, width);
    for bend in &state.gesture.bends(strand.to, strand.input(), &wire.bends) {
        frame.painter.circle_filled(pos2(bend.x as f32, bend.y as f32), width * 1.6 + 1.0, colour);
    }
}

/// Says beside the pointer where a wire begins and ends, and what it carries.
fn tell(frame: &Frame<'_, '_>, strand: &Strand, back: &Response) {
    let (sheet, Some(wire)) = (frame.view.sheet, strand.wire()) else { return };
    let (Some(from), Some(to)) = (sheet.nodes.get(&wire.node), sheet.nodes.get(&strand.to)) else { return };
    let spec = frame.view.registry.get(&from.kind).map(|node| node.spec());
    let index = match &wire.output {
        Some(name) => spec.and_then(|spec| spec.output(name)),
        None => Some(0),
    };
    let told = index.and_then(|index| frame.view.status.of(wire.node)?.types.get(index));
    let output = spec.zip(index).and_then(|(spec, index)| spec.outputs.get(index)).map_or("", |output| output.name);
    back.clone().on_hover_ui_at_pointer(|ui| {
        crate::layer::undo_transform(ui);
        ui.set_max_width(320.0);
        ui.label(format!("{output} of {} to {} of {}", from.label(), strand.input(), to.label()));
        ui.weak(told.map_or_else(|| strand.kind.to_string(), ToString::to_string));
        if let Some(bytes) = told.and_then(|told| told.weights) {
            ui.weak(format!("{} of weights", nodes::words_of_bytes(bytes)));
        }
    });
}
