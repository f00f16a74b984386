//! The canvas: nodes, wires, frames, and the hand that moves them.
//!
//! [`show`] draws a sheet and returns what the hand wants done; it changes nothing but its own [`ViewState`]. Everything
//! lies on one layer that egui moves and scales as a whole. Only what is in view is laid out, and from afar nodes are
//! plain boxes, so that a frame costs what is seen and not what is there.

mod camera;
mod crisp;
mod frames;
mod gesture;
mod ground;
mod guides;
mod hand;
mod heat;
mod legend;
mod loose;
mod minimap;
mod net;
mod nodes;
mod notes;
mod offers;
mod pictures;
mod rows;
mod selection;
mod shake;
mod shape;
mod sockets;
mod strands;
mod voice;
mod walk;
mod wires;
mod writing;

use std::collections::HashSet;
use std::sync::Arc;

use darkroom_core::registry::Registry;
use darkroom_core::spec::Input;
use egui::emath::TSTransform;
use egui::{Id, LayerId, Painter, Pos2, Rect, Sense, Ui, UiBuilder, Vec2, pos2};

pub use camera::Camera;
pub use frames::rect_of;
pub use gesture::{Drop, Loose};
pub use heat::Heat;
pub use selection::{Choose, Selection};
pub use shape::{Shape, Socket};
pub use writing::Words;

use crate::document::{Edit, FrameId, NodeId, Point, Sheet, Side};
use crate::fields::{Change, Request};
use crate::habits::Habits;
use crate::status::Status;
use crate::theme::Theme;
use gesture::Gesture;
use net::Net;
use shape::Shapes;
use walk::Walk;
use writing::Writing;

/// Below this zoom fields are not drawn, only their values' places.
const PLAIN: f32 = 0.45;
/// Below this zoom nodes are plain boxes: their texts could not be read, and their sockets not be met.
const BARE: f32 = 0.25;

/// What the canvas shows in one frame.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The lasting name of the document in the window.
    pub id: Id,
    /// What is drawn.
    pub sheet: &'a Arc<Sheet>,
    /// The nodes there are.
    pub registry: &'a Registry,
    /// What is known of them.
    pub status: &'a Status,
    /// Says why wires may not be drawn, beyond the kinds of their ends.
    pub refuse: &'a dyn Fn(&[Drop]) -> Option<String>,
    /// How it behaves.
    pub habits: Habits,
    /// Whether keys that nobody has taken are meant for it.
    pub hears: bool,
}

/// What the canvas remembers between frames.
#[derive(Default)]
pub struct ViewState {
    /// What is seen.
    pub camera: Camera,
    /// What is chosen.
    pub selection: Selection,
    /// Nodes whose rare parameters are shown.
    pub unfolded: HashSet<NodeId>,
    /// Where the pointer was last, on the canvas.
    pub pointer: Option<Pos2>,
    /// Where the canvas was last, in the window.
    pub view: Option<Rect>,
    /// What nodes are tinted by.
    pub heat: Heat,
    shapes: Shapes,
    net: Net,
    gesture: Gesture,
    writing: Option<Writing>,
    walk: Walk,
    markdown: notes::Markdown,
}

/// What the hand wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Edits, as one step.
    Step {
        /// The step's name.
        name: String,
        /// What it may be joined with.
        key: Option<String>,
        /// The edits.
        edits: Vec<Edit>,
    },
    /// What was typed is complete: the next keystroke is a step of its own.
    Part,
    /// Search for a node, to be put at a place of the canvas and fastened to a loose wire.
    Palette {
        /// Where.
        at: Pos2,
        /// The wire that was dropped there.
        loose: Option<Loose>,
    },
    /// Put a copy of these down, so far from where they are.
    Copied {
        /// Nodes.
        nodes: HashSet<NodeId>,
        /// Frames.
        frames: HashSet<FrameId>,
        /// How far.
        by: Point,
    },
    /// Draw wires, if nothing speaks against them.
    Draw {
        /// The wires.
        drops: Vec<Drop>,
        /// The input that the wire is taken off.
        from: Option<(NodeId, String)>,
    },
    /// Enter the sub-graph that a node stands for.
    Enter(NodeId),
    /// Offer a socket outside of the sub-graph that is in front, or take it back.
    Offer {
        /// The node.
        node: NodeId,
        /// The side that the socket is at.
        side: Side,
        /// The input or output.
        end: String,
    },
    /// Show what a node made, large.
    Enlarge(NodeId),
    /// Show the menu of what is chosen.
    Menu(Pos2),
    /// Do what a field asks for.
    Field {
        /// Whose field.
        node: NodeId,
        /// Which.
        input: &'static str,
        /// What it asks for.
        request: Request,
    },
    /// Say something to the person.
    Say(String),
}

impl Action {
    /// Says what is to be done about a change of a node's field.
    pub fn of(change: Change, node: NodeId, input: &Input) -> Vec<Self> {
        let is_done = !matches!(change, Change::Toward(_) | Change::Ask(_));
        let name = input.name.to_owned();
        let edits = match change {
            Change::Set(value) | Change::Toward(value) => vec![Edit::Set(node, name, value)],
            Change::Several(values) => {
                values.into_iter().map(|(input, value)| Edit::Set(node, input.to_owned(), value)).collect()
            }
            Change::Seed(value, count) => vec![Edit::Set(node, name.clone(), value), Edit::Count(node, name, count)],
            Change::Done => Vec::new(),
            Change::Ask(request) => return vec![Self::Field { node, input: input.name, request }],
        };
        let step = (!edits.is_empty()).then(|| Self::Step {
            name: format!("change `{}`", input.name),
            key: Some(format!("{node:?}.{}", input.name)),
            edits,
        });
        step.into_iter().chain(is_done.then_some(Self::Part)).collect()
    }

    fn step(name: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self::Step { name: name.into(), key: None, edits }
    }
}

/// A node that is in view.
struct Seen {
    id: NodeId,
    node: Arc<crate::document::Node>,
    shape: Arc<Shape>,
    rect: Rect,
}

/// All that is needed while a frame is drawn.
struct Frame<'a, 'v> {
    view: &'a View<'v>,
    theme: Theme,
    painter: Painter,
    transform: TSTransform,
    /// What is in view, on the canvas.
    window: Rect,
    /// Where the pointer is, on the canvas, if it is over it.
    pointer: Option<Pos2>,
    heat: Option<heat::Scale>,
    actions: Vec<Action>,
}

impl ViewState {
    /// Returns where a node stands, wherever the hand has moved it so far.
    fn place(&self, id: NodeId, at: Point) -> Pos2 {
        pos2(at.x as f32, at.y as f32) + self.gesture.moved(id)
    }

    /// Returns the size of a node.
    pub fn size(&mut self, view: &View<'_>, id: NodeId) -> Vec2 {
        self.look_through(view);
        view.sheet.nodes.get(&id).map_or(Vec2::ZERO, |node| self.shape(view, id, node).size)
    }

    /// Returns a rectangle that holds some nodes and frames, or all of them.
    pub fn bounds(&mut self, view: &View<'_>, what: Option<&Selection>) -> Option<Rect> {
        self.look_through(view);
        let mut bounds = Rect::NOTHING;
        let frames = &view.sheet.frames;
        for (id, node) in view.sheet.nodes.iter().filter(|(id, _)| what.is_none_or(|what| what.nodes.contains(id))) {
            bounds = bounds.union(match self.net.folded(*id).and_then(|frame| frames.get(&frame)) {
                Some(frame) => rect_of(frame),
                None => self.shape(view, *id, node).rect(pos2(node.at.x as f32, node.at.y as f32)),
            });
        }
        let asked = |id: &FrameId| match what {
            Some(what) => what.frames.contains(id),
            None => !self.net.is_buried(*id),
        };
        bounds = frames.iter().filter(|(id, _)| asked(id)).fold(bounds, |all, (_, frame)| all.union(rect_of(frame)));
        bounds.is_positive().then_some(bounds)
    }

    /// Flies to what is chosen, or to everything.
    pub fn fit(&mut self, view: &View<'_>, what: Option<&Selection>) {
        if let (Some(bounds), Some(window)) = (self.bounds(view, what), self.view) {
            self.camera.fit(bounds, window);
        }
    }

    /// Flies to where a first look falls: to everything, or to the beginning of what could not be read then.
    pub fn fit_first(&mut self, view: &View<'_>) {
        if let (Some(bounds), Some(window)) = (self.bounds(view, None), self.view) {
            self.camera.fit_first(bounds, window);
        }
    }

    /// Gives up what the hand is doing.
    pub fn release(&mut self) {
        self.gesture = Gesture::Idle;
    }

    /// Tells whether the hand is doing something.
    pub fn is_busy(&self) -> bool {
        !matches!(self.gesture, Gesture::Idle)
    }
}

/// Around a node, for its edge and its shadow.
const REST: f32 = 16.0;

/// Draws a sheet in all of the room there is, and returns what the hand wants done.
pub fn show(ui: &mut Ui, view: &View<'_>, state: &mut ViewState) -> Vec<Action> {
    let window = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(window);
    state.view = Some(window);
    if state.camera.advance(ui.input(|input| input.stable_dt.min(0.1))) {
        ui.ctx().request_repaint();
    }
    state.selection.keep(view.sheet);
    state.look_through(view);

    let layer = LayerId::new(ui.layer_id().order, view.id.with("canvas"));
    ui.ctx().set_sublayer(ui.layer_id(), layer);
    let transform = state.camera.transform(window);
    let seen_rect = transform.inverse() * window;
    let builder =
        UiBuilder::new().id_salt(view.id).layer_id(layer).max_rect(seen_rect).sense(Sense::DRAG | Sense::CLICK);
    let mut canvas = ui.new_child(builder);
    canvas.set_clip_rect(transform.inverse() * window.intersect(ui.clip_rect()));
    canvas.ctx().set_transform_layer(layer, transform);
    voice::announce(&canvas, view, state, transform);

    let back = canvas.interact(seen_rect, view.id.with("back"), Sense::DRAG | Sense::CLICK);
    let pointer = canvas.input(|input| input.pointer.latest_pos()).map(|at| transform.inverse() * at);
    state.pointer = pointer.filter(|at| seen_rect.contains(*at)).or(state.pointer);
    let mut frame = Frame {
        view,
        theme: Theme::current(ui.ctx()),
        painter: canvas.painter().clone(),
        transform,
        window: seen_rect,
        pointer,
        heat: heat::Scale::of(view, state.heat),
        actions: Vec::new(),
    };
    frame.painter.rect_filled(seen_rect, 0.0, frame.theme.canvas);
    ground::grid(&frame);

    let seen = state.seen(view, seen_rect);
    frames::show(&mut canvas, &mut frame, state);
    let hovered = strands::show(&frame, state, &back);
    nodes::show(&mut canvas, &mut frame, state, &seen);
    writing::show(&mut canvas, &mut frame, state);
    walk::follow(&canvas, &mut frame, state);
    hand::follow(&mut canvas, &mut frame, state, &back, &seen, hovered);
    ground::wheel(&canvas, view.habits, state, window);
    if state.is_stale() {
        ui.ctx().request_repaint();
    }
    crisp::sharpen(ui.ctx(), layer, transform.scaling);
    crate::layer::set_transform(ui.ctx(), TSTransform::IDENTITY);
    legend::show(ui, &frame, window);
    minimap::show(ui, &frame, state, window);
    frame.actions
}
