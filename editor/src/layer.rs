//! Where the layer of the canvas lies, for what is drawn on it and for popups above it.

use egui::accesskit::Affine;
use egui::emath::TSTransform;
use egui::{Context, Id, Ui};

/// Writes a move and a scale for those who hear the screen.
pub fn affine(transform: TSTransform) -> Affine {
    let (scale, by) = (f64::from(transform.scaling), transform.translation);
    Affine::new([scale, 0.0, 0.0, scale, f64::from(by.x), f64::from(by.y)])
}

fn transform_id() -> Id {
    Id::unique("darkroom canvas transform")
}

/// Says where the layer lies that is drawn on from now on.
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
