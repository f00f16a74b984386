//! What to change so that a workflow fits into a budget: the change that costs its author least.
//!
//! Tried in this order: one picture at a time, smaller pictures, both. What nodes do by themselves, as working in tiles,
//! is no change: see [`Engine::foresee_eased`](darkroom_core::engine::Engine::foresee_eased).

use darkroom_core::graph::{Field, Graph, NodeEntry};
use darkroom_core::literal::Literal;
use darkroom_core::plan::{Memory, Verdict};
use darkroom_core::registry::Registry;
use darkroom_core::residency::{Device, typed};
use darkroom_core::spec::Input;

/// The shares of width and height that are tried.
const SHARES: [(i128, i128); 5] = [(7, 8), (3, 4), (5, 8), (1, 2), (3, 8)];
/// Smaller pictures keep edges of these many pixels, which all families take.
const EDGE: i128 = 64;

/// A changed graph, and what was changed in it.
struct Change {
    graph: Graph,
    words: Vec<String>,
}

/// Says how a workflow would fit: "raise the budget to 5.9G, or …". `foresee` tells what memory a graph needs.
pub fn advice(
    graph: &Graph,
    registry: &Registry,
    memory: &Memory,
    foresee: &dyn Fn(&Graph) -> Option<Memory>,
) -> String {
    let (flag, device) = match memory.verdict {
        Verdict::Short { device, .. } if device != Device::Cpu => (device.flag(), device),
        _ => ("the budget", Device::Cpu),
    };
    let raised = format!("raise {flag} to {}", typed(memory.bounds(device).least));
    match cheapest(graph, registry, foresee) {
        Some(words) => format!("{raised}, or {}", words.join(" and ")),
        None => raised,
    }
}

/// The first change with which it fits.
fn cheapest(graph: &Graph, registry: &Registry, foresee: &dyn Fn(&Graph) -> Option<Memory>) -> Option<Vec<String>> {
    let fits = |change: &Change| {
        let verdict = foresee(&change.graph).map(|memory| memory.verdict);
        !change.words.is_empty() && verdict.is_some_and(|verdict| !matches!(verdict, Verdict::Short { .. }))
    };
    let start = || Change { graph: graph.clone(), words: Vec::new() };
    let small = SHARES.iter().map(|share| smaller(start(), registry, *share));
    let both = SHARES.iter().map(|share| smaller(single(start(), registry), registry, *share));
    [single(start(), registry)].into_iter().chain(small).chain(both).find(fits).map(|change| change.words)
}

/// Makes one picture at a time.
fn single(change: Change, registry: &Registry) -> Change {
    each_node(change, registry, |id, entry, inputs| {
        size(inputs)?;
        let count = inputs.iter().find(|input| input.name == "count")?;
        let before = entry.number(count).filter(|count| *count > 1)?;
        entry.fields.insert(count.name.to_owned(), Field::Literal(Literal::Integer(1)));
        Some(format!("draw one picture at a time instead of {before} (`count` at `{id}`)"))
    })
}

/// Makes pictures smaller, by a share of their edges.
fn smaller(change: Change, registry: &Registry, (of, in_all): (i128, i128)) -> Change {
    each_node(change, registry, |id, entry, inputs| {
        let (width, height) = size(inputs)?;
        let before = (entry.number(width)?, entry.number(height)?);
        let cut = |edge: i128| (edge * of / in_all / EDGE * EDGE).max(EDGE.min(edge));
        let after = (cut(before.0), cut(before.1));
        for (input, edge) in [(width, after.0), (height, after.1)] {
            entry.fields.insert(input.name.to_owned(), Field::Literal(Literal::Integer(edge)));
        }
        let words = format!("draw {}×{} instead of {}×{} (`{id}`)", after.0, after.1, before.0, before.1);
        (after != before).then_some(words)
    })
}

/// Changes nodes, and notes what `change` says that it did.
fn each_node(
    Change { mut graph, mut words }: Change,
    registry: &Registry,
    change: impl Fn(&str, &mut NodeEntry, &[Input]) -> Option<String>,
) -> Change {
    for (id, entry) in &mut graph.nodes {
        let Some(node) = registry.get(&entry.kind) else { continue };
        words.extend(change(id, entry, &node.spec().inputs));
    }
    Change { graph, words }
}

/// The width and height of what a node makes of nothing: a pair of numbers that are always given.
fn size(inputs: &[Input]) -> Option<(&Input, &Input)> {
    let named = |name: &str| inputs.iter().find(|input| input.name == name);
    let (width, height) = (named("width")?, named("height")?);
    let given =
        |input: &Input| input.param.as_ref().is_some_and(|param| param.pair.is_some() && param.default.is_some());
    (given(width) && given(height)).then_some((width, height))
}
