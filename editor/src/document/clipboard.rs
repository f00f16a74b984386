//! Nodes as text: what is copied is a workflow file of the nodes alone, so that it can be pasted into another window, a
//! text editor or a mail, and back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use darkroom_core::fault::Faults;
use darkroom_core::graph::{self, Subgraph};

use super::definition::Definition;
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

/// Writes some nodes and frames of a level as a workflow, with the definitions of what they stand for. Wires from other
/// nodes keep the names of those.
pub fn copy(whole: &Sheet, level: Option<&str>, nodes: &HashSet<NodeId>, frames: &HashSet<FrameId>) -> String {
    let Some(sheet) = whole.level(level) else { return String::new() };
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
    part.definitions = whole.definitions_of(part.nodes.values().map(|node| node.kind.as_str()));
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

/// Reads what was copied as edits that add it to a level, its upper left corner at a place. Names that are taken get a number;
/// a definition that is here already, as it is, is shared.
///
/// # Errors
/// All that is wrong with the text: whatever was on the clipboard may be anything.
pub fn paste(
    whole: &Sheet,
    level: Option<&str>,
    text: &str,
    corner: Option<Point>,
    outside: Outside,
    mut number: impl FnMut() -> u64,
) -> Result<Pasted, Faults> {
    let loaded = graph::read(text)?;
    let (part, _) = Sheet::of(&loaded.graph, &mut number);
    let sheet = whole.level(level).unwrap_or(whole);
    let (kinds, mut edits) = brought(whole, &loaded.graph, &mut number);
    let places = || part.nodes.values().map(|node| node.at).chain(part.frames.values().map(|frame| frame.at));
    let least = Point {
        x: places().map(|at| at.x).min().unwrap_or_default(),
        y: places().map(|at| at.y).min().unwrap_or_default(),
    };
    let by = corner
        .map_or(Point::default(), |to| Point { x: to.x.saturating_sub(least.x), y: to.y.saturating_sub(least.y) });
    let mut named = sheet.clone();
    let mut names = HashMap::new();
    for (id, frame) in &part.frames {
        edits.push(Edit::Frame(*id, super::Frame { at: frame.at.moved(by), ..frame.clone() }));
    }
    let mut wires = Vec::new();
    for (id, node) in &part.nodes {
        let mut node = Node::clone(node);
        node.name = named.free_name(&node.name);
        if let Some(kind) = kinds.get(&node.kind) {
            node.kind.clone_from(kind);
        }
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
    let edits = edits.into_iter().map(|edit| edit.at(level)).collect();
    Ok(Pasted { edits, nodes: part.nodes.keys().copied().collect(), frames: part.frames.keys().copied().collect() })
}

/// The definitions that a text brings along: the types under which they are known here, and edits that define those which
/// are not. One of the same name that says something else gets a number.
fn brought(
    whole: &Sheet,
    graph: &graph::Graph,
    number: &mut impl FnMut() -> u64,
) -> (HashMap<String, String>, Vec<Edit>) {
    let (mut names, mut edits) = (HashMap::new(), Vec::new());
    let mut here = whole.clone();
    // Whatever uses others is looked at behind them, so that it can be compared by the names that they have here.
    let mut left: Vec<_> = graph.subgraphs.keys().collect();
    while !left.is_empty() {
        let waits = |name: &String| {
            let used = graph.subgraphs[name].nodes.values().filter_map(|entry| Subgraph::of_kind(&entry.kind));
            used.into_iter().any(|used| used != name && left.iter().any(|other| *other == used))
        };
        // In a circle, which no sheet takes in, any will do.
        let next = left.iter().position(|name| !waits(name)).unwrap_or(0);
        let name = left.remove(next);
        let mut subgraph = graph.subgraphs[name].clone();
        for entry in subgraph.nodes.values_mut() {
            if let Some(kind) = names.get(&entry.kind) {
                entry.kind.clone_from(kind);
            }
        }
        let same = |other: &Definition| other.subgraph() == subgraph;
        let known = here.definitions.iter().find(|(other, it)| is_numbered(other, name) && same(it));
        let own = match known {
            Some((own, _)) => own.clone(),
            None => {
                let own = here.free_definition(name);
                let definition = Arc::new(Definition::of(&subgraph, number).0);
                here.definitions.insert(own.clone(), Arc::clone(&definition));
                edits.push(Edit::Define(own.clone(), definition));
                own
            }
        };
        names.insert(Subgraph::kind(name), Subgraph::kind(&own));
    }
    (names, edits)
}

/// Tells whether a name is another one, or that with a number.
fn is_numbered(name: &str, stem: &str) -> bool {
    name.strip_prefix(stem).is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('_').is_some_and(|number| number.parse::<u64>().is_ok())
    })
}
