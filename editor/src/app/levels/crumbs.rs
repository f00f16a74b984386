//! The strip over the canvas that says which sub-graphs were entered, and leads out of them.

use egui::{Align2, Area, Id, Order, Pos2, Rect, RichText, Role, Ui, WidgetInfo, vec2};

use crate::app::App;
use crate::theme::Theme;

impl App {
    /// Shows the way to the level in front, where one was entered.
    pub(in crate::app) fn crumbs(&mut self, ui: &Ui, canvas: Rect) {
        let tab = self.tab();
        if tab.levels.within.is_empty() {
            return;
        }
        let mut titles = vec![tab.title().trim_end_matches(" •").to_owned()];
        for entered in &tab.levels.within {
            let definition = tab.document.sheet().definitions.get(&entered.definition);
            let title = definition.and_then(|definition| definition.title.clone());
            titles.push(title.unwrap_or_else(|| entered.definition.clone()));
        }
        let corner: Pos2 = canvas.left_top() + vec2(10.0, 10.0);
        let area = Area::new(Id::unique("crumbs")).order(Order::Middle).fixed_pos(corner).pivot(Align2::LEFT_TOP);
        let theme = Theme::current(ui.ctx());
        let mut left = None;
        area.show(ui.ctx(), |ui| {
            egui::Frame::popup(ui.style()).inner_margin(4.0).show(ui, |ui| {
                ui.horizontal(|ui| {
                    let last = titles.len() - 1;
                    for (depth, title) in titles.iter().enumerate() {
                        if depth > 0 {
                            ui.label(RichText::new("›").color(theme.weak));
                        }
                        let text = RichText::new(title).strong();
                        let response = ui.selectable_label(depth == last, text);
                        let label = format!("level {title}");
                        response.widget_info(|| WidgetInfo::selected(Role::Button, true, depth == last, &label));
                        if response.clicked() && depth < last {
                            left = Some(depth);
                        }
                    }
                });
            });
        });
        if let Some(depth) = left {
            self.tab_mut().leave_to(depth);
            ui.ctx().request_repaint();
        }
    }
}
