//! What colours mean: those of sockets and wires, and those of heat. It stands in a corner of the canvas.

use std::collections::HashSet;

use darkroom_core::types::Kind;
use egui::{Align2, Area, CornerRadius, FontId, Mesh, Order, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::heat::Scale;
use super::{Frame, sockets};

/// Height of a line.
const LINE: f32 = 18.0;
/// Space to the edges of the canvas.
const APART: f32 = 12.0;

/// Shows the legends that are wanted, at the lower left of the canvas.
pub fn show(ui: &Ui, frame: &Frame<'_, '_>, window: Rect) {
    let kinds = if frame.view.habits.legend { kinds(frame) } else { Vec::new() };
    if kinds.is_empty() && frame.heat.is_none() {
        return;
    }
    let area = Area::new(frame.view.id.with("legend")).order(Order::Middle).interactable(false).fade_in(false);
    let corner = window.left_bottom() + vec2(APART, -APART);
    area.pivot(Align2::LEFT_BOTTOM).fixed_pos(corner).constrain_to(window).show(ui.ctx(), |ui| {
        let card = egui::Frame::new().fill(frame.theme.panel.gamma_multiply(0.94)).corner_radius(6).inner_margin(10);
        card.stroke(egui::Stroke::new(1.0, frame.theme.edge)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            kinds.iter().for_each(|kind| line(ui, frame, *kind));
            if let Some(scale) = &frame.heat {
                ui.add_space(if kinds.is_empty() { 0.0 } else { 8.0 });
                heat(ui, frame, scale);
            }
        });
    });
}

/// The kinds of all sockets on the sheet, in the order of their names; each node type is asked once.
fn kinds(frame: &Frame<'_, '_>) -> Vec<Kind> {
    let types: HashSet<_> = frame.view.sheet.nodes.values().map(|node| node.kind.as_str()).collect();
    let specs = types.into_iter().filter_map(|kind| frame.view.registry.get(kind)).map(|node| node.spec());
    let of = |spec: &darkroom_core::spec::Spec| {
        let inputs = spec.inputs.iter().map(|input| input.kind);
        inputs.chain(spec.outputs.iter().map(|output| output.kind)).collect::<Vec<_>>()
    };
    let mut kinds: Vec<_> = specs.flat_map(of).collect();
    kinds.sort_by_key(|kind| kind.0);
    kinds.dedup();
    kinds
}

fn line(ui: &mut Ui, frame: &Frame<'_, '_>, kind: Kind) {
    let (rect, response) = ui.allocate_exact_size(vec2(150.0, LINE), Sense::empty());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{kind} in the legend")));
    let at = rect.left_center() + vec2(6.0, 0.0);
    sockets::mark(ui.painter(), at, kind, frame.theme.kind(kind), false, 1.0);
    let at = rect.left_center() + vec2(22.0, 0.0);
    ui.painter().text(at, Align2::LEFT_CENTER, kind.to_string(), FontId::proportional(12.5), frame.theme.text);
}

fn heat(ui: &mut Ui, frame: &Frame<'_, '_>, scale: &Scale) {
    let (rect, response) = ui.allocate_exact_size(vec2(170.0, 2.0 * LINE + 10.0), Sense::empty());
    let most = scale.most();
    let words = match &most {
        Some(most) => format!("{}, up to {most}", scale.heat.words()),
        None => format!("{}: nothing is known yet", scale.heat.words()),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words.clone()));
    let (font, small) = (FontId::proportional(12.5), FontId::proportional(11.0));
    let painter = ui.painter();
    painter.text(rect.left_top(), Align2::LEFT_TOP, scale.heat.words(), font, frame.theme.text);
    let bar = Rect::from_min_size(rect.left_top() + vec2(0.0, LINE + 2.0), vec2(rect.width(), 8.0));
    painter.rect_filled(bar, CornerRadius::same(2), frame.theme.field);
    let Some(most) = most else {
        painter.text(bar.left_bottom(), Align2::LEFT_TOP, "nothing is known yet", small, frame.theme.weak);
        return;
    };
    let mut mesh = Mesh::default();
    const STEPS: u32 = 24;
    for step in 0..=STEPS {
        let share = step as f32 / STEPS as f32;
        let x = bar.left() + bar.width() * share;
        mesh.colored_vertex(pos2(x, bar.top()), frame.theme.heat(share));
        mesh.colored_vertex(pos2(x, bar.bottom()), frame.theme.heat(share));
        if step > 0 {
            mesh.add_triangle(2 * step - 2, 2 * step - 1, 2 * step);
            mesh.add_triangle(2 * step - 1, 2 * step, 2 * step + 1);
        }
    }
    painter.add(mesh);
    let below = vec2(0.0, 2.0);
    painter.text(bar.left_bottom() + below, Align2::LEFT_TOP, "0", small.clone(), frame.theme.weak);
    painter.text(bar.right_bottom() + below, Align2::RIGHT_TOP, most, small, frame.theme.weak);
}
