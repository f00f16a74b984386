//! Stacks: nodes of one type one behind another, each of which changes what the one before gives, as LoRAs do.
//!
//! The engine has one node for each change, with wires from one to the next. Here they are one list: what follows from it
//! is edits of those nodes and wires. Which types can be stacked is in their manuals: each output must come in, too, and
//! a parameter must name a LoRA.

use std::collections::HashSet;

use darkroom_core::graph::Mode;
use darkroom_core::registry::Registry;
use darkroom_core::spec::{FileSort, Spec};
use darkroom_core::types::Kind;

use super::App;
use crate::canvas::Selection;
use crate::document::{Edit, Field, Node, NodeId, Point, Sheet, Wire};
use crate::fields::Request;

/// Nodes of one type, from what they change to where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// What they change: the node that feeds the first of them.
    pub base: NodeId,
    /// The nodes, the first one first; none where nothing is changed yet.
    pub nodes: Vec<NodeId>,
}

/// Finds the type that is stacked: it names a LoRA, and gives what it takes.
pub fn stacked(registry: &Registry) -> Option<Spec> {
    let all = registry.all().into_iter().map(|node| node.spec().clone());
    let mut all = all.filter(|spec| {
        let names = spec.inputs.iter().filter_map(|input| input.param.as_ref());
        let gives = |kind: Kind| socket(spec, kind).is_some();
        names.into_iter().any(|param| param.file == Some(FileSort::Lora))
            && !spec.outputs.is_empty()
            && spec.outputs.iter().all(|output| gives(output.kind))
    });
    all.next()
}

/// The socket of a type that takes a kind.
fn socket(spec: &Spec, kind: Kind) -> Option<&'static str> {
    spec.inputs.iter().find(|input| input.param.is_none() && input.kind == kind).map(|input| input.name)
}

/// The output of a type that gives a kind.
fn output(spec: &Spec, kind: Kind) -> Option<Option<String>> {
    let found = spec.outputs.iter().find(|output| output.kind == kind)?;
    Some((spec.outputs.len() > 1).then(|| found.name.to_owned()))
}

/// A sheet, and what its nodes are.
#[derive(Clone, Copy)]
pub struct Stacks<'a> {
    /// The sheet.
    pub sheet: &'a Sheet,
    /// The nodes there are.
    pub registry: &'a Registry,
    /// The type that is stacked.
    pub spec: &'a Spec,
}

impl<'a> Stacks<'a> {
    fn spec_of(&self, id: NodeId) -> Option<&'a Spec> {
        Some(self.registry.get(&self.sheet.nodes.get(&id)?.kind)?.spec())
    }

    fn is_stacked(&self, id: NodeId) -> bool {
        self.sheet.nodes.get(&id).is_some_and(|node| node.kind == self.spec.id)
    }

    /// The kind that is handed on: what the first output gives.
    fn kind(&self) -> Kind {
        self.spec.outputs[0].kind
    }

    /// The node before: the one that feeds what is handed on.
    fn before(&self, id: NodeId) -> Option<NodeId> {
        let input = socket(self.spec, self.kind())?;
        self.sheet.nodes.get(&id)?.wire(input).map(|wire| wire.node)
    }

    /// The stacked nodes that a node feeds.
    fn behind(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        self.sheet.nodes.keys().copied().filter(move |next| self.is_stacked(*next) && self.before(*next) == Some(id))
    }

    /// Lists all stacks: one for each node that gives what can be changed.
    pub fn all(&self) -> Vec<Stack> {
        let gives = |id: &NodeId| {
            let wanted = self.spec.inputs.iter().filter(|input| input.param.is_none() && input.required);
            let all = self
                .spec_of(*id)
                .is_some_and(|spec| wanted.into_iter().all(|input| output(spec, input.kind).is_some()));
            all && !self.is_stacked(*id)
        };
        let mut all = Vec::new();
        for base in self.sheet.nodes.keys().copied().filter(gives) {
            let heads: Vec<_> = self.behind(base).collect();
            if heads.is_empty() {
                all.push(Stack { base, nodes: Vec::new() });
            }
            all.extend(heads.into_iter().map(|head| Stack { base, nodes: self.from(head) }));
        }
        all
    }

    fn from(&self, head: NodeId) -> Vec<NodeId> {
        let mut nodes = vec![head];
        // Where it parts, the stack ends: what follows is not one thing any more.
        while let [next] = self.behind(nodes[nodes.len() - 1]).collect::<Vec<_>>()[..] {
            nodes.push(next);
        }
        nodes
    }

    /// Returns where what a node hands on of a kind comes from.
    fn source(&self, id: NodeId, kind: Kind) -> Option<Wire> {
        let node = self.sheet.nodes.get(&id)?;
        if let Some(wire) = socket(self.spec, kind).and_then(|input| node.wire(input)) {
            return Some(Wire { bends: Vec::new(), ..wire.clone() });
        }
        // What is not connected comes from where the rest comes from.
        let before = self.before(id)?;
        let output = output(self.spec_of(before)?, kind)?;
        Some(Wire { node: before, output, bends: Vec::new() })
    }

    /// The wires that take something of a kind from a node: the node and input where each ends.
    fn takers(&self, from: NodeId, kind: Kind) -> Vec<(NodeId, String)> {
        let Some(named) = self.spec_of(from).and_then(|spec| output(spec, kind)) else { return Vec::new() };
        let takes =
            |wire: &Wire| wire.node == from && (wire.output == named || wire.output.is_none() && named.is_none());
        self.sheet.wires().filter(|(_, _, wire)| takes(wire)).map(|(id, input, _)| (id, input.to_owned())).collect()
    }

    /// Lists the edits that put a new node at the end of a stack.
    pub fn push(&self, stack: &Stack, id: NodeId) -> Vec<Edit> {
        let last = stack.nodes.last().copied().unwrap_or(stack.base);
        let at = self.sheet.nodes.get(&last).map(|node| node.at).unwrap_or_default();
        let mut node = Node {
            name: self.sheet.free_name(self.spec.id),
            kind: self.spec.id.to_owned(),
            at: at.moved(Point::new(crate::theme::NODE_WIDTH as i32 + 40, 40)),
            ..Node::default()
        };
        let mut moved = Vec::new();
        for given in &self.spec.outputs {
            let Some(named) = self.spec_of(last).and_then(|spec| output(spec, given.kind)) else { continue };
            let Some(input) = socket(self.spec, given.kind) else { continue };
            let wire = Wire { node: last, output: named, bends: Vec::new() };
            node.fields.insert(input.to_owned(), Field::Wire(wire));
            let own = Wire { node: id, output: output(self.spec, given.kind).flatten(), bends: Vec::new() };
            let takers = self.takers(last, given.kind);
            // Another stack on the same model goes on with the model.
            let takers = takers.into_iter().filter(|(taker, _)| !self.is_stacked(*taker));
            moved.extend(takers.map(|(taker, input)| Edit::Connect(taker, input, own.clone())));
        }
        std::iter::once(Edit::Add(id, node)).chain(moved).collect()
    }

    /// Lists the edits that take a node out; what it fed is fed by what fed it.
    pub fn remove(&self, id: NodeId) -> Vec<Edit> {
        let mut edits = Vec::new();
        for given in &self.spec.outputs {
            let Some(source) = self.source(id, given.kind) else { continue };
            let takers = self.takers(id, given.kind).into_iter();
            edits.extend(takers.map(|(taker, input)| Edit::Connect(taker, input, source.clone())));
        }
        edits.push(Edit::Remove(id));
        edits
    }

    /// Lists the edits that let two nodes change places: all but their wires between nodes and where they stand.
    pub fn swap(&self, one: NodeId, other: NodeId) -> Vec<Edit> {
        let (Some(a), Some(b)) = (self.sheet.nodes.get(&one), self.sheet.nodes.get(&other)) else { return Vec::new() };
        let mut edits = Vec::new();
        let names: HashSet<_> =
            self.spec.inputs.iter().filter(|input| input.param.is_some()).map(|input| input.name).collect();
        for (to, from, was) in [(one, b, a), (other, a, b)] {
            for name in &names {
                edits.extend(match (from.fields.get(*name), was.fields.get(*name)) {
                    (Some(Field::Wire(wire)), _) => Some(Edit::Connect(to, (*name).to_owned(), wire.clone())),
                    (field, known) if field != known => {
                        Some(Edit::Set(to, (*name).to_owned(), from.literal(name).cloned()))
                    }
                    _ => None,
                });
            }
            edits.push(Edit::Mode(to, from.mode));
            edits.push(Edit::Title(to, from.title.clone()));
        }
        edits
    }

    /// Returns the edit that switches a node on or off: off, it hands on what it is given.
    pub fn switch(&self, id: NodeId) -> Option<Edit> {
        let node = self.sheet.nodes.get(&id)?;
        Some(Edit::Mode(id, if node.mode == Mode::Active { Mode::Bypassed } else { Mode::Active }))
    }
}

impl App {
    /// Lays one more LoRA over the model that is chosen, or over the only one.
    pub(super) fn add_lora_to_chosen(&mut self) {
        let Some(spec) = stacked(self.backend.registry()) else {
            self.say("no node lays a LoRA over a model");
            return;
        };
        let tab = self.tab();
        let all = Stacks { sheet: tab.sheet(), registry: self.backend.registry(), spec: &spec }.all();
        let chosen = &tab.view.selection.nodes;
        let is_chosen =
            |stack: &&Stack| chosen.contains(&stack.base) || stack.nodes.iter().any(|id| chosen.contains(id));
        let found = all.iter().find(is_chosen).or(if let [only] = &all[..] { Some(only) } else { None });
        match found.cloned() {
            Some(stack) => self.add_lora(&stack),
            None => self.say("choose the model to lay a LoRA over first"),
        }
    }

    /// Lays one more LoRA over a model, and asks which.
    pub(super) fn add_lora(&mut self, stack: &Stack) {
        let Some(spec) = stacked(self.backend.registry()) else { return };
        let id = NodeId(self.tab_mut().document.number());
        let sheet = std::sync::Arc::clone(self.tab().sheet());
        let edits = Stacks { sheet: &sheet, registry: self.backend.registry(), spec: &spec }.push(stack, id);
        if self.step("add a LoRA", edits) {
            self.tab_mut().view.selection = Selection::node(id);
            let names = |input: &&darkroom_core::spec::Input| {
                input.param.as_ref().is_some_and(|param| param.file == Some(FileSort::Lora))
            };
            if let Some(input) = spec.inputs.iter().find(names) {
                self.field_asks(id, input.name, Request::Models);
            }
        }
    }
}
