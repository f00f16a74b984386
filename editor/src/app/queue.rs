//! The queue: runs of all documents in the order in which they go, several at a time, or whenever something changes.

use std::sync::Arc;

use darkroom_core::fault::FaultKind;
use darkroom_core::graph::Graph;
use darkroom_core::graph::check::{RANDOM, each_seed};
use darkroom_core::literal::Literal;
use darkroom_core::plan::Wish;
use darkroom_core::registry::Registry;
use egui::{Context, UserAttentionType, ViewportCommand};

use super::running::{Origin, Run};
use super::seeds::Counted;
use super::times::lasted;
use super::{App, Tab};
use crate::document::diff;
use crate::session::{Place, Ticket};

/// So many runs are asked for at once, at most.
pub const MOST_TIMES: u32 = 1000;

/// How runs are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// So many runs at one press.
    pub times: u32,
    /// What becomes of the seeds from one to the next.
    pub seeds: Seeds,
    /// The rank of the next run that goes before all others.
    front: i64,
    /// The rank of the next one behind them.
    back: i64,
    /// What stands above the window.
    title: String,
}

/// What becomes of the seeds of several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seeds {
    /// The first run has those of the graph, each further one has one more.
    Count,
    /// Each run draws its own.
    Draw,
}

impl Default for Queue {
    fn default() -> Self {
        Self { times: 1, seeds: Seeds::Count, front: -1, back: 0, title: String::new() }
    }
}

/// Gives a graph the seeds of one of several runs. Seeds that a wire brings, or that count by themselves, stay what they
/// are.
fn seeded(graph: &Arc<Graph>, registry: &Registry, (seeds, number): (Seeds, u32), counts: &Counted) -> Arc<Graph> {
    if seeds == Seeds::Count && number == 0 {
        return Arc::clone(graph);
    }
    let mut other = Graph::clone(graph);
    each_seed(&mut other, registry, |written, default| match (seeds, written.or(default)) {
        (Seeds::Draw, _) => Some(Literal::from(RANDOM)),
        // Seeds are 64 bits wide, and begin anew behind the last one.
        (Seeds::Count, Some(Literal::Integer(seed))) => {
            Some(Literal::Integer((seed + i128::from(number)) & i128::from(u64::MAX)))
        }
        (Seeds::Count, _) => None,
    });
    for (node, input) in counts {
        let stood = graph.nodes.get(node).and_then(|entry| entry.fields.get(input));
        if let (Some(stood), Some(entry)) = (stood, other.nodes.get_mut(node)) {
            entry.fields.insert(input.clone(), stood.clone());
        }
    }
    Arc::new(other)
}

impl App {
    /// Asks for as many runs of the document in front as are wanted, unless something is wrong with it.
    pub(super) fn run(&mut self, wish: &Wish, place: Place) {
        let wrong = self.tab().faults.iter().find(|located| located.fault.kind == FaultKind::Graph);
        if let Some(located) = wrong {
            let text = format!("this cannot run yet: {}", located.fault.message);
            self.say(text);
            return;
        }
        let Self { tabs, active, backend, queue, .. } = self;
        let tab = &mut tabs[*active];
        let registry = &tab.registry(&**backend).clone();
        let mut graphs = Vec::new();
        for number in 0..queue.times.clamp(1, MOST_TIMES) {
            let graph = tab.graph();
            let counts = tab.counted();
            graphs.push(seeded(&graph, registry, (queue.seeds, number), &counts));
            tab.count_on(registry);
        }
        if place == Place::Front {
            // Each goes before the one that was asked for before it.
            graphs.reverse();
        }
        for graph in graphs {
            self.submit(self.active, graph, wish.clone(), (place, Origin::Hand));
        }
        self.remember_prompts();
    }

    fn submit(&mut self, index: usize, graph: Arc<Graph>, wish: Wish, (place, origin): (Place, Origin)) {
        let tab = &mut self.tabs[index];
        let ticket = self.backend.run(tab.ask(Arc::clone(&graph), wish.clone()), place);
        let rank = self.queue.rank(place);
        tab.failures.clear();
        tab.runs.push(Run { origin, rank, ..Run::new(ticket, graph, wish) });
        tab.line_up();
    }

    /// Returns all runs with their documents, in the order in which they go.
    pub(super) fn runs(&self) -> Vec<(&Tab, &Run)> {
        let mut all: Vec<_> = self.tabs.iter().flat_map(|tab| tab.runs.iter().map(move |run| (tab, run))).collect();
        all.sort_by_key(|(_, run)| (run.began.is_none(), run.rank));
        all
    }

    /// Returns how many runs go before the first one of the document in front; none if it has none.
    pub(super) fn ahead(&self) -> Option<usize> {
        self.runs().iter().position(|(tab, _)| tab.id == self.tab().id)
    }

    /// Brings a run before all others that wait.
    pub(super) fn hasten(&mut self, ticket: Ticket) {
        self.backend.hasten(ticket);
        let rank = self.queue.rank(Place::Front);
        if let Some(tab) = self.of(ticket) {
            tab.runs.iter_mut().filter(|run| run.ticket == ticket).for_each(|run| run.rank = rank);
            tab.line_up();
        }
    }

    /// Stops the run of the document in front that is under way, or else takes its next one out.
    pub(super) fn stop(&mut self) {
        match self.tab().runs.first().map(|run| run.ticket) {
            Some(ticket) => self.backend.cancel(ticket),
            None => self.say("nothing runs here"),
        }
    }

    /// Takes out what waits, of all documents; the run under way goes on.
    pub(super) fn clear_queue(&mut self) {
        let waiting = |(_, run): &(&Tab, &Run)| run.began.is_none().then_some(run.ticket);
        let tickets: Vec<_> = self.runs().iter().filter_map(waiting).collect();
        tickets.into_iter().for_each(|ticket| self.backend.cancel(ticket));
    }

    /// Stops what is under way, and takes out what waits.
    pub(super) fn stop_all(&mut self) {
        self.clear_queue();
        let tickets: Vec<_> = self.runs().iter().map(|(_, run)| run.ticket).collect();
        tickets.into_iter().for_each(|ticket| self.backend.cancel(ticket));
    }

    /// Begins or ends to run the document in front whenever it changes.
    pub(super) fn turn_live(&mut self) {
        let tab = self.tab_mut();
        tab.live = match tab.live {
            Some(_) => None,
            None => Some(tab.graph()),
        };
        let now = if self.tab().live.is_some() { "runs whenever it changes" } else { "runs when it is asked to" };
        self.say(now);
    }

    /// Runs what has changed and is sound, in place of what waits for the same reason.
    pub(super) fn run_changed(&mut self) {
        for index in 0..self.tabs.len() {
            let tab = &mut self.tabs[index];
            if tab.live.is_none() || !tab.is_sound() {
                continue;
            }
            let graph = tab.graph();
            let last = tab.live.replace(Arc::clone(&graph));
            if last.is_none_or(|last| Arc::ptr_eq(&last, &graph) || diff(&last, &graph).is_empty()) {
                continue;
            }
            let late = tab.runs.iter().filter(|run| run.origin == Origin::Change && run.began.is_none());
            let late: Vec<_> = late.map(|run| run.ticket).collect();
            late.into_iter().for_each(|ticket| self.backend.cancel(ticket));
            self.submit(index, graph, Wish::default(), (Place::Back, Origin::Change));
        }
    }

    /// Writes above the window how far the run under way is.
    pub(super) fn entitle(&mut self, ctx: &Context) {
        let running = self.tabs.iter().find_map(|tab| Some((tab, tab.running()?)));
        let name = |tab: &Tab| tab.title();
        let title = match running {
            Some((tab, run)) => match run.share() {
                Some(share) => format!("{:.0} % — {} — darkroom", share * 100.0, name(tab)),
                None => format!("planning — {} — darkroom", name(tab)),
            },
            None => format!("{} — darkroom", name(self.tab())),
        };
        if self.queue.title != title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.queue.title = title;
        }
    }

    /// Calls the person back whose window is behind others: a run is over.
    pub(super) fn call(&mut self, ctx: &Context, title: &str, ended: Result<f64, String>) {
        if ctx.input(|input| input.viewport().focused) != Some(false) {
            return;
        }
        ctx.send_viewport_cmd(ViewportCommand::RequestUserAttention(UserAttentionType::Informational));
        self.say(match ended {
            Ok(seconds) => format!("{title} is done, after {}", lasted(seconds)),
            Err(why) => format!("{title} has ended: {why}"),
        });
    }
}

impl Queue {
    fn rank(&mut self, place: Place) -> i64 {
        match place {
            Place::Front => {
                self.front -= 1;
                self.front
            }
            Place::Back => {
                self.back += 1;
                self.back
            }
        }
    }
}
