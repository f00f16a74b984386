//! What the hand does: one gesture at a time, from the press of a button to its release. Nothing in the document changes
//! before the release, and Esc gives a gesture up.

use std::collections::HashSet;

use darkroom_core::registry::Registry;
use darkroom_core::types::Kind;
use egui::{Pos2, Vec2, pos2, vec2};

use super::frames::holds;
use super::selection::{Choose, Selection};
use super::shake::Shake;
use super::shape::Socket;
use super::wires::Course;
use crate::document::{FrameId, Node, NodeId, Point, Sheet};
use crate::habits::snapped;
use crate::theme;

/// A wire that is held at one end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loose {
    /// It begins at an output, and looks for an input.
    Output {
        /// The node.
        node: NodeId,
        /// The output's name, where the node has several.
        output: Option<String>,
        /// What it gives.
        kind: Kind,
        /// The input that it was taken off.
        from: Option<(NodeId, String)>,
    },
    /// All wires of an output, held where they begin; they look for another output.
    Bundle {
        /// The node.
        node: NodeId,
        /// The output's name, where the node has several.
        output: Option<String>,
        /// What the inputs at their ends take.
        kinds: Vec<Kind>,
        /// Where they end.
        ends: Vec<(NodeId, String)>,
    },
    /// It ends at an input, and looks for an output.
    Input {
        /// The node.
        node: NodeId,
        /// The input.
        input: String,
        /// What it takes.
        kind: Kind,
    },
}

/// A wire that could be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// Where it begins.
    pub from: NodeId,
    /// The output's name, where the node has several.
    pub output: Option<String>,
    /// Where it ends.
    pub to: NodeId,
    /// The input.
    pub input: String,
}

impl Loose {
    /// Returns the wires that it becomes at a socket; none if the socket is of the wrong side.
    pub fn at(&self, node: NodeId, socket: &str, is_input: bool, several: bool) -> Vec<Drop> {
        let output = several.then(|| socket.to_owned());
        match self {
            Self::Output { node: from, output, .. } if is_input => {
                vec![Drop { from: *from, output: output.clone(), to: node, input: socket.to_owned() }]
            }
            Self::Input { node: to, input, .. } if !is_input => {
                vec![Drop { from: node, output, to: *to, input: input.clone() }]
            }
            Self::Bundle { ends, .. } if !is_input => {
                let end = |(to, input): &(NodeId, String)| (*to, input.clone());
                ends.iter().map(end).map(|(to, input)| Drop { from: node, output: output.clone(), to, input }).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Tells whether a socket takes or gives what it wants.
    pub fn fits(&self, kind: Kind, is_input: bool) -> bool {
        match self {
            Self::Output { kind: given, .. } => is_input && kind.accepts(*given),
            Self::Input { kind: wanted, .. } => !is_input && wanted.accepts(kind),
            Self::Bundle { kinds, .. } => !is_input && kinds.iter().all(|wanted| wanted.accepts(kind)),
        }
    }

    pub(super) fn node(&self) -> NodeId {
        match self {
            Self::Output { node, .. } | Self::Input { node, .. } | Self::Bundle { node, .. } => *node,
        }
    }

    /// Tells whether it looks for an input.
    pub(super) fn wants_input(&self) -> bool {
        matches!(self, Self::Output { .. })
    }
}

/// What a hand takes hold of.
pub enum Grip {
    /// What is chosen; or a copy of it.
    Nodes {
        /// Whether a copy is taken.
        copy: bool,
    },
    /// An end of a wire.
    Wire(Loose),
    /// The right edge of a node of this width.
    Width(NodeId, f32),
    /// The lower edge of a node's picture of this height.
    Picture(NodeId, f32),
    /// The corner of a frame of this size.
    Size(FrameId, Vec2),
}

/// What the hand does.
#[derive(Default)]
pub enum Gesture {
    /// Nothing.
    #[default]
    Idle,
    /// Moves the view.
    Pan,
    /// Draws a box around what is to be chosen.
    Box {
        from: Pos2,
        /// What was chosen before.
        base: Selection,
        how: Choose,
    },
    /// Moves nodes and frames, once the hand has gone further than it trembles.
    Move {
        from: Pos2,
        by: Vec2,
        went: bool,
        nodes: HashSet<NodeId>,
        frames: HashSet<FrameId>,
        copy: bool,
        shake: Shake,
    },
    /// Draws a wire.
    Wire {
        loose: Loose,
        from: Pos2,
        /// Nodes that would wait for themselves.
        blocked: HashSet<NodeId>,
        /// What it would become, and the socket that it would be fastened to.
        target: Option<(Vec<Drop>, Pos2)>,
    },
    /// Cuts wires.
    Cut { trail: Vec<Pos2> },
    /// Moves a point that a wire passes through.
    Bend { node: NodeId, input: String, index: usize, at: Pos2 },
    /// Makes a node wider.
    Width { node: NodeId, from: f32, by: f32, start: Pos2 },
    /// Makes a node's picture higher.
    Picture { node: NodeId, from: f32, by: f32, start: Pos2 },
    /// Makes a frame larger.
    Size { frame: FrameId, from: Vec2, by: Vec2, start: Pos2 },
}

impl Grip {
    /// Takes hold.
    pub fn take(self, sheet: &Sheet, selection: &Selection, at: Pos2) -> Gesture {
        match self {
            Self::Nodes { copy } => {
                let mut nodes = selection.nodes.clone();
                for frame in selection.frames.iter().filter_map(|id| sheet.frames.get(id)) {
                    nodes.extend(sheet.inside(frame));
                }
                nodes.retain(|id| sheet.nodes.get(id).is_some_and(|node| !node.pinned));
                let mut frames = selection.frames.clone();
                for frame in selection.frames.iter().filter_map(|id| sheet.frames.get(id)) {
                    frames.extend(sheet.frames.iter().filter(|(_, each)| holds(frame, each)).map(|(id, _)| *id));
                }
                Gesture::Move { from: at, by: Vec2::ZERO, went: false, nodes, frames, copy, shake: Shake::default() }
            }
            Self::Wire(loose) => {
                let against = |id: &&NodeId| match &loose {
                    Loose::Output { node, .. } => sheet.reaches(**id, *node),
                    Loose::Input { node, .. } => sheet.reaches(*node, **id),
                    Loose::Bundle { ends, .. } => ends.iter().any(|(end, _)| sheet.reaches(*end, **id)),
                };
                let blocked = sheet.nodes.keys().filter(against).copied().collect();
                Gesture::Wire { loose, from: at, blocked, target: None }
            }
            Self::Width(node, from) => Gesture::Width { node, from, by: 0.0, start: at },
            Self::Picture(node, from) => Gesture::Picture { node, from, by: 0.0, start: at },
            Self::Size(frame, from) => Gesture::Size { frame, from, by: Vec2::ZERO, start: at },
        }
    }
}

impl Gesture {
    /// Tells whether the hand is free.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    /// Tells whether fields stay what they are during it. A wire needs the sockets beside them.
    pub fn leaves_fields(&self) -> bool {
        !matches!(self, Self::Cut { .. } | Self::Bend { .. } | Self::Size { .. })
    }

    /// Tells whether a node is where the hand has it, and not where it was.
    pub fn holds(&self, id: NodeId) -> bool {
        match self {
            Self::Move { nodes, copy: false, .. } => nodes.contains(&id),
            Self::Width { node, .. } | Self::Picture { node, .. } => *node == id,
            _ => false,
        }
    }

    /// Tells whether a point of the wire at an input is in the hand.
    pub fn bends_wire(&self, to: NodeId, name: &str) -> bool {
        matches!(self, Self::Bend { node, input, .. } if *node == to && input == name)
    }

    /// Returns how far a node has been moved.
    pub fn moved(&self, id: NodeId) -> Vec2 {
        match self {
            Self::Move { by, nodes, copy: false, .. } if nodes.contains(&id) => *by,
            _ => Vec2::ZERO,
        }
    }

    /// Returns how far a frame has been moved.
    pub fn frame_moved(&self, id: FrameId) -> Vec2 {
        match self {
            Self::Move { by, frames, copy: false, .. } if frames.contains(&id) => *by,
            _ => Vec2::ZERO,
        }
    }

    /// Returns a node whose edge is in the hand, as it would be.
    pub fn reshaped(&self, id: NodeId, of: &Node) -> Option<Node> {
        match self {
            Self::Width { node, from, by, .. } if *node == id && by.abs() > 1.0 => {
                Some(Node { width: Some(widened(*from, *by)), ..of.clone() })
            }
            Self::Picture { node, from, by, .. } if *node == id && by.abs() > 1.0 => {
                Some(Node { picture: Some(heightened(*from, *by)), ..of.clone() })
            }
            _ => None,
        }
    }

    /// Returns the size of a frame that may be under way.
    pub fn frame_size(&self, id: FrameId, size: Vec2) -> Vec2 {
        match self {
            Self::Size { frame, from, by, .. } if *frame == id => (*from + *by).max(vec2(64.0, 48.0)),
            _ => size,
        }
    }

    /// Returns the points that a wire passes through, one of which may be in the hand.
    pub fn bends(&self, to: NodeId, name: &str, bends: &[Point]) -> Vec<Point> {
        let mut bends = bends.to_vec();
        if let Self::Bend { node, input, index, at } = self
            && *node == to
            && input == name
        {
            bends.iter_mut().skip(*index).take(1).for_each(|bend| *bend = point_of(*at));
        }
        bends
    }

    /// Tells whether the wire at an input is in the hand.
    pub fn carries(&self, to: NodeId, input: &str) -> bool {
        match self {
            Self::Wire { loose: Loose::Output { from: Some((node, name)), .. }, .. } => *node == to && name == input,
            Self::Wire { loose: Loose::Bundle { ends, .. }, .. } => {
                ends.iter().any(|(node, name)| *node == to && name == input)
            }
            _ => false,
        }
    }

    /// Returns the node that was shaken loose of its wires.
    pub fn shaken(&self) -> Option<NodeId> {
        match self {
            Self::Move { nodes, shake, copy: false, .. } if shake.is_loose() && nodes.len() == 1 => {
                nodes.iter().next().copied()
            }
            _ => None,
        }
    }

    /// Tells whether wires step back, because one is in the hand.
    pub fn dims(&self) -> bool {
        matches!(self, Self::Wire { .. })
    }

    /// Tells whether a wire is under the knife.
    pub fn cuts(&self, course: &Course) -> bool {
        match self {
            Self::Cut { trail } => trail.windows(2).any(|cut| course.is_cut(cut[0], cut[1])),
            _ => false,
        }
    }

    /// Tells whether the wire in the hand, if there is one, could end anywhere at a node.
    pub fn could_end(&self, sheet: &Sheet, registry: &Registry, id: NodeId) -> bool {
        let Self::Wire { loose, blocked, .. } = self else { return true };
        if loose.node() == id {
            return true;
        }
        let spec = sheet.nodes.get(&id).and_then(|node| registry.get(&node.kind)).map(|node| node.spec());
        let Some(spec) = spec.filter(|_| !blocked.contains(&id)) else { return false };
        spec.inputs.iter().any(|input| loose.fits(input.kind, true))
            || spec.outputs.iter().any(|output| loose.fits(output.kind, false))
    }

    /// Tells whether a socket would take the wire in the hand.
    pub fn lights(&self, _: &Sheet, id: NodeId, socket: &Socket, is_input: bool) -> bool {
        match self {
            Self::Wire { loose, blocked, .. } => !blocked.contains(&id) && loose.fits(socket.kind, is_input),
            _ => false,
        }
    }
}

/// A hand that holds still goes no further than this, in points of the window.
pub(super) const TREMBLE: f32 = 6.0;

pub(super) fn point_of(at: Pos2) -> Point {
    Point::new(at.x.round() as i32, at.y.round() as i32)
}

/// The width of a node whose edge was pulled so far.
pub(super) fn widened(from: f32, by: f32) -> u32 {
    snapped(pos2(from + by, 0.0), theme::GRID).x.clamp(theme::NODE_LEAST, 1600.0) as u32
}

/// The height of a picture whose edge was pulled so far.
pub(super) fn heightened(from: f32, by: f32) -> u32 {
    snapped(pos2(0.0, from + by), theme::GRID).y.clamp(theme::PICTURE_LEAST, 1600.0) as u32
}
