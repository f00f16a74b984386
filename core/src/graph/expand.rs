//! The one door through which graphs enter a plan: sub-graphs are unfolded, so that nothing behind it knows of them.
//!
//! An instance `portrait_1` of a definition with a node `prompt` becomes a node `portrait_1/prompt`; what stands at the
//! instance's inputs stands at the inputs that they mean, and wires from it come from the nodes that its outputs mean.
//! Results are named by recipes, and a recipe knows no ids: a sub-graph and the same nodes without it share the cache.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use indexmap::IndexMap;

use super::check::{Wired, find_output, no_input, wire_known};
use super::face::{Faces, default};
use super::{Field, Graph, Link, Mode, NodeEntry, Subgraph};
use crate::fault::{Fault, Faults, Located, Within};
use crate::files::{Content, Files};
use crate::literal::Literal;
use crate::registry::Registry;

/// Nodes that sub-graphs may make, all together; few lines could ask for more than any memory holds.
const MOST_NODES: usize = 100_000;

/// Bytes of names and texts in them.
const MOST_BYTES: usize = 64 << 20;

/// Sub-graphs within sub-graphs.
const DEEPEST: usize = 32;

/// A graph whose sub-graphs are unfolded.
pub struct Flat<'g> {
    /// The nodes, by their ways: `portrait_1/prompt`.
    pub graph: Cow<'g, Graph>,
    /// The nodes there are, and faces for instances that pass on what they are given.
    pub registry: Cow<'g, Registry>,
    /// The instances, by their ways.
    instances: IndexMap<String, Instance>,
    /// Where nodes and instances inside of instances stand.
    within: HashMap<String, Within>,
    /// Where what stands at an input was given: the way of the instance, and the input there.
    given: HashMap<(String, String), (String, String)>,
    /// Inputs at which something is at fault already.
    noted: HashSet<(String, String)>,
    /// Instances of faulty definitions.
    faulty: HashSet<String>,
    faults: Faults,
}

/// What became of an instance.
#[derive(Debug, Clone)]
struct Instance {
    kind: String,
    /// Its nodes.
    nodes: Range<usize>,
    /// The nodes that its outputs come from.
    made: Vec<String>,
}

/// Unfolds the sub-graphs of a graph. What is wrong with them is told with all else that is wrong.
pub fn expand<'g>(graph: &'g Graph, registry: &'g Registry) -> Flat<'g> {
    let uses = graph.nodes.values().any(|entry| Subgraph::of_kind(&entry.kind).is_some());
    let empty = Flat {
        graph: Cow::Borrowed(graph),
        registry: Cow::Borrowed(registry),
        instances: IndexMap::new(),
        within: HashMap::new(),
        given: HashMap::new(),
        noted: HashSet::new(),
        faulty: HashSet::new(),
        faults: Faults::default(),
    };
    if graph.subgraphs.is_empty() && !uses {
        return empty;
    }
    let Faces { registry, faulty, faults } = Faces::of(graph, registry);
    let flat = Flat { faults, ..empty };
    let whole = Graph { lock: graph.lock.clone(), ..Graph::default() };
    let mut unfolder =
        Unfolder { graph, registry: &registry, faulty: &faulty, flat, whole, root: None, count: 0, bytes: 0 };
    let ended = unfolder.level(&Level::top(&graph.nodes));
    let Unfolder { mut flat, mut whole, root, .. } = unfolder;
    if let (Err(TooMuch(fault)), Some((id, kind))) = (ended, root) {
        flat.faults.push(Located::at_node(fault, &id, &kind));
        whole = Graph::default();
    }
    flat.graph = Cow::Owned(whole);
    flat.faulty = faulty;
    flat.registry = Cow::Owned(registry);
    flat
}

impl Flat<'_> {
    /// Resolves the nodes, noting all that is wrong with the structure.
    pub fn wire(&self, files: &Files) -> (Wired<'_>, Faults) {
        let (wired, faults) = wire_known(&self.graph, &self.registry, files, &self.faulty);
        (wired, Faults(self.faults.0.iter().cloned().chain(faults.0).collect()))
    }

    /// Finds the nodes that a goal means: a node, or an instance's outputs, or all of an instance that has none.
    pub fn goals(&self, id: &str) -> Option<Vec<usize>> {
        if let Some(node) = self.graph.nodes.get_index_of(id) {
            return Some(vec![node]);
        }
        let instance = self.instances.get(id)?;
        let made: Vec<_> = instance.made.iter().filter_map(|made| self.graph.nodes.get_index_of(made)).collect();
        Some(if made.is_empty() { instance.nodes.clone().collect() } else { made })
    }

    /// Walks over the ways of all nodes and instances.
    pub fn ids(&self) -> impl Iterator<Item = &str> + Clone {
        self.graph.nodes.keys().chain(self.instances.keys()).map(String::as_str)
    }

    /// Puts a fault where a person can mend it: what was given to an instance at the instance's input, all else in the
    /// definition.
    pub fn place(&self, mut located: Located) -> Located {
        if let (Some((id, kind)), Some(input)) = (&mut located.place.node, &mut located.place.input)
            && let Some((instance, outer)) = self.given.get(&(id.clone(), input.clone()))
        {
            (*id, *input) = (instance.clone(), outer.clone());
            kind.clone_from(&self.instances[instance].kind);
        }
        if let Some((id, _)) = &located.place.node {
            located.place.within = self.within.get(id).cloned();
        }
        located
    }

    /// Puts faults where they can be mended, each once, in the order in which a person reads the file; those of no node come
    /// first.
    pub fn in_file_order(&self, faults: Faults) -> Faults {
        let noted = |located: &Located| {
            let at = located.place.node.as_ref().zip(located.place.input.as_ref());
            at.is_some_and(|((id, _), input)| {
                !self.noted.is_empty() && self.noted.contains(&(id.clone(), input.clone()))
            })
        };
        let own = self.faults.0.len();
        let mut placed: Vec<Located> = Vec::with_capacity(faults.0.len());
        for (index, located) in faults.0.into_iter().enumerate() {
            // What was noted here has its place, and may stand at one of those inputs itself.
            let located = if index < own { located } else { self.place(located) };
            if index < own || !noted(&located) {
                placed.push(located);
            }
        }
        if !self.instances.is_empty() {
            let mut seen = HashSet::new();
            placed.retain(|located| seen.insert(located.to_string()));
        }
        let index = |located: &Located| {
            let (id, _) = located.place.node.as_ref()?;
            let node = self.graph.nodes.get_index_of(id);
            node.or_else(|| self.instances.get(id).map(|instance| instance.nodes.start))
        };
        placed.sort_by_cached_key(index);
        Faults(placed)
    }
}

/// Why nothing is unfolded any further.
struct TooMuch(Fault);

/// What stands at an input.
#[derive(Clone)]
enum Stand<'a> {
    Literal(&'a Literal),
    Link(Link),
    /// Nothing, whatever the definition says.
    Nothing,
}

/// What is given to an input from outside.
#[derive(Clone)]
struct Given<'a> {
    input: &'a str,
    /// What stands there; `None` leaves what stands inside.
    stand: Option<Stand<'a>>,
    /// The instance and its input where a person can change it, if that is not inside.
    at: Option<(String, String)>,
    lock: Option<Content>,
}

/// The nodes of the graph itself, or of one instance.
struct Level<'a> {
    /// The way to them, with a `/` at its end.
    way: String,
    definition: Option<&'a str>,
    nodes: &'a IndexMap<String, NodeEntry>,
    /// What is given from outside, by node.
    given: HashMap<&'a str, Vec<Given<'a>>>,
    muted: bool,
    depth: usize,
}

impl<'a> Level<'a> {
    fn top(nodes: &'a IndexMap<String, NodeEntry>) -> Self {
        Self { way: String::new(), definition: None, nodes, given: HashMap::new(), muted: false, depth: 0 }
    }
}

struct Unfolder<'a, 'g> {
    graph: &'a Graph,
    registry: &'a Registry,
    faulty: &'a HashSet<String>,
    flat: Flat<'g>,
    whole: Graph,
    /// The node of the graph itself that is under way.
    root: Option<(String, String)>,
    count: usize,
    bytes: usize,
}

impl<'a> Unfolder<'a, '_> {
    fn level(&mut self, level: &Level<'a>) -> Result<(), TooMuch> {
        for (id, entry) in level.nodes {
            let way = format!("{}{id}", level.way);
            match level.definition {
                None => self.root = Some((id.clone(), entry.kind.clone())),
                Some(definition) => {
                    self.weigh(1, way.len())?;
                    let within = Within { definition: definition.to_owned(), node: Some(id.clone()) };
                    self.flat.within.insert(way.clone(), within);
                }
            }
            let fields = self.fields(level, id, entry, &way);
            let given = level.given.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            match self.unfolds(entry, level.muted) {
                Some((name, definition)) => self.unfold(level, &way, entry, (name, definition), &fields, given)?,
                None => self.put(level, way, entry, fields, given)?,
            }
        }
        Ok(())
    }

    fn weigh(&mut self, count: usize, bytes: usize) -> Result<(), TooMuch> {
        (self.count, self.bytes) = (self.count + count, self.bytes.saturating_add(bytes));
        if self.count <= MOST_NODES && self.bytes <= MOST_BYTES {
            return Ok(());
        }
        let message =
            format!("unfolded, the sub-graphs have more than {MOST_NODES} nodes or {} MiB of text", MOST_BYTES >> 20);
        Err(TooMuch(Fault::graph(message).hint("use fewer of them within each other")))
    }

    /// The definition whose nodes take a node's place. One that is bypassed stays, and passes on what it is given.
    fn unfolds(&self, entry: &NodeEntry, muted: bool) -> Option<(&'a str, &'a Subgraph)> {
        let name = Subgraph::of_kind(&entry.kind).filter(|name| !self.faulty.contains(*name))?;
        let (_, name, definition) = self.graph.subgraphs.get_full(name)?;
        (muted || entry.mode != Mode::Bypassed).then_some((name, definition))
    }

    /// What stands at the inputs of a node, with wires from where they come from in the end.
    fn fields(&mut self, level: &Level<'a>, id: &str, entry: &'a NodeEntry, way: &str) -> IndexMap<&'a str, Stand<'a>> {
        let mut fields = IndexMap::with_capacity(entry.fields.len());
        for (name, field) in &entry.fields {
            let stand = match field {
                Field::Literal(literal) => Stand::Literal(literal),
                Field::Link(link) => Stand::Link(self.source(level, link).unwrap_or_else(|fault| {
                    let located = Located::at_node(fault, way, &entry.kind).input(name);
                    self.flat.faults.push(self.flat.place(located));
                    self.flat.noted.insert((way.to_owned(), name.clone()));
                    link.clone()
                })),
            };
            fields.insert(name.as_str(), stand);
        }
        for given in level.given.get(id).into_iter().flatten() {
            match given.stand.clone() {
                Some(Stand::Nothing) => drop(fields.shift_remove(given.input)),
                Some(stand) => drop(fields.insert(given.input, stand)),
                None => {}
            }
        }
        fields
    }

    /// Follows a wire into the sub-graphs that it comes from.
    fn source(&self, level: &Level<'a>, link: &Link) -> Result<Link, Fault> {
        self.follow(level.way.clone(), level.nodes, level.muted, link)
    }

    fn follow(
        &self,
        mut way: String,
        mut nodes: &'a IndexMap<String, NodeEntry>,
        mut muted: bool,
        link: &Link,
    ) -> Result<Link, Fault> {
        let mut link = link.clone();
        loop {
            let inside = nodes.get(&link.node).and_then(|entry| Some((entry, self.unfolds(entry, muted)?.1)));
            let Some((entry, definition)) = inside else {
                return Ok(Link { node: way + &link.node, output: link.output });
            };
            let spec = self.registry.get(&entry.kind).expect("a sound definition has a face").spec();
            let output = spec.outputs[find_output(spec, &link)?].name;
            muted |= entry.mode == Mode::Muted;
            way = format!("{way}{}/", link.node);
            nodes = &definition.nodes;
            link = definition.outputs[output].clone();
        }
    }

    fn put(
        &mut self,
        level: &Level<'a>,
        way: String,
        entry: &NodeEntry,
        fields: IndexMap<&'a str, Stand<'a>>,
        given: &[Given<'a>],
    ) -> Result<(), TooMuch> {
        let inside = level.definition.is_some();
        let mut node = NodeEntry {
            kind: entry.kind.clone(),
            version: entry.version,
            mode: if level.muted { Mode::Muted } else { entry.mode },
            ..NodeEntry::default()
        };
        for (name, stand) in fields {
            if inside {
                self.weigh(0, name.len() + weight(&stand))?;
            }
            match stand {
                Stand::Literal(literal) => drop(node.fields.insert(name.to_owned(), Field::Literal(literal.clone()))),
                Stand::Link(link) => drop(node.fields.insert(name.to_owned(), Field::Link(link))),
                Stand::Nothing => {}
            }
        }
        for Given { input, at, lock, .. } in given {
            if let Some(at) = at {
                self.flat.given.insert((way.clone(), (*input).to_owned()), at.clone());
            }
            if let Some(lock) = lock {
                self.whole.lock.insert(format!("{way}.{input}"), *lock);
            }
        }
        if self.whole.nodes.contains_key(&way) {
            let fault = Fault::graph(format!("two nodes are called `{way}`, one of them inside of a sub-graph"));
            let located = Located::at_node(fault.hint("give one of them another name"), &way, &entry.kind);
            self.flat.faults.push(self.flat.place(located));
        }
        self.whole.nodes.insert(way, node);
        Ok(())
    }

    fn unfold(
        &mut self,
        level: &Level<'a>,
        way: &str,
        entry: &'a NodeEntry,
        (name, definition): (&'a str, &'a Subgraph),
        fields: &IndexMap<&'a str, Stand<'a>>,
        given: &[Given<'a>],
    ) -> Result<(), TooMuch> {
        if level.depth == DEEPEST {
            let fault = Fault::graph(format!("sub-graphs lie within each other, more than {DEEPEST} deep"));
            return Err(TooMuch(fault.hint("put fewer of them within each other")));
        }
        for unknown in fields.keys().filter(|field| !definition.inputs.contains_key(**field)) {
            let spec = self.registry.get(&entry.kind).expect("a sound definition has a face").spec();
            let located = Located::at_node(no_input(spec, unknown), way, &entry.kind).input(unknown);
            self.flat.faults.push(self.flat.place(located));
        }
        let inner = Level {
            way: format!("{way}/"),
            definition: Some(name),
            nodes: &definition.nodes,
            given: self.hand_in(way, definition, fields, given),
            muted: level.muted || entry.mode == Mode::Muted,
            depth: level.depth + 1,
        };
        let first = self.whole.nodes.len();
        // What lies inside may have faults of its own at these inputs, which are placed by the instance.
        self.flat
            .instances
            .insert(way.to_owned(), Instance { kind: entry.kind.clone(), nodes: first..first, made: Vec::new() });
        self.level(&inner)?;
        let made = definition.outputs.values().filter_map(|link| self.source(&inner, link).ok()).map(|link| link.node);
        let instance =
            Instance { kind: entry.kind.clone(), nodes: first..self.whole.nodes.len(), made: made.collect() };
        self.flat.instances.insert(way.to_owned(), instance);
        Ok(())
    }

    /// Hands what stands at an instance's inputs in to the inputs that they mean.
    fn hand_in(
        &self,
        way: &str,
        definition: &'a Subgraph,
        fields: &IndexMap<&'a str, Stand<'a>>,
        given: &[Given<'a>],
    ) -> HashMap<&'a str, Vec<Given<'a>>> {
        let mut all: HashMap<&str, Vec<Given<'_>>> = HashMap::new();
        for (name, ends) in &definition.inputs {
            let outer = given.iter().find(|given| given.input == name);
            let stand = fields.get(name.as_str());
            let default = default(self.registry, definition, ends);
            let own = || (stand.is_some() || default.is_none()).then(|| (way.to_owned(), name.clone()));
            let at = outer.and_then(|outer| outer.at.clone()).or_else(own);
            let lock =
                outer.and_then(|outer| outer.lock).or_else(|| self.graph.lock.get(&format!("{way}.{name}")).copied());
            for (index, end) in ends.iter().enumerate() {
                // The first end says what holds for all of them where the instance says nothing.
                let stand = match (stand, index) {
                    (Some(stand), _) => Some(stand.clone()),
                    (None, 0) => None,
                    (None, _) => Some(default.map_or(Stand::Nothing, Stand::Literal)),
                };
                let given = Given { input: &end.input, stand, at: at.clone(), lock };
                all.entry(&end.node).or_default().push(given);
            }
        }
        all
    }
}

/// The bytes that a field takes.
fn weight(stand: &Stand<'_>) -> usize {
    fn of(literal: &Literal) -> usize {
        match literal {
            Literal::Text(text) | Literal::Raw(text) => text.len(),
            Literal::List(items) => items.iter().map(|item| 16 + of(item)).sum(),
            Literal::Boolean(_) | Literal::Integer(_) | Literal::Number(_) => 16,
        }
    }
    match stand {
        Stand::Literal(literal) => of(literal),
        Stand::Link(link) => link.node.len() + link.output.as_ref().map_or(0, String::len),
        Stand::Nothing => 0,
    }
}
