//! Files that are dropped on a field: the field under the pointer takes them.

use std::path::{Path, PathBuf};

use egui::{Context, CornerRadius, Id, Rect, Stroke, StrokeKind, Ui};

use super::{Change, Request, Shown};
use crate::theme::Theme;

fn under_id() -> Id {
    Id::unique("field of a file under the pointer")
}

/// Returns the field that a file would be dropped on: the one for a file that was last under the pointer.
pub fn under_pointer(ctx: &Context) -> Option<Id> {
    let (pass, field) = ctx.data(|data| data.get_temp::<(u64, Id)>(under_id()))?;
    (pass + 1 >= ctx.cumulative_pass_nr()).then_some(field)
}

/// Gives a file to a field, which takes it when it is shown next.
pub fn give(ctx: &Context, field: Id, file: &Path) {
    ctx.data_mut(|data| data.insert_temp(field.with("dropped"), file.to_owned()));
}

impl Shown<'_> {
    /// Takes what was dropped here, and shows that it would.
    pub(super) fn dropped(&self, ui: &Ui, rect: Rect, theme: &Theme) -> Option<Change> {
        self.param().file?;
        let from_global = ui.ctx().layer_transform_from_global(ui.layer_id()).unwrap_or_default();
        let pointer = ui.input(|input| input.pointer.latest_pos()).map(|at| from_global * at);
        if pointer.is_some_and(|at| rect.intersect(ui.clip_rect()).contains(at)) {
            let seen = (ui.ctx().cumulative_pass_nr(), self.id);
            ui.data_mut(|data| data.insert_temp(under_id(), seen));
            if ui.input(|input| !input.raw.hovered_files.is_empty()) {
                let stroke = Stroke::new(2.0, theme.accent);
                ui.painter().rect_stroke(rect, CornerRadius::same(5), stroke, StrokeKind::Inside);
            }
        }
        let file = ui.data_mut(|data| data.remove_temp::<PathBuf>(self.id.with("dropped")))?;
        Some(Change::Ask(Request::Take(file)))
    }
}
