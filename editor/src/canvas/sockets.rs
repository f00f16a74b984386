//! Sockets: where wires are fastened, taken into the hand, and explained.

use darkroom_core::spec::Spec;
use darkroom_core::types::Kind;
use egui::{
    Color32, CornerRadius, Painter, PointerButton, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui, WidgetInfo,
    vec2,
};

use super::gesture::{Grip, Loose};
use super::shape::Socket;
use super::{Action, Frame, PLAIN, Seen, View, ViewState};
use crate::document::{Edit, Field, NodeId, Wire};
use crate::fields::manual;
use crate::theme;

/// Shows the sockets of a node.
pub fn show(canvas: &mut Ui, frame: &mut Frame<'_, '_>, state: &mut ViewState, seen: &Seen, opacity: f32) {
    let spec = frame.view.registry.get(&seen.node.kind).map(|node| node.spec());
    let zoom = frame.transform.scaling;
    let sides = [(&seen.shape.inputs, true), (&seen.shape.outputs, false)];
    for (sockets, is_input) in sides {
        for socket in sockets.iter().filter(|socket| !socket.hidden) {
            let at = seen.rect.min + socket.at;
            let wired = is_input && matches!(seen.node.fields.get(&socket.name), Some(Field::Wire(_) | Field::Lost(_)));
            let is_param = is_input
                && spec.is_some_and(|spec| spec.input(&socket.name).is_some_and(|(_, input)| input.param.is_some()));
            let colour = frame.theme.kind(socket.kind).gamma_multiply(opacity);
            let lit = state.gesture.lights(frame.view.sheet, seen.id, socket, is_input);
            let response = canvas.interact(
                Rect::from_center_size(at, vec2(22.0, theme::ROW - 2.0)),
                frame.view.id.with((seen.id, is_input, &socket.name)),
                Sense::DRAG,
            );
            let hovered = response.hovered() || lit;
            let faint = is_param && !wired && !hovered;
            mark(
                &frame.painter,
                at,
                socket.kind,
                if faint { colour.gamma_multiply(0.45) } else { colour },
                hovered,
                zoom,
            );
            if wired || !is_input {
                frame.painter.circle_filled(at, theme::SOCKET * 0.4, frame.theme.body);
            }
            let side = if is_input { "input" } else { "output" };
            let label = || format!("{side} {} of {}", socket.name, seen.node.label());
            response.widget_info(|| WidgetInfo::labeled(Role::Group, true, label()));
            grab(frame, state, seen, socket, is_input, &response);
            explain(frame, seen, spec, socket, is_input, response);
        }
    }
}

/// Takes a wire into the hand: a new one, or the one that ends here; with Ctrl, all that begin here. With Alt the wire
/// goes.
fn grab(
    frame: &mut Frame<'_, '_>,
    state: &mut ViewState,
    seen: &Seen,
    socket: &Socket,
    is_input: bool,
    response: &Response,
) {
    if !response.drag_started_by(PointerButton::Primary) || state.is_busy() {
        return;
    }
    let keys = response.ctx.input(|input| input.modifiers);
    let wire = seen.node.wire(&socket.name).filter(|_| is_input);
    let loose = match (is_input, wire) {
        (true, Some(_)) if keys.alt => {
            let edit = Edit::Disconnect(seen.id, socket.name.clone());
            frame.actions.push(Action::step("remove a wire", vec![edit]));
            return;
        }
        (true, Some(wire)) => Loose::Output {
            node: wire.node,
            output: wire.output.clone(),
            kind: kind_of(frame.view, wire.node, wire.output.as_deref()),
            from: Some((seen.id, socket.name.clone())),
        },
        (true, None) => Loose::Input { node: seen.id, input: socket.name.clone(), kind: socket.kind },
        (false, _) => {
            let several = seen.shape.outputs.len() > 1;
            let output = several.then(|| socket.name.clone());
            let bundle = keys.command.then(|| bundle(frame.view, seen.id, output.as_deref())).flatten();
            bundle.unwrap_or(Loose::Output { node: seen.id, output, kind: socket.kind, from: None })
        }
    };
    state.gesture = Grip::Wire(loose).take(frame.view.sheet, &state.selection, seen.rect.min + socket.at);
}

/// All wires that begin at an output; none if there are none.
fn bundle(view: &View<'_>, node: NodeId, output: Option<&str>) -> Option<Loose> {
    let begins = |wire: &Wire| wire.node == node && (output.is_none() || wire.output.as_deref() == output);
    let wires = || view.sheet.wires().filter(|(_, _, wire)| begins(wire));
    let kinds = wires().map(|(to, input, _)| {
        let spec = view.sheet.nodes.get(&to).and_then(|node| view.registry.get(&node.kind)).map(|node| node.spec());
        spec.and_then(|spec| spec.input(input)).map_or(Kind::ANY, |(_, input)| input.kind)
    });
    let kinds: Vec<_> = kinds.collect();
    let ends = wires().map(|(to, input, _)| (to, input.to_owned())).collect();
    (!kinds.is_empty()).then(|| Loose::Bundle { node, output: output.map(str::to_owned), kinds, ends })
}

/// Returns what an output gives; without a name it is the only one.
pub fn kind_of(view: &View<'_>, node: NodeId, output: Option<&str>) -> Kind {
    let found = view.sheet.nodes.get(&node).and_then(|node| {
        let outputs = &view.registry.get(&node.kind)?.spec().outputs;
        match output {
            Some(name) => outputs.iter().find(|output| output.name == name),
            None => outputs.first(),
        }
        .map(|output| output.kind)
    });
    found.unwrap_or(Kind::ANY)
}

fn explain(
    frame: &Frame<'_, '_>,
    seen: &Seen,
    spec: Option<&Spec>,
    socket: &Socket,
    is_input: bool,
    response: Response,
) {
    let Some(spec) = spec else { return };
    response.on_hover_ui(|ui| {
        crate::layer::undo_transform(ui);
        if is_input {
            if let Some((_, input)) = spec.input(&socket.name) {
                manual(ui, input);
            }
            return;
        }
        let Some(index) = spec.output(&socket.name) else { return };
        ui.set_max_width(320.0);
        ui.strong(&socket.name);
        ui.label(spec.outputs[index].doc);
        let told = frame.view.status.of(seen.id).and_then(|status| status.types.get(index));
        ui.weak(told.map_or_else(|| format!("gives {}", socket.kind), |told| format!("gives {told}")));
    });
}

/// A socket: round for pictures and latents, square for models, a lozenge for plain values.
pub fn mark(painter: &Painter, at: Pos2, kind: Kind, colour: Color32, large: bool, zoom: f32) {
    let radius = if large { theme::SOCKET * 1.45 } else { theme::SOCKET };
    if zoom < PLAIN {
        painter.circle_filled(at, radius, colour);
        return;
    }
    match kind.0 {
        "denoiser" | "encoder" | "vae" | "upscaler" | "controlnet" => {
            painter.rect_filled(Rect::from_center_size(at, vec2(radius, radius) * 1.75), CornerRadius::same(2), colour);
        }
        "integer" | "number" | "text" | "boolean" => {
            let reach = radius * 1.2;
            let points = [vec2(0.0, -reach), vec2(reach, 0.0), vec2(0.0, reach), vec2(-reach, 0.0)];
            painter.add(Shape::convex_polygon(points.map(|by| at + by).to_vec(), colour, Stroke::NONE));
        }
        _ => drop(painter.circle_filled(at, radius, colour)),
    }
}
