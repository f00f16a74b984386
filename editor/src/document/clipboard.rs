//! Nodes as text: what is copied is a workflow file of the nodes alone, so that it can be pasted into another window, a
//! text editor or a mail, and back.

use std::collections::{HashMap, HashSet};

use darkroom_core::fault::Faults;
use darkroom_core::graph;

use super::edit::Edit;
use super::sheet::{Field, FrameId, Node, NodeId, Point, Sheet};

/// What becomes of wires that come from nodes which are not pasted along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// They are left out.
    Cut,
    /// They are drawn from the nodes of the same names, where there are any.
    Keep,
}

/// Writes some nodes and frames of a sheet as a workflow. Wires from other nodes keep the names of those.
pub fn copy(sheet: &Sheet, nodes: &HashSet<NodeId>, frames: &HashSet<FrameId>) -> String {
    let mut part = Sheet { laid_out: true, ..Sheet::default() };
    part.frames =
        sheet.frames.iter().filter(|(id, _)| frames.contains(id)).map(|(id, frame)| (*id, frame.clone())).collect();
    for (id, node) in sheet.nodes.iter().filter(|(id, _)| nodes.contains(id)) {
        let mut node = Node::clone(node);
        for field in node.fields.values_mut() {
            if let Field::Wire(wire) = field
                && !nodes.contains(&wire.node)
            {
                let name = sheet.nodes.get(&wire.node).map(|node| node.name.clone()).unwrap_or_default();
                *field = Field::Lost(graph::Link { node: name, output: wire.output.clone() });
            }
        }
        part.nodes.insert(*id, node.into());
    }
    graph::write(&part.graph())
}

/// What was copied, as edits that add it to a sheet.
#[derive(Debug, Clone, PartialEq)]
pub struct Pasted {
    /// The edits.
    pub edits: Vec<Edit>,
    /// The new nodes.
    pub nodes: Vec<NodeId>,
    /// The new frames.
    pub frames: Vec<FrameId>,
}

/// Reads what was copied as edits that add it to a sheet, its upper left corner at a place. Names that are taken get a number.
///
/// # Errors
/// All that is wrong with the text: whatever was on the clipboard may be anything.
pub fn paste(
    sheet: &Sheet,
    text: &str,
    corner: Option<Point>,
    outside: Outside,
    mut number: impl FnMut() -> u64,
) -> Result<Pasted, Faults> {
    let loaded = graph::read(text)?;
    let (part, _) = Sheet::of(&loaded.graph, &mut number);
    let places = || part.nodes.values().map(|node| node.at).chain(part.frames.values().map(|frame| frame.at));
    let least = Point {
        x: places().map(|at| at.x).min().unwrap_or_default(),
        y: places().map(|at| at.y).min().unwrap_or_default(),
    };
    let by = corner
        .map_or(Point::default(), |to| Point { x: to.x.saturating_sub(least.x), y: to.y.saturating_sub(least.y) });
    let mut named = sheet.clone();
    let mut names = HashMap::new();
    let mut edits = Vec::new();
    for (id, frame) in &part.frames {
        edits.push(Edit::Frame(*id, super::Frame { at: frame.at.moved(by), ..frame.clone() }));
    }
    let mut wires = Vec::new();
    for (id, node) in &part.nodes {
        let mut node = Node::clone(node);
        node.name = named.free_name(&node.name);
        node.at = node.at.moved(by);
        names.insert(*id, node.name.clone());
        for (input, field) in std::mem::take(&mut node.fields) {
            match field {
                Field::Wire(mut wire) => {
                    wire.bends.iter_mut().for_each(|bend| *bend = bend.moved(by));
                    wires.push(Edit::Connect(*id, input, wire));
                }
                Field::Lost(link) => {
                    if let Some(from) = sheet.named(&link.node).filter(|_| outside == Outside::Keep) {
                        let wire = super::Wire { node: from, output: link.output, bends: Vec::new() };
                        wires.push(Edit::Connect(*id, input, wire));
                    }
                }
                Field::Literal(_) => drop(node.fields.insert(input, field)),
            }
        }
        named.nodes.insert(*id, node.clone().into());
        edits.push(Edit::Add(*id, node));
    }
    // A wire may come from a node further down.
    edits.extend(wires);
    Ok(Pasted { edits, nodes: part.nodes.keys().copied().collect(), frames: part.frames.keys().copied().collect() })
}
