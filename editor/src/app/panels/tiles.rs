//! Panels that can be moved: which there are, where they lie, and how that is remembered.
//!
//! All of them are always in the tree, most of them out of sight, so that a panel that is opened again comes back where a
//! person left it.

use egui::{Color32, Id, Stroke, Style, Ui, Visuals, WidgetText};
use egui_tiles::{
    Behavior, EditAction, Linear, LinearDir, SimplificationOptions, TabState, Tabs, Tile, TileId, Tree, UiResponse,
};
use serde::{Deserialize, Serialize};

use super::{empty, faults, form, log, loras, memory, nodes, results, runs, steps};
use crate::app::App;
use crate::theme::Theme;

/// A panel, or the canvas among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pane {
    /// The document.
    Canvas,
    /// Pictures that were made.
    Results,
    /// Parameters that the workflow offers.
    Form,
    /// What runs, what waits, and what is over.
    Runs,
    /// What sits in memory and on disk.
    Memory,
    /// Steps that can be undone.
    Steps,
    /// All nodes there are.
    Nodes,
    /// The LoRAs of each model.
    Loras,
    /// What is wrong.
    Faults,
    /// What runs have told.
    Log,
}

/// The panels at the right, as long as nobody has moved them.
const RIGHT: [Pane; 7] = [Pane::Results, Pane::Form, Pane::Runs, Pane::Memory, Pane::Steps, Pane::Nodes, Pane::Loras];
/// Those below the canvas.
const BELOW: [Pane; 2] = [Pane::Faults, Pane::Log];
/// The share of the width that the panels at the right take.
const WIDTH: f32 = 0.2;
/// The share of the height that the panels below take.
const HEIGHT: f32 = 0.2;

impl Pane {
    fn title(self, app: &App) -> String {
        match self {
            Self::Canvas => app.tab().title(),
            Self::Results => "Results".to_owned(),
            Self::Form => "Form".to_owned(),
            Self::Runs => match app.runs().len() {
                0 => "Runs".to_owned(),
                count => format!("Runs ({count})"),
            },
            Self::Memory => "Memory".to_owned(),
            Self::Steps => "Steps".to_owned(),
            Self::Nodes => "Nodes".to_owned(),
            Self::Loras => "LoRAs".to_owned(),
            Self::Faults => match app.tab().all_faults().count() {
                0 => "Faults".to_owned(),
                count => format!("Faults ({count})"),
            },
            Self::Log => "Log".to_owned(),
        }
    }

    fn show(self, app: &mut App, ui: &mut Ui) {
        match self {
            Self::Canvas => {
                app.canvas(ui);
                empty::show(app, ui);
            }
            Self::Results => results::show(app, ui),
            Self::Form => form::show(app, ui),
            Self::Runs => runs::show(app, ui),
            Self::Memory => memory::show(app, ui),
            Self::Steps => steps::show(app, ui),
            Self::Nodes => nodes::show(app, ui),
            Self::Loras => loras::show(app, ui),
            Self::Faults => faults::show(app, ui),
            Self::Log => log::show(app, ui),
        }
    }
}

/// Where the panels lie.
pub struct Tiles {
    tree: Tree<Pane>,
    /// What is to be opened or closed, once nobody looks at the tree.
    asked: Vec<(Pane, Turn)>,
    /// Whether it differs from what was last written.
    changed: bool,
}

/// What becomes of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is brought into sight.
    Show,
    /// It is brought into sight, or closed if it is there.
    Toggle,
}

impl Default for Tiles {
    fn default() -> Self {
        let mut tiles = egui_tiles::Tiles::default();
        let mut group = |panes: &[Pane]| {
            let children = panes.iter().map(|pane| tiles.insert_pane(*pane)).collect();
            tiles.insert_tab_tile(children)
        };
        let (canvas, below, right) = (group(&[Pane::Canvas]), group(&BELOW), group(&RIGHT));
        let mut split = |dir, first, second, share: f32| {
            tiles.insert_container(Linear::new_binary(dir, [first, second], 1.0 - share))
        };
        let left = split(LinearDir::Vertical, canvas, below, HEIGHT);
        let root = split(LinearDir::Horizontal, left, right, WIDTH);
        let mut made = Self::of(Tree::new(Id::unique("panels"), root, tiles));
        RIGHT.iter().chain(&BELOW).skip(1).for_each(|pane| made.set(*pane, false));
        made.changed = false;
        made
    }
}

impl Tiles {
    fn of(tree: Tree<Pane>) -> Self {
        Self { tree, asked: Vec::new(), changed: false }
    }

    /// Reads what [`Self::text`] wrote. What is damaged, or has not all panels in it, is as if nobody had moved any.
    pub fn read(text: &str) -> Self {
        let all = || RIGHT.iter().chain(&BELOW).chain(&[Pane::Canvas]);
        let tree = ron::from_str::<Tree<Pane>>(text).ok();
        let whole = |tree: &Tree<Pane>| {
            let found = |pane: &Pane| tree.tiles.find_pane(pane).is_some_and(|id| hangs_on(tree, id));
            all().all(found) && tree.tiles.tiles().filter(|tile| matches!(tile, Tile::Pane(_))).count() == all().count()
        };
        tree.filter(whole).map(Self::of).unwrap_or_default()
    }

    /// Writes where they lie, if that has changed since the last time.
    pub fn text(&mut self) -> Option<String> {
        std::mem::take(&mut self.changed).then(|| ron::to_string(&self.tree).ok())?
    }

    /// Tells whether a panel is in sight.
    pub fn is_seen(&self, pane: Pane) -> bool {
        self.tree.tiles.find_pane(&pane).is_some_and(|id| self.tree.active_tiles().contains(&id))
    }

    /// Asks for a panel to be shown or closed.
    pub fn ask(&mut self, pane: Pane, turn: Turn) {
        self.asked.push((pane, turn));
    }

    fn obey(&mut self) {
        for (pane, turn) in std::mem::take(&mut self.asked) {
            self.set(pane, turn == Turn::Show || !self.is_seen(pane));
        }
    }

    fn set(&mut self, pane: Pane, open: bool) {
        let Some(id) = self.tree.tiles.find_pane(&pane) else { return };
        self.tree.set_visible(id, open);
        if open {
            self.tree.make_active(|tile, _| tile == id);
        }
        self.changed = true;
    }
}

/// Tells whether a tile is reached from the root: what is not would never be seen again.
fn hangs_on(tree: &Tree<Pane>, mut id: TileId) -> bool {
    // No deeper than there are tiles, whatever a file says.
    for _ in 0..=tree.tiles.len() {
        match tree.tiles.parent_of(id) {
            Some(parent) => id = parent,
            None => return tree.root == Some(id),
        }
    }
    false
}

/// Shows the panels and the canvas in all of the room there is.
pub fn show(app: &mut App, ui: &mut Ui) {
    app.tiles.obey();
    // What is asked for meanwhile is done next time.
    let away = Tiles::of(Tree::empty(Id::unique("panels")));
    let mut tiles = std::mem::replace(&mut app.tiles, away);
    let canvas = tiles.tree.tiles.find_pane(&Pane::Canvas);
    let alone = canvas.and_then(|id| tiles.tree.tiles.parent_of(id)).filter(|parent| {
        let container = tiles.tree.tiles.get_container(*parent);
        let seen = |child: &&TileId| tiles.tree.is_visible(**child);
        container.is_some_and(|container| container.children().filter(seen).count() == 1)
    });
    let mut showing = Showing { theme: Theme::current(ui.ctx()), app, alone, changed: false };
    tiles.tree.ui(&mut showing, ui);
    tiles.changed |= showing.changed;
    tiles.asked = std::mem::take(&mut app.tiles.asked);
    app.tiles = tiles;
}

struct Showing<'a> {
    app: &'a mut App,
    theme: Theme,
    /// The tabs of the canvas, while it is alone there.
    alone: Option<TileId>,
    changed: bool,
}

fn pane_of(tiles: &egui_tiles::Tiles<Pane>, id: TileId) -> Option<Pane> {
    tiles.get_pane(&id).copied()
}

impl Behavior<Pane> for Showing<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _: TileId, pane: &mut Pane) -> UiResponse {
        match pane {
            Pane::Canvas => pane.show(self.app, ui),
            pane => {
                let frame = egui::Frame::new().fill(self.theme.panel).inner_margin(8);
                frame.show(ui, |ui| {
                    ui.set_min_size(ui.available_size());
                    pane.show(self.app, ui);
                });
            }
        }
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        pane.title(self.app).into()
    }

    fn is_tab_closable(&self, tiles: &egui_tiles::Tiles<Pane>, id: TileId) -> bool {
        pane_of(tiles, id).is_some_and(|pane| pane != Pane::Canvas)
    }

    fn is_tile_draggable(&self, tiles: &egui_tiles::Tiles<Pane>, id: TileId) -> bool {
        self.is_tab_closable(tiles, id)
    }

    fn on_tab_close(&mut self, tiles: &mut egui_tiles::Tiles<Pane>, id: TileId) -> bool {
        tiles.set_visible(id, false);
        self.changed = true;
        // It stays in the tree, out of sight.
        false
    }

    fn on_edit(&mut self, _: EditAction) {
        self.changed = true;
    }

    fn is_tab_bar_visible(&self, id: TileId, _: &Tabs) -> bool {
        self.alone != Some(id)
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }

    fn cycle_tabs_with_keyboard(&self) -> bool {
        false
    }

    fn min_size(&self) -> f32 {
        72.0
    }

    fn gap_width(&self, _: &Style) -> f32 {
        3.0
    }

    fn tab_bar_color(&self, _: &Visuals) -> Color32 {
        self.theme.canvas
    }

    fn tab_bg_color(&self, _: &Visuals, _: &egui_tiles::Tiles<Pane>, _: TileId, state: &TabState) -> Color32 {
        if state.active { self.theme.panel } else { Color32::TRANSPARENT }
    }

    fn tab_outline_stroke(&self, _: &Visuals, _: &egui_tiles::Tiles<Pane>, _: TileId, _: &TabState) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, _: &Visuals) -> Stroke {
        Stroke::NONE
    }

    fn tab_text_color(&self, _: &Visuals, _: &egui_tiles::Tiles<Pane>, _: TileId, state: &TabState) -> Color32 {
        if state.active { self.theme.text } else { self.theme.weak }
    }
}
