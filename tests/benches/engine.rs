//! What the engine itself costs, on toys that do next to nothing: plans, runs, runs of what is cached, and names.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::graph::{Field, Graph, Link, NodeEntry};
use darkroom_core::history::History;
use darkroom_core::host::Host;
use darkroom_core::literal::Literal;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::residency::Ledger;
use darkroom_core::testing::toys;

fn engine() -> Engine {
    let host = Host::new(Files::default()).with_numerics("cpu f32 scalar");
    Engine::new(toys(), host, Cache::in_memory(1 << 30), Ledger::new(1 << 30), History::in_memory())
}

fn link(node: String) -> Field {
    Field::Link(Link { node, output: None })
}

fn entry(kind: &str, fields: impl IntoIterator<Item = (&'static str, Field)>) -> NodeEntry {
    let fields = fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
    NodeEntry { kind: kind.to_owned(), fields, ..NodeEntry::default() }
}

/// Each grows on the one before it.
fn chain(nodes: usize) -> Graph {
    let mut graph = Graph::default();
    for index in 0..nodes {
        let on = index.checked_sub(1).map(|before| ("on", link(format!("node {before}"))));
        let own =
            [("seed", index as u64), ("size", 1)].map(|(name, number)| (name, Field::Literal(Literal::from(number))));
        graph.nodes.insert(format!("node {index}"), entry("grow", on.into_iter().chain(own)));
    }
    graph
}

/// A tree: each node adds two others up, and half of all have nothing to wait for.
fn wide(nodes: usize) -> Graph {
    let mut graph = Graph::default();
    for index in 0..nodes {
        let (left, right) = (2 * index + 1, 2 * index + 2);
        let children = [("of", left), ("and", right)].into_iter().filter(|(_, child)| *child < nodes);
        let fields = children.map(|(name, child)| (name, link(format!("node {child}"))));
        let more = ("more", Field::Literal(Literal::from(index as u64)));
        graph.nodes.insert(format!("node {index}"), entry("join", fields.chain([more])));
    }
    graph
}

fn to(node: usize) -> Wish {
    Wish { goal: Goal::Node(format!("node {node}")), ..Wish::default() }
}

/// Shapes of graphs, and the node of each that wants all others.
fn shapes(nodes: usize) -> [(&'static str, Graph, Wish); 2] {
    [("chain", chain(nodes), to(nodes - 1)), ("wide", wide(nodes), to(0))]
}

fn plans(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("plan_10000");
    for (shape, graph, wish) in shapes(10_000) {
        let engine = engine();
        group.bench_function(shape, |bench| bench.iter(|| engine.plan(&graph, &wish).expect("the graph is sound")));
    }
    group.finish();
}

fn runs(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("run_1000");
    group.throughput(Throughput::Elements(1000));
    for (shape, graph, wish) in shapes(1000) {
        let run = |engine: Engine| engine.run(&graph, &wish, &(), &Cancel::new()).expect("nothing fails").nodes.len();
        group.bench_function(shape, |bench| bench.iter_batched(engine, run, BatchSize::PerIteration));
    }
    group.finish();
}

fn cached_runs(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("cached_1000");
    for (shape, graph, wish) in shapes(1000) {
        let engine = engine();
        let run = || engine.run(&graph, &wish, &(), &Cancel::new()).expect("nothing fails").nodes.len();
        run();
        group.bench_function(shape, |bench| bench.iter(run));
    }
    group.finish();
}

fn names(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("name");
    let input = Fingerprint::of_bytes(b"an input");
    group.bench_function("recipe", |bench| {
        bench.iter(|| {
            let recipe = Hasher::new("recipe").text("denoise").integer(1);
            let inputs = ["denoiser", "positive", "negative", "latent", "seed", "steps", "cfg", "sampler"];
            inputs.iter().fold(recipe, |hasher, name| hasher.text(name).fingerprint(black_box(input))).finish()
        });
    });
    group.bench_function("literal", |bench| {
        let prompt = Literal::from("a serene landscape with mountains and a lake at sunset");
        bench.iter(|| black_box(&prompt).name());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = plans, runs, cached_runs, names
}
criterion_main!(benches);
