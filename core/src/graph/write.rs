//! A graph to a text: one form for each graph.

use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::graph::file::FORMAT;
use crate::graph::{Field, Graph, Link, Mode, NodeEntry, lock, subgraph};
use crate::literal::quote;

/// The longest line, in characters; a node that needs more gets a line for each input.
const LINE: usize = 120;

/// The longest id, in characters, that pushes the nodes of its neighbours to the right.
const ALIGNED: usize = 24;

/// Writes a workflow. What [`read`](super::read()) makes of the text is the graph again, and of a text that this function
/// wrote, byte for byte the text again, as long as ids, sections and raw literals are such as a file can hold.
pub fn write(graph: &Graph) -> String {
    let mut text = format!("(\n    darkroom: {FORMAT},\n");
    section(&mut text, "    ", "nodes", nodes(&graph.nodes, "        ").into_iter());
    if !graph.subgraphs.is_empty() {
        section(&mut text, "    ", "subgraphs", graph.subgraphs.iter().map(subgraph::lines));
    }
    for (name, source) in &graph.sections {
        text += &format!("    {}: {source},\n", identifier(name));
    }
    if !graph.lock.is_empty() {
        section(&mut text, "    ", "lock", graph.lock.iter().map(lock::line));
    }
    text + ")\n"
}

/// Writes a map, one entry a line, so far from the left.
pub(super) fn section(text: &mut String, indent: &str, name: &str, entries: impl ExactSizeIterator<Item = String>) {
    if entries.len() == 0 {
        *text += &format!("{indent}{name}: {{}},\n");
        return;
    }
    *text += &format!("{indent}{name}: {{\n");
    for entry in entries {
        *text += &format!("{indent}    {entry},\n");
    }
    *text += &format!("{indent}}},\n");
}

/// Writes nodes that stand so far from the left, their types one below the other.
pub(super) fn nodes(nodes: &IndexMap<String, NodeEntry>, indent: &str) -> Vec<String> {
    let ids: Vec<_> = nodes.keys().map(|id| quote(id)).collect();
    let width = ids.iter().map(|id| id.chars().count()).filter(|width| *width <= ALIGNED).max().unwrap_or(0);
    ids.iter().zip(nodes.values()).map(|(id, node)| node_lines(id, node, width, indent)).collect()
}

/// One line if it fits, else one for each field.
fn node_lines(id: &str, node: &NodeEntry, width: usize, indent: &str) -> String {
    let fields = fields(node);
    let space = " ".repeat(width.saturating_sub(id.chars().count()));
    let line = format!("{id}: {space}({})", fields.join(", "));
    // The line is indented and ends in a comma.
    if indent.len() + line.chars().count() < LINE && !line.contains('\n') {
        return line;
    }
    let mut lines = format!("{id}: {space}(\n");
    for field in fields {
        writeln!(lines, "{indent}    {field},").expect("a text takes whatever is written");
    }
    lines + indent + ")"
}

fn fields(node: &NodeEntry) -> Vec<String> {
    let mode = match node.mode {
        Mode::Active => None,
        Mode::Muted => Some("muted"),
        Mode::Bypassed => Some("bypassed"),
    };
    let known = [
        Some(format!("type: {}", quote(&node.kind))),
        node.version.map(|version| format!("version: {version}")),
        mode.map(|mode| format!("mode: {mode}")),
        node.title.as_ref().map(|title| format!("title: {}", quote(title))),
        node.note.as_ref().map(|note| format!("note: {}", quote(note))),
    ];
    let inputs = node.fields.iter().map(|(name, field)| format!("{}: {}", identifier(name), value(field)));
    known.into_iter().flatten().chain(inputs).collect()
}

fn value(field: &Field) -> String {
    match field {
        Field::Literal(literal) => literal.to_string(),
        Field::Link(link) => wire(link),
    }
}

/// Writes a wire.
pub(super) fn wire(link: &Link) -> String {
    format!("(from: {})", quote(&link.to_string()))
}

/// Writes a name; one that is no plain identifier in RON's raw form.
pub(super) fn identifier(name: &str) -> String {
    let plain = name.chars().all(|character| character == '_' || character.is_ascii_alphanumeric())
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if plain { name.to_owned() } else { format!("r#{name}") }
}
