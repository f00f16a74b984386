//! Definitions: sheets that stand on other sheets as one node.

use std::collections::HashSet;
use std::sync::Arc;

use darkroom_core::graph::{End, Link, Subgraph, refused_end, refused_id};
use indexmap::IndexMap;

use super::edit::{Edit, Refused, refused};
use super::sheet::{Field, Node, NodeId, Sheet};

/// How far from the left the layout of a definition stands in a file.
const INDENT: &str = "            ";

/// A sheet that stands on others as a node of the type `graph:name`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definition {
    /// What its author calls it.
    pub title: Option<String>,
    /// What its author says about it.
    pub note: Option<String>,
    /// Inputs inside that are offered outside, by their names there.
    pub inputs: IndexMap<String, Vec<End>>,
    /// Outputs inside that are offered outside, by their names there.
    pub outputs: IndexMap<String, Link>,
    /// What is inside.
    pub sheet: Arc<Sheet>,
}

/// A side of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Where wires end.
    Input,
    /// Where they begin.
    Output,
}

impl Definition {
    /// Makes a definition of what a file says. The second value says what is wrong with the layout, if it cannot be read.
    pub(super) fn of(subgraph: &Subgraph, number: &mut impl FnMut() -> u64) -> (Self, Option<String>) {
        let (sheet, wrong) = Sheet::part(&subgraph.nodes, &subgraph.sections, number);
        let Subgraph { title, note, inputs, outputs, .. } = subgraph.clone();
        (Self { title, note, inputs, outputs, sheet: Arc::new(sheet) }, wrong)
    }

    /// Returns what a file says.
    pub fn subgraph(&self) -> Subgraph {
        let (nodes, sections) = self.sheet.parts(INDENT);
        let Self { title, note, inputs, outputs, .. } = self.clone();
        Subgraph { title, note, inputs, outputs, nodes, sections }
    }

    /// Returns the name under which an input inside is offered.
    pub fn input(&self, node: &str, input: &str) -> Option<&str> {
        let is_it = |end: &End| end.node == node && end.input == input;
        self.inputs.iter().find(|(_, ends)| ends.iter().any(is_it)).map(|(name, _)| name.as_str())
    }

    /// Returns the name under which an output inside is offered; `only` tells whether the node has no other.
    pub fn output(&self, node: &str, output: &str, only: impl Fn() -> bool) -> Option<&str> {
        let is_it = |link: &Link| link.node == node && link.output.as_deref().map_or_else(&only, |name| name == output);
        self.outputs.iter().find(|(_, link)| is_it(link)).map(|(name, _)| name.as_str())
    }

    /// Returns a name that nothing offered at a side has.
    pub fn free_end(&self, side: Side, stem: &str) -> String {
        let taken = |name: &str| match side {
            Side::Input => self.inputs.contains_key(name),
            Side::Output => self.outputs.contains_key(name),
        };
        free(stem, |name| !taken(name) && refused_end(name).is_none())
    }

    /// The names of the definitions that stand inside.
    fn uses(&self) -> impl Iterator<Item = &str> {
        self.sheet.nodes.values().filter_map(|node| Subgraph::of_kind(&node.kind))
    }

    /// Takes back what is offered of a node or of one of its inputs.
    fn withdraw(&mut self, node: &str, input: Option<&str>) {
        for ends in self.inputs.values_mut() {
            ends.retain(|end| end.node != node || input.is_some_and(|input| input != end.input));
        }
        self.inputs.retain(|_, ends| !ends.is_empty());
        if input.is_none() {
            self.outputs.retain(|_, link| link.node != node);
        }
    }

    fn rename(&mut self, before: &str, name: &str) {
        let ends = self.inputs.values_mut().flatten().map(|end| &mut end.node);
        let all = ends.chain(self.outputs.values_mut().map(|link| &mut link.node));
        all.filter(|node| *node == before).for_each(|node| name.clone_into(node));
    }
}

/// Returns the first of `stem`, `stem_2` and so on that will do.
pub(super) fn free(stem: &str, will_do: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{stem}_{number}"));
    std::iter::once(stem.to_owned()).chain(numbered).find(|name| will_do(name)).expect("numbers do not end")
}

/// Offers an input or output inside of a definition outside, or takes it back; returns the edit.
pub fn define_ends(sheet: &Sheet, name: &str, node: NodeId, side: Side, end: &str) -> Option<Edit> {
    let mut definition = Definition::clone(sheet.definitions.get(name)?);
    let inner = definition.sheet.nodes.get(&node)?;
    // Where a wire ends nothing can be given from outside.
    if side == Side::Input && matches!(inner.fields.get(end), Some(Field::Wire(_) | Field::Lost(_))) {
        return None;
    }
    let inner = inner.name.clone();
    match side {
        Side::Input => match definition.input(&inner, end) {
            Some(_) => definition.withdraw(&inner, Some(end)),
            None => {
                let free = definition.free_end(side, end);
                definition.inputs.insert(free, vec![End { node: inner, input: end.to_owned() }]);
            }
        },
        Side::Output => match definition.output(&inner, end, || true).map(str::to_owned) {
            Some(offered) => drop(definition.outputs.shift_remove(&offered)),
            None => {
                let free = definition.free_end(side, end);
                definition.outputs.insert(free, Link { node: inner, output: Some(end.to_owned()) });
            }
        },
    }
    Some(Edit::Define(name.to_owned(), Arc::new(definition)))
}

impl Edit {
    /// Returns the node that it is about.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Self::Add(id, _)
            | Self::Remove(id)
            | Self::Set(id, ..)
            | Self::Connect(id, ..)
            | Self::Disconnect(id, _)
            | Self::Bend(id, ..)
            | Self::Move(id, _)
            | Self::Rename(id, _)
            | Self::Kind(id, _)
            | Self::Title(id, _)
            | Self::Note(id, _)
            | Self::Mode(id, _)
            | Self::Collapse(id, _)
            | Self::Pin(id, _)
            | Self::Compact(id, _)
            | Self::Count(id, ..)
            | Self::Colour(id, _)
            | Self::Width(id, _) => Some(*id),
            _ => None,
        }
    }

    /// Returns the edit of a sheet as one of the document that the sheet is a definition of; edits of the whole document
    /// stay what they are.
    #[must_use]
    pub fn at(self, level: Option<&str>) -> Self {
        match (level, &self) {
            (None, _)
            | (
                _,
                Self::Lock(_)
                | Self::Whole(_)
                | Self::Within(..)
                | Self::Define(..)
                | Self::Forget(_)
                | Self::NameDefinition(..),
            ) => self,
            (Some(name), _) => Self::Within(name.to_owned(), Box::new(self)),
        }
    }
}

impl Sheet {
    /// Returns the sheet of a definition, or this one.
    pub fn level(&self, name: Option<&str>) -> Option<&Self> {
        match name {
            Some(name) => self.definitions.get(name).map(|definition| &*definition.sheet),
            None => Some(self),
        }
    }

    /// Walks over this sheet and those of its definitions, with their names.
    pub fn levels(&self) -> impl Iterator<Item = (Option<&str>, &Self)> {
        let inner = self.definitions.iter().map(|(name, definition)| (Some(name.as_str()), &*definition.sheet));
        std::iter::once((None, self)).chain(inner)
    }

    /// Returns the definitions that types stand for, and those inside of them.
    pub(super) fn definitions_of<'a>(
        &'a self,
        kinds: impl Iterator<Item = &'a str>,
    ) -> IndexMap<String, Arc<Definition>> {
        let (mut used, mut open) = (HashSet::new(), kinds.filter_map(Subgraph::of_kind).collect::<Vec<_>>());
        while let Some(name) = open.pop() {
            if let Some(definition) = self.definitions.get(name).filter(|_| used.insert(name)) {
                open.extend(definition.uses());
            }
        }
        let used = self.definitions.iter().filter(|(name, _)| used.contains(name.as_str()));
        used.map(|(name, definition)| (name.clone(), Arc::clone(definition))).collect()
    }

    /// Tells whether a definition stands in another one, however deep, or is that one.
    pub fn stands_in(&self, name: &str, other: &str) -> bool {
        let (mut seen, mut open) = (HashSet::new(), vec![other]);
        while let Some(each) = open.pop() {
            if each == name {
                return true;
            }
            if seen.insert(each) {
                open.extend(self.definitions.get(each).into_iter().flat_map(|definition| definition.uses()));
            }
        }
        false
    }

    /// Returns a name that no definition has.
    pub fn free_definition(&self, stem: &str) -> String {
        free(stem, |name| !self.definitions.contains_key(name) && refused_id(name).is_none())
    }

    /// Refuses a type by which a definition would come to lie inside of itself.
    pub(super) fn check_kind(&self, within: Option<&str>, kind: &str) -> Result<(), Refused> {
        match (within, Subgraph::of_kind(kind)) {
            (Some(within), Some(inner)) if self.stands_in(within, inner) => {
                refused(format!("`{within}` cannot come to lie inside of itself"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn within(&mut self, name: &str, edit: Edit) -> Result<(), Refused> {
        if let Edit::Add(_, Node { kind, .. }) | Edit::Kind(_, kind) = &edit {
            self.check_kind(Some(name), kind)?;
        }
        let Some(definition) = self.definitions.get(name) else { return refused("this sub-graph is gone") };
        let named = |id: &NodeId| definition.sheet.nodes.get(id).map(|node| node.name.clone()).unwrap_or_default();
        let follow: Box<dyn FnOnce(&mut Definition)> = match &edit {
            Edit::Remove(id) => {
                let gone = named(id);
                Box::new(move |definition| definition.withdraw(&gone, None))
            }
            Edit::Rename(id, name) => {
                let (before, name) = (named(id), name.clone());
                Box::new(move |definition| definition.rename(&before, &name))
            }
            // Where a wire ends nothing can be given from outside.
            Edit::Connect(id, input, _) => {
                let (node, input) = (named(id), input.clone());
                Box::new(move |definition| definition.withdraw(&node, Some(&input)))
            }
            _ => Box::new(|_| ()),
        };
        let mut changed = Definition::clone(definition);
        Arc::make_mut(&mut changed.sheet).apply(edit)?;
        follow(&mut changed);
        self.define(name, &Arc::new(changed))
    }

    pub(super) fn define(&mut self, name: &str, definition: &Arc<Definition>) -> Result<(), Refused> {
        if let Some(reason) = refused_id(name) {
            return refused(format!("`{}` cannot be the name of a sub-graph: {reason}", name.escape_debug()));
        }
        if definition.uses().any(|used| self.stands_in(name, used)) {
            return refused(format!("`{name}` cannot come to lie inside of itself"));
        }
        let Some(before) = self.definitions.insert(name.to_owned(), Arc::clone(definition)) else { return Ok(()) };
        let lost = |inputs: &String| !definition.inputs.contains_key(inputs);
        let inputs: HashSet<_> = before.inputs.keys().filter(|input| lost(input)).cloned().collect();
        let outputs = before.outputs.keys().filter(|output| !definition.outputs.contains_key(*output));
        let outputs: HashSet<_> = outputs.cloned().collect();
        // A wire without a name means the only output.
        let only = before.outputs.len() == 1 && definition.outputs.len() != 1;
        if !inputs.is_empty() || !outputs.is_empty() || only {
            let before = before.outputs.keys().next().cloned();
            self.each_instance(name, |nodes, id| {
                if nodes[&id].fields.keys().any(|field| inputs.contains(field)) {
                    Arc::make_mut(&mut nodes[&id]).fields.retain(|field, _| !inputs.contains(field));
                }
                cut(nodes, id, &outputs, before.as_deref().filter(|_| only));
            });
        }
        Ok(())
    }

    /// Does something with all nodes that stand for a definition.
    fn each_instance(&mut self, name: &str, mut act: impl FnMut(&mut IndexMap<NodeId, Arc<Node>>, NodeId)) {
        let kind = Subgraph::kind(name);
        let of = |nodes: &IndexMap<NodeId, Arc<Node>>| -> Vec<NodeId> {
            nodes.iter().filter(|(_, node)| node.kind == kind).map(|(id, _)| *id).collect()
        };
        of(&self.nodes).into_iter().for_each(|id| act(&mut self.nodes, id));
        for definition in self.definitions.values_mut() {
            let ids = of(&definition.sheet.nodes);
            if !ids.is_empty() {
                let nodes = &mut Arc::make_mut(&mut Arc::make_mut(definition).sheet).nodes;
                ids.into_iter().for_each(|id| act(nodes, id));
            }
        }
    }

    /// Tells whether a node stands for a definition somewhere.
    pub fn is_used(&self, name: &str) -> bool {
        let kind = Subgraph::kind(name);
        self.levels().any(|(_, sheet)| sheet.nodes.values().any(|node| node.kind == kind))
    }

    pub(super) fn forget(&mut self, name: &str) -> Result<(), Refused> {
        if self.is_used(name) {
            return refused(format!("`{name}` is still used"));
        }
        match self.definitions.shift_remove(name) {
            Some(_) => Ok(()),
            None => refused("this sub-graph is gone"),
        }
    }

    pub(super) fn name_definition(&mut self, before: &str, name: &str) -> Result<(), Refused> {
        if let Some(reason) = refused_id(name) {
            return refused(format!("`{}` cannot be the name of a sub-graph: {reason}", name.escape_debug()));
        }
        if self.definitions.contains_key(name) {
            return refused(format!("another sub-graph is called `{name}`"));
        }
        if !self.definitions.contains_key(before) {
            return refused("this sub-graph is gone");
        }
        self.each_instance(before, |nodes, id| Arc::make_mut(&mut nodes[&id]).kind = Subgraph::kind(name));
        let renamed = |each: String| if each == before { name.to_owned() } else { each };
        self.definitions =
            std::mem::take(&mut self.definitions).into_iter().map(|(each, it)| (renamed(each), it)).collect();
        Ok(())
    }
}

fn reads(node: &Node, from: NodeId) -> bool {
    node.wires().any(|(_, wire)| wire.node == from)
}

/// Takes wires away that come from outputs which are gone. A wire without a name meant the only output there was.
fn cut(nodes: &mut IndexMap<NodeId, Arc<Node>>, from: NodeId, gone: &HashSet<String>, only: Option<&str>) {
    for node in nodes.values_mut().filter(|node| reads(node, from)) {
        let fields = &mut Arc::make_mut(node).fields;
        fields.retain(|_, field| {
            let Field::Wire(wire) = field else { return true };
            wire.node != from || !wire.output.as_deref().or(only).is_some_and(|output| gone.contains(output))
        });
        for field in fields.values_mut() {
            if let (Field::Wire(wire), Some(only)) = (field, only)
                && wire.node == from
                && wire.output.is_none()
            {
                wire.output = Some(only.to_owned());
            }
        }
    }
}
