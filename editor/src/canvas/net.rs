//! What lies where: the cards of nodes and the courses of wires. It is found anew when something has changed, and only
//! looked through in a frame.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use darkroom_core::types::Kind;
use egui::{Pos2, Rect, Vec2};

use super::frames::{holds, rect_of};
use super::shape::{Face, Shape};
use super::wires::Course;
use super::{Seen, View, ViewState, sockets};
use crate::document::{FrameId, Node, NodeId, Sheet, Wire};
use crate::habits::Style;

/// All that lies on the canvas.
#[derive(Default)]
pub struct Net {
    /// The sheet that was looked through.
    sheet: Option<Arc<Sheet>>,
    /// What the places were found for.
    stamp: Option<Stamp>,
    cards: Vec<(NodeId, Rect)>,
    strands: Arc<Vec<Strand>>,
    /// Nodes that lie in a collapsed frame, and which.
    folded: HashMap<NodeId, FrameId>,
    /// Frames and notes that lie in a collapsed frame.
    buried: HashSet<FrameId>,
    /// The outputs at which wires begin, of nodes that hide the others.
    used: HashMap<NodeId, u64>,
}

/// Beside the sheet, what places depend on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    made: u64,
    unfolded: usize,
    pictures: u64,
    style: Style,
}

/// A wire as it lies.
pub struct Strand {
    /// Where it ends.
    pub to: NodeId,
    node: Arc<Node>,
    field: usize,
    /// What it carries.
    pub kind: Kind,
    /// Its curve.
    pub course: Course,
    /// A rectangle that holds the curve.
    pub bounds: Rect,
}

impl Strand {
    /// Returns the input where it ends.
    pub fn input(&self) -> &str {
        self.node.fields.get_index(self.field).map_or("", |(name, _)| name)
    }

    /// Returns the wire of the sheet.
    pub fn wire(&self) -> Option<&Wire> {
        self.node.wire(self.input())
    }
}

impl Net {
    /// Returns the collapsed frame that a node lies in.
    pub fn folded(&self, id: NodeId) -> Option<FrameId> {
        self.folded.get(&id).copied()
    }

    /// Tells whether a frame or note lies in a collapsed frame.
    pub fn is_buried(&self, id: FrameId) -> bool {
        self.buried.contains(&id)
    }

    /// Returns all wires that can be seen anywhere.
    pub fn strands(&self) -> Arc<Vec<Strand>> {
        Arc::clone(&self.strands)
    }

    /// Returns all nodes that can be seen anywhere, and where they lie.
    pub fn cards(&self) -> &[(NodeId, Rect)] {
        &self.cards
    }

    /// Returns where a node lies that can be seen somewhere.
    pub fn card(&self, id: NodeId) -> Option<Rect> {
        self.cards.iter().find(|(each, _)| *each == id).map(|(_, rect)| *rect)
    }

    /// Finds what is hidden in collapsed frames, and which outputs are in use.
    fn look_through(&mut self, view: &View<'_>) {
        let sheet = view.sheet;
        if self.sheet.as_ref().is_some_and(|known| Arc::ptr_eq(known, sheet)) {
            return;
        }
        (self.sheet, self.stamp) = (Some(Arc::clone(sheet)), None);
        self.folded.clear();
        self.buried.clear();
        self.used.clear();
        let mut closed: Vec<_> = sheet.frames.iter().filter(|(_, frame)| frame.collapsed).collect();
        // What lies in several belongs to the outermost one.
        closed.sort_by_key(|(_, frame)| std::cmp::Reverse(u64::from(frame.size.0) * u64::from(frame.size.1)));
        for (id, frame) in closed {
            if self.buried.contains(id) {
                continue;
            }
            for node in sheet.inside(frame) {
                self.folded.entry(node).or_insert(*id);
            }
            let inside = sheet.frames.iter().filter(|(other, each)| *other != id && holds(frame, each));
            self.buried.extend(inside.map(|(id, _)| *id));
        }
        for (_, _, wire) in sheet.wires() {
            let Some(node) = sheet.nodes.get(&wire.node).filter(|node| node.compact) else { continue };
            let spec = view.registry.get(&node.kind).map(|node| node.spec());
            let index = match (&wire.output, spec) {
                (Some(name), Some(spec)) => spec.output(name),
                _ => Some(0),
            };
            *self.used.entry(wire.node).or_default() |= index.map_or(0, |index| 1 << index.min(63));
        }
    }
}

/// A number that is another one when a node has another picture.
fn pictures(view: &View<'_>) -> u64 {
    let sum = |(id, status): (&NodeId, &crate::status::NodeStatus)| {
        let (wide, high) = status.picture.as_ref().map_or((0, 0), |thumb| thumb.size);
        (id.0 + 1).wrapping_mul(u64::from(wide) << 32 | u64::from(high))
    };
    view.status.nodes.iter().map(sum).fold(0, u64::wrapping_add)
}

impl ViewState {
    /// Returns the shape of a node, which may be under the hand.
    pub(super) fn shape(&mut self, view: &View<'_>, id: NodeId, node: &Arc<Node>) -> Arc<Shape> {
        let used = self.net.used.get(&id).copied().unwrap_or_default();
        let face = Face::of(view.status.of(id), self.unfolded.contains(&id), used);
        match self.gesture.reshaped(id, node) {
            Some(node) => {
                let spec = view.registry.get(&node.kind).map(|node| node.spec());
                Arc::new(Shape::new(&node, spec, face))
            }
            None => self.shapes.of(id, node, view.registry, face),
        }
    }

    /// Finds where everything lies, if that is not known.
    pub(super) fn look_through(&mut self, view: &View<'_>) {
        self.net.look_through(view);
        let stamp = |state: &Self| Stamp {
            made: state.shapes.made,
            unfolded: state.unfolded.len(),
            pictures: pictures(view),
            style: view.habits.wires,
        };
        if self.net.stamp == Some(stamp(self)) {
            return;
        }
        // The hand is no part of what is kept.
        let gesture = std::mem::take(&mut self.gesture);
        let mut cards = Vec::with_capacity(view.sheet.nodes.len());
        for (id, node) in &view.sheet.nodes {
            if self.net.folded(*id).is_some() {
                continue;
            }
            let at = self.place(*id, node.at);
            cards.push((*id, self.shape(view, *id, node).rect(at)));
        }
        let mut strands = Vec::new();
        for (to, node) in &view.sheet.nodes {
            for (input, wire) in node.wires() {
                let Some(course) = self.course(view, *to, input, wire) else { continue };
                let kind = sockets::kind_of(view, wire.node, wire.output.as_deref());
                let field = node.fields.get_index_of(input).unwrap_or_default();
                let bounds = course.bounds();
                strands.push(Strand { to: *to, node: Arc::clone(node), field, kind, course, bounds });
            }
        }
        self.gesture = gesture;
        (self.net.cards, self.net.strands) = (cards, Arc::new(strands));
        self.net.stamp = Some(stamp(self));
    }

    /// Tells whether something has another shape than when the places were found.
    pub(super) fn is_stale(&self) -> bool {
        self.net.stamp.is_some_and(|stamp| stamp.made != self.shapes.made || stamp.unfolded != self.unfolded.len())
    }

    /// Returns the nodes in view, those that are chosen last.
    pub(super) fn seen(&mut self, view: &View<'_>, window: Rect) -> Vec<Seen> {
        let near = window.expand(super::REST);
        let met = |(id, rect): &(NodeId, Rect)| rect.intersects(near) || self.gesture.holds(*id);
        let ids: Vec<_> = self.net.cards.iter().filter(|card| met(card)).map(|(id, _)| *id).collect();
        let mut seen = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(node) = view.sheet.nodes.get(&id) else { continue };
            let shape = self.shape(view, id, node);
            let rect = shape.rect(self.place(id, node.at));
            if rect.intersects(near) {
                seen.push(Seen { id, node: Arc::clone(node), shape, rect });
            }
        }
        seen.sort_by_key(|seen| self.selection.nodes.contains(&seen.id));
        seen
    }

    /// Returns where an end of a wire is: at its socket, or at the edge of the collapsed frame around the node.
    fn end(&mut self, view: &View<'_>, id: NodeId, right: Side, socket: impl Fn(&Shape) -> Vec2) -> Option<Pos2> {
        let node = view.sheet.nodes.get(&id)?;
        if let Some(frame) = self.net.folded(id) {
            let rect = rect_of(view.sheet.frames.get(&frame)?).translate(self.gesture.frame_moved(frame));
            return Some(if right == Side::Right { rect.right_center() } else { rect.left_center() });
        }
        let at = self.place(id, node.at);
        Some(at + socket(&self.shape(view, id, node)))
    }

    /// Returns where a wire lies; none if all of it is hidden in a frame.
    pub(super) fn course(&mut self, view: &View<'_>, to: NodeId, input: &str, wire: &Wire) -> Option<Course> {
        if self.net.folded(to).is_some_and(|frame| self.net.folded(wire.node) == Some(frame)) {
            return None;
        }
        let from = self.end(view, wire.node, Side::Right, |shape| shape.output(wire.output.as_deref()))?;
        let end = self.end(view, to, Side::Left, |shape| shape.input(input))?;
        Some(Course::new(from, &self.gesture.bends(to, input, &wire.bends), end, view.habits.wires))
    }
}

/// A side of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Where wires end.
    Left,
    /// Where they begin.
    Right,
}
