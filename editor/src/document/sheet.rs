//! A sheet: what a document holds at one time, and its way from and to a workflow file.

use std::collections::HashMap;
use std::sync::Arc;

use darkroom_core::files::Content;
use darkroom_core::graph::{self, Graph, Link, Mode, NodeEntry};
use darkroom_core::literal::Literal;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::definition::Definition;
use super::layout::Layout;

/// The number of a node, never used again in the same document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

/// The number of a frame, never used again in the same document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(pub u64);

/// A place on the canvas, in points at zoom 1; x to the right, y downwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Point {
    /// To the right.
    pub x: i32,
    /// Downwards.
    pub y: i32,
}

/// All that a document holds. A clone shares the nodes.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// The nodes, in the order of the file.
    pub nodes: IndexMap<NodeId, Arc<Node>>,
    /// Frames and notes, those further back first.
    pub frames: IndexMap<FrameId, Frame>,
    /// Graphs that stand on sheets as one node; only the sheet of a whole document has them.
    pub definitions: IndexMap<String, Arc<Definition>>,
    /// Whether a person has laid the nodes out, here or in the file; if not, places are guesses and not written.
    pub laid_out: bool,
    /// Sections of the file that are carried along.
    pub sections: IndexMap<String, String>,
    /// Content hashes that inputs must have.
    pub lock: IndexMap<String, Content>,
}

/// A node on a sheet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// Its id in the file.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// The version of the type that the author had.
    pub version: Option<u32>,
    /// Whether it takes part.
    pub mode: Mode,
    /// What its author calls it.
    pub title: Option<String>,
    /// What its author says about it.
    pub note: Option<String>,
    /// What stands at its inputs, in the order of the file.
    pub fields: IndexMap<String, Field>,
    /// Where its upper left corner is.
    pub at: Point,
    /// Its width in points, where it is not the usual one.
    pub width: Option<u32>,
    /// Whether only its head is shown.
    pub collapsed: bool,
    /// Whether sockets without wires and parameters at their defaults are hidden.
    pub compact: bool,
    /// The height of its picture in points, where it does not follow from the picture.
    pub picture: Option<u32>,
    /// Whether it stays where it is.
    pub pinned: bool,
    /// The name of a colour.
    pub colour: Option<String>,
    /// Seeds that go on by themselves, by input.
    pub counts: IndexMap<String, Count>,
}

/// Which way a seed goes on once a run has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Count {
    /// To the next number.
    Up,
    /// To the one before.
    Down,
}

/// What stands at an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// A plain value.
    Literal(Literal),
    /// A wire from another node of the sheet.
    Wire(Wire),
    /// A wire from a node that is not there.
    Lost(Link),
}

/// A wire, seen from its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// Where it comes from.
    pub node: NodeId,
    /// The output's name; may be left out where the node has one.
    pub output: Option<String>,
    /// Points that it passes through, from its beginning to its end.
    pub bends: Vec<Point>,
}

/// A frame around nodes, which move with it; or a note, if it has a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// What stands at its head.
    pub title: String,
    /// What stands inside, in Markdown; empty for a frame.
    pub text: String,
    /// Where its upper left corner is.
    pub at: Point,
    /// Its width and height in points.
    pub size: (u32, u32),
    /// Whether only its head is shown, and nothing of what is inside.
    pub collapsed: bool,
    /// The name of a colour.
    pub colour: Option<String>,
}

impl Count {
    /// Returns the number behind another one; the last one is followed by the first.
    pub fn after(self, number: u64) -> u64 {
        match self {
            Self::Up => number.wrapping_add(1),
            Self::Down => number.wrapping_sub(1),
        }
    }

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Point {
    /// Makes a place.
    pub fn new(x: i32, y: i32) -> Self {
        Self { x, y }
    }

    /// Returns the place that lies so much further.
    #[must_use]
    pub fn moved(self, by: Self) -> Self {
        Self { x: self.x.saturating_add(by.x), y: self.y.saturating_add(by.y) }
    }
}

impl Node {
    /// Returns what a person calls it: its title, or its name in the file.
    pub fn label(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// Returns the wire at an input.
    pub fn wire(&self, input: &str) -> Option<&Wire> {
        match self.fields.get(input) {
            Some(Field::Wire(wire)) => Some(wire),
            _ => None,
        }
    }

    /// Returns the plain value at an input.
    pub fn literal(&self, input: &str) -> Option<&Literal> {
        match self.fields.get(input) {
            Some(Field::Literal(literal)) => Some(literal),
            _ => None,
        }
    }

    /// Walks over its wires by input.
    pub fn wires(&self) -> impl Iterator<Item = (&str, &Wire)> {
        self.fields.iter().filter_map(|(input, field)| match field {
            Field::Wire(wire) => Some((input.as_str(), wire)),
            _ => None,
        })
    }
}

/// Nodes that two sheets share are not looked into: large sheets are compared in every frame.
impl PartialEq for Sheet {
    fn eq(&self, other: &Self) -> bool {
        let same = |(id, node): (&NodeId, &Arc<Node>)| {
            other.nodes.get(id).is_some_and(|other| Arc::ptr_eq(node, other) || node == other)
        };
        self.nodes.len() == other.nodes.len()
            && self.nodes.iter().all(same)
            && self.frames == other.frames
            && self.definitions.len() == other.definitions.len()
            && self.definitions.iter().all(|(name, definition)| {
                other.definitions.get(name).is_some_and(|other| Arc::ptr_eq(definition, other) || definition == other)
            })
            && self.laid_out == other.laid_out
            && self.sections == other.sections
            && self.lock == other.lock
    }
}

impl Sheet {
    /// Makes a sheet of a graph. Places that its layout does not tell are left at the origin. The second value says what
    /// is wrong with the layout, if it cannot be read: it is carried along then.
    pub fn of(graph: &Graph, mut number: impl FnMut() -> u64) -> (Self, Option<String>) {
        let (mut sheet, mut wrong) = Self::part(&graph.nodes, &graph.sections, &mut number);
        sheet.lock.clone_from(&graph.lock);
        for (name, subgraph) in &graph.subgraphs {
            let (definition, also) = Definition::of(subgraph, &mut number);
            wrong = wrong.or(also);
            sheet.definitions.insert(name.clone(), Arc::new(definition));
        }
        (sheet, wrong)
    }

    /// Makes a sheet of the nodes of a graph, or of a definition.
    pub(super) fn part(
        entries: &IndexMap<String, NodeEntry>,
        sections: &IndexMap<String, String>,
        number: &mut impl FnMut() -> u64,
    ) -> (Self, Option<String>) {
        let names: HashMap<_, _> = entries.keys().map(|name| (name.as_str(), NodeId(number()))).collect();
        let (layout, wrong) = match sections.get(Layout::SECTION).map(|text| Layout::read(text)) {
            None => (None, None),
            Some(Ok(layout)) => (Some(layout), None),
            Some(Err(wrong)) => (None, Some(wrong)),
        };
        let mut sections = sections.clone();
        if layout.is_some() {
            sections.shift_remove(Layout::SECTION);
        }
        let node = |(name, entry): (&String, &NodeEntry)| {
            let field = |field: &graph::Field| match field {
                graph::Field::Literal(literal) => Field::Literal(literal.clone()),
                graph::Field::Link(link) => match names.get(link.node.as_str()) {
                    Some(node) => Field::Wire(Wire { node: *node, output: link.output.clone(), bends: Vec::new() }),
                    None => Field::Lost(link.clone()),
                },
            };
            let node = Node {
                name: name.clone(),
                kind: entry.kind.clone(),
                version: entry.version,
                mode: entry.mode,
                title: entry.title.clone(),
                note: entry.note.clone(),
                fields: entry.fields.iter().map(|(name, each)| (name.clone(), field(each))).collect(),
                ..Node::default()
            };
            (names[name.as_str()], node)
        };
        let mut nodes: IndexMap<_, _> = entries.iter().map(node).collect();
        let laid_out = layout.is_some();
        let frames = match layout {
            Some(layout) => layout.lay(&mut nodes, &names),
            None => Vec::new(),
        };
        let sheet = Self {
            nodes: nodes.into_iter().map(|(id, node)| (id, Arc::new(node))).collect(),
            frames: frames.into_iter().map(|frame| (FrameId(number()), frame)).collect(),
            laid_out,
            sections,
            ..Self::default()
        };
        (sheet, wrong)
    }

    /// Returns the graph that a file holds.
    pub fn graph(&self) -> Graph {
        let (nodes, sections) = self.parts("    ");
        let subgraph = |(name, definition): (&String, &Arc<Definition>)| (name.clone(), definition.subgraph());
        let subgraphs = self.definitions.iter().map(subgraph).collect();
        Graph { nodes, subgraphs, sections, lock: self.lock.clone() }
    }

    /// Returns the nodes and sections that a file holds, of which the sections stand so far from the left.
    pub(super) fn parts(&self, indent: &str) -> (IndexMap<String, NodeEntry>, IndexMap<String, String>) {
        let entry = |node: &Node| NodeEntry {
            kind: node.kind.clone(),
            version: node.version,
            mode: node.mode,
            title: node.title.clone(),
            note: node.note.clone(),
            fields: node.fields.iter().map(|(name, field)| (name.clone(), self.written(field))).collect(),
        };
        let mut sections = self.sections.clone();
        if self.laid_out && !sections.contains_key(Layout::SECTION) {
            sections.insert(Layout::SECTION.to_owned(), Layout::of(self).write(indent));
        }
        (self.nodes.values().map(|node| (node.name.clone(), entry(node))).collect(), sections)
    }

    fn written(&self, field: &Field) -> graph::Field {
        match field {
            Field::Literal(literal) => graph::Field::Literal(literal.clone()),
            Field::Lost(link) => graph::Field::Link(link.clone()),
            Field::Wire(wire) => {
                let node = self.nodes.get(&wire.node).map(|node| node.name.clone()).unwrap_or_default();
                graph::Field::Link(Link { node, output: wire.output.clone() })
            }
        }
    }

    /// Finds a node by its name in the file.
    pub fn named(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().find(|(_, node)| node.name == name).map(|(id, _)| *id)
    }

    /// Walks over all wires: the node and input where each ends, and the wire.
    pub fn wires(&self) -> impl Iterator<Item = (NodeId, &str, &Wire)> {
        self.nodes.iter().flat_map(|(id, node)| node.wires().map(|(input, wire)| (*id, input, wire)))
    }

    /// Tells whether a node is reached from another one along wires, or is that node.
    pub fn reaches(&self, from: NodeId, to: NodeId) -> bool {
        let mut seen = std::collections::HashSet::new();
        let mut open = vec![to];
        while let Some(node) = open.pop() {
            if node == from {
                return true;
            }
            if seen.insert(node) {
                open.extend(self.nodes.get(&node).into_iter().flat_map(|node| node.wires().map(|(_, wire)| wire.node)));
            }
        }
        false
    }

    /// Returns a name that no node has: `stem`, or `stem_2` and so on.
    pub fn free_name(&self, stem: &str) -> String {
        let taken = |name: &str| self.nodes.values().any(|node| node.name == name);
        let numbered = (2..).map(|number| format!("{stem}_{number}"));
        std::iter::once(stem.to_owned()).chain(numbered).find(|name| !taken(name)).expect("numbers do not end")
    }

    /// Returns the nodes whose upper left corner lies inside of a frame.
    pub fn inside(&self, frame: &Frame) -> impl Iterator<Item = NodeId> {
        let (left, top) = (frame.at.x, frame.at.y);
        let (right, bottom) = (left.saturating_add_unsigned(frame.size.0), top.saturating_add_unsigned(frame.size.1));
        let inside = move |at: Point| (left..right).contains(&at.x) && (top..bottom).contains(&at.y);
        self.nodes.iter().filter(move |(_, node)| inside(node.at)).map(|(id, _)| *id)
    }
}
