//! The canvas for those who hear the screen: where its layer lies, and what is chosen.

use egui::Ui;
use egui::accesskit::{Live, Role};
use egui::emath::TSTransform;

use super::{View, ViewState};
use crate::layer::{affine, set_transform};

/// Tells where the layer lies, as egui knows places in a layer only (`Response` writes bounds in the layer's own
/// measure), and what is chosen, which is read out when it changes.
pub fn announce(canvas: &Ui, view: &View<'_>, state: &ViewState, transform: TSTransform) {
    set_transform(canvas.ctx(), transform);
    canvas.ctx().accesskit_node_builder(canvas.unique_id(), |node| {
        node.set_role(Role::GenericContainer);
        node.set_label("canvas");
        node.set_description(chosen(view, state));
        node.set_live(Live::Polite);
        node.set_transform(affine(transform));
    });
}

/// Says what is chosen.
fn chosen(view: &View<'_>, state: &ViewState) -> String {
    let nodes = view.sheet.nodes.iter().filter(|(id, _)| state.selection.nodes.contains(id));
    let frames = view.sheet.frames.iter().filter(|(id, _)| state.selection.frames.contains(id));
    let names: Vec<_> =
        nodes.map(|(_, node)| node.label()).chain(frames.map(|(_, frame)| frame.title.as_str())).collect();
    match &names[..] {
        [] => "nothing is chosen".to_owned(),
        [name] => format!("{name} is chosen"),
        names if names.len() <= 8 => format!("{} are chosen", names.join(", ")),
        names => format!("{} are chosen", names.len()),
    }
}
