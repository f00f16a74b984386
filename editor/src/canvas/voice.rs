//! The canvas for those who hear the screen: where its layer lies, and what is chosen.

use egui::accesskit::{Affine, Live, Role};
use egui::emath::TSTransform;
use egui::{Context, Id, Ui};

use super::{View, ViewState};

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

fn affine(transform: TSTransform) -> Affine {
    let (scale, by) = (f64::from(transform.scaling), transform.translation);
    Affine::new([scale, 0.0, 0.0, scale, f64::from(by.x), f64::from(by.y)])
}

fn transform_id() -> Id {
    Id::unique("darkroom canvas transform")
}

pub fn set_transform(ctx: &Context, transform: TSTransform) {
    ctx.data_mut(|data| data.insert_temp(transform_id(), transform));
}

/// Tells those who hear the screen that a popup of something on the canvas lies on no canvas: egui hangs it below the
/// widget that opened it.
pub fn undo_transform(popup: &Ui) {
    let transform = popup.ctx().data(|data| data.get_temp::<TSTransform>(transform_id())).unwrap_or_default();
    if transform != TSTransform::IDENTITY {
        let inverse = affine(transform.inverse());
        popup.ctx().accesskit_node_builder(popup.unique_id(), |node| node.set_transform(inverse));
    }
}
