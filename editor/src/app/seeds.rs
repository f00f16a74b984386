//! Seeds of runs: those that were taken, and those that go on by themselves.
//!
//! A seed that counts goes on as soon as a run is asked for, and not when it is over: what stands in the field is always
//! what the next run takes, and runs that wait behind one another take one seed each.

use std::collections::HashSet;

use darkroom_core::graph::{self, Graph, Mode};
use darkroom_core::literal::Literal;
use darkroom_core::registry::Registry;

use super::Tab;
use crate::document::{Edit, Sheet};

/// The seed that a run takes: node, input, number.
pub type Taken = (String, String, u64);

/// Seeds that go on by themselves: node and input.
pub type Counted = HashSet<(String, String)>;

/// Lists the seeds that stand in a graph, once those that were left to chance are drawn.
pub fn taken(graph: &Graph, registry: &Registry) -> Vec<Taken> {
    let mut all = Vec::new();
    for (name, entry) in &graph.nodes {
        let Some(known) = registry.get(&entry.kind) else { continue };
        for input in known.spec().inputs.iter().filter(|input| input.param.as_ref().is_some_and(|param| param.seed)) {
            if let Some(graph::Field::Literal(Literal::Integer(number))) = entry.fields.get(input.name) {
                all.extend(u64::try_from(*number).ok().map(|number| (name.clone(), input.name.to_owned(), number)));
            }
        }
    }
    all
}

/// Lists the edits that let seeds go on.
fn edits(sheet: &Sheet, registry: &Registry) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (id, node) in sheet.nodes.iter().filter(|(_, node)| node.mode == Mode::Active) {
        for (input, count) in &node.counts {
            let spec = registry.get(&node.kind).map(|known| known.spec());
            let default = spec.and_then(|spec| spec.input(input)?.1.param.as_ref()?.default.as_ref());
            let now = if node.wire(input).is_some() { None } else { node.literal(input).or(default) };
            let Some(Literal::Integer(now)) = now else { continue };
            let next = u64::try_from(*now).map(|now| count.after(now)).unwrap_or_default();
            edits.push(Edit::Set(*id, input.clone(), Some(Literal::from(next))));
        }
    }
    edits
}

impl Tab {
    /// Lists the seeds that go on by themselves.
    pub(super) fn counted(&self) -> Counted {
        let nodes = self.document.sheet().nodes.values();
        nodes.flat_map(|node| node.counts.keys().map(|input| (node.name.clone(), input.clone()))).collect()
    }

    /// Lets the seeds that count go on, all runs in a row as one step.
    pub(super) fn count_on(&mut self, registry: &Registry) {
        let edits = edits(self.document.sheet(), registry);
        if !edits.is_empty() {
            let done = self.document.step_joined("count seeds", Some("count seeds".to_owned()), edits);
            debug_assert!(done.is_ok(), "all of these nodes are there");
        }
    }

    /// Shows at the nodes the seeds that a run takes.
    pub(super) fn show_seeds(&mut self, run: usize) {
        for (node, input, number) in self.runs[run].seeds.clone() {
            if let Some(status) = self.node(&node) {
                status.seeds.insert(input, number);
            }
        }
    }
}
