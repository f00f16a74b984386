//! What is chosen, put in order and joined: laid out along its wires, aligned, spread evenly, connected.

use egui::{Rect, pos2};

use super::App;
use crate::canvas::{Drop, Selection};
use crate::command::Command;
use crate::document::{Edit, NodeId, Point, Wire};

/// How far a card is from a side of all of them.
type Apart = fn(&Rect, &Rect) -> (f32, f32);

/// Edges and middles that nodes are brought to.
const SIDES: [(Command, Apart); 6] = [
    (Command::AlignLeft, |all, own| (all.left() - own.left(), 0.0)),
    (Command::AlignRight, |all, own| (all.right() - own.right(), 0.0)),
    (Command::AlignTop, |all, own| (0.0, all.top() - own.top())),
    (Command::AlignBottom, |all, own| (0.0, all.bottom() - own.bottom())),
    (Command::AlignCentre, |all, own| (all.center().x - own.center().x, 0.0)),
    (Command::AlignMiddle, |all, own| (0.0, all.center().y - own.center().y)),
];

/// What is measured of a card.
type Measure = fn(&Rect) -> f32;

/// The two ways to spread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    /// From left to right.
    Across,
    /// From top to bottom.
    Down,
}

impl App {
    /// The nodes that are chosen and not pinned, and where they lie.
    fn cards(&mut self) -> Vec<(NodeId, Rect)> {
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let sheet = std::sync::Arc::clone(tab.sheet());
        let chosen = tab.view.selection.nodes.clone();
        let nodes = sheet.nodes.iter().filter(|(id, node)| chosen.contains(id) && !node.pinned);
        let nodes: Vec<_> = nodes.map(|(id, node)| (*id, pos2(node.at.x as f32, node.at.y as f32))).collect();
        tab.with_view(&**backend, |view, state| {
            nodes.into_iter().map(|(id, at)| (id, Rect::from_min_size(at, state.size(view, id)))).collect()
        })
    }

    fn moved(&mut self, name: &str, places: impl Iterator<Item = (NodeId, Rect)>) {
        let at = |rect: Rect| Point::new(rect.left().round() as i32, rect.top().round() as i32);
        let edits = places.map(|(id, rect)| Edit::Move(id, at(rect))).collect();
        self.step(name, edits);
    }

    /// Brings what is chosen to a common edge or middle.
    pub(super) fn align(&mut self, side: Command) {
        let cards = self.cards();
        let Some((_, by)) = SIDES.iter().find(|(known, _)| *known == side).filter(|_| cards.len() > 1) else {
            return self.say("choose the nodes to be aligned first: two or more");
        };
        let all = cards.iter().fold(Rect::NOTHING, |all, (_, rect)| all.union(*rect));
        let places = cards.into_iter().map(|(id, rect)| (id, rect.translate(by(&all, &rect).into())));
        self.moved("align", places);
    }

    /// Spreads what is chosen so that the gaps are alike; the first and the last stay.
    pub(super) fn spread(&mut self, along: Along) {
        let mut cards = self.cards();
        if cards.len() < 3 {
            return self.say("choose the nodes to be spread first: three or more");
        }
        let (low, size): (Measure, Measure) = match along {
            Along::Across => (Rect::left, Rect::width),
            Along::Down => (Rect::top, Rect::height),
        };
        cards.sort_by(|a, b| low(&a.1).total_cmp(&low(&b.1)));
        let (first, last) = (cards[0].1, cards[cards.len() - 1].1);
        let between: f32 = cards[1..cards.len() - 1].iter().map(|(_, rect)| size(rect)).sum();
        let gap = (low(&last) - low(&first) - size(&first) - between) / (cards.len() - 1) as f32;
        let mut next = low(&first);
        let places: Vec<_> = cards
            .into_iter()
            .map(|(id, rect)| {
                let by = next - low(&rect);
                next += size(&rect) + gap;
                let by = if along == Along::Across { (by, 0.0) } else { (0.0, by) };
                (id, rect.translate(by.into()))
            })
            .collect();
        self.moved("spread", places.into_iter());
    }

    /// Lays nodes out along their wires: those that are chosen, where they are, or all of them.
    pub(super) fn arrange(&mut self) {
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let chosen = (tab.view.selection.nodes.len() > 1).then(|| tab.view.selection.nodes.clone());
        let places = tab.places(&**backend, chosen.as_ref());
        let sheet = tab.sheet();
        let places = places.into_iter().filter(|(id, _)| sheet.nodes.get(id).is_some_and(|node| !node.pinned));
        let edits = places.map(|(id, at)| Edit::Move(id, at)).collect();
        self.step("lay out", edits);
        if chosen.is_none() {
            self.fit(false);
        }
    }

    /// Draws wires between what is chosen, from left to right: each node feeds the first fitting input of the next that is
    /// free.
    pub(super) fn connect(&mut self) {
        let mut cards = self.cards();
        cards
            .sort_by(|a, b| (a.1.left(), a.1.top()).partial_cmp(&(b.1.left(), b.1.top())).expect("places are numbers"));
        let drops: Vec<_> = cards.windows(2).filter_map(|pair| self.between(pair[0].0, pair[1].0)).collect();
        if drops.is_empty() {
            return self.say("nothing that is chosen gives what another one wants and has not got");
        }
        let Self { tabs, active, backend, .. } = self;
        if let Some(words) = tabs[*active].refuse(&mut **backend, &drops) {
            return self.say(words);
        }
        let wire =
            |Drop { from, output, to, input }| Edit::Connect(to, input, Wire { node: from, output, bends: Vec::new() });
        self.step("connect", drops.into_iter().map(wire).collect());
    }

    /// The wire from one node to another that finds a free input.
    fn between(&self, from: NodeId, to: NodeId) -> Option<Drop> {
        let sheet = self.tab().sheet();
        let spec = |id: NodeId| Some(self.tab().registry(&*self.backend).get(&sheet.nodes.get(&id)?.kind)?.spec());
        let (giver, taker) = (spec(from)?, spec(to)?);
        let node = sheet.nodes.get(&to)?;
        let free = || taker.inputs.iter().filter(|input| node.wire(input.name).is_none());
        // Sockets first: a field has a value of its own.
        let inputs = free().filter(|input| input.param.is_none()).chain(free().filter(|input| input.param.is_some()));
        inputs.into_iter().find_map(|input| {
            let output = giver.outputs.iter().find(|output| input.kind.accepts(output.kind))?;
            let output = (giver.outputs.len() > 1).then(|| output.name.to_owned());
            Some(Drop { from, output, to, input: input.name.to_owned() })
        })
    }

    /// Chooses what feeds the chosen nodes too.
    pub(super) fn select_before(&mut self) {
        let tab = self.tab_mut();
        let sheet = std::sync::Arc::clone(tab.sheet());
        let before =
            |id: NodeId| sheet.nodes.get(&id).into_iter().flat_map(|node| node.wires()).map(|(_, wire)| wire.node);
        spread_over(&mut tab.view.selection, |id| before(id).collect());
    }

    /// Chooses what the chosen nodes feed too.
    pub(super) fn select_behind(&mut self) {
        let tab = self.tab_mut();
        let sheet = std::sync::Arc::clone(tab.sheet());
        let behind = |id: NodeId| sheet.wires().filter(move |(_, _, wire)| wire.node == id).map(|(to, _, _)| to);
        spread_over(&mut tab.view.selection, |id| behind(id).collect());
    }
}

/// Chooses all that is reached step by step.
fn spread_over(selection: &mut Selection, next: impl Fn(NodeId) -> Vec<NodeId>) {
    let mut open: Vec<_> = selection.nodes.iter().copied().collect();
    while let Some(id) = open.pop() {
        open.extend(next(id).into_iter().filter(|id| selection.nodes.insert(*id)));
    }
}
