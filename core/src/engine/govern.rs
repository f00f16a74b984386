//! Sizes that cannot fit: lowered until the run does, where the graph allows it.
//!
//! What nodes can do by themselves comes first, as working in tiles. Only where that is not enough, all sizes above a
//! number of pixels are lowered to it: in their proportions, to sizes that the family draws well, or at least to
//! multiples that it can draw at all. The lowered sizes stand in the graph that is planned, and so in the names of
//! results. Sizes that come by a wire are left alone.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::foresight::climb;
use crate::fault::{Fault, Faults, Located};
use crate::graph::{Field, Flat, Graph, NodeEntry, OnTooLarge};
use crate::host::Host;
use crate::literal::Literal;
use crate::plan::{Plan, SafeMode, Verdict};
use crate::residency::Device;
use crate::spec::{Input, ParamSpec};

/// Edges are lowered to this share at most: less is another picture.
const LEAST: i128 = 4;
/// The multiple of edges for which nobody says another.
const STEP: i128 = 8;
/// By so many hundredths the shape of a size that a family draws well may differ from what was asked for.
const SHAPE: i128 = 6;

/// A size in a graph: two numbers that stand there.
struct Size {
    node: String,
    inputs: [&'static str; 2],
    asked: [i128; 2],
    /// Smaller ones of its shape, largest first.
    smaller: Vec<[i128; 2]>,
}

/// Lowers sizes until a plan fits, if it does not and the graph allows it; returns the plan of what is then in the graph.
///
/// # Errors
/// What planning says.
pub(super) fn govern(
    flat: &mut Flat<'_>,
    on_too_large: OnTooLarge,
    plan: Plan,
    host: &Host,
    make: &dyn Fn(&Flat<'_>) -> Result<Plan, Faults>,
) -> Result<Plan, Faults> {
    if on_too_large == OnTooLarge::Fail
        || goes_elsewhere(&plan, host)
        || fits(&plan)
        || fits(&climbed(flat, &plan, host, make)?)
    {
        return Ok(plan);
    }
    let sizes = sizes(flat);
    let Some(most) = largest(flat, &sizes, host, make)? else {
        return Ok(Plan { safe_mode: SafeMode::Helpless, ..plan });
    };
    let safe_mode = SafeMode::Lowered(lower(flat, &sizes, most));
    Ok(Plan { safe_mode, ..make(flat)? })
}

/// Says why safe mode could not help a plan that does not fit.
pub(super) fn helpless(plan: &Plan) -> Located {
    let hint = "`on_too_large: clamp` found no size to lower that would help: sizes that come by wire, as from a picture, \
                are left alone; raise --ram, or scale the picture down before";
    let fault = Fault::memory(plan.memory.to_string()).hint(hint);
    let step = match &plan.memory.verdict {
        Verdict::Short { node, .. } => plan.steps.iter().find(|step| step.id == *node),
        _ => None,
    };
    match step {
        Some(step) => Located::at_node(fault, &step.id, step.node.spec().id),
        None => fault.into(),
    }
}

/// Returns a graph with the numbers that stand in another, for those of its nodes that both have.
pub(super) fn as_run<'g>(graph: &'g Graph, flat: &Flat<'_>, plan: &Plan) -> Cow<'g, Graph> {
    let mut graph = Cow::Borrowed(graph);
    if plan.safe_mode.told().is_empty() {
        return graph;
    }
    for size in sizes(flat) {
        let Some(entry) = graph.to_mut().nodes.get_mut(&size.node) else { continue };
        size.write(entry, size.asked);
    }
    graph
}

pub(super) fn fits(plan: &Plan) -> bool {
    !matches!(plan.memory.verdict, Verdict::Short { .. })
}

/// Tells whether what does not fit on a card is made on the processor: the last rung of every node there.
fn goes_elsewhere(plan: &Plan, host: &Host) -> bool {
    let on_card = |device: Device| device != Device::Cpu && host.fallback().is_some();
    matches!(plan.memory.verdict, Verdict::Short { device, .. } if on_card(device))
}

/// Plans with every node as far down its ladder as it takes; the graph stays as it is.
fn climbed(
    flat: &mut Flat<'_>,
    plan: &Plan,
    host: &Host,
    make: &dyn Fn(&Flat<'_>) -> Result<Plan, Faults>,
) -> Result<Plan, Faults> {
    let graph = flat.graph.clone();
    let climbed = climb(flat, plan.clone(), host, make);
    flat.graph = graph;
    climbed.map(|(plan, _)| plan)
}

/// Returns the most pixels with which the run fits, of those that some size can have; none if it fits with none.
fn largest(
    flat: &mut Flat<'_>,
    sizes: &[Size],
    host: &Host,
    make: &dyn Fn(&Flat<'_>) -> Result<Plan, Faults>,
) -> Result<Option<i128>, Faults> {
    let smaller: BTreeSet<i128> = sizes.iter().flat_map(|size| &size.smaller).map(pixels).collect();
    let smaller: Vec<_> = smaller.into_iter().collect();
    let mut fitting = |most: i128| {
        let graph = flat.graph.clone();
        lower(flat, sizes, most);
        let plan = make(flat).and_then(|plan| climbed(flat, &plan, host, make));
        flat.graph = graph;
        plan.map(|plan| fits(&plan))
    };
    // What fits with more pixels fits with fewer.
    let (mut fit, mut too_large) = (None, smaller.len());
    let mut from = 0;
    while from < too_large {
        let middle = from.midpoint(too_large);
        match fitting(smaller[middle])? {
            true => (fit, from) = (Some(smaller[middle]), middle + 1),
            false => too_large = middle,
        }
    }
    Ok(fit)
}

/// Lowers all sizes of more pixels, and says what became of which, once each.
fn lower(flat: &mut Flat<'_>, sizes: &[Size], most: i128) -> Vec<String> {
    let mut told = Vec::new();
    for size in sizes.iter().filter(|size| pixels(&size.asked) > most) {
        // Of those that have none so small the smallest.
        let found = size.smaller.iter().find(|edges| pixels(edges) <= most).or(size.smaller.last());
        let Some([width, height]) = found.copied() else { continue };
        let Some(entry) = flat.graph.to_mut().nodes.get_mut(&size.node) else { continue };
        size.write(entry, [width, height]);
        let text = format!("safe mode: {}×{} → {width}×{height}", size.asked[0], size.asked[1]);
        if !told.contains(&text) {
            told.push(text);
        }
    }
    told
}

fn pixels([width, height]: &[i128; 2]) -> i128 {
    width * height
}

/// Lists the sizes that stand in a graph as numbers.
fn sizes(flat: &Flat<'_>) -> Vec<Size> {
    let mut all = Vec::new();
    for (id, entry) in &flat.graph.nodes {
        let Some(node) = flat.registry.get(&entry.kind) else { continue };
        let inputs = &node.spec().inputs;
        for (first, input) in inputs.iter().enumerate() {
            let Some(pair) = input.param.as_ref().and_then(|param| param.pair) else { continue };
            let Some(second) = inputs.iter().position(|other| other.name == pair).filter(|second| *second > first)
            else {
                continue;
            };
            all.extend(Size::of(id, entry, [input, &inputs[second]]));
        }
    }
    all
}

impl Size {
    fn of(node: &str, entry: &NodeEntry, inputs: [&Input; 2]) -> Option<Self> {
        let asked = [entry.number(inputs[0])?, entry.number(inputs[1])?];
        if asked.iter().any(|edge| *edge <= 0) {
            return None;
        }
        let smaller = smaller(asked, inputs[0].param.as_ref()?);
        Some(Self { node: node.to_owned(), inputs: inputs.map(|input| input.name), asked, smaller })
    }

    fn write(&self, entry: &mut NodeEntry, edges: [i128; 2]) {
        for (input, edge) in self.inputs.into_iter().zip(edges) {
            entry.fields.insert(input.to_owned(), Field::Literal(Literal::Integer(edge)));
        }
    }
}

/// Lists smaller sizes of about the same shape, largest first: those that families draw well, and all whose edges are
/// multiples that those have in common.
fn smaller(asked: [i128; 2], param: &ParamSpec) -> Vec<[i128; 2]> {
    let [width, height] = asked;
    let listed = || param.sizes.iter().flat_map(|sizes| sizes.sizes).map(|(w, h)| [i128::from(*w), i128::from(*h)]);
    let common = listed().flatten().fold(0, divisor);
    let least = param.multiple_of.map_or(STEP, i128::from);
    let step = if common > 0 && common <= width.min(height) { common } else { least };
    let of_shape = |[w, h]: &[i128; 2]| (100 * (w * height - h * width)).abs() <= SHAPE * h * width;
    let inside = |[w, h]: &[i128; 2]| *w <= width && *h <= height && [*w, *h] != asked;
    let long = width.max(height);
    let scaled = (1..=long / step).map(|count| {
        let edge = |edge: i128| ((2 * edge * count * step + long * step) / (2 * long * step) * step).max(step);
        [edge(width), edge(height)]
    });
    let mut all: Vec<_> = scaled.chain(listed().filter(of_shape)).filter(inside).collect();
    all.retain(|[w, h]| LEAST * w >= width && LEAST * h >= height);
    all.sort_by_key(|edges| std::cmp::Reverse((pixels(edges), edges[0])));
    all.dedup();
    all
}

/// The greatest common divisor.
fn divisor(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
