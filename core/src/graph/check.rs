//! What a graph means under a registry: every node with its spec, every input with its source, in an order in which they
//! can run. All that is wrong is noted at once, each fault with its place; a fault never hides or breeds another.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::{End, Faces, Field, Graph, Link, Mode, NodeEntry, Subgraph};
use crate::fault::{Fault, FaultKind, Faults, Located};
use crate::files::{Content, Files};
use crate::literal::Literal;
use crate::node::AnyNode;
use crate::registry::{Registry, nearest};
use crate::spec::{Input, Output, Spec};

/// A graph with every name resolved to what it stands for.
pub struct Wired<'g> {
    /// The nodes, in the order of the file; `None` where a node cannot be understood.
    pub nodes: Vec<Option<WiredNode<'g>>>,
    /// Indices of all nodes that lie on no cycle and behind none, sources first.
    pub order: Vec<usize>,
    /// What inputs are locked to, by `node.input`.
    pub lock: &'g IndexMap<String, Content>,
}

/// A node with its spec and its inputs.
pub struct WiredNode<'g> {
    /// The author's name for it.
    pub id: &'g str,
    /// What the file says.
    pub entry: &'g NodeEntry,
    /// What stands behind its type.
    pub node: Arc<dyn AnyNode>,
    /// One source for each input of the spec.
    pub inputs: Vec<Source<'g>>,
}

impl WiredNode<'_> {
    /// Returns the node's manual.
    pub fn spec(&self) -> &Spec {
        self.node.spec()
    }

    /// Puts a fault at this node.
    pub fn fault(&self, fault: Fault) -> Located {
        Located::at_node(fault, self.id, &self.entry.kind)
    }
}

/// Where an input comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'g> {
    /// A literal of the file.
    Literal(&'g Literal),
    /// The default of the spec.
    Default,
    /// An output of another node.
    Link {
        /// The node's index.
        node: usize,
        /// The output's index.
        output: usize,
    },
    /// Nothing.
    Open,
    /// Something that is at fault; noted already.
    Broken,
}

/// Resolves a graph, noting all that is wrong with its structure.
pub fn wire<'g>(graph: &'g Graph, registry: &Registry, files: &Files) -> (Wired<'g>, Faults) {
    wire_known(graph, registry, files, &HashSet::new())
}

/// Resolves a graph in which sub-graphs of these names are at fault, which is noted already.
pub(super) fn wire_known<'g>(
    graph: &'g Graph,
    registry: &Registry,
    files: &Files,
    faulty: &HashSet<String>,
) -> (Wired<'g>, Faults) {
    let mut faults = Faults::default();
    let is_noted = |entry: &NodeEntry| Subgraph::of_kind(&entry.kind).is_some_and(|name| faulty.contains(name));
    let find = |(id, entry): (&String, &NodeEntry)| match is_noted(entry) {
        true => None,
        false => find_node(id, entry, registry, &mut faults),
    };
    let found: Vec<_> = graph.nodes.iter().map(find).collect();
    let mut nodes = Vec::with_capacity(found.len());
    for ((id, entry), node) in graph.nodes.iter().zip(&found) {
        nodes.push(node.as_ref().map(|node| {
            let helpful = faults.0.len() < HELPFUL;
            let wirer = Wirer { graph, found: &found, files, id, entry, spec: node.spec(), helpful };
            let inputs = wirer.inputs(&mut faults);
            WiredNode { id, entry, node: Arc::clone(node), inputs }
        }));
    }
    let order = order(graph, &nodes, &mut faults);
    (Wired { nodes, order, lock: &graph.lock }, faults)
}

/// So many faults get a hint that is looked for in the whole graph. A person reads no more of them, and a hundred
/// thousand faults in a hundred thousand nodes would take hours.
const HELPFUL: usize = 100;

type Found = Option<Arc<dyn AnyNode>>;

fn find_node(id: &str, entry: &NodeEntry, registry: &Registry, faults: &mut Faults) -> Found {
    let Some(node) = registry.get(&entry.kind) else {
        let (message, else_) = match Subgraph::of_kind(&entry.kind) {
            Some(name) => (format!("there is no sub-graph `{name}` in this workflow"), "define it below `subgraphs`"),
            None => (format!("there is no node type `{}`", entry.kind), "`darkroom nodes` lists what there is"),
        };
        let fault = match registry.nearest(&entry.kind) {
            Some(near) => Fault::graph(message).hint(format!("did you mean `{near}`?")),
            None => Fault::graph(message).hint(else_),
        };
        faults.push(Located::at_node(fault, id, &entry.kind).input("type"));
        return None;
    };
    let ours = node.spec().version;
    if let Some(version) = entry.version.filter(|version| *version > ours) {
        let fault = Fault::graph(format!("made with version {version} of `{}`; this darkroom has {ours}", entry.kind))
            .hint("use a newer darkroom");
        faults.push(Located::at_node(fault, id, &entry.kind).input("version"));
        return None;
    }
    Some(Arc::clone(node))
}

/// Finds the sources of one node's inputs.
struct Wirer<'a, 'g> {
    graph: &'g Graph,
    found: &'a [Found],
    files: &'a Files,
    id: &'g str,
    entry: &'g NodeEntry,
    spec: &'a Spec,
    /// Whether to look for hints in the whole graph.
    helpful: bool,
}

impl<'g> Wirer<'_, 'g> {
    fn inputs(&self, faults: &mut Faults) -> Vec<Source<'g>> {
        for name in self.entry.fields.keys().filter(|name| self.spec.input(name).is_none()) {
            faults.push(self.at(no_input(self.spec, name), name));
        }
        let source = |input| {
            self.source(input).unwrap_or_else(|fault| {
                faults.push(self.at(fault, input.name));
                Source::Broken
            })
        };
        self.spec.inputs.iter().map(source).collect()
    }

    fn at(&self, fault: Fault, input: &str) -> Located {
        Located::at_node(fault, self.id, &self.entry.kind).input(input)
    }

    fn source(&self, input: &Input) -> Result<Source<'g>, Fault> {
        match (self.entry.fields.get(input.name), &input.param) {
            (Some(Field::Link(link)), _) => self.link(input, link),
            (Some(Field::Literal(literal)), Some(param)) => match param.check(literal, self.files) {
                // Whether a file is there is asked of the nodes that are needed, when their inputs are named; what is locked
                // is then found by its content, whatever is wrong with its name.
                Err(fault) if fault.kind != FaultKind::File && !self.is_locked(input) => Err(fault),
                _ => Ok(Source::Literal(literal)),
            },
            (Some(Field::Literal(literal)), None) => Err(Fault::graph(format!(
                "`{}` takes a wire of kind `{}`, not {}",
                input.name,
                input.kind,
                literal.noun()
            ))
            .hint(self.offer(input))),
            (None, Some(param)) if param.default.is_some() => Ok(Source::Default),
            (None, _) if input.required && self.entry.mode != Mode::Active => Ok(Source::Open),
            (None, Some(param)) if input.required => {
                Err(Fault::graph(format!("`{}` is missing", input.name)).hint(format!("give {}", param.noun)))
            }
            (None, None) if input.required => {
                Err(Fault::graph(format!("nothing is connected to `{}`", input.name)).hint(self.offer(input)))
            }
            (None, _) => Ok(Source::Open),
        }
    }

    fn is_locked(&self, input: &Input) -> bool {
        !self.graph.lock.is_empty() && self.graph.lock.contains_key(&format!("{}.{}", self.id, input.name))
    }

    fn link(&self, input: &Input, link: &Link) -> Result<Source<'g>, Fault> {
        let Some(node) = self.graph.nodes.get_index_of(&link.node) else {
            let fault = Fault::graph(format!("there is no node `{}` to take `{}` from", link.node, input.name));
            let ids = self.graph.nodes.keys().map(String::as_str);
            return Err(match nearest(&link.node, ids.take_while(|_| self.helpful)) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault.hint(self.offer(input)),
            });
        };
        // A node that cannot be understood has been noted; its wires are no faults of their own.
        let Some(source) = &self.found[node] else { return Ok(Source::Broken) };
        let output = find_output(source.spec(), link)?;
        let made = &source.spec().outputs[output];
        if !input.kind.accepts(made.kind) {
            return Err(self.wrong_kind(input, link, source.spec(), made));
        }
        Ok(Source::Link { node, output })
    }

    fn wrong_kind(&self, input: &Input, link: &Link, source: &Spec, made: &Output) -> Fault {
        Fault::graph(format!(
            "`{}.{}` ({}) takes `{}`, and `{link}` ({}) gives `{}`",
            self.id, input.name, self.spec.id, input.kind, source.id, made.kind
        ))
        .hint(self.offer(input))
    }

    /// Names the outputs in the graph that would fit an input.
    fn offer(&self, input: &Input) -> String {
        let mut fitting = Vec::new();
        for (node, id) in self.found.iter().zip(self.graph.nodes.keys()).take_while(|_| self.helpful) {
            let Some(node) = node.as_ref().filter(|_| id != self.id) else { continue };
            let outputs = &node.spec().outputs;
            fitting.extend(outputs.iter().filter(|output| output.kind == input.kind).map(
                |output| match outputs.len() {
                    1 => format!("`{id}`"),
                    _ => format!("`{id}.{}`", output.name),
                },
            ));
        }
        match fitting.len() {
            0 => format!("add a node that gives `{}`", input.kind),
            1..=4 => format!("{} would fit", fitting.join(" or ")),
            _ => format!("{} and {} more would fit", fitting[..3].join(", "), fitting.len() - 3),
        }
    }
}

/// The fault of a field that no input stands behind.
pub(super) fn no_input(spec: &Spec, name: &str) -> Fault {
    let fault = Fault::graph(format!("`{}` has no input `{name}`", spec.id));
    let names = || spec.inputs.iter().map(|input| input.name);
    match (nearest(name, names()), spec.inputs.is_empty()) {
        (Some(near), _) => fault.hint(format!("did you mean `{near}`?")),
        (None, true) => fault.hint("it has none"),
        (None, false) => fault.hint(format!("its inputs are {}", names().collect::<Vec<_>>().join(", "))),
    }
}

/// Finds the output that a wire comes from.
pub(super) fn find_output(source: &Spec, link: &Link) -> Result<usize, Fault> {
    let found = match &link.output {
        None => (source.outputs.len() == 1).then_some(0),
        Some(output) => source.output(output),
    };
    found.ok_or_else(|| no_output(source, link))
}

fn no_output(source: &Spec, link: &Link) -> Fault {
    let names = || source.outputs.iter().map(|output| output.name);
    match &link.output {
        None => {
            let names: Vec<_> = names().map(|name| format!("`{}.{name}`", link.node)).collect();
            Fault::graph(format!("`{}` ({}) has several outputs", link.node, source.id))
                .hint(format!("name one: {}", names.join(", ")))
        }
        Some(output) => {
            let fault = Fault::graph(format!("`{}` ({}) has no output `{output}`", link.node, source.id));
            match names().collect::<Vec<_>>()[..] {
                [] => fault.hint("it has none"),
                ref names => fault.hint(format!("its outputs are {}", names.join(", "))),
            }
        }
    }
}

/// Sorts the nodes, sources first, and notes every cycle.
fn order(graph: &Graph, nodes: &[Option<WiredNode<'_>>], faults: &mut Faults) -> Vec<usize> {
    let mut wires = DiGraph::<(), (), usize>::with_capacity(nodes.len(), nodes.len());
    for _ in nodes {
        wires.add_node(());
    }
    for (to, node) in nodes.iter().enumerate() {
        for source in node.iter().flat_map(|node| &node.inputs) {
            if let Source::Link { node: from, .. } = source {
                wires.add_edge(NodeIndex::new(*from), NodeIndex::new(to), ());
            }
        }
    }
    if let Ok(order) = toposort(&wires, None) {
        return order.into_iter().map(NodeIndex::index).collect();
    }
    let mut behind = vec![false; nodes.len()];
    for mut cycle in kosaraju_scc(&wires) {
        let is_cycle = cycle.len() > 1 || wires.contains_edge(cycle[0], cycle[0]);
        if is_cycle {
            cycle.sort();
            note_cycle(graph, &cycle, faults);
            cycle.iter().for_each(|node| behind[node.index()] = true);
        }
    }
    acyclic_rest(nodes, &behind)
}

fn note_cycle(graph: &Graph, cycle: &[NodeIndex<usize>], faults: &mut Faults) {
    let id = |node: &NodeIndex<usize>| graph.nodes.get_index(node.index()).map_or("", |(id, _)| id.as_str());
    let mut names: Vec<_> = cycle.iter().take(12).map(|node| format!("`{}`", id(node))).collect();
    if cycle.len() > names.len() {
        names.push(format!("and {} more", cycle.len() - names.len()));
    }
    let (first, entry) = graph.nodes.get_index(cycle[0].index()).expect("the cycle is made of nodes");
    let fault = Fault::graph(format!("these nodes wait for each other: {}", names.join(", ")))
        .hint("take one of the wires between them away");
    faults.push(Located::at_node(fault, first, &entry.kind));
}

/// Orders the nodes that lie neither on a cycle nor behind one (Kahn's algorithm; cycles never become ready).
fn acyclic_rest(nodes: &[Option<WiredNode<'_>>], on_cycle: &[bool]) -> Vec<usize> {
    let mut waiting = vec![0_usize; nodes.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (to, node) in nodes.iter().enumerate() {
        for source in node.iter().flat_map(|node| &node.inputs) {
            if let Source::Link { node: from, .. } = source {
                waiting[to] += 1;
                readers[*from].push(to);
            }
        }
    }
    let mut order: Vec<_> = (0..nodes.len()).filter(|node| waiting[*node] == 0 && !on_cycle[*node]).collect();
    let mut next = 0;
    while let Some(node) = order.get(next).copied() {
        next += 1;
        for reader in &readers[node] {
            waiting[*reader] -= 1;
            if waiting[*reader] == 0 {
                order.push(*reader);
            }
        }
    }
    order
}

/// Draws the seeds that a graph leaves to chance and writes them in, so that the run can be repeated. Called once, at
/// submission. `draw` gives fresh random numbers.
pub fn draw_seeds(graph: &mut Graph, registry: &Registry, mut draw: impl FnMut() -> u64) {
    each_seed(graph, registry, |literal, _| {
        matches!(literal, Some(Literal::Text(word)) if word == RANDOM).then(|| Literal::from(draw()))
    });
}

/// Sets every seed that is a literal to one number.
pub fn set_seeds(graph: &mut Graph, registry: &Registry, seed: u64) {
    each_seed(graph, registry, |_, _| Some(Literal::from(seed)));
}

/// The word that leaves a seed to chance.
pub const RANDOM: &str = "random";

/// Gives seeds other values, those inside of sub-graphs too. `choose` is told what is written at one and what its default
/// is; a seed that a wire brings is nobody's choice here.
pub fn each_seed(
    graph: &mut Graph,
    registry: &Registry,
    mut choose: impl FnMut(Option<&Literal>, Option<&Literal>) -> Option<Literal>,
) {
    if graph.subgraphs.is_empty() {
        return seeds_of(&mut graph.nodes, registry, &HashSet::new(), &mut choose);
    }
    let registry = Faces::of(graph, registry).registry;
    seeds_of(&mut graph.nodes, &registry, &HashSet::new(), &mut choose);
    for subgraph in graph.subgraphs.values_mut() {
        // What is promoted is the instances' own.
        let promoted = subgraph.inputs.values().flatten().cloned().collect();
        seeds_of(&mut subgraph.nodes, &registry, &promoted, &mut choose);
    }
}

fn seeds_of(
    nodes: &mut IndexMap<String, NodeEntry>,
    registry: &Registry,
    except: &HashSet<End>,
    choose: &mut impl FnMut(Option<&Literal>, Option<&Literal>) -> Option<Literal>,
) {
    for (id, entry) in nodes {
        let Some(node) = registry.get(&entry.kind) else { continue };
        let instance = Subgraph::of_kind(&entry.kind).is_some();
        for input in &node.spec().inputs {
            let Some(param) = input.param.as_ref().filter(|param| param.seed) else { continue };
            if !except.is_empty() && except.contains(&End { node: id.clone(), input: input.name.to_owned() }) {
                continue;
            }
            let literal = match entry.fields.get(input.name) {
                Some(Field::Link(_)) => continue,
                Some(Field::Literal(literal)) => Some(literal),
                // What the definition leaves to chance is drawn for each instance.
                None => param.default.as_ref().filter(|_| instance),
            };
            if let Some(seed) = choose(literal, param.default.as_ref()) {
                entry.fields.insert(input.name.to_owned(), Field::Literal(seed));
            }
        }
    }
}
