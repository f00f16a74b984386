//! What two graphs differ in, as far as it can change a result: nodes, values, wires, modes; no titles and no places.

use std::fmt;

use darkroom_core::graph::{Field, Graph, Link, Mode, NodeEntry};
use indexmap::IndexMap;

/// So many letters of a text are shown.
const LETTERS: usize = 48;

/// A difference between two graphs.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A node is new.
    Added(String, NodeEntry),
    /// A node is no more.
    Removed(String),
    /// Something else stands at an input; none is its default.
    Input {
        /// The node.
        node: String,
        /// The input.
        input: String,
        /// What stood there.
        from: Option<Field>,
        /// What stands there.
        to: Option<Field>,
    },
    /// It takes part in another way.
    Mode(String, Mode, Mode),
    /// A sub-graph offers other inputs or outputs.
    Face(String),
}

/// Lists what must be done to the first graph to get the second. A node that has another type, or another version of
/// it, is another node. Those of a sub-graph are called `graph/node`.
pub fn diff(before: &Graph, after: &Graph) -> Vec<Change> {
    let mut changes = Vec::new();
    let same = |a: &NodeEntry, b: &NodeEntry| a.kind == b.kind && a.version == b.version;
    let (old, new) = (nodes(before), nodes(after));
    let gone = old.iter().filter(|(name, entry)| !new.get(*name).is_some_and(|other| same(entry, other)));
    changes.extend(gone.map(|(name, _)| Change::Removed(name.clone())));
    for (name, entry) in &new {
        match old.get(name).filter(|old| same(old, entry)) {
            None => changes.push(Change::Added(name.clone(), NodeEntry::clone(entry))),
            Some(old) => {
                if old.mode != entry.mode {
                    changes.push(Change::Mode(name.clone(), old.mode, entry.mode));
                }
                inputs(name, &old.fields, &entry.fields, &mut changes);
            }
        }
    }
    let face = |graph: &Graph, name: &String| {
        graph.subgraphs.get(name).map(|subgraph| (subgraph.inputs.clone(), subgraph.outputs.clone()))
    };
    let turned =
        after.subgraphs.keys().filter(|name| face(before, name).is_some_and(|old| Some(old) != face(after, name)));
    changes.extend(turned.map(|name| Change::Face(name.clone())));
    changes
}

/// All nodes by their names, those of definitions behind the others.
fn nodes(graph: &Graph) -> IndexMap<String, &NodeEntry> {
    let inside = graph.subgraphs.iter().flat_map(|(definition, subgraph)| {
        subgraph.nodes.iter().map(move |(name, entry)| (format!("{definition}/{name}"), entry))
    });
    graph.nodes.iter().map(|(name, entry)| (name.clone(), entry)).chain(inside).collect()
}

fn inputs(node: &str, old: &IndexMap<String, Field>, new: &IndexMap<String, Field>, changes: &mut Vec<Change>) {
    let gone = old.keys().filter(|input| !new.contains_key(*input));
    for input in new.keys().chain(gone) {
        let (from, to) = (old.get(input), new.get(input));
        if from != to {
            let (from, to) = (from.cloned(), to.cloned());
            changes.push(Change::Input { node: node.to_owned(), input: input.clone(), from, to });
        }
    }
}

/// Writes a difference as a person reads it: `denoise.steps 20 → 30`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(name, entry) => write!(f, "+ {name} ({})", entry.kind),
            Self::Removed(name) => write!(f, "− {name}"),
            Self::Input { node, input, from, to } => {
                write!(f, "{node}.{input} {} → {}", words(from.as_ref()), words(to.as_ref()))
            }
            Self::Face(name) => write!(f, "{name} has other inputs or outputs"),
            Self::Mode(name, from, to) => write!(f, "{name} {} → {}", mode(*from), mode(*to)),
        }
    }
}

fn words(field: Option<&Field>) -> String {
    match field {
        None => "default".to_owned(),
        Some(Field::Literal(literal)) => short(&literal.to_string()),
        Some(Field::Link(Link { node, output: None })) => format!("from {node}"),
        Some(Field::Link(Link { node, output: Some(output) })) => format!("from {node}.{output}"),
    }
}

fn short(text: &str) -> String {
    let mut letters = text.chars();
    let head: String = letters.by_ref().take(LETTERS).collect();
    if letters.next().is_some() { head + "…" } else { head }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Active => "active",
        Mode::Muted => "muted",
        Mode::Bypassed => "bypassed",
    }
}

#[cfg(test)]
mod tests {
    use darkroom_core::literal::Literal;
    use proptest::prelude::*;

    use super::*;

    /// Does to a graph what a list of changes says.
    fn apply(graph: &Graph, changes: &[Change]) -> Graph {
        let mut graph = graph.clone();
        for change in changes {
            match change {
                Change::Added(name, entry) => drop(graph.nodes.insert(name.clone(), entry.clone())),
                Change::Removed(name) => drop(graph.nodes.shift_remove(name)),
                Change::Mode(name, _, to) => graph.nodes[name].mode = *to,
                Change::Face(name) => panic!("there is no {name}"),
                Change::Input { node, input, to: Some(to), .. } => {
                    graph.nodes[node].fields.insert(input.clone(), to.clone());
                }
                Change::Input { node, input, to: None, .. } => drop(graph.nodes[node].fields.shift_remove(input)),
            }
        }
        graph
    }

    fn field() -> impl Strategy<Value = Field> {
        let link = ("[a-e]", prop::option::of("[xy]"));
        prop_oneof![
            (0_i64..3).prop_map(|number| Field::Literal(Literal::from(number))),
            "[a-c]{0,2}".prop_map(|text| Field::Literal(Literal::from(text))),
            link.prop_map(|(node, output)| Field::Link(Link { node, output })),
        ]
    }

    fn graph() -> impl Strategy<Value = Graph> {
        let mode = prop::sample::select(vec![Mode::Active, Mode::Muted, Mode::Bypassed]);
        let fields = prop::collection::vec(("[p-s]", field()), 0..4);
        let entry = ("[k-m]", prop::option::of(1_u32..3), mode, fields).prop_map(|(kind, version, mode, fields)| {
            NodeEntry { kind, version, mode, fields: fields.into_iter().collect(), ..NodeEntry::default() }
        });
        prop::collection::vec(("[a-e]", entry), 0..6)
            .prop_map(|nodes| Graph { nodes: nodes.into_iter().collect(), ..Graph::default() })
    }

    proptest! {
        #[test]
        fn a_graph_does_not_differ_from_itself(graph in graph()) {
            prop_assert_eq!(diff(&graph, &graph), []);
        }

        #[test]
        fn the_differences_lead_from_one_graph_to_the_other(before in graph(), after in graph()) {
            let changes = diff(&before, &after);
            prop_assert_eq!(changes.is_empty(), before.nodes == after.nodes);
            prop_assert_eq!(apply(&before, &changes), after);
        }

        #[test]
        fn there_and_back_have_the_same_inputs(before in graph(), after in graph()) {
            let there = diff(&before, &after).into_iter().filter_map(|change| match change {
                Change::Input { node, input, from, to } => Some((node, input, from, to)),
                _ => None,
            });
            let back = diff(&after, &before).into_iter().filter_map(|change| match change {
                Change::Input { node, input, from, to } => Some((node, input, to, from)),
                _ => None,
            });
            let (mut there, mut back): (Vec<_>, Vec<_>) = (there.collect(), back.collect());
            there.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            back.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            prop_assert_eq!(there, back);
        }
    }

    fn read(nodes: &str) -> Graph {
        darkroom_core::graph::read(&format!("(darkroom: 1, nodes: {{{nodes}}})")).expect("a workflow").graph
    }

    #[test]
    fn differences_are_read_as_sentences() {
        let before = read(r#""a": (type: "k", steps: 20, from: (from: "b")), "b": (type: "k"), "c": (type: "k")"#);
        let after = read(
            r#""a": (type: "k", steps: 30, from: (from: "d.x"), title: "A"), "b": (type: "k", mode: muted), "d": (type: "m")"#,
        );
        let words: Vec<_> = diff(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(words, ["− c", "a.steps 20 → 30", "a.from from b → from d.x", "b active → muted", "+ d (m)"]);
    }

    #[test]
    fn what_changes_inside_of_a_sub_graph_is_told() {
        let graph = |seed: u32, outputs: &str| {
            let text = format!(
                r#"(darkroom: 1, nodes: {{"a": (type: "graph:twice")}}, subgraphs: {{"twice": (
                    nodes: {{"grow": (type: "grow", seed: {seed})}}, outputs: {{{outputs}}})}})"#
            );
            darkroom_core::graph::read(&text).expect("a workflow").graph
        };
        let changes = diff(&graph(1, r#""leaf": (from: "grow")"#), &graph(2, r#""other": (from: "grow")"#));
        let words: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["twice/grow.seed 1 → 2", "twice has other inputs or outputs"]);
    }
}
