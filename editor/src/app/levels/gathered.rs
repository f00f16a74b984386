//! What is known of the nodes inside of sub-graphs, and what that comes to outside.

use std::sync::Arc;

use darkroom_core::graph::Subgraph;

use crate::app::Tab;
use crate::document::Node;
use crate::status::{NodeStatus, State, Status};

impl Tab {
    /// Returns what is known of a node inside, by its way.
    pub(in crate::app) fn node_inside(&mut self, way: &str) -> Option<&mut NodeStatus> {
        way.contains('/').then(|| self.levels.inside.entry(way.to_owned()).or_default())
    }

    /// Forgets what nodes inside were, and what is wrong with them, before it is told anew.
    pub(in crate::app) fn forget_inside(&mut self) {
        let mut inside = std::mem::take(&mut self.levels.inside);
        inside.retain(|way, _| self.find(way).is_some());
        inside.values_mut().for_each(|status| status.faults.clear());
        self.levels.inside = inside;
    }

    /// Lets what waits inside of sub-graphs wait no more.
    pub(in crate::app) fn rest_inside(&mut self) {
        let waiting = |state: State| matches!(state, State::Queued | State::Running(_));
        for status in self.levels.inside.values_mut().filter(|status| waiting(status.state)) {
            status.state = State::Dirty;
        }
    }

    /// Shows at nodes that stand for sub-graphs what happens inside.
    pub(in crate::app) fn gather(&mut self) {
        let whole = Arc::clone(self.document.sheet());
        if whole.definitions.is_empty() {
            return;
        }
        for (id, node) in whole.nodes.iter().filter(|(_, node)| Subgraph::of_kind(&node.kind).is_some()) {
            let own = self.status.nodes.remove(id).unwrap_or_default();
            let status = self.of_instance(&node.name, node, own);
            self.status.nodes.insert(*id, status);
        }
    }

    /// What is known of the nodes of the level in front, inside of the instance that was entered.
    pub(super) fn status_inside(&self) -> Status {
        let (way, whole) = (self.way(), self.document.sheet());
        let around = self.level().and_then(|name| whole.definitions.get(name));
        let mut status = Status { inside: true, ..Status::default() };
        for (id, node) in &self.sheet().nodes {
            let way = format!("{way}{}", node.name);
            let mut of_node = self.levels.inside.get(&way).cloned().unwrap_or_default();
            if Subgraph::of_kind(&node.kind).is_some() {
                of_node = self.of_instance(&way, node, of_node);
            }
            if let Some(around) = around {
                let ends = around.inputs.iter().flat_map(|(name, ends)| ends.iter().map(move |end| (name, end)));
                let ends = ends.filter(|(_, end)| end.node == node.name);
                of_node.offered = ends.map(|(name, end)| (end.input.clone(), name.clone())).collect();
                let links = around.outputs.iter().filter(|(_, link)| link.node == node.name);
                let links = links.map(|(name, link)| (link.output.clone(), name.clone()));
                of_node.given = links.collect();
            }
            status.nodes.insert(*id, of_node);
        }
        status
    }

    /// What is known of a node that stands for a sub-graph: its own faults, and all that is known inside.
    fn of_instance(&self, way: &str, node: &Node, own: NodeStatus) -> NodeStatus {
        let prefix = format!("{way}/");
        let inside = || {
            let behind = self.levels.inside.range(prefix.clone()..);
            behind.take_while(|(way, _)| way.starts_with(&prefix)).map(|(_, status)| status)
        };
        let mut faults = own.faults;
        faults.retain(|located| located.place.node.as_ref().is_some_and(|(id, _)| id == way));
        let definition = Subgraph::of_kind(&node.kind);
        let of_definition = self.faults.iter().filter(|located| {
            let within = located.place.within.as_ref();
            located.place.node.is_none() && within.map(|within| within.definition.as_str()) == definition
        });
        faults.extend(of_definition.cloned());
        faults.extend(inside().flat_map(|status| status.faults.iter().cloned()));
        let of = inside().filter(|status| status.state != State::Unknown).count();
        let runs = inside().filter(|status| runs(status.state)).count();
        NodeStatus {
            state: state(&inside()),
            why: if of > 0 { format!("{runs} of {of} nodes inside") } else { String::new() },
            faults,
            seconds: inside().filter_map(|status| status.seconds).reduce(|sum, seconds| sum + seconds),
            bytes: inside().map(|status| status.bytes).max().unwrap_or(0),
            picture: inside().find_map(|status| status.picture.clone()).or(own.picture),
            ..NodeStatus::default()
        }
    }
}

fn runs(state: State) -> bool {
    matches!(state, State::Dirty | State::Queued | State::Running(_) | State::Done | State::Failed)
}

/// What happens to several nodes is what happens to the one that matters most.
fn state<'a>(inside: &(impl Iterator<Item = &'a NodeStatus> + Clone)) -> State {
    let any = |wanted: fn(State) -> bool| inside.clone().any(|status| wanted(status.state));
    let share = || {
        let done = inside.clone().map(|status| match status.state {
            State::Running(share) => share,
            State::Done => 1.0,
            _ => 0.0,
        });
        let of = inside.clone().filter(|status| runs(status.state)).count();
        done.sum::<f32>() / of.max(1) as f32
    };
    let (queued, done) = (any(|state| state == State::Queued), any(|state| state == State::Done));
    if any(|state| state == State::Failed) {
        State::Failed
    } else if any(|state| matches!(state, State::Running(_))) || (queued && done) {
        State::Running(share())
    } else if queued {
        State::Queued
    } else {
        let rest = [State::Dirty, State::Done, State::Cached, State::Opens, State::Idle];
        rest.into_iter().find(|wanted| inside.clone().any(|status| status.state == *wanted)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_several_nodes_is_what_matters_most() {
        let of = |states: &[State]| {
            let all: Vec<_> =
                states.iter().map(|state| NodeStatus { state: *state, ..NodeStatus::default() }).collect();
            state(&all.iter())
        };
        assert_eq!(of(&[]), State::Unknown);
        assert_eq!(of(&[State::Idle, State::Cached, State::Dirty]), State::Dirty);
        assert_eq!(of(&[State::Cached, State::Queued]), State::Queued);
        assert_eq!(of(&[State::Done, State::Queued, State::Cached]), State::Running(0.5));
        assert_eq!(of(&[State::Done, State::Running(0.5), State::Queued, State::Queued]), State::Running(0.375));
        assert_eq!(of(&[State::Done, State::Failed, State::Queued]), State::Failed);
        assert_eq!(of(&[State::Done, State::Cached]), State::Done);
    }
}
