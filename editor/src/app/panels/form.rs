//! The form: parameters that the workflow offers, without the graph around them.

use std::sync::Arc;

use darkroom_core::spec::{Input, Spec};
use egui::{CollapsingHeader, ScrollArea, Sense, Ui, vec2};

use crate::app::App;
use crate::canvas::Action;
use crate::document::{Edit, Node, NodeId, Sheet, expose, exposed};
use crate::fields::Shown;
use crate::theme;

/// Shows what is offered, or what could be.
pub fn show(app: &mut App, ui: &mut Ui) {
    let sheet = Arc::clone(app.tab().document.sheet());
    let choosing = ui.scope_id().with("choosing");
    let mut chooses = ui.data(|data| data.get_temp::<bool>(choosing)).unwrap_or_default();
    let offered = exposed(&sheet);
    ui.horizontal(|ui| {
        if ui.selectable_label(chooses, "Choose fields").clicked() {
            chooses = !chooses;
        }
    });
    ui.data_mut(|data| data.insert_temp(choosing, chooses));
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| match chooses {
        true => choose(app, ui, &sheet, &offered),
        false if offered.is_empty() => {
            ui.weak("Fields that are changed often can stand here, so that the graph is not needed to run it.");
        }
        false => fill(app, ui, &sheet, &offered),
    });
}

/// Returns a node, and what is known of one of its fields.
fn field<'r>(app: &'r App, sheet: &Sheet, id: NodeId, name: &str) -> Option<(Arc<Node>, &'r Spec, &'r Input)> {
    let node = sheet.nodes.get(&id)?;
    let spec = app.tab().registry(&*app.backend).get(&node.kind)?.spec();
    let (_, input) = spec.input(name)?;
    input.param.is_some().then(|| (Arc::clone(node), spec, input))
}

fn height(input: &Input) -> f32 {
    match input.param.as_ref().is_some_and(|param| param.multiline) {
        true => theme::ROW + theme::TEXT_BOX,
        false => theme::ROW,
    }
}

fn fill(app: &mut App, ui: &mut Ui, sheet: &Sheet, offered: &[(NodeId, String)]) {
    let mut actions = Vec::new();
    let mut last = None;
    for (id, name) in offered {
        let Some((node, spec, input)) = field(app, sheet, *id, name) else { continue };
        if last != Some(*id) {
            ui.add_space(6.0);
            ui.weak(node.label());
            last = Some(*id);
        }
        if node.wire(name).is_some() {
            ui.label(format!("{}: comes by a wire", name.replace('_', " ")));
            continue;
        }
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height(input)), Sense::hover());
        let shown = Shown::of(ui.scope_id().with((id, name)), (*id, &node), spec, input, &app.tab().status);
        if let Some(change) = shown.show(ui, rect) {
            actions.extend(Action::of(change, *id, input));
        }
    }
    let ctx = ui.ctx().clone();
    actions.into_iter().for_each(|action| app.do_action(&ctx, action));
}

fn choose(app: &mut App, ui: &mut Ui, sheet: &Sheet, offered: &[(NodeId, String)]) {
    let mut turned = None;
    for (id, node) in &sheet.nodes {
        let Some(spec) = app.tab().registry(&*app.backend).get(&node.kind).map(|node| node.spec()) else { continue };
        let names: Vec<_> = spec.inputs.iter().filter(|input| input.param.is_some()).map(|input| input.name).collect();
        if names.is_empty() {
            continue;
        }
        let is_offered = |name: &str| offered.iter().any(|(of, input)| of == id && input == name);
        let open = names.iter().any(|name| is_offered(name));
        CollapsingHeader::new(node.label()).id_salt(id).default_open(open).show(ui, |ui| {
            for name in &names {
                let mut on = is_offered(name);
                let words = name.replace('_', " ");
                let offer = ui.checkbox(&mut on, &words);
                let label = format!("offer {words} of {}", node.label());
                ui.ctx().accesskit_node_builder(offer.id, |node| node.set_label(label));
                if offer.clicked() {
                    turned = Some((*id, *name));
                }
            }
        });
    }
    if let Some((id, name)) = turned {
        app.step("choose fields of the form", vec![Edit::Whole(Box::new(expose(sheet, id, name)))]);
    }
}
