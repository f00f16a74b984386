//! What is done to sub-graphs: made of what is chosen, entered, left, unpacked, named, forgotten.

use darkroom_core::graph::Subgraph;

use crate::app::{App, Dialog};
use crate::canvas::Selection;
use crate::document::{Edit, NodeId, Refused, Side, define_ends, fold, own, unfold};

impl App {
    /// Makes a sub-graph of what is chosen.
    pub(in crate::app) fn make_subgraph(&mut self) {
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let whole = std::sync::Arc::clone(tab.document.sheet());
        let (level, chosen) = (tab.level().map(str::to_owned), tab.view.selection.clone());
        let registry = tab.registry(&**backend).clone();
        let number = || tab.document.number();
        match fold(&whole, level.as_deref(), (&chosen.nodes, &chosen.frames), &registry, number) {
            Ok(folded) => {
                if self.step("make a sub-graph", folded.edits) {
                    self.tab_mut().view.selection = Selection::node(folded.instance);
                    self.dialog = Some(Dialog::NameSubgraph { name: folded.name.clone(), text: folded.name });
                }
            }
            Err(Refused(words)) => self.say(words),
        }
    }

    /// Puts the nodes of the sub-graphs that are chosen in their place.
    pub(in crate::app) fn unpack(&mut self) {
        let mut nodes = Vec::new();
        for instance in self.instances() {
            let Self { tabs, active, backend, .. } = self;
            let tab = &mut tabs[*active];
            let whole = std::sync::Arc::clone(tab.document.sheet());
            let level = tab.level().map(str::to_owned);
            let registry = tab.registry(&**backend).clone();
            match unfold(&whole, level.as_deref(), instance, &registry, || tab.document.number()) {
                Ok(unfolded) => {
                    if self.step("unpack a sub-graph", unfolded.edits) {
                        nodes.extend(unfolded.nodes);
                    }
                }
                Err(Refused(words)) => self.say(words),
            }
        }
        if !nodes.is_empty() {
            self.tab_mut().view.selection = Selection { nodes: nodes.into_iter().collect(), ..Selection::default() };
        }
    }

    /// The chosen nodes that stand for sub-graphs; says so where there are none.
    fn instances(&mut self) -> Vec<NodeId> {
        let tab = self.tab();
        let nodes = tab.sheet().nodes.iter().filter(|(id, _)| tab.view.selection.nodes.contains(id));
        let found: Vec<_> =
            nodes.filter(|(_, node)| Subgraph::of_kind(&node.kind).is_some()).map(|(id, _)| *id).collect();
        if found.is_empty() {
            self.say("choose a sub-graph first");
        }
        found
    }

    /// Enters the sub-graph that is chosen.
    pub(in crate::app) fn enter_chosen(&mut self) {
        if let Some(node) = self.instances().first() {
            self.tab_mut().enter(*node);
        }
    }

    /// Leaves the level in front; tells whether there was one to leave.
    pub(in crate::app) fn leave_level(&mut self) -> bool {
        let depth = self.tab().levels.within.len();
        if depth > 0 {
            self.tab_mut().leave_to(depth - 1);
        }
        depth > 0
    }

    /// Gives the sub-graph that is chosen a definition of its own.
    pub(in crate::app) fn make_own(&mut self) {
        let Some(instance) = self.instances().first().copied() else { return };
        let tab = self.tab_mut();
        let whole = std::sync::Arc::clone(tab.document.sheet());
        let level = tab.level().map(str::to_owned);
        match own(&whole, level.as_deref(), instance, || tab.document.number()) {
            Ok((edits, name)) => {
                if self.step("make a sub-graph its own", edits) {
                    self.say(format!("it is a `{name}` of its own now"));
                }
            }
            Err(Refused(words)) => self.say(words),
        }
    }

    /// Asks what to call the definition of what is chosen, or of the level in front.
    pub(in crate::app) fn name_subgraph(&mut self) {
        let tab = self.tab();
        let mut chosen = tab.sheet().nodes.iter().filter(|(id, _)| tab.view.selection.nodes.contains(id));
        let name = chosen.find_map(|(_, node)| Subgraph::of_kind(&node.kind)).or(tab.level()).map(str::to_owned);
        match name {
            Some(name) => self.dialog = Some(Dialog::NameSubgraph { text: name.clone(), name }),
            None => self.say("choose a sub-graph first"),
        }
    }

    /// Gives a definition another name.
    pub(in crate::app) fn named_subgraph(&mut self, before: &str, name: &str) {
        let name = name.trim();
        if name == before {
            return;
        }
        let edit = Edit::NameDefinition(before.to_owned(), name.to_owned());
        if let Err(Refused(words)) = (**self.tab().document.sheet()).clone().apply(edit.clone()) {
            return self.say(words);
        }
        // Before the step, so that nobody finds the level gone.
        let within = self.tab_mut().levels.within.iter_mut();
        within.filter(|entered| entered.definition == before).for_each(|each| name.clone_into(&mut each.definition));
        self.step("rename a sub-graph", vec![edit]);
    }

    /// Forgets all definitions that nothing stands for, and those that only they used.
    pub(in crate::app) fn forget_unused(&mut self) {
        let mut left = (**self.tab().document.sheet()).clone();
        let mut edits = Vec::new();
        loop {
            let unused = left.definitions.keys().find(|name| !left.is_used(name)).cloned();
            let Some(edit) = unused.map(Edit::Forget) else { break };
            if left.apply(edit.clone()).is_err() {
                break;
            }
            edits.push(edit);
        }
        if !self.step("forget unused sub-graphs", edits) {
            self.say("every sub-graph is used");
        }
    }

    /// Offers an input or output inside of the level in front outside, or takes it back.
    pub(in crate::app) fn offer(&mut self, node: NodeId, side: Side, end: &str) {
        let tab = self.tab();
        let edit = tab.level().and_then(|level| define_ends(tab.document.sheet(), level, node, side, end));
        self.step("offer outside", edit.into_iter().collect());
    }
}
