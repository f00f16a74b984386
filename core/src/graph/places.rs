//! Where the parts of a graph stand in the file it came from.

use std::collections::HashMap;

use crate::fault::{Faults, Position, Within};

/// Lines and columns of nodes and of their inputs.
#[derive(Debug, Clone, Default)]
pub struct Places {
    nodes: HashMap<String, NodePlace>,
    definitions: HashMap<String, Definition>,
}

/// Where a sub-graph's definition stands, with its promoted inputs and outputs, and what is inside.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub at: Position,
    pub ends: HashMap<String, Position>,
    pub inside: Places,
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

    /// Returns where the name of a sub-graph's definition stands.
    pub fn definition(&self, name: &str) -> Option<Position> {
        Some(self.definitions.get(name)?.at)
    }

    /// Adds line and column to faults that name a node, and an input if it is in the file; inside of a sub-graph, those of
    /// its definition.
    #[must_use]
    pub fn locate(&self, mut faults: Faults) -> Faults {
        for place in faults.0.iter_mut().map(|located| &mut located.place).filter(|place| place.position.is_none()) {
            let input = place.input.as_deref();
            place.position = match (&place.within, &place.node) {
                (Some(Within { definition, node }), _) => self.inside(definition, node.as_deref(), input),
                (None, Some((id, _))) => self.at(id, input),
                (None, None) => None,
            };
        }
        faults
    }

    fn at(&self, id: &str, input: Option<&str>) -> Option<Position> {
        input.and_then(|input| self.field(id, input)).or_else(|| self.node(id))
    }

    fn inside(&self, definition: &str, node: Option<&str>, input: Option<&str>) -> Option<Position> {
        let Definition { at, ends, inside } = self.definitions.get(definition)?;
        let place = match node {
            Some(id) => inside.at(id, input),
            None => input.and_then(|end| ends.get(end).copied()),
        };
        place.or(Some(*at))
    }

    pub(super) fn add_definition(&mut self, name: &str, definition: Definition) {
        self.definitions.insert(name.to_owned(), definition);
    }

    pub(super) fn add_node(&mut self, id: &str, at: Position, fields: HashMap<String, Position>) {
        self.nodes.insert(id.to_owned(), NodePlace { at, fields });
    }
}
