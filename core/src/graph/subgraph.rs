//! The `subgraphs` section of a workflow file: definitions of graphs that stand in others as one node.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::fault::Fault;
use crate::graph::field::{link, shortened, text};
use crate::graph::places::{Definition, Places};
use crate::graph::read::{Nodes, Reader, refused_id};
use crate::graph::scalar::items;
use crate::graph::source::{Entry, Shape};
use crate::graph::write::{identifier, nodes, section, wire};
use crate::graph::{Link, NodeEntry};
use crate::literal::quote;

/// A graph that stands in others as a node of the type `graph:name`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subgraph {
    /// What its author calls it.
    pub title: Option<String>,
    /// What its author says about it.
    pub note: Option<String>,
    /// Inputs of nodes inside that are offered outside, by the names that they have there. The first of several gives the
    /// kind, the manual and the default.
    pub inputs: IndexMap<String, Vec<End>>,
    /// Outputs of nodes inside that are offered outside, by the names that they have there.
    pub outputs: IndexMap<String, Link>,
    /// The nodes.
    pub nodes: IndexMap<String, NodeEntry>,
    /// What else stands in the definition, as its layout; RON as it was written.
    pub sections: IndexMap<String, String>,
}

/// An input of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct End {
    /// The node.
    pub node: String,
    /// The input's name.
    pub input: String,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.node, self.input)
    }
}

/// What begins the type of a node that stands for a sub-graph; no type of a program has a colon.
const PREFIX: &str = "graph:";

impl Subgraph {
    /// Returns the type of the nodes that stand for a definition.
    pub fn kind(name: &str) -> String {
        format!("{PREFIX}{name}")
    }

    /// Returns the name of the definition that a type means, if it means one.
    pub fn of_kind(kind: &str) -> Option<&str> {
        kind.strip_prefix(PREFIX)
    }
}

/// Says why a text cannot be the name of a promoted input or output: it stands as a field in nodes and behind the `.` of
/// wires.
pub fn refused_end(name: &str) -> Option<&'static str> {
    let plain = |character: char| character == '_' || character == '-' || character.is_alphanumeric();
    match name {
        "type" | "version" | "mode" | "title" | "note" | "from" | "_" => Some("a node uses that word for itself"),
        _ if !name.chars().all(plain) => Some("it holds more than letters, digits, `_` and `-`"),
        _ => refused_id(name),
    }
}

/// What the section says, and where.
#[derive(Default)]
pub(super) struct Subgraphs {
    pub subgraphs: IndexMap<String, Subgraph>,
    pub places: Vec<(String, Definition)>,
}

impl<'t> Reader<'t> {
    /// Reads the section.
    pub(super) fn subgraphs(&mut self, section: &Entry<'t>) -> Subgraphs {
        let mut read = Subgraphs::default();
        let entries = self.map(section, "\"name\": (nodes: {…})");
        let entries = self.unique(entries, |name| format!("the sub-graph `{}`", shortened(name)));
        for (name, entry) in entries {
            if let Some(reason) = refused_id(&name) {
                let fault = Fault::file(format!("`{}` cannot be the name of a sub-graph: {reason}", shortened(&name)));
                self.refuse(fault.hint("choose a short name of letters, digits, `_` and `-`"), entry.at);
                continue;
            }
            self.within = Some(name.clone().into_owned());
            if let Some((subgraph, ends, inside)) = self.definition(&name, &entry) {
                read.places.push((name.clone().into_owned(), Definition { at: entry.at, ends, inside }));
                read.subgraphs.insert(name.into_owned(), subgraph);
            }
            self.within = None;
        }
        read
    }

    fn definition(&mut self, name: &str, entry: &Entry<'t>) -> Option<(Subgraph, Ends, Places)> {
        let hint = format!("write `\"{name}\": (inputs: {{…}}, outputs: {{…}}, nodes: {{…}})`");
        let parts = match self.source.entries(entry.value, Shape::Structure) {
            Some(Ok(parts)) => parts,
            Some(Err(faults)) => {
                self.pass_on(faults);
                return None;
            }
            None => {
                let fault = Fault::file(format!("`{name}` is not a sub-graph")).hint(hint);
                self.refuse(fault, self.source.place(entry.value));
                return None;
            }
        };
        let mut parts = self.unique(parts, |part| format!("`{}` of the sub-graph `{name}`", shortened(part)));
        let (title, note) = (self.words(parts.shift_remove("title")), self.words(parts.shift_remove("note")));
        let (inputs, mut ends) = self.ends(parts.shift_remove("inputs"), "input", "[\"node.input\"]", targets);
        let (outputs, made) = self.ends(parts.shift_remove("outputs"), "output", "(from: \"node.output\")", from);
        ends.extend(made);
        let (nodes, inside) = match parts.shift_remove("nodes") {
            Some(section) => self.nodes(&section),
            None => {
                self.refuse(Fault::file(format!("the sub-graph `{name}` has no `nodes`")).hint(hint), entry.at);
                (Nodes::new(), Places::default())
            }
        };
        let sections = parts.into_iter().map(|(name, part)| (name.into_owned(), part.value.to_owned())).collect();
        Some((Subgraph { title, note, inputs, outputs, nodes, sections }, ends, inside))
    }

    fn words(&mut self, part: Option<Entry<'t>>) -> Option<String> {
        let part = part?;
        let words = text(part.value);
        if words.is_none() {
            let fault = Fault::file(format!("`{}` must be a text, not `{}`", part.name, shortened(part.value)));
            self.refuse(fault, self.source.place(part.value));
        }
        words
    }

    /// Reads what a definition offers outside, by its names there.
    fn ends<T>(
        &mut self,
        section: Option<Entry<'t>>,
        noun: &str,
        form: &str,
        read: impl Fn(&Self, &'t str) -> Option<T>,
    ) -> (IndexMap<String, T>, Ends) {
        let (mut ends, mut places) = (IndexMap::new(), Ends::new());
        let Some(section) = section else { return (ends, places) };
        let entries = self.map(&section, &format!("\"name\": {form}"));
        let entries = self.unique(entries, |name| format!("the {noun} `{}`", shortened(name)));
        for (name, entry) in entries {
            if let Some(reason) = refused_end(&name) {
                let fault = Fault::file(format!("`{}` cannot be the name of an {noun}: {reason}", shortened(&name)));
                self.refuse(fault.hint("choose another name"), entry.at);
                continue;
            }
            match read(self, entry.value) {
                Some(end) => {
                    places.insert(name.clone().into_owned(), entry.at);
                    ends.insert(name.into_owned(), end);
                }
                None => {
                    let fault = Fault::file(format!("`{}` is no {noun} of a node inside", shortened(entry.value)));
                    self.refuse(fault.hint(format!("write `\"{name}\": {form}`")), self.source.place(entry.value));
                }
            }
        }
        (ends, places)
    }
}

type Ends = HashMap<String, crate::fault::Position>;

/// Reads `["node.input", …]`; `None` if it is something else.
fn targets(_: &Reader<'_>, value: &str) -> Option<Vec<End>> {
    let target = |item| {
        let Link { node, output } = link(&text(item)?)?;
        Some(End { node, input: output? })
    };
    items(value)?.into_iter().map(target).collect::<Option<Vec<_>>>().filter(|ends| !ends.is_empty())
}

/// Reads `(from: "node.output")`; `None` if it is something else.
fn from<'t>(reader: &Reader<'t>, value: &'t str) -> Option<Link> {
    let parts = reader.source.entries(value, Shape::Structure)?.ok()?;
    match &parts[..] {
        [part] if part.name == "from" => link(&text(part.value)?),
        _ => None,
    }
}

/// Writes one definition.
pub(super) fn lines((name, subgraph): (&String, &Subgraph)) -> String {
    const PARTS: &str = "            ";
    const NODES: &str = "                ";
    let mut lines = format!("{}: (\n", quote(name));
    for (part, words) in [("title", &subgraph.title), ("note", &subgraph.note)] {
        if let Some(words) = words {
            lines += &format!("{PARTS}{part}: {},\n", quote(words));
        }
    }
    if !subgraph.inputs.is_empty() {
        let input = |(name, ends): (&String, &Vec<End>)| {
            let ends: Vec<_> = ends.iter().map(|end| quote(&end.to_string())).collect();
            format!("{}: [{}]", quote(name), ends.join(", "))
        };
        section(&mut lines, PARTS, "inputs", subgraph.inputs.iter().map(input));
    }
    if !subgraph.outputs.is_empty() {
        let output = |(name, link): (&String, &Link)| format!("{}: {}", quote(name), wire(link));
        section(&mut lines, PARTS, "outputs", subgraph.outputs.iter().map(output));
    }
    section(&mut lines, PARTS, "nodes", nodes(&subgraph.nodes, NODES).into_iter());
    for (name, source) in &subgraph.sections {
        lines += &format!("{PARTS}{}: {source},\n", identifier(name));
    }
    lines + "        )"
}
