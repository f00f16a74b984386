//! Workflow graphs as pure data: what a file says, before anybody asks what it means.

pub mod check;
pub mod expand;
pub mod face;
mod field;
pub mod file;
mod lock;
mod migrate;
mod places;
mod read;
mod scalar;
mod source;
mod subgraph;
mod too_large;
mod write;

use indexmap::IndexMap;

use crate::files::Content;
use crate::literal::Literal;
use crate::spec::Input;

pub use check::Wired;
pub use expand::{Flat, expand};
pub use face::Faces;
pub use file::{FORMAT, Loaded, Places, read, read_file, write, write_file};
pub use lock::relock;
pub use read::refused_id;
pub use subgraph::{End, Subgraph, refused_end};
pub use too_large::OnTooLarge;

/// A workflow: nodes by the ids their author gave them, in the order in which they were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// The nodes.
    pub nodes: IndexMap<String, NodeEntry>,
    /// Graphs that stand in this one as nodes of the type `graph:name`, by their names.
    pub subgraphs: IndexMap<String, Subgraph>,
    /// Sections that this program carries along: positions and frames, exposed parameters, and those it does not know;
    /// RON as it was written, in the order of the file.
    pub sections: IndexMap<String, String>,
    /// Contents that file parameters must have, by `node.input`.
    pub lock: IndexMap<String, Content>,
}

/// A node as a file writes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeEntry {
    /// Its type.
    pub kind: String,
    /// The version of the type that the author had; `None` means the newest.
    pub version: Option<u32>,
    /// Whether it takes part.
    pub mode: Mode,
    /// What its author calls it.
    pub title: Option<String>,
    /// What its author says about it.
    pub note: Option<String>,
    /// What stands at its inputs, in the order of the file.
    pub fields: IndexMap<String, Field>,
}

impl NodeEntry {
    /// Returns the whole number that stands at an input, or that its default is; none where a wire brings it.
    pub fn number(&self, input: &Input) -> Option<i128> {
        let literal = match self.fields.get(input.name) {
            Some(Field::Literal(literal)) => literal,
            Some(Field::Link(_)) => return None,
            None => input.param.as_ref()?.default.as_ref()?,
        };
        match literal {
            Literal::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

/// Whether a node takes part in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    #[default]
    Active,
    /// It does not, and neither does what depends on it.
    Muted,
    /// It passes its first input of the output's kind on.
    Bypassed,
}

/// What stands at an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// A plain value.
    Literal(Literal),
    /// A wire.
    Link(Link),
}

/// A wire, seen from its end: where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The node.
    pub node: String,
    /// The output's name; may be left out where the node has one.
    pub output: Option<String>,
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.output {
            Some(output) => write!(f, "{}.{output}", self.node),
            None => f.write_str(&self.node),
        }
    }
}
