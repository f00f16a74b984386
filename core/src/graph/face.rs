//! Faces: what a sub-graph looks like from outside, as the manual of a node, so that whatever can show or check a node can
//! show and check a sub-graph. A face never runs: [`expand`](super::expand::expand) puts the nodes themselves in its place,
//! and leaves a face only where it passes something on.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::check::find_output;
use super::{End, Field, Graph, Link, NodeEntry, Subgraph};
use crate::context::Context;
use crate::fault::{Fault, Faults, Located};
use crate::ladder::Rung;
use crate::literal::Literal;
use crate::node::{AnyNode, Inputs, Known};
use crate::registry::{Registry, nearest};
use crate::spec::{Input, Lane, Output, Spec};
use crate::types::{Cost, Kind, Type};
use crate::value::Made;

/// The shelf that faces stand on.
pub const SHELF: &str = "Sub-graphs";

/// So many faults get a hint that is looked for in the whole definition.
const HELPFUL: usize = 100;

/// What the definitions of a graph are, as far as they can be understood.
pub struct Faces {
    /// The nodes there are, and a face for each sound definition.
    pub registry: Registry,
    /// Names of definitions at which something is at fault.
    pub faulty: HashSet<String>,
    /// Everything that is wrong with them.
    pub faults: Faults,
}

impl Faces {
    /// Makes the faces of a graph's definitions, inner ones first.
    pub fn of(graph: &Graph, registry: &Registry) -> Self {
        let mut faces = Self { registry: registry.clone(), faulty: HashSet::new(), faults: Faults::default() };
        for group in groups(graph) {
            match &group[..] {
                [only] if !uses(&graph.subgraphs[*only]).any(|used| used == graph_name(graph, *only)) => {
                    let (name, subgraph) = graph.subgraphs.get_index(*only).expect("groups are made of definitions");
                    faces.add(name, subgraph);
                }
                circle => faces.refuse_circle(graph, circle),
            }
        }
        faces
    }

    fn add(&mut self, name: &str, subgraph: &Subgraph) {
        let known = self.faults.0.len();
        let spec = Inspector { faces: self, name, subgraph }.spec();
        if self.faults.0.len() > known {
            self.faulty.insert(name.to_owned());
        } else {
            self.registry.put(Face { spec });
        }
    }

    fn refuse_circle(&mut self, graph: &Graph, circle: &[usize]) {
        let mut members = circle.to_vec();
        members.sort_unstable();
        let names: Vec<_> = members.iter().map(|index| graph_name(graph, *index)).collect();
        let shown: Vec<_> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
        let more = names.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = match names[..] {
            [only] => format!("the sub-graph `{only}` is inside of itself"),
            _ => format!("these sub-graphs are inside of each other: {}{more}", shown.join(", ")),
        };
        let fault = Fault::graph(message).hint("take one of them out of the other");
        self.faults.push(Located::at_definition(fault, names[0]));
        self.faulty.extend(names.into_iter().map(str::to_owned));
    }
}

fn graph_name(graph: &Graph, index: usize) -> &str {
    graph.subgraphs.get_index(index).map_or("", |(name, _)| name)
}

/// The definitions that a definition uses.
fn uses(subgraph: &Subgraph) -> impl Iterator<Item = &str> {
    subgraph.nodes.values().filter_map(|entry| Subgraph::of_kind(&entry.kind))
}

/// The definitions by their index, each behind those that it uses; those of a circle together.
fn groups(graph: &Graph) -> Vec<Vec<usize>> {
    let mut inside = DiGraph::<(), (), usize>::with_capacity(graph.subgraphs.len(), 0);
    for _ in 0..graph.subgraphs.len() {
        inside.add_node(());
    }
    for (index, subgraph) in graph.subgraphs.values().enumerate() {
        let used: BTreeSet<_> = uses(subgraph).filter_map(|used| graph.subgraphs.get_index_of(used)).collect();
        for used in used {
            inside.add_edge(NodeIndex::new(index), NodeIndex::new(used), ());
        }
    }
    // Tarjan's and Kosaraju's components come in reversed order of the edges: what is used first.
    kosaraju_scc(&inside).into_iter().map(|group| group.into_iter().map(NodeIndex::index).collect()).collect()
}

/// Looks at one definition, in which all that it uses has been looked at.
struct Inspector<'a> {
    faces: &'a mut Faces,
    name: &'a str,
    subgraph: &'a Subgraph,
}

impl Inspector<'_> {
    fn spec(mut self) -> Spec {
        let mut seen = HashMap::new();
        let mut inputs = Vec::with_capacity(self.subgraph.inputs.len());
        for (name, ends) in &self.subgraph.inputs {
            let known: Vec<_> = ends.iter().filter_map(|end| self.end(name, end, &mut seen)).collect();
            self.same_kinds(name, ends, &known);
            inputs.push(match (known.into_iter().next(), ends.first()) {
                (Some(first), Some(end)) => self.input(name, first, end),
                _ => Input { name: lasting(name), doc: "", kind: Kind::ANY, required: false, param: None },
            });
        }
        let outputs = self.subgraph.outputs.iter().map(|(name, link)| self.output(name, link)).collect();
        let spec = |entry: &NodeEntry| self.faces.registry.get(&entry.kind).map(|node| node.spec());
        let effect = self.subgraph.nodes.values().filter_map(spec).any(|spec| spec.effect);
        Spec {
            id: lasting(&Subgraph::kind(self.name)),
            version: 0,
            title: lasting(self.subgraph.title.as_deref().unwrap_or(self.name)),
            category: SHELF,
            doc: lasting(self.subgraph.note.as_deref().unwrap_or("A sub-graph of this workflow.")),
            lane: Lane::Light,
            effect,
            inputs,
            outputs,
        }
    }

    fn refuse(&mut self, name: &str, fault: Fault) {
        self.faces.faults.push(Located::at_definition(fault, self.name).input(name));
    }

    fn node(&mut self, at: &str, id: &str) -> Option<&NodeEntry> {
        let found = self.subgraph.nodes.get(id);
        if found.is_none() {
            let helpful = self.faces.faults.0.len() < HELPFUL;
            let near = nearest(id, self.subgraph.nodes.keys().map(String::as_str).take_while(|_| helpful));
            let fault = Fault::graph(format!("there is no node `{id}` inside of `{}`", self.name));
            self.refuse(
                at,
                match near {
                    Some(near) => fault.hint(format!("did you mean `{near}`?")),
                    None => fault.hint("name a node of the definition"),
                },
            );
        }
        found
    }

    /// Looks up an input that is promoted; `None` if nothing is known of it.
    fn end(&mut self, name: &str, end: &End, seen: &mut HashMap<End, String>) -> Option<Input> {
        if let Some(before) = seen.insert(end.clone(), name.to_owned()) {
            let message = match before == name {
                true => format!("`{end}` stands twice in `{name}`"),
                false => format!("`{end}` is promoted as `{before}` and again as `{name}`"),
            };
            self.refuse(name, Fault::graph(message).hint("promote it once"));
            return None;
        }
        let entry = self.node(name, &end.node)?.clone();
        let spec = self.faces.registry.get(&entry.kind)?.spec().clone();
        let Some((_, input)) = spec.input(&end.input) else {
            let fault = Fault::graph(format!("`{}` ({}) has no input `{}`", end.node, entry.kind, end.input));
            let names = || spec.inputs.iter().map(|input| input.name);
            self.refuse(
                name,
                match nearest(&end.input, names()) {
                    Some(near) => fault.hint(format!("did you mean `{near}`?")),
                    None => fault.hint(format!("its inputs are {}", names().collect::<Vec<_>>().join(", "))),
                },
            );
            return None;
        };
        if let Some(Field::Link(link)) = entry.fields.get(&end.input) {
            let fault = Fault::graph(format!("`{end}` is promoted as `{name}`, and a wire from `{link}` ends there"));
            self.refuse(name, fault.hint("take the wire away, or do not promote the input"));
            return None;
        }
        Some(input.clone())
    }

    fn same_kinds(&mut self, name: &str, ends: &[End], known: &[Input]) {
        let Some(first) = known.first().filter(|_| known.len() == ends.len()) else { return };
        let other = ends.iter().zip(known).find(|(_, input)| input.kind != first.kind);
        if let Some((end, input)) = other {
            let message =
                format!("`{name}` stands for `{}` ({}) and for `{end}` ({})", ends[0], first.kind, input.kind);
            self.refuse(name, Fault::graph(message).hint("promote inputs of different kinds under different names"));
        }
    }

    fn input(&self, name: &str, first: Input, end: &End) -> Input {
        let mut input = Input { name: lasting(name), ..first };
        let inner = self.subgraph.nodes.get(&end.node).and_then(|entry| entry.fields.get(&end.input));
        if let (Some(Field::Literal(literal)), Some(param)) = (inner, &mut input.param) {
            param.take_default(literal.clone());
            input.required = false;
        }
        input
    }

    fn output(&mut self, name: &str, link: &Link) -> Output {
        let unknown = Output { name: lasting(name), doc: "", kind: Kind::ANY, codec: None };
        let Some(entry) = self.node(name, &link.node) else { return unknown };
        let kind = entry.kind.clone();
        let Some(spec) = self.faces.registry.get(&kind).map(|node| node.spec().clone()) else { return unknown };
        match find_output(&spec, link) {
            Ok(output) => Output { name: lasting(name), ..spec.outputs[output].clone() },
            Err(fault) => {
                self.refuse(name, fault);
                unknown
            }
        }
    }
}

/// Returns what an input of a definition is worth where an instance says nothing: the literal of the first node inside, or
/// that one's own default.
pub(super) fn default<'r>(registry: &'r Registry, definition: &'r Subgraph, ends: &[End]) -> Option<&'r Literal> {
    let first = ends.first()?;
    let entry = definition.nodes.get(&first.node)?;
    match entry.fields.get(&first.input) {
        Some(Field::Literal(literal)) => Some(literal),
        Some(Field::Link(_)) => None,
        None => registry.get(&entry.kind)?.spec().input(&first.input)?.1.param.as_ref()?.default.as_ref(),
    }
}

/// Lets a name last as long as the program: manuals hold names that stand in the program itself. Each name is kept once,
/// so that this grows with what a person invents, and not with how often it is drawn.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(name);
    name
}

/// A sub-graph from outside.
struct Face {
    spec: Spec,
}

impl Face {
    fn unfolded<T>(&self) -> Result<T, Fault> {
        Err(Fault::bug(format!("`{}` should have been unfolded", self.spec.id)))
    }
}

impl AnyNode for Face {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn run(&self, _: Inputs<'_>, _: &mut Context<'_>) -> Result<Vec<Made>, Fault> {
        self.unfolded()
    }

    fn infer(&self, _: &Known<'_>) -> Result<Vec<Type>, Fault> {
        self.unfolded()
    }

    fn cost(&self, _: &Known<'_>) -> Cost {
        Cost::default()
    }

    fn ladder(&self, _: &Known<'_>) -> Vec<Rung> {
        Vec::new()
    }

    fn route(&self, _: &Known<'_>) -> Result<&'static str, Fault> {
        self.unfolded()
    }
}
