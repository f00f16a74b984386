//! The section `layout` of a workflow file: places, frames and notes. It is no part of any result's name.

use std::collections::HashMap;
use std::fmt::Write as _;

use darkroom_core::literal::quote;
use indexmap::IndexMap;
use serde::Deserialize;

use super::sheet::{Count, Frame, Node, NodeId, Point, Sheet};

/// What the section holds.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layout {
    /// Each node by its name.
    nodes: IndexMap<String, Look>,
    /// Points that wires pass through, by `node.input`.
    bends: IndexMap<String, Vec<(i32, i32)>>,
    /// Frames and notes.
    frames: Vec<Box>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Look {
    at: (i32, i32),
    width: Option<u32>,
    collapsed: bool,
    compact: bool,
    picture: Option<u32>,
    pinned: bool,
    colour: Option<String>,
    counts: IndexMap<String, Count>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Box {
    title: String,
    text: String,
    at: (i32, i32),
    size: (u32, u32),
    collapsed: bool,
    colour: Option<String>,
}

impl Layout {
    /// The section's name.
    pub const SECTION: &str = "layout";

    /// Reads the section.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        options.from_str(text).map_err(|error| error.to_string())
    }

    /// Takes the places from a sheet.
    pub fn of(sheet: &Sheet) -> Self {
        let pair = |point: Point| (point.x, point.y);
        let look = |node: &Node| Look {
            at: pair(node.at),
            width: node.width,
            collapsed: node.collapsed,
            compact: node.compact,
            picture: node.picture,
            pinned: node.pinned,
            colour: node.colour.clone(),
            counts: node.counts.clone(),
        };
        let nodes = sheet.nodes.values().map(|node| (node.name.clone(), look(node))).collect();
        let bends = sheet.wires().filter(|(_, _, wire)| !wire.bends.is_empty()).map(|(node, input, wire)| {
            let end = format!("{}.{input}", sheet.nodes[&node].name);
            (end, wire.bends.iter().copied().map(pair).collect())
        });
        let frame = |frame: &Frame| Box {
            title: frame.title.clone(),
            text: frame.text.clone(),
            at: pair(frame.at),
            size: frame.size,
            collapsed: frame.collapsed,
            colour: frame.colour.clone(),
        };
        Self { nodes, bends: bends.collect(), frames: sheet.frames.values().map(frame).collect() }
    }

    /// Gives nodes and wires their places, and returns the frames. What it tells of nodes that are not there is dropped.
    pub(super) fn lay(self, nodes: &mut IndexMap<NodeId, Node>, names: &HashMap<&str, NodeId>) -> Vec<Frame> {
        let point = |(x, y)| Point { x, y };
        for (name, look) in self.nodes {
            if let Some(node) = names.get(name.as_str()).and_then(|id| nodes.get_mut(id)) {
                let Look { at, width, collapsed, compact, picture, pinned, colour, counts } = look;
                (node.at, node.width, node.collapsed, node.pinned) = (point(at), width, collapsed, pinned);
                (node.compact, node.picture, node.colour, node.counts) = (compact, picture, colour, counts);
            }
        }
        for (end, bends) in self.bends {
            let Some((name, input)) = end.split_once('.') else { continue };
            let node = names.get(name).and_then(|id| nodes.get_mut(id));
            if let Some(super::sheet::Field::Wire(wire)) = node.and_then(|node| node.fields.get_mut(input)) {
                wire.bends = bends.into_iter().map(point).collect();
            }
        }
        let frame = |each: Box| {
            let Box { title, text, at, size, collapsed, colour } = each;
            Frame { title, text, at: point(at), size, collapsed, colour }
        };
        self.frames.into_iter().map(frame).collect()
    }

    /// Writes the section, which stands so far from the left: one line for each node, wire and frame, so that a change shows
    /// as a line in a diff.
    pub fn write(&self, indent: &str) -> String {
        let mut text = String::from("(\n");
        let mut part = |name: &str, open: char, lines: Vec<String>, close: char| {
            if !lines.is_empty() {
                let lines: String = lines.iter().fold(String::new(), |mut all, line| {
                    writeln!(all, "{indent}        {line},").expect("a text takes whatever is written");
                    all
                });
                write!(text, "{indent}    {name}: {open}\n{lines}{indent}    {close},\n")
                    .expect("a text takes whatever is written");
            }
        };
        let colour = |colour: &Option<String>| colour.as_ref().map(|name| format!("colour: {}", quote(name)));
        let nodes = self.nodes.iter().map(|(name, look)| {
            let at = Some(format!("at: {:?}", look.at));
            let width = look.width.map(|width| format!("width: {width}"));
            let collapsed = look.collapsed.then(|| "collapsed: true".to_owned());
            let compact = look.compact.then(|| "compact: true".to_owned());
            let picture = look.picture.map(|height| format!("picture: {height}"));
            let pinned = look.pinned.then(|| "pinned: true".to_owned());
            let count = |(input, count): (&String, &Count)| format!("{}: {}", quote(input), count.word());
            let counts = (!look.counts.is_empty())
                .then(|| format!("counts: {{{}}}", look.counts.iter().map(count).collect::<Vec<_>>().join(", ")));
            let parts = [at, width, collapsed, compact, picture, pinned, colour(&look.colour), counts];
            format!("{}: ({})", quote(name), parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
        });
        part("nodes", '{', nodes.collect(), '}');
        part("bends", '{', self.bends.iter().map(|(end, bends)| format!("{}: {bends:?}", quote(end))).collect(), '}');
        let frames = self.frames.iter().map(|frame| {
            let title = Some(format!("title: {}", quote(&frame.title)));
            let inside = (!frame.text.is_empty()).then(|| format!("text: {}", quote(&frame.text)));
            let place = Some(format!("at: {:?}, size: {:?}", frame.at, frame.size));
            let collapsed = frame.collapsed.then(|| "collapsed: true".to_owned());
            let parts: Vec<_> =
                [title, inside, place, collapsed, colour(&frame.colour)].into_iter().flatten().collect();
            format!("({})", parts.join(", "))
        });
        part("frames", '[', frames.collect(), ']');
        text + indent + ")"
    }
}
