//! The canvas: nodes, wires, frames, and the hand that moves them.
//!
//! [`show`] draws a sheet and returns what the hand wants done; it changes nothing but its own [`ViewState`]. Everything
//! lies on one layer that egui moves and scales as a whole. Only what is in view is laid out, and from afar nodes are
//! plain boxes, so that a frame costs what is seen and not what is there.

mod camera;
mod crisp;
mod frames;
mod gesture;
mod hand;
mod loose;
mod nodes;
mod offers;
mod selection;
mod shape;
mod sockets;
mod wires;

use std::collections::HashSet;
use std::sync::Arc;

use darkroom_core::registry::Registry;
use egui::emath::TSTransform;
use egui::{Context, Id, LayerId, Painter, Pos2, Rect, Response, Sense, Ui, UiBuilder, Vec2, pos2, vec2};

pub use camera::{Camera, snapped};
pub use gesture::{Drop, Loose};
pub use selection::{Choose, Selection};
pub use shape::{Shape, Shapes, Socket};

use crate::document::{Edit, FrameId, NodeId, Point, Sheet, Side};
use crate::fields::{Change, is_wheel_kept};
use crate::habits::Habits;
use crate::status::Status;
use crate::theme::{self, Theme};
use gesture::Gesture;
use wires::Course;

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
    pub sheet: &'a Sheet,
    /// The nodes there are.
    pub registry: &'a Registry,
    /// What is known of them.
    pub status: &'a Status,
    /// Says why a wire may not be drawn, beyond the kinds of its ends.
    pub refuse: &'a dyn Fn(&Drop) -> Option<String>,
    /// How it behaves.
    pub habits: Habits,
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
    shapes: Shapes,
    gesture: Gesture,
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
    /// Draw a wire, if nothing speaks against it.
    Draw {
        /// The wire.
        drop: Drop,
        /// The input that it is taken off.
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
    /// Give a node another title.
    Rename(NodeId),
    /// Write in a frame or note.
    Write(FrameId),
    /// Show what a node made, large.
    Enlarge(NodeId),
    /// Show the menu of what is chosen.
    Menu(Pos2),
    /// Say something to the person.
    Say(String),
}

impl Action {
    /// Returns the same for the document's own sheet, whatever level is in front.
    pub fn of_whole(self) -> Self {
        match self {
            Self::Step { name, key, edits } => {
                let edits = edits.into_iter().map(|edit| Edit::Whole(Box::new(edit))).collect();
                Self::Step { name, key, edits }
            }
            other => other,
        }
    }

    fn step(name: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self::Step { name: name.into(), key: None, edits }
    }

    /// Returns what is to be done when a hand changes a field.
    pub fn of_change(node: NodeId, input: &str, change: Change) -> Vec<Self> {
        let done = !matches!(change, Change::Toward(_));
        let step = match change {
            Change::Set(value) | Change::Toward(value) => Some(Self::Step {
                name: format!("change `{input}`"),
                key: Some(format!("{node:?}.{input}")),
                edits: vec![Edit::Set(node, input.to_owned(), value)],
            }),
            Change::Done => None,
        };
        step.into_iter().chain(done.then_some(Self::Part)).collect()
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
    actions: Vec<Action>,
}

impl ViewState {
    /// Returns where a node stands, wherever the hand has moved it so far.
    fn place(&self, id: NodeId, at: Point) -> Pos2 {
        pos2(at.x as f32, at.y as f32) + self.gesture.moved(id)
    }

    /// Returns the size of a node.
    pub fn size(&mut self, view: &View<'_>, id: NodeId) -> Vec2 {
        view.sheet.nodes.get(&id).map_or(Vec2::ZERO, |node| self.shape(view, id, node).size)
    }

    /// Returns the shape of a node, whose edge may be in the hand.
    fn shape(&mut self, view: &View<'_>, id: NodeId, node: &Arc<crate::document::Node>) -> Arc<Shape> {
        let (status, unfolded) = (view.status.of(id), self.unfolded.contains(&id));
        match self.gesture.width(id) {
            Some(width) => {
                let wider = crate::document::Node { width: Some(width), ..(**node).clone() };
                self.shapes.of(id, &Arc::new(wider), view.registry, status, unfolded)
            }
            None => self.shapes.of(id, node, view.registry, status, unfolded),
        }
    }

    /// Returns a rectangle that holds some nodes and frames, or all of them.
    pub fn bounds(&mut self, view: &View<'_>, what: Option<&Selection>) -> Option<Rect> {
        let mut bounds = Rect::NOTHING;
        for (id, node) in &view.sheet.nodes {
            if what.is_none_or(|what| what.nodes.contains(id)) {
                let size = self.size(view, *id);
                bounds = bounds.union(Rect::from_min_size(pos2(node.at.x as f32, node.at.y as f32), size));
            }
        }
        for (id, frame) in &view.sheet.frames {
            if what.is_none_or(|what| what.frames.contains(id)) {
                let size = vec2(frame.size.0 as f32, frame.size.1 as f32);
                bounds = bounds.union(Rect::from_min_size(pos2(frame.at.x as f32, frame.at.y as f32), size));
            }
        }
        bounds.is_positive().then_some(bounds)
    }

    /// Flies to what is chosen, or to everything.
    pub fn fit(&mut self, view: &View<'_>, what: Option<&Selection>) {
        if let (Some(bounds), Some(window)) = (self.bounds(view, what), self.view) {
            self.camera.fit(bounds, window);
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

    fn seen(&mut self, view: &View<'_>, window: Rect) -> Vec<Seen> {
        let mut seen = Vec::new();
        for (id, node) in &view.sheet.nodes {
            let at = self.place(*id, node.at);
            // Cheap first: a node that is far away needs no shape.
            if at.x > window.right() || at.y > window.bottom() {
                continue;
            }
            let shape = self.shape(view, *id, node);
            let rect = shape.rect(at);
            if rect.expand(REST).intersects(window) {
                seen.push(Seen { id: *id, node: Arc::clone(node), shape, rect });
            }
        }
        // What is chosen lies on top.
        seen.sort_by_key(|seen| self.selection.nodes.contains(&seen.id));
        seen
    }

    /// Returns where a wire lies.
    fn course(&mut self, view: &View<'_>, to: NodeId, input: &str, wire: &crate::document::Wire) -> Option<Course> {
        let (from_node, to_node) = (view.sheet.nodes.get(&wire.node)?, view.sheet.nodes.get(&to)?);
        let (from_shape, to_shape) = (self.shape(view, wire.node, from_node), self.shape(view, to, to_node));
        let from = self.place(wire.node, from_node.at) + from_shape.output(wire.output.as_deref());
        let end = self.place(to, to_node.at) + to_shape.input(input);
        Some(Course::new(from, &self.gesture.bends(to, input, &wire.bends), end))
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

    let layer = LayerId::new(ui.layer_id().order, view.id.with("canvas"));
    ui.ctx().set_sublayer(ui.layer_id(), layer);
    let transform = state.camera.transform(window);
    let seen_rect = transform.inverse() * window;
    let builder = UiBuilder::new().id_salt(view.id).layer_id(layer).max_rect(seen_rect).sense(Sense::click_and_drag());
    let mut canvas = ui.new_child(builder);
    canvas.set_clip_rect(transform.inverse() * window.intersect(ui.clip_rect()));
    canvas.ctx().set_transform_layer(layer, transform);
    announce(&canvas, transform);

    let back = canvas.interact(seen_rect, view.id.with("back"), Sense::click_and_drag());
    let pointer = canvas.input(|input| input.pointer.latest_pos()).map(|at| transform.inverse() * at);
    state.pointer = pointer.filter(|at| seen_rect.contains(*at)).or(state.pointer);
    let mut frame = Frame {
        view,
        theme: Theme::current(ui.ctx()),
        painter: canvas.painter().clone(),
        transform,
        window: seen_rect,
        pointer,
        actions: Vec::new(),
    };
    frame.painter.rect_filled(seen_rect, 0.0, frame.theme.canvas);
    grid(&frame);

    let seen = state.seen(view, seen_rect);
    frames::show(&mut canvas, &mut frame, state);
    let hovered = frame.wires(state, &back);
    nodes::show(&mut canvas, &mut frame, state, &seen);
    hand::follow(&mut canvas, &mut frame, state, &back, &seen, hovered);
    wheel(&canvas, view.habits, state, window);
    crisp::sharpen(ui.ctx(), layer, transform.scaling);
    set_transform(ui.ctx(), TSTransform::IDENTITY);
    frame.actions
}

/// Tells those who hear the screen where the layer lies: egui knows places in a layer only (`Response` writes bounds
/// in the layer's own measure).
fn announce(canvas: &Ui, transform: TSTransform) {
    set_transform(canvas.ctx(), transform);
    let (scale, by) = (f64::from(transform.scaling), transform.translation);
    canvas.ctx().accesskit_node_builder(canvas.unique_id(), |node| {
        node.set_role(egui::accesskit::Role::GenericContainer);
        node.set_label("canvas");
        let affine = egui::accesskit::Affine::new([scale, 0.0, 0.0, scale, f64::from(by.x), f64::from(by.y)]);
        node.set_transform(affine);
    });
}

fn transform_id() -> Id {
    Id::unique("darkroom canvas transform")
}

fn set_transform(ctx: &Context, transform: TSTransform) {
    ctx.data_mut(|data| data.insert_temp(transform_id(), transform));
}

/// Tells those who hear the screen that a popup of something on the canvas lies on no canvas: egui hangs it below the
/// widget that opened it.
pub fn undo_transform(popup: &Ui) {
    let transform = popup.ctx().data(|data| data.get_temp::<TSTransform>(transform_id())).unwrap_or_default();
    if transform == TSTransform::IDENTITY {
        return;
    }
    let inverse = transform.inverse();
    let (scale, by) = (f64::from(inverse.scaling), inverse.translation);
    popup.ctx().accesskit_node_builder(popup.unique_id(), |node| {
        node.set_transform(egui::accesskit::Affine::new([scale, 0.0, 0.0, scale, f64::from(by.x), f64::from(by.y)]));
    });
}

fn grid(frame: &Frame<'_, '_>) {
    let zoom = frame.transform.scaling;
    let mut step = theme::GRID * 4.0;
    while step * zoom < 22.0 {
        step *= 4.0;
    }
    let first = pos2((frame.window.left() / step).floor() * step, (frame.window.top() / step).floor() * step);
    let (columns, rows) = ((frame.window.width() / step) as usize + 2, (frame.window.height() / step) as usize + 2);
    let half = 0.8 / zoom;
    let mut mesh = egui::Mesh::default();
    for row in 0..rows {
        for column in 0..columns {
            let at = first + vec2(column as f32, row as f32) * step;
            mesh.add_colored_rect(Rect::from_center_size(at, Vec2::splat(2.0 * half)), frame.theme.grid);
        }
    }
    frame.painter.add(mesh);
}

/// Returns where the pointer is in the window, if nothing lies between it and the canvas.
fn over(canvas: &Ui, window: Rect) -> Option<Pos2> {
    let at = canvas.input(|input| input.pointer.latest_pos()).filter(|at| window.contains(*at))?;
    // The canvas is no area of egui's own, so that above it there is none, or one at the back.
    let above = canvas.ctx().layer_id_at(at).is_some_and(|layer| layer.order != egui::Order::Background);
    (!above).then_some(at)
}

/// Moves and zooms by wheel and touchpad.
fn wheel(canvas: &Ui, habits: Habits, state: &mut ViewState, window: Rect) {
    let Some(at) = over(canvas, window).filter(|_| !is_wheel_kept(canvas.ctx())) else { return };
    let (scroll, pinch, keys) = canvas.input(|input| (input.smooth_scroll_delta, input.zoom_delta(), input.modifiers));
    if pinch != 1.0 {
        state.camera.zoom_at(at, window, pinch);
    } else if scroll != Vec2::ZERO {
        if habits.wheel_pans || keys.shift {
            state.camera.pan(scroll);
        } else {
            state.camera.zoom_at(at, window, (scroll.y * 0.0028).exp());
        }
    } else {
        return;
    }
    canvas.ctx().request_repaint();
}

impl Frame<'_, '_> {
    /// Paints the wires, and returns the one that the pointer is over: its end, and the piece of it.
    fn wires(&self, state: &mut ViewState, back: &Response) -> Option<(NodeId, String, usize)> {
        let sheet = self.view.sheet;
        let near = 7.0 / self.transform.scaling.max(0.2);
        let pointer = self.pointer.filter(|_| back.hovered() && !state.is_busy());
        let mut hovered: Option<(f32, NodeId, String, usize)> = None;
        let mut drawn = Vec::new();
        for (to, input, wire) in sheet.wires() {
            if state.gesture.carries(to, input) {
                continue;
            }
            let Some(course) = state.course(self.view, to, input, wire) else { continue };
            let bounds = course.bounds().expand(near);
            if !bounds.intersects(self.window) {
                continue;
            }
            if let Some(at) = pointer.filter(|at| bounds.contains(*at)) {
                let (distance, piece) = course.distance(at);
                if distance < near && hovered.as_ref().is_none_or(|(least, ..)| distance < *least) {
                    hovered = Some((distance, to, input.to_owned(), piece));
                }
            }
            drawn.push((to, input, wire, course));
        }
        let width = 2.0_f32.max(1.2 / self.transform.scaling);
        let mut far = (self.transform.scaling < BARE).then(egui::Mesh::default);
        for (to, input, wire, course) in &drawn {
            let is_hovered = hovered.as_ref().is_some_and(|(_, node, name, _)| node == to && name == input);
            let chosen = state.selection.nodes.contains(to) || state.selection.nodes.contains(&wire.node);
            let muted = [*to, wire.node].iter().any(|id| nodes::is_muted(sheet, *id));
            let mut colour = self.wire_colour(wire);
            if muted || state.gesture.dims() {
                colour = colour.gamma_multiply(0.3);
            }
            if state.gesture.cuts(course) {
                colour = self.theme.error;
            }
            let width = if is_hovered || chosen { width * 1.7 } else { width };
            if let Some(far) = &mut far {
                course.paint_far(far, colour, width);
                continue;
            }
            if self.transform.scaling > PLAIN {
                course.paint(&self.painter, self.theme.canvas, width + 2.5);
            }
            course.paint(&self.painter, colour, width);
            for bend in &state.gesture.bends(*to, input, &wire.bends) {
                self.painter.circle_filled(pos2(bend.x as f32, bend.y as f32), width * 1.6 + 1.0, colour);
            }
        }
        if let Some(far) = far {
            self.painter.add(far);
        }
        hovered.map(|(_, node, input, piece)| (node, input, piece))
    }

    fn wire_colour(&self, wire: &crate::document::Wire) -> egui::Color32 {
        self.theme.kind(sockets::kind_of(self, wire.node, wire.output.as_deref()))
    }
}
