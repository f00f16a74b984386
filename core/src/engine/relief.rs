//! What a run does before it gives up: it lets go of what is idle, and climbs down the ladders of nodes that run out of
//! memory. The rungs taken stand in the graph that is planned, and nowhere else.

use std::collections::BTreeMap;

use super::run::Done;
use crate::fault::{Fault, Located, Shortage};
use crate::fingerprint::Fingerprint;
use crate::graph::{Field, Flat};
use crate::host::Host;
use crate::ladder::{Fits, Rung, ladder_of, size_of};
use crate::observe::{Event, How, Observer};
use crate::plan::{Action, Plan, Step};
use crate::residency::{Device, Ledger, gibibytes};
use crate::spec::Lane;

/// How a node came to make do with less than was planned for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eased {
    /// The node.
    pub node: String,
    /// Why and how: "ran out of memory (needs 5.2 GiB, 3.9 GiB free): decoded in tiles of 64 instead".
    pub what: String,
}

/// What was done about the nodes of one run.
#[derive(Default)]
pub(super) struct Relief {
    /// By the first of the nodes that are made of the same.
    nodes: BTreeMap<String, Descent>,
    /// What is to be said of a node once it is through.
    pending: BTreeMap<String, String>,
    /// What was said.
    pub said: Vec<Eased>,
}

/// One node's way down.
struct Descent {
    kind: &'static str,
    device: Device,
    size: Fingerprint,
    ladder: Vec<Rung>,
    /// The nodes that are made of the same.
    ids: Vec<String>,
    /// Rungs taken.
    taken: usize,
    /// Rungs that had been taken before the run began.
    remembered: usize,
    /// What was wanted when memory ran out in this run for the first time.
    first: Option<Option<Shortage>>,
}

impl Relief {
    /// Looks up what fitted before, for nodes that would run; tells whether anything did.
    pub fn recall(&mut self, fits: &Fits, plan: &Plan, host: &Host, ledger: &Ledger) -> bool {
        if fits.is_empty() {
            return false;
        }
        let computes = |step: &&Step| step.action == Action::Run && step.node.spec().lane == Lane::Compute;
        for step in plan.steps.iter().filter(computes) {
            let ladder = ladder_of(plan, step, host);
            let budget = ledger.budget_on(home(step));
            let fitted = fits.rung(size_of(plan, step, &ladder), budget);
            let Some(title) = fitted.filter(|_| !ladder.is_empty()) else { continue };
            let Some(index) = ladder.iter().position(|rung| rung.title == title) else { continue };
            let descent = Descent { taken: index + 1, remembered: index + 1, ..Descent::of(plan, step, ladder) };
            self.pending.insert(step.id.clone(), format!("ran out of memory before: {title} (remembered)"));
            self.nodes.insert(step.id.clone(), descent);
        }
        !self.nodes.is_empty()
    }

    /// Takes the next step after a fault of memory: the same again with all let go that is idle, where that may help, and
    /// then rung by rung.
    ///
    /// # Errors
    /// The fault with what was tried, at the end of the ladder.
    pub fn descend(
        &mut self,
        (plan, step): (&Plan, usize),
        host: &Host,
        mut located: Box<Located>,
        shortage: Option<Shortage>,
    ) -> Result<(), Box<Located>> {
        let step = &plan.steps[step];
        let descent =
            self.nodes.entry(step.id.clone()).or_insert_with(|| Descent::of(plan, step, ladder_of(plan, step, host)));
        let hopeless = shortage.is_some_and(|shortage| shortage.needs > shortage.of);
        let first = descent.first.is_none();
        let before = *descent.first.get_or_insert(shortage);
        let why = why(before);
        if first && !hopeless {
            self.pending.insert(step.id.clone(), format!("{why}: went on once all that was idle was let go"));
            return Ok(());
        }
        let Some(rung) = descent.ladder.get(descent.taken) else {
            self.pending.remove(&step.id);
            descent.tell(step, shortage, &mut located.fault);
            return Err(located);
        };
        descent.taken += 1;
        self.pending.insert(step.id.clone(), format!("{why}: {} instead", rung.title));
        Ok(())
    }

    /// Forgets a node's way down, where it goes on elsewhere as it was written.
    pub fn start_over(&mut self, node: &str, with: &str) {
        let first = self.nodes.remove(node).and_then(|descent| descent.first);
        self.will_say(node, format!("{}: went on with {with} instead", why(first.flatten())));
    }

    /// Writes the rungs taken into the graph that is planned.
    pub fn apply(&self, flat: &mut Flat<'_>) {
        for descent in self.nodes.values().filter(|descent| descent.taken > 0) {
            let graph = flat.graph.to_mut();
            for id in &descent.ids {
                let Some(entry) = graph.nodes.get_mut(id) else { continue };
                for (param, literal) in descent.ladder[..descent.taken].iter().flat_map(|rung| &rung.set) {
                    entry.fields.insert((*param).to_owned(), Field::Literal(literal.clone()));
                }
            }
        }
    }

    /// Notes which rungs fitted that were taken in this run.
    pub fn note(&self, done: &Done, fits: &mut Fits, ledger: &Ledger) {
        for (id, descent) in self.nodes.iter().filter(|(_, descent)| descent.taken > descent.remembered) {
            if done.get(id).is_some_and(|through| through.how == How::Ran && !through.settled) {
                let budget = ledger.budget_on(descent.device);
                fits.note(descent.size, descent.kind, &descent.ladder[descent.taken - 1].title, budget);
            }
        }
    }

    /// Says once of a node that it was eased, if it was.
    pub fn say(&mut self, node: &str, observer: &dyn Observer) {
        if let Some(what) = self.pending.remove(node) {
            observer.see(&Event::Eased { node, what: &what });
            self.said.push(Eased { node: node.to_owned(), what });
        }
    }

    /// Says it of those of whose results only others' were needed.
    pub fn say_all(&mut self, observer: &dyn Observer) {
        let nodes: Vec<_> = self.pending.keys().cloned().collect();
        nodes.iter().for_each(|node| self.say(node, observer));
    }

    /// Has something said of a node once it is through.
    pub fn will_say(&mut self, node: &str, what: String) {
        self.pending.insert(node.to_owned(), what);
    }
}

impl Descent {
    fn of(plan: &Plan, step: &Step, ladder: Vec<Rung>) -> Self {
        let same = plan.steps.iter().filter(|other| other.recipe == step.recipe);
        Self {
            kind: step.node.spec().id,
            device: home(step),
            size: size_of(plan, step, &ladder),
            ids: same.map(|step| step.id.clone()).collect(),
            ladder,
            taken: 0,
            remembered: 0,
            first: None,
        }
    }

    /// Adds to a fault what was reckoned with and what was tried.
    fn tell(&self, step: &Step, shortage: Option<Shortage>, fault: &mut Fault) {
        let planned = step.cost.weights.saturating_add(step.cost.workspace);
        if shortage.is_none() && planned > 0 {
            fault.message.push_str(&format!("; planned with {}", gibibytes(planned)));
        }
        if self.taken > 0 {
            let titles: Vec<_> = self.ladder[..self.taken].iter().map(|rung| rung.title.as_str()).collect();
            fault.message.push_str(&format!("; tried: {}", titles.join(", ")));
        }
        if fault.hint.is_none() {
            let device = shortage.map_or(self.device, |shortage| shortage.on);
            fault.hint = Some(device.way_out());
        }
    }
}

/// Says what was wanted when memory ran out, if that is known.
fn why(shortage: Option<Shortage>) -> String {
    shortage.map_or_else(|| "ran out of memory".to_owned(), |short| format!("ran out of memory ({short})"))
}

/// The device that a step works on.
fn home(step: &Step) -> Device {
    step.need.as_ref().map(|need| need.device).unwrap_or_default()
}
