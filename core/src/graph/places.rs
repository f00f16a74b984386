//! Where the parts of a graph stand in the file it came from.

use std::collections::HashMap;

use crate::fault::{Faults, Position};

/// Lines and columns of nodes and of their inputs.
#[derive(Debug, Clone, Default)]
pub struct Places {
    nodes: HashMap<String, NodePlace>,
}

#[derive(Debug, Clone)]
struct NodePlace {
    at: Position,
    fields: HashMap<String, Position>,
}

impl Places {
    /// Returns where a node's id stands.
    pub fn node(&self, id: &str) -> Option<Position> {
        Some(self.nodes.get(id)?.at)
    }

    /// Returns where the name of a node's input stands, or its `type`, `mode` and the like.
    pub fn field(&self, node: &str, field: &str) -> Option<Position> {
        self.nodes.get(node)?.fields.get(field).copied()
    }

    /// Adds line and column to faults that name a node, and an input if it is in the file.
    #[must_use]
    pub fn locate(&self, mut faults: Faults) -> Faults {
        for place in faults.0.iter_mut().map(|located| &mut located.place).filter(|place| place.position.is_none()) {
            let Some((id, _)) = &place.node else { continue };
            let field = place.input.as_ref().and_then(|input| self.field(id, input));
            place.position = field.or_else(|| self.node(id));
        }
        faults
    }

    pub(super) fn add_node(&mut self, id: &str, at: Position, fields: HashMap<String, Position>) {
        self.nodes.insert(id.to_owned(), NodePlace { at, fields });
    }
}
