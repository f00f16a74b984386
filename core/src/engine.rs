//! THE run loop: it obeys a plan.
//!
//! Compute nodes run one after another on the calling thread, which is their lane. Light nodes, files and models run
//! beside it on rayon. A value is dropped after its last reader; results go into the cache as they come, so that
//! whatever was done before a fault, a cancel or a kill is there next time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::Instant;

mod run;

use crate::cache::Cache;
use crate::context::{Surroundings, Workflow};
use crate::fault::Faults;
use crate::files::{Names, Reading, Watch};
use crate::fingerprint::Fingerprint;
use crate::graph::{Flat, Graph, expand};
use crate::history::{History, Past};
use crate::host::Host;
use crate::observe::{Cancel, Event, How, Observer};
use crate::plan::{Action, Given, Machine, Plan, Step, Wish, plan_given};
use crate::registry::Registry;
use crate::residency::Ledger;
use crate::spec::Lane;
use crate::value::Value;
use run::{Done, End, Results, Run};

/// Everything that outlives a run: the nodes there are, the machine, the cache, the account of memory, the history.
pub struct Engine {
    registry: Registry,
    host: Host,
    cache: Cache,
    ledger: Arc<Ledger>,
    history: Mutex<History>,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Every node of the plan, in the plan's order.
    pub nodes: Vec<NodeReport>,
    /// What the wanted nodes made, by their ids.
    pub results: Vec<(String, Vec<Value>)>,
    /// Seconds from submission to the last result.
    pub seconds: f64,
    /// The most bytes of weights and scratch that were in memory at once.
    pub peak_bytes: u64,
}

/// What became of one node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeReport {
    /// The author's name for it.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// How it came by its result; `None` if it was not needed.
    pub how: Option<How>,
    /// Why.
    pub why: String,
    /// Seconds it took.
    pub seconds: f64,
}

impl Engine {
    /// Puts an engine together.
    pub fn new(registry: Registry, host: Host, cache: Cache, ledger: Arc<Ledger>, history: History) -> Self {
        Self { registry, host, cache, ledger, history: Mutex::new(history) }
    }

    /// Returns the nodes there are.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the machine.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Returns the account of memory.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Says what would happen.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, at once.
    pub fn plan(&self, graph: &Graph, wish: &Wish) -> Result<Plan, Faults> {
        let host = self.host.apart();
        let given = Given::of(&host, self.machine());
        plan_given(&given, &expand(graph, &self.registry), &host, &self.cache, &self.history(), wish)
    }

    /// The memory that plans are made for: what the account may give out.
    fn machine(&self) -> Machine {
        Machine { ram: self.ledger.budget() }
    }

    /// Says what would happen without reading large files: those that were never read have provisional names, under
    /// which the cache holds nothing. Files that the graph locks to a content are read all the same.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, at once.
    pub fn foresee(&self, graph: &Graph, wish: &Wish) -> Result<Plan, Faults> {
        let host = self.host.apart();
        let given = Given { files: host.files().named(Names::Provisional), ..Given::of(&host, self.machine()) };
        plan_given(&given, &expand(graph, &self.registry), &host, &self.cache, &self.history(), wish)
    }

    /// Plans a run on a thread of its own, so that whoever watches hears how far the reading of large files is.
    fn plan_watched(
        &self,
        lost: &HashSet<Fingerprint>,
        host: &Host,
        flat: &Flat<'_>,
        wish: &Wish,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Plan, Faults> {
        let (tell, hear) = mpsc::channel();
        let files = host.files().watched(Watch { tell, cancel: cancel.clone() });
        let given = Given { lost: lost.clone(), files, machine: self.machine() };
        std::thread::scope(|scope| {
            let planning = scope.spawn(move || plan_given(&given, flat, host, &self.cache, &self.history(), wish));
            for Reading { path, done, of } in hear {
                observer.see(&Event::Reading { path: &path, done, of });
            }
            planning.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Plans and runs.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, or the fault that ended the run with its node.
    pub fn run(&self, graph: &Graph, wish: &Wish, observer: &dyn Observer, cancel: &Cancel) -> Result<Report, Faults> {
        let began = Instant::now();
        let (mut done, mut lost) = (HashMap::new(), HashSet::new());
        let host = self.host.apart();
        let flat = expand(graph, &self.registry);
        loop {
            let plan = self.plan_watched(&lost, &host, &flat, wish, observer, cancel)?;
            observer.see(&Event::Planned(&plan));
            let workflow = Workflow::new(graph, &plan);
            let around = Surroundings {
                observer,
                cancel,
                ledger: &self.ledger,
                host: &host,
                checkpoints: self.cache.checkpoints(),
                workflow: &workflow,
            };
            let ended = Run::new(&plan, &self.cache, around, &mut done).run();
            self.remember(&plan, &done);
            match ended {
                Ok(results) => return Ok(self.report(&plan, &done, results, began)),
                // Another plan goes around the result that could not be read back.
                Err(End::Lost(recipe)) => drop(lost.insert(recipe)),
                Err(End::Fault(located)) => {
                    let located = flat.place(*located);
                    observer.see(&Event::Failed(&located));
                    return Err(located.into());
                }
            }
        }
    }

    /// Notes what every node with a result was made of.
    fn remember(&self, plan: &Plan, done: &Done) {
        let mut history = self.history();
        for step in plan.steps.iter().filter(|step| step.node.spec().lane != Lane::Value) {
            let ran = done.get(&step.id);
            let at_hand = matches!(step.action, Action::Take(_) | Action::Idle(Some(_)));
            let seconds = ran.filter(|(how, _)| *how == How::Ran).map(|(_, seconds)| *seconds);
            let known = || history.past(&step.id).is_some_and(|past| past.recipe == step.recipe);
            if (ran.is_some() || at_hand) && (seconds.is_some() || !known()) {
                history.note(&step.id, past(step, &plan.numerics, seconds));
            }
        }
        // A history that cannot be written costs answers, not pictures.
        let _ = history.save();
        let _ = self.host.files().save_memo();
    }

    fn report(&self, plan: &Plan, done: &Done, results: Results, began: Instant) -> Report {
        let node = |step: &Step| {
            let (how, seconds) = match (done.get(&step.id), &step.action) {
                (Some((how, seconds)), _) => (Some(*how), *seconds),
                (None, Action::Take(_) | Action::Idle(Some(_))) => (Some(How::Cached), 0.0),
                (None, _) => (None, 0.0),
            };
            NodeReport {
                id: step.id.clone(),
                kind: step.node.spec().id.to_owned(),
                how,
                why: step.why.to_string(),
                seconds,
            }
        };
        let nodes = plan.steps.iter().filter(|step| step.node.spec().lane != Lane::Value).map(node).collect();
        Report { nodes, results, seconds: began.elapsed().as_secs_f64(), peak_bytes: self.ledger.peak() }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no thread panics while it holds the history")
    }
}

/// What a step is made of, to be remembered.
fn past(step: &Step, numerics: &str, seconds: Option<f64>) -> Past {
    let spec = step.node.spec();
    let inputs = step.input_names.iter().map(|(index, name)| (spec.inputs[*index].name.to_owned(), *name));
    Past {
        recipe: step.recipe,
        kind: spec.id.to_owned(),
        version: spec.version,
        numerics: numerics.to_owned(),
        inputs: inputs.collect(),
        seconds,
    }
}
