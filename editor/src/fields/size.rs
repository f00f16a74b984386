//! Width and height together: sizes that families of models draw well, and one in place of the other.

use darkroom_core::literal::Literal;
use egui::{Popup, Rect, Response, RichText, ScrollArea, Ui, vec2};

use super::{Change, Shown, signs};
use crate::theme::Theme;

/// Width of the small button.
const BUTTON: f32 = 22.0;

impl Shown<'_> {
    /// Puts a small button at the right of a number that is half of a size, and returns the room that is left.
    pub(super) fn paired(&self, ui: &mut Ui, room: Rect, theme: &Theme) -> (Rect, Option<Change>) {
        let (Some(pair), Some(_)) = (self.param().pair, self.node) else { return (room, None) };
        let (left, right) = room.split_left_right_at_x(room.right() - BUTTON);
        let has_sizes = !self.param().sizes.is_empty();
        let label = if has_sizes { format!("sizes for {}", self.input.name) } else { format!("swap with {pair}") };
        let sign = if has_sizes { signs::sizes } else { signs::swap };
        let response = self.small(ui, "size", right, &label, sign, theme);
        let change = match has_sizes {
            true => self.sizes(&response, pair),
            false => response.clicked().then(|| self.swapped(pair)).flatten(),
        };
        (left.with_max_x(left.right() - 2.0), change)
    }

    /// Shows the sizes, those of the node's family first.
    fn sizes(&self, response: &Response, pair: &'static str) -> Option<Change> {
        let response = response.clone().on_hover_text("sizes that models were trained on");
        let family = self.status.and_then(|status| status.types.first()).and_then(|ty| ty.family.clone());
        let mut all: Vec<_> = self.param().sizes.iter().collect();
        all.sort_by_key(|sizes| family.as_deref().is_some_and(|family| family != sizes.family));
        let mut chosen = None;
        Popup::menu(&response).show(|ui| {
            crate::layer::undo_transform(ui);
            ScrollArea::vertical().max_height(380.0).show(ui, |ui| {
                ui.set_min_width(132.0);
                for sizes in all {
                    ui.label(RichText::new(sizes.title).weak().size(11.0));
                    for (width, height) in sizes.sizes {
                        if ui.button(format!("{width} × {height}")).clicked() {
                            chosen = Some((*width, *height));
                            ui.close();
                        }
                    }
                }
            });
        });
        let (width, height) = chosen?;
        Some(self.both(pair, Some(Literal::from(width)), Some(Literal::from(height))))
    }

    fn swapped(&self, pair: &'static str) -> Option<Change> {
        let (node, spec) = self.node?;
        let other = spec.input(pair)?.1.param.as_ref()?;
        let other = node.literal(pair).or(other.default.as_ref())?;
        Some(self.both(pair, Some(other.clone()), self.current().cloned()))
    }

    /// Sets both; one that a wire feeds stays as it is.
    fn both(&self, pair: &'static str, own: Option<Literal>, other: Option<Literal>) -> Change {
        let fed = self.node.is_some_and(|(node, _)| node.wire(pair).is_some());
        let values = [(self.input.name, own), (pair, other)];
        Change::Several(values.into_iter().filter(|(name, _)| !fed || *name != pair).collect())
    }

    /// A small button with a painted sign.
    pub(super) fn small(
        &self,
        ui: &mut Ui,
        part: &str,
        room: Rect,
        label: &str,
        sign: impl Fn(&egui::Painter, egui::Pos2, egui::Color32),
        theme: &Theme,
    ) -> Response {
        let place = Rect::from_center_size(room.center(), vec2(room.width(), room.height()));
        let response = self.put(ui, part, place, egui::Button::new("").frame_when_inactive(false));
        let colour = if response.hovered() || response.has_focus() { theme.text } else { theme.weak };
        sign(ui.painter(), place.center(), colour);
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(label));
        response
    }
}
