//! Properties of names and of runs, on graphs drawn at random.

use std::collections::BTreeMap;

use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::graph::{Field, Graph, Link, NodeEntry};
use darkroom_core::history::History;
use darkroom_core::host::Host;
use darkroom_core::literal::Literal;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::residency::Ledger;
use darkroom_core::testing::{Leaf, toys};
use proptest::prelude::*;

/// A `grow` of a random graph: it reads an earlier one, or none.
#[derive(Debug, Clone, PartialEq)]
struct Twig {
    on: Option<usize>,
    size: u32,
    seed: u64,
}

fn twig() -> impl Strategy<Value = (Option<prop::sample::Index>, u32, u64)> {
    (prop::option::weighted(0.8, any::<prop::sample::Index>()), 1_u32..5, 0_u64..4)
}

fn twigs() -> impl Strategy<Value = Vec<Twig>> {
    prop::collection::vec(twig(), 1..25).prop_map(|drawn| {
        let twig = |(index, (on, size, seed)): (usize, (Option<prop::sample::Index>, u32, u64))| {
            let on = on.filter(|_| index > 0).map(|on| on.index(index));
            Twig { on, size, seed }
        };
        drawn.into_iter().enumerate().map(twig).collect()
    })
}

fn engine() -> Engine {
    let host = Host::new(Files::default()).with_numerics("toy");
    Engine::new(toys(), host, Cache::in_memory(1 << 20), Ledger::new(0), History::in_memory())
}

fn link(node: String) -> Field {
    Field::Link(Link { node, output: None })
}

/// Writes twigs as a graph whose last node wants all of them; `name` gives each its id.
fn graph(twigs: &[Twig], name: impl Fn(usize) -> String) -> Graph {
    let mut graph = Graph::default();
    for (index, twig) in twigs.iter().enumerate() {
        let mut fields = vec![
            ("size".to_owned(), Field::Literal(Literal::from(twig.size))),
            ("seed".to_owned(), Field::Literal(Literal::from(twig.seed))),
        ];
        fields.extend(twig.on.map(|on| ("on".to_owned(), link(name(on)))));
        let entry = NodeEntry { kind: "grow".to_owned(), fields: fields.into_iter().collect(), ..NodeEntry::default() };
        graph.nodes.insert(name(index), entry);
    }
    // A chain of texts, each with the one before it as its prefix.
    for index in 0..twigs.len() {
        let mut fields = vec![("leaf".to_owned(), link(name(index)))];
        fields.extend(index.checked_sub(1).map(|before| ("prefix".to_owned(), link(words(before)))));
        let entry =
            NodeEntry { kind: "sprout".to_owned(), fields: fields.into_iter().collect(), ..NodeEntry::default() };
        graph.nodes.insert(words(index), entry);
    }
    graph
}

fn words(index: usize) -> String {
    format!("words {index}")
}

fn plain(index: usize) -> String {
    format!("leaf {index}")
}

fn wish(twigs: &[Twig]) -> Wish {
    Wish { goal: Goal::Node(words(twigs.len() - 1)), ..Wish::default() }
}

/// The recipes of the twigs, in their order.
fn recipes(graph: &Graph, twigs: &[Twig], name: impl Fn(usize) -> String) -> Vec<Fingerprint> {
    let plan = engine().plan(graph, &wish(twigs)).expect("the graph is sound");
    let by_id: BTreeMap<_, _> = plan.steps.into_iter().map(|step| (step.id, step.recipe)).collect();
    (0..twigs.len()).map(|index| by_id[&name(index)]).collect()
}

/// What the twigs come to, without an engine.
fn grown(twigs: &[Twig]) -> Vec<Vec<f32>> {
    let mut leaves: Vec<Vec<f32>> = Vec::new();
    for twig in twigs {
        let base: f32 = twig.on.map_or(0.0, |on| leaves[on].iter().sum());
        leaves.push((0..twig.size).map(|i| base + twig.seed as f32 + i as f32).collect());
    }
    leaves
}

/// Whether two twigs are made of the same things all the way down.
fn alike(twigs: &[Twig], a: usize, b: usize) -> bool {
    let (one, other) = (&twigs[a], &twigs[b]);
    (one.size, one.seed) == (other.size, other.seed)
        && match (one.on, other.on) {
            (None, None) => true,
            (Some(a), Some(b)) => alike(twigs, a, b),
            _ => false,
        }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn equal_recipes_have_equal_names_and_no_others(twigs in twigs()) {
        let names = recipes(&graph(&twigs, plain), &twigs, plain);
        for a in 0..twigs.len() {
            for b in 0..a {
                prop_assert_eq!(names[a] == names[b], alike(&twigs, a, b), "{} and {}", a, b);
            }
        }
    }

    #[test]
    fn a_name_does_not_hang_on_ids_order_or_looks(twigs in twigs(), turn in any::<prop::sample::Index>()) {
        let before = recipes(&graph(&twigs, plain), &twigs, plain);
        let renamed = |index: usize| format!("another {}", twigs.len() - index);
        let mut moved = graph(&twigs, renamed);
        let nodes: Vec<_> = moved.nodes.drain(..).collect();
        let turn = turn.index(nodes.len());
        moved.nodes = nodes[turn..].iter().chain(&nodes[..turn]).cloned().collect();
        for entry in moved.nodes.values_mut() {
            (entry.title, entry.note) = (Some("a title".to_owned()), Some("a note".to_owned()));
            entry.fields.reverse();
        }
        moved.sections.insert("layout".to_owned(), "{\"a\": (x: 1, y: 2)}".to_owned());
        prop_assert_eq!(recipes(&moved, &twigs, renamed), before);
    }

    #[test]
    fn a_changed_parameter_renames_its_node_and_all_behind_it(
        twigs in twigs(),
        which in any::<prop::sample::Index>(),
        size in any::<bool>(),
    ) {
        let which = which.index(twigs.len());
        let mut changed = twigs.clone();
        if size { changed[which].size += 10 } else { changed[which].seed += 10 }
        let (before, after) = (recipes(&graph(&twigs, plain), &twigs, plain), recipes(&graph(&changed, plain), &twigs, plain));
        let mut touched = vec![false; twigs.len()];
        for index in 0..twigs.len() {
            touched[index] = index == which || twigs[index].on.is_some_and(|on| touched[on]);
            prop_assert_eq!(before[index] != after[index], touched[index], "{}", index);
        }
    }

    #[test]
    fn a_run_gives_what_its_nodes_give_and_a_second_runs_nothing(twigs in twigs()) {
        let (engine, graph) = (engine(), graph(&twigs, plain));
        let wanted: String = grown(&twigs).iter().map(|leaf| format!("{leaf:?}")).collect();
        // Of those that are alike one runs; every text is another.
        let is_first = |index: &usize| !(0..*index).any(|before| alike(&twigs, before, *index));
        let distinct = (0..twigs.len()).filter(is_first).count();
        for runs in [distinct + twigs.len(), 0] {
            prop_assert_eq!(engine.plan(&graph, &wish(&twigs)).expect("sound").runs(), runs);
            let report = engine.run(&graph, &wish(&twigs), &(), &Cancel::new()).expect("nothing fails");
            prop_assert_eq!(report.results[0].1[0].downcast::<String>(), Some(&wanted));
        }
        for (index, leaf) in grown(&twigs).iter().enumerate() {
            let wish = Wish { goal: Goal::Node(plain(index)), ..Wish::default() };
            let report = engine.run(&graph, &wish, &(), &Cancel::new()).expect("nothing fails");
            prop_assert_eq!(&*report.results[0].1[0].downcast::<Leaf>().expect("a leaf").0, &leaf[..]);
        }
    }

    #[test]
    fn every_parameter_counts(texts in prop::collection::vec("[a-z\\PC]{0,8}", 2..6), flags in prop::collection::vec(any::<bool>(), 2..6)) {
        let recipe = |text: &str, loud: bool| {
            let mut graph = Graph::default();
            let fields = [
                ("text".to_owned(), Field::Literal(Literal::from(text))),
                ("loudness".to_owned(), Field::Literal(Literal::from(if loud { "loud" } else { "plain" }))),
            ];
            graph.nodes.insert("shout".to_owned(), NodeEntry { kind: "shout".to_owned(), fields: fields.into(), ..NodeEntry::default() });
            let wish = Wish { goal: Goal::Node("shout".to_owned()), ..Wish::default() };
            engine().plan(&graph, &wish).expect("sound").steps[0].recipe
        };
        for (a, x) in texts.iter().zip(&flags) {
            for (b, y) in texts.iter().zip(&flags) {
                prop_assert_eq!(recipe(a, *x) == recipe(b, *y), (a, x) == (b, y));
            }
        }
    }
}
