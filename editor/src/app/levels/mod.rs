//! Levels: the sheet of a document, and those of the sub-graphs that are entered, one within the other.

mod acts;
mod crumbs;
mod gathered;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use darkroom_core::graph::{Faces, Graph, Subgraph};
use darkroom_core::registry::Registry;

use super::Tab;
use crate::canvas::{Selection, ViewState};
use crate::document::{Definition, Edit, Node, NodeId, Sheet};
use crate::session::Backend;
use crate::status::{NodeStatus, Status};

/// A sub-graph that was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The node that stands for it.
    pub node: NodeId,
    /// Its definition.
    pub definition: String,
}

/// What a document in the window knows of its levels.
#[derive(Default)]
pub struct Levels {
    /// The sub-graphs that were entered, the outermost first.
    pub within: Vec<Entered>,
    /// What is seen of levels that are not in front.
    others: HashMap<Vec<NodeId>, ViewState>,
    /// Whether the level in front was never seen before.
    fresh: bool,
    /// What is known of nodes inside of instances, by their ways.
    pub inside: BTreeMap<String, NodeStatus>,
    known: Known,
}

/// The nodes there are in a document with definitions.
#[derive(Default)]
struct Known {
    definitions: Vec<(String, Arc<Definition>)>,
    registry: Option<Registry>,
}

impl Tab {
    /// Returns the definition whose sheet is in front, if it is one's.
    pub fn level(&self) -> Option<&str> {
        self.levels.within.last().map(|entered| entered.definition.as_str())
    }

    /// Returns the sheet in front.
    pub fn sheet(&self) -> &Arc<Sheet> {
        let whole = self.document.sheet();
        let definition = self.level().and_then(|name| whole.definitions.get(name));
        definition.map_or(whole, |definition| &definition.sheet)
    }

    /// Returns what is seen of the document's own sheet, whatever level is in front.
    pub fn outermost(&self) -> &ViewState {
        self.levels.others.get(&[][..]).filter(|_| !self.levels.within.is_empty()).unwrap_or(&self.view)
    }

    /// Returns the way to what lies on the sheet in front, as `portrait_1/`.
    pub fn way(&self) -> String {
        let whole = self.document.sheet();
        let (mut way, mut sheet) = (String::new(), Some(&**whole));
        for entered in &self.levels.within {
            let node = sheet.and_then(|sheet| sheet.nodes.get(&entered.node));
            way += node.map_or("", |node| &node.name);
            way.push('/');
            sheet = whole.level(Some(&entered.definition));
        }
        way
    }

    /// Returns the nodes there are, with those that stand for the document's definitions.
    pub fn registry<'a>(&'a self, backend: &'a dyn Backend) -> &'a Registry {
        self.among(backend.registry())
    }

    /// Returns the nodes there are, with those that stand for the document's definitions, of all other nodes there are.
    pub fn among<'a>(&'a self, registry: &'a Registry) -> &'a Registry {
        self.levels.known.registry.as_ref().unwrap_or(registry)
    }

    /// Returns the edit as one of the level that its node lies on; what is new comes to lie on the one in front.
    pub fn housed(&self, edit: Edit) -> Edit {
        let whole = self.document.sheet();
        let home = edit.node().and_then(|id| whole.levels().find(|(_, sheet)| sheet.nodes.contains_key(&id)));
        let level = home.map_or(self.level(), |(level, _)| level);
        edit.at(level)
    }

    /// Finds a node by its number, on whatever level it lies.
    pub fn node_of(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.document.sheet().levels().find_map(|(_, sheet)| sheet.nodes.get(&id))
    }

    /// Finds out what the definitions look like from outside, if they changed, and leaves levels that are gone.
    pub fn know(&mut self, registry: &Registry) {
        let whole = Arc::clone(self.document.sheet());
        let known = &self.levels.known.definitions;
        let same = known.len() == whole.definitions.len()
            && known
                .iter()
                .zip(&whole.definitions)
                .all(|((name, known), (now, there))| name == now && Arc::ptr_eq(known, there));
        if !same {
            let subgraphs = whole.definitions.iter().map(|(name, it)| (name.clone(), it.subgraph())).collect();
            let graph = Graph { subgraphs, ..Graph::default() };
            let faces = (!graph.subgraphs.is_empty()).then(|| Faces::of(&graph, registry).registry);
            let definitions = whole.definitions.iter().map(|(name, it)| (name.clone(), Arc::clone(it))).collect();
            self.levels.known = Known { definitions, registry: faces };
        }
        let stays = |entered: &Entered| whole.definitions.contains_key(&entered.definition);
        if let Some(gone) = self.levels.within.iter().position(|entered| !stays(entered)) {
            self.go(self.levels.within[..gone].to_vec());
        }
    }

    /// Brings another level to the front.
    pub fn go(&mut self, within: Vec<Entered>) {
        let key = |within: &[Entered]| within.iter().map(|entered| entered.node).collect::<Vec<_>>();
        if within == self.levels.within {
            return;
        }
        let before = std::mem::take(&mut self.view);
        let place = before.view;
        self.levels.others.insert(key(&self.levels.within), before);
        let seen = self.levels.others.remove(&key(&within));
        self.levels.fresh = seen.is_none();
        self.view = seen.unwrap_or_default();
        self.view.view = place;
        self.levels.within = within;
        self.refusal = None;
    }

    /// Enters what a node of the level in front stands for; tells whether it stands for anything.
    pub fn enter(&mut self, node: NodeId) -> bool {
        let kind = self.sheet().nodes.get(&node).map(|node| node.kind.clone()).unwrap_or_default();
        let Some(name) = Subgraph::of_kind(&kind).filter(|name| self.document.sheet().definitions.contains_key(*name))
        else {
            return false;
        };
        let mut within = self.levels.within.clone();
        within.push(Entered { node, definition: name.to_owned() });
        self.go(within);
        true
    }

    /// Leaves levels until so many are entered.
    pub fn leave_to(&mut self, depth: usize) {
        let left = self.levels.within.get(depth).map(|entered| entered.node);
        self.go(self.levels.within[..depth.min(self.levels.within.len())].to_vec());
        // Whoever comes out stands before the door.
        if let Some(node) = left.filter(|_| self.view.selection.is_empty()) {
            self.view.selection = Selection::node(node);
        }
    }

    /// Lays a level out that nobody has, and shows all of it, when it is entered for the first time.
    pub(super) fn arrive(&mut self, backend: &dyn Backend) {
        if !std::mem::take(&mut self.levels.fresh) || self.levels.within.is_empty() {
            return;
        }
        if !self.sheet().laid_out {
            let places = self.places(backend, None);
            let level = self.level().map(str::to_owned);
            self.document.place(level.as_deref(), places);
            self.know(backend.registry());
        }
        self.with_view(backend, |view, state| state.fit(view, None));
        self.view.camera.land();
    }

    /// Finds a node by its way: the levels that lead to it, and the node.
    pub fn find(&self, way: &str) -> Option<(Vec<Entered>, NodeId)> {
        let whole = self.document.sheet();
        let (mut within, mut sheet, mut rest) = (Vec::new(), &**whole, way);
        loop {
            if let Some(node) = sheet.named(rest) {
                return Some((within, node));
            }
            // Names may hold a `/` themselves.
            let inner = sheet.nodes.iter().find_map(|(id, node)| {
                let definition = Subgraph::of_kind(&node.kind)?;
                let rest = rest.strip_prefix(&*node.name)?.strip_prefix('/')?;
                Some((Entered { node: *id, definition: definition.to_owned() }, rest))
            });
            let (entered, left) = inner?;
            sheet = whole.level(Some(&entered.definition))?;
            rest = left;
            within.push(entered);
        }
    }

    /// Finds levels that lead to a definition: the first of those that are least deep.
    pub fn find_definition(&self, name: &str) -> Option<Vec<Entered>> {
        let whole = self.document.sheet();
        let (mut open, mut next) = (vec![Vec::<Entered>::new()], 0);
        let mut seen = std::collections::HashSet::new();
        while let Some(within) = open.get(next).cloned() {
            next += 1;
            let level = within.last().map(|entered| entered.definition.clone());
            if level.as_deref() == Some(name) {
                return Some(within);
            }
            let Some(sheet) = whole.level(level.as_deref()) else { continue };
            for (id, node) in &sheet.nodes {
                let Some(inner) = Subgraph::of_kind(&node.kind).filter(|inner| seen.insert((*inner).to_owned())) else {
                    continue;
                };
                let entered = Entered { node: *id, definition: inner.to_owned() };
                open.push(within.iter().cloned().chain([entered]).collect());
            }
        }
        None
    }

    /// Enters what leads to some nodes, chooses them, and brings them into the middle.
    pub fn show_at(&mut self, backend: &dyn Backend, within: Vec<Entered>, nodes: impl IntoIterator<Item = NodeId>) {
        self.go(within);
        self.arrive(backend);
        self.view.selection = Selection { nodes: nodes.into_iter().collect(), ..Selection::default() };
        let what = self.view.selection.clone();
        self.with_view(backend, |view, state| state.fit(view, Some(&what)));
    }

    /// Returns what is known of the nodes in front.
    pub fn shown(&self) -> Cow<'_, Status> {
        if self.levels.within.is_empty() {
            return Cow::Borrowed(&self.status);
        }
        Cow::Owned(self.status_inside())
    }
}
