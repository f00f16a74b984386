//! A document in the window: what is seen of it, what is known of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use darkroom_core::fault::{Faults, Located};
use darkroom_core::graph::Graph;
use darkroom_core::literal::Literal;
use darkroom_core::plan::{Goal, Wish};
use egui::Id;

use super::levels::Levels;
use super::running::{Line, Made, Run};
use crate::canvas::{Drop, View, ViewState};
use crate::document::{Document, Edit, NodeId, Point, Wire, arrange};
use crate::habits::Habits;
use crate::session::{Ask, Backend, DocumentId, Fate, Outlook, PastRuns, Sight};
use crate::status::{NodeStatus, State, Status};

/// A document in the window.
pub struct Tab {
    /// Its number.
    pub id: DocumentId,
    /// The document.
    pub document: Document,
    /// What is seen of it.
    pub view: ViewState,
    /// The sub-graphs that are entered, and what is known inside.
    pub levels: Levels,
    /// What is known of it.
    pub status: Status,
    /// What would happen, when that was last asked.
    pub outlook: Option<Outlook>,
    /// All that is wrong with it.
    pub faults: Vec<Arc<Located>>,
    /// What its last run failed at, as long as nothing is changed and nothing is run again.
    pub failures: Vec<Arc<Located>>,
    /// Its runs that are not over, the one under way first.
    pub runs: Vec<Run>,
    /// Pictures that its runs left, the newest last.
    pub made: Vec<Made>,
    /// Its runs that are over.
    pub past: PastRuns,
    /// Sentences of its runs.
    pub log: Vec<Line>,
    /// Whether it is what an earlier window left, and not saved since.
    pub recovered: bool,
    /// What was seen of its file last time.
    pub sight: Option<Sight>,
    /// How its canvas behaves.
    pub(super) habits: Habits,
    /// Whether the wires that were last held may be drawn.
    pub(super) refusal: Option<(Vec<Drop>, Option<String>)>,
    /// The graph that was run last because something changed; none unless it is run whenever something changes.
    pub(super) live: Option<Arc<Graph>>,
    /// The graph as it is, with its revision: runs of one revision share it.
    graph: Option<(u64, Arc<Graph>)>,
    /// The revision that failed.
    failed_at: u64,
    asked: Option<u64>,
    /// The revision that the outlook, or the faults, are of.
    answered: Option<u64>,
    laid: bool,
}

impl Tab {
    /// Takes a document in.
    pub fn new(id: DocumentId, document: Document) -> Self {
        Self {
            id,
            document,
            view: ViewState::default(),
            levels: Levels::default(),
            status: Status::default(),
            outlook: None,
            faults: Vec::new(),
            failures: Vec::new(),
            failed_at: 0,
            runs: Vec::new(),
            made: Vec::new(),
            past: PastRuns::default(),
            log: Vec::new(),
            recovered: false,
            sight: None,
            habits: Habits::default(),
            refusal: None,
            live: None,
            graph: None,
            asked: None,
            answered: None,
            laid: false,
        }
    }

    /// Returns what a person calls it.
    pub fn title(&self) -> String {
        let name = self.document.path().and_then(|path| path.file_stem());
        let name = name.map_or_else(|| "untitled".to_owned(), |name| name.to_string_lossy().into_owned());
        let name = if self.recovered { format!("{name} (recovered)") } else { name };
        if self.document.is_changed() { format!("{name} •") } else { name }
    }

    /// Returns the lasting name of its canvas.
    pub fn canvas_id(&self) -> Id {
        Id::unique(("document", self.id.0))
    }

    /// Gives a sheet that nobody has laid out its places, and shows all of it.
    pub fn lay_out(&mut self, backend: &dyn Backend) {
        if self.view.view.is_none() {
            return;
        }
        self.arrive(backend);
        if self.laid {
            return;
        }
        self.laid = true;
        if !self.document.sheet().laid_out {
            let places = self.places(backend, None);
            self.document.place(None, places);
        }
        match self.sight.take() {
            Some(Sight { centre: (x, y), zoom }) => self.view.camera.fly(egui::pos2(x, y), zoom),
            None => self.with_view(backend, |view, state| state.fit_first(view)),
        }
        self.view.camera.land();
    }

    /// Finds places for nodes along their wires: for some, which begin where they are, or for all of them.
    pub fn places(&mut self, backend: &dyn Backend, chosen: Option<&HashSet<NodeId>>) -> Vec<(NodeId, Point)> {
        let sheet = Arc::clone(self.sheet());
        let wanted = |id: &&NodeId| chosen.is_none_or(|chosen| chosen.contains(id));
        let ids: Vec<_> = sheet.nodes.keys().filter(wanted).copied().collect();
        let sizes: HashMap<_, _> =
            self.with_view(backend, |view, state| ids.iter().map(|id| (*id, state.size(view, *id))).collect());
        let least = |of: fn(Point) -> i32| ids.iter().map(|id| of(sheet.nodes[id].at)).min().unwrap_or_default();
        let origin = match chosen {
            Some(_) => Point::new(least(|at| at.x), least(|at| at.y)),
            None => Point::default(),
        };
        arrange(&sheet, &ids, origin, |id| (sizes[&id].x as u32, sizes[&id].y as u32))
    }

    /// Does something with what is seen.
    pub fn with_view<R>(&mut self, backend: &dyn Backend, act: impl FnOnce(&View<'_>, &mut ViewState) -> R) -> R {
        let mut state = std::mem::take(&mut self.view);
        let view = View {
            id: self.canvas_id(),
            sheet: self.sheet(),
            registry: self.registry(backend),
            status: &self.shown(),
            refuse: &|_| None,
            habits: self.habits,
            hears: false,
        };
        let done = act(&view, &mut state);
        self.view = state;
        done
    }

    /// Returns the graph as it is now.
    pub fn graph(&mut self) -> Arc<Graph> {
        let revision = self.document.revision();
        let known = self.graph.take().filter(|(of, _)| *of == revision).map(|(_, graph)| graph);
        let graph = known.unwrap_or_else(|| Arc::new(self.document.sheet().graph()));
        self.graph = Some((revision, Arc::clone(&graph)));
        graph
    }

    /// Asks something of a graph of this document.
    pub(super) fn ask(&self, graph: Arc<Graph>, wish: Wish) -> Ask {
        Ask {
            document: self.id,
            revision: self.document.revision(),
            path: self.document.path().map(std::path::Path::to_owned),
            graph,
            wish,
        }
    }

    fn ask_now(&self) -> Ask {
        self.ask(Arc::new(self.document.sheet().graph()), Wish::default())
    }

    /// Asks what would happen, if that is not known yet.
    pub fn foresee(&mut self, backend: &mut dyn Backend) {
        if self.asked != Some(self.document.revision()) {
            self.asked = Some(self.document.revision());
            let graph = self.graph();
            backend.foresee(self.ask(graph, Wish::default()));
        }
    }

    /// Lets it be asked anew: its file is another.
    pub fn ask_again(&mut self) {
        self.asked = None;
    }

    /// Tells whether it is known of the graph as it is that it can run.
    pub fn is_sound(&self) -> bool {
        self.answered == Some(self.document.revision()) && self.faults.is_empty()
    }

    /// Returns the wish to have what is chosen.
    pub fn wish_to(&self) -> Option<Wish> {
        let id = self.view.selection.nodes.iter().min()?;
        let node = self.sheet().nodes.get(id)?;
        Some(Wish { goal: Goal::Node(format!("{}{}", self.way(), node.name)), fresh: false })
    }

    /// Says why wires may not be drawn: what would be wrong with the graph then, and is not now.
    pub fn refuse(&self, backend: &mut dyn Backend, drops: &[Drop]) -> Option<String> {
        let mut sheet = (**self.document.sheet()).clone();
        let level = self.level();
        for drop in drops {
            let wire = Wire { node: drop.from, output: drop.output.clone(), bends: Vec::new() };
            if let Err(refused) = sheet.apply(Edit::Connect(drop.to, drop.input.clone(), wire).at(level)) {
                return Some(refused.0);
            }
        }
        let nodes = &sheet.level(level)?.nodes;
        let ends: Vec<_> = drops.iter().filter_map(|drop| Some((&nodes.get(&drop.to)?.name, &drop.input))).collect();
        let ask = self.ask(Arc::new(sheet.graph()), Wish::default());
        let faults = backend.check(&ask).err()?;
        let here = |located: &&Located| {
            let within = located.place.within.as_ref();
            let node = match level {
                Some(_) => within.and_then(|within| within.node.as_ref()),
                None => located.place.node.as_ref().map(|(node, _)| node),
            };
            let at = located.place.input.as_deref();
            within.map(|within| within.definition.as_str()) == level
                && ends.iter().any(|(name, input)| Some(*name) == node && at.is_none_or(|at| at == *input))
        };
        let known = faults.0.iter().any(|located| here(&located)).then(|| backend.check(&self.ask_now()));
        let known = known.and_then(Result::err).unwrap_or_default();
        let located = faults.0.iter().filter(here).find(|new| known.0.iter().all(|known| known.fault != new.fault))?;
        Some(match &located.fault.hint {
            Some(hint) => format!("{}; {hint}", located.fault.message),
            None => located.fault.message.clone(),
        })
    }

    pub(super) fn node(&mut self, name: &str) -> Option<&mut NodeStatus> {
        match self.document.sheet().named(name) {
            Some(id) => Some(self.status.nodes.entry(id).or_default()),
            None => self.node_inside(name),
        }
    }

    /// Takes in what would happen.
    pub fn foreseen(&mut self, revision: u64, outlook: Result<Outlook, Faults>) {
        if revision != self.document.revision() {
            return;
        }
        for status in self.status.nodes.values_mut() {
            status.faults.clear();
        }
        self.forget_inside();
        self.faults.clear();
        self.answered = Some(revision);
        match outlook {
            Ok(outlook) => {
                self.plan(&outlook, false);
                self.outlook = Some(outlook);
            }
            Err(faults) => {
                self.outlook = None;
                for located in faults.0 {
                    let located = Arc::new(located);
                    if let Some((name, _)) = located.place.node.clone()
                        && let Some(status) = self.node(&name)
                    {
                        status.faults.push(Arc::clone(&located));
                    }
                    self.faults.push(located);
                }
            }
        }
        self.show_failures();
        self.gather();
    }

    /// Returns what a fault says is not here, if it can be fetched.
    pub fn lacked(&self, located: &Located) -> Option<&str> {
        let (name, _) = located.place.node.as_ref()?;
        let status = match self.document.sheet().named(name) {
            Some(id) => self.status.of(id)?,
            None => self.levels.inside.get(name)?,
        };
        let is_met = |lack: &&(String, String)| Some(&lack.0) == located.place.input.as_ref();
        status.lacks.iter().find(is_met).map(|(_, name)| name.as_str())
    }

    /// Finds the inputs that name something that is not here and could be fetched.
    pub fn find_lacks(&mut self, backend: &dyn Backend) {
        let inside = self.levels.inside.values_mut();
        self.status.nodes.values_mut().chain(inside).for_each(|status| status.lacks.clear());
        for located in self.faults.clone() {
            let (Some((name, kind)), Some(input)) = (&located.place.node, &located.place.input) else { continue };
            let Some(node) = self.find(name).and_then(|(_, id)| self.node_of(id)) else { continue };
            let spec = self.registry(backend).get(kind).map(|known| known.spec());
            let default = spec.and_then(|spec| spec.input(input)?.1.param.as_ref()?.default.as_ref());
            let Some(Literal::Text(named)) = node.literal(input).or(default) else {
                continue;
            };
            if backend.can_pull(named) {
                let lack = (input.clone(), named.clone());
                if let Some(status) = self.node(name) {
                    status.lacks.push(lack);
                }
            }
        }
    }

    /// Shows at the nodes what the last run failed at; once something has changed, that may no longer hold.
    pub(super) fn show_failures(&mut self) {
        if self.failed_at != self.document.revision() {
            self.failures.clear();
        }
        for located in self.failures.clone() {
            let node = located.place.node.as_ref().map(|(name, _)| name.clone());
            if let Some(status) = node.and_then(|name| self.node(&name)) {
                status.state = State::Failed;
                status.faults.push(located);
            }
        }
    }

    /// Walks over what is wrong with the graph, and then what the last run failed at.
    pub fn all_faults(&self) -> impl Iterator<Item = &Arc<Located>> {
        self.faults.iter().chain(&self.failures)
    }

    /// Shows a plan at the nodes: what is to be done, or, in a run, what waits.
    pub(super) fn plan(&mut self, outlook: &Outlook, in_run: bool) {
        let busy = !in_run && self.running().is_some();
        for each in &outlook.nodes {
            let Some(status) = self.node(&each.name) else { continue };
            status.why.clone_from(&each.why);
            status.types.clone_from(&each.types);
            status.seconds = each.seconds.or(status.seconds);
            status.bytes = each.bytes;
            // While something runs, its own news say what happens.
            if busy {
                continue;
            }
            status.state = match each.fate {
                Fate::Runs | Fate::Shares if in_run => State::Queued,
                Fate::Runs | Fate::Shares => State::Dirty,
                Fate::Cached(_) => State::Cached,
                Fate::Opens => State::Opens,
                Fate::Idle => State::Idle,
            };
        }
    }

    /// Takes note of what a run failed at.
    pub(super) fn fail(&mut self, located: Located) {
        self.failures.push(Arc::new(located));
        self.failed_at = self.document.revision();
    }
}
