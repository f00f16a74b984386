//! THE run loop: it obeys a plan.
//!
//! Compute nodes run one after another on the calling thread, which is their lane. Light nodes, files and models run
//! beside it on rayon. A value is dropped after its last reader; results go into the cache as they come, so that
//! whatever was done before a fault, a cancel or a kill is there next time.
//!
//! A run that meets a fault with a remedy goes on by another plan: what is idle is let go, the node that ran out of memory
//! climbs down its ladder (`relief`), or the work goes on without a device that is gone. What is done stays done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::Instant;

mod foresight;
mod gauge;
mod govern;
mod grounds;
mod kept;
mod relief;
mod run;
#[cfg(test)]
mod tests;

use crate::cache::{AtHand, Cache};
use crate::context::{Surroundings, Workflow};
use crate::fault::{Faults, Located, Remedy};
use crate::files::{Names, Reading, Watch};
use crate::fingerprint::Fingerprint;
use crate::graph::{Flat, Graph, OnTooLarge, expand};
use crate::history::{History, Measured, Past};
use crate::host::Host;
use crate::ladder::Fits;
use crate::observe::{Cancel, Event, How, Observer};
use crate::plan::{Action, Given, Machine, Plan, SafeMode, Step, Wish, plan_given};
use crate::registry::Registry;
use crate::residency::{Device, Ledger};
use crate::spec::Lane;
use crate::value::Value;
pub use foresight::Foreseen;
use gauge::Gauge;
use govern::govern;
use grounds::Grounds;
use kept::Kept;
pub use relief::Eased;
use relief::Relief;
use run::{Done, End, Failed, Results, Run, Through};

/// Everything that outlives a run: the nodes there are, the machine, the cache, the account of memory, the history.
pub struct Engine {
    registry: Registry,
    host: Host,
    cache: Cache,
    ledger: Arc<Ledger>,
    history: Mutex<History>,
    fits: Mutex<Fits>,
    /// Whether a device of the host is gone, so that its fallback is the machine.
    fallen: AtomicBool,
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
    /// The most bytes of weights and scratch that were in the processor's memory at once during the run.
    pub peak_bytes: u64,
    /// The same of each card that has an account.
    pub card_peaks: BTreeMap<Device, u64>,
    /// Nodes that made do with less than was planned for them.
    pub eased: Vec<Eased>,
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
    /// Memory that it took, if it ran.
    pub memory: Option<Measured>,
}

impl Engine {
    /// Puts an engine together.
    pub fn new(registry: Registry, host: Host, cache: Cache, ledger: Arc<Ledger>, history: History) -> Self {
        let (history, fits) = (Mutex::new(history), Mutex::new(Fits::in_memory()));
        Self { registry, host, cache, ledger, history, fits, fallen: AtomicBool::new(false) }
    }

    /// Remembers here what fitted into memory, in place of forgetting it with the process.
    #[must_use]
    pub fn with_fits(self, fits: Fits) -> Self {
        Self { fits: Mutex::new(fits), ..self }
    }

    /// Returns the nodes there are.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the machine: what it falls back to, once a device is gone.
    pub fn host(&self) -> &Host {
        let fallback = self.host.fallback().filter(|_| self.fallen.load(Ordering::Relaxed));
        fallback.unwrap_or(&self.host)
    }

    /// Returns the cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Returns the account of memory.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Lets go of all weights that nobody holds, and gives the system back what work left behind. Returns the bytes of
    /// the weights, which are loaded again when they are needed; results stay.
    pub fn rest(&self) -> u64 {
        let before = self.ledger.used();
        self.ledger.release_all();
        self.cache.let_go_of_models();
        self.host().tidy();
        before.saturating_sub(self.ledger.used())
    }

    /// Says what would happen.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, at once.
    pub fn plan(&self, graph: &Graph, wish: &Wish) -> Result<Plan, Faults> {
        let host = self.host().apart();
        self.plan_with(graph, &host, &Given::of(&host, self.machine()), wish)
    }

    /// The memory that plans are made for: what the account may give out.
    fn machine(&self) -> Machine {
        Machine::of(self.ledger.budgets())
    }

    /// Says what would happen without reading large files: those that were never read have provisional names, under
    /// which the cache holds nothing. Files that the graph locks to a content are read all the same.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, at once.
    pub fn foresee(&self, graph: &Graph, wish: &Wish) -> Result<Plan, Faults> {
        let host = self.host().apart();
        let given = Given { files: host.files().named(Names::Provisional), ..Given::of(&host, self.machine()) };
        self.plan_with(graph, &host, &given, wish)
    }

    fn plan_with(&self, graph: &Graph, host: &Host, given: &Given, wish: &Wish) -> Result<Plan, Faults> {
        let mut flat = expand(graph, &self.registry);
        let make = |flat: &Flat<'_>| plan_given(given, flat, host, &self.cache, &self.history(), wish);
        self.plan_remembering((&mut flat, graph.on_too_large()), &mut Relief::default(), host, wish, make)
    }

    /// Makes a plan, another one if it cannot fit and the graph allows to lower its sizes, and another one if a node of it
    /// did not fit before.
    fn plan_remembering(
        &self,
        (flat, on_too_large): (&mut Flat<'_>, OnTooLarge),
        relief: &mut Relief,
        host: &Host,
        wish: &Wish,
        make: impl Fn(&Flat<'_>) -> Result<Plan, Faults>,
    ) -> Result<Plan, Faults> {
        let plan = make(flat)?;
        let plan = govern(flat, on_too_large, plan, host, &make)?;
        if wish.fresh || !relief.recall(&self.fits(), &plan, host, &self.ledger) {
            return Ok(plan);
        }
        let graph = flat.graph.clone();
        relief.apply(flat);
        let safe_mode = plan.safe_mode.clone();
        Ok(make(flat).map(|plan| Plan { safe_mode, ..plan }).unwrap_or_else(|_| {
            // What was remembered no longer suits the graph: it is as if it were forgotten.
            (flat.graph, *relief) = (graph, Relief::default());
            plan
        }))
    }

    /// Plans a run on a thread of its own, so that whoever watches hears how far the reading of large files is.
    fn plan_watched(
        &self,
        given: &Given,
        host: &Host,
        flat: &Flat<'_>,
        wish: &Wish,
        (observer, cancel): (&dyn Observer, &Cancel),
    ) -> Result<Plan, Faults> {
        let (tell, hear) = mpsc::channel();
        let files = host.files().watched(Watch { tell, cancel: cancel.clone() });
        let given = Given { lost: given.lost.clone(), made: given.made.clone(), files, machine: given.machine.clone() };
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
        let gauge = Gauge::new(observer, &self.ledger);
        let observer: &dyn Observer = &gauge;
        if let Some(text) = self.fits().take_warning() {
            observer.see(&Event::Warning { node: None, text: &text });
        }
        let (mut done, mut relief, mut at_hand) = (Done::new(), Relief::default(), None);
        let mut grounds = Grounds::new(self.host().apart(), &self.cache);
        let mut given = Given::of(&grounds.host, self.machine());
        let kept = Kept::default();
        let mut flat = expand(graph, &self.registry);
        let watched = (observer, cancel);
        let make = |flat: &Flat<'_>| self.plan_watched(&given, &grounds.host, flat, wish, watched);
        let sizes = (&mut flat, graph.on_too_large());
        let mut plan = self.plan_remembering(sizes, &mut relief, &grounds.host, wish, make)?;
        if plan.safe_mode == SafeMode::Helpless {
            return Err(flat.place(govern::helpless(&plan)).into());
        }
        plan.safe_mode.told().iter().for_each(|text| observer.see(&Event::Warning { node: None, text }));
        let graph = &*govern::as_run(graph, &flat, &plan);
        loop {
            observer.see(&Event::Planned(&plan));
            let workflow = Workflow::new(graph, &plan);
            let around = Surroundings {
                observer,
                cancel,
                ledger: &self.ledger,
                host: &grounds.host,
                checkpoints: self.cache.checkpoints().or(Some(&kept)),
                workflow: &workflow,
            };
            let ended = Run::new(&plan, &self.cache, around, (&mut done, &mut relief)).run(at_hand.take());
            self.remember(&plan, &done, &relief, &gauge);
            match ended {
                Ok(results) => {
                    relief.say_all(observer);
                    return Ok(self.report(&plan, &done, relief.said, results, (began, &gauge)));
                }
                // Another plan goes around the result that could not be read back.
                Err(End::Lost(recipe)) => drop(given.lost.insert(recipe)),
                Err(End::Fault(failed)) => {
                    let id = failed.step.map(|step| plan.steps[step].id.clone());
                    at_hand = self.ease(&plan, *failed, &mut relief, &mut grounds).map_err(|located| {
                        let located = flat.place(*located);
                        observer.see(&Event::Failed(&located));
                        located
                    })?;
                    given.made.extend(settle(&mut done, id.as_deref()));
                    given.machine = self.machine();
                    flat = expand(graph, &self.registry);
                    relief.apply(&mut flat);
                }
            }
            plan = self.plan_watched(&given, &grounds.host, &flat, wish, watched)?;
        }
    }

    /// Does what may help against a fault, so that the run goes on by another plan, maybe elsewhere; returns what is in its
    /// hands.
    fn ease(
        &self,
        plan: &Plan,
        failed: Failed,
        relief: &mut Relief,
        grounds: &mut Grounds<'_>,
    ) -> Result<Option<AtHand>, Box<Located>> {
        let Failed { located, step: Some(step), left } = failed else { return Err(Box::new(failed.located)) };
        let home = plan.steps[step].need.as_ref().map_or(grounds.host.device(), |need| need.device);
        match located.fault.remedy {
            Remedy::None => Err(Box::new(located)),
            Remedy::Less(shortage) => {
                let device = shortage.map_or(home, |shortage| shortage.on);
                if let Err(located) = relief.descend((plan, step), &grounds.host, Box::new(located), shortage) {
                    // The last rung of a card is the processor.
                    let other = grounds.fallback().filter(|other| device != Device::Cpu && other.device() != device);
                    let Some(other) = other else { return Err(located) };
                    relief.start_over(&plan.steps[step].id, other.numerics());
                    drop(left);
                    self.ledger.release_all_on(device);
                    grounds.stray(other);
                    return Ok(None);
                }
                self.ledger.release_all_on(device);
                // Results are kept in the processor's memory: to let go of them is of no use to a card.
                if device == Device::Cpu {
                    self.cache.let_go(&left.iter().map(|(recipe, _)| *recipe).collect());
                }
                Ok(Some(self.cache.at_hand(left)))
            }
            Remedy::Elsewhere => {
                let Some(other) = grounds.fallback() else { return Err(Box::new(located)) };
                relief.will_say(
                    &plan.steps[step].id,
                    format!("{}: went on with {} instead", located.fault.message, other.numerics()),
                );
                drop(left);
                self.ledger.release_all();
                if other.device() != home {
                    self.ledger.close(home);
                }
                self.fallen.store(true, Ordering::Relaxed);
                grounds.leave(other);
                Ok(None)
            }
        }
    }

    /// Notes what every node with a result was made of, and what fitted into memory.
    fn remember(&self, plan: &Plan, done: &Done, relief: &Relief, gauge: &Gauge<'_>) {
        let mut history = self.history();
        for step in plan.steps.iter().filter(|step| step.node.spec().lane != Lane::Value) {
            let ran = done.get(&step.id).filter(|through| through.recipe == step.recipe);
            let at_hand = matches!(step.action, Action::Take(_) | Action::Idle(Some(_)));
            let seconds = ran.filter(|through| through.how == How::Ran).map(|through| through.seconds);
            let known = || history.past(&step.id).is_some_and(|past| past.recipe == step.recipe);
            if (ran.is_some() || at_hand) && (seconds.is_some() || !known()) {
                let memory = ran.and_then(|_| gauge.measured(step));
                history.note(&step.id, Past { memory, ..past(step, &plan.numerics, seconds) });
            }
        }
        // A history that cannot be written costs answers, not pictures.
        let _ = history.save();
        let _ = self.host.files().save_memo();
        let mut fits = self.fits();
        relief.note(done, &mut fits, &self.ledger);
        let _ = fits.save();
    }

    fn report(
        &self,
        plan: &Plan,
        done: &Done,
        eased: Vec<Eased>,
        results: Results,
        (began, gauge): (Instant, &Gauge<'_>),
    ) -> Report {
        let node = |step: &Step| {
            let (how, seconds, why) = match (done.get(&step.id), &step.action) {
                (Some(Through { how, seconds, why, .. }), _) => (Some(*how), *seconds, why),
                (None, Action::Take(_) | Action::Idle(Some(_))) => (Some(How::Cached), 0.0, &step.why),
                (None, _) => (None, 0.0, &step.why),
            };
            let (kind, why) = (step.node.spec().id.to_owned(), why.to_string());
            let memory = if how == Some(How::Ran) { gauge.measured(step) } else { None };
            NodeReport { id: step.id.clone(), kind, how, why, seconds, memory }
        };
        let nodes = plan.steps.iter().filter(|step| step.node.spec().lane != Lane::Value).map(node).collect();
        let mut card_peaks = gauge.run_peaks();
        let peak_bytes = card_peaks.remove(&Device::Cpu).unwrap_or(0);
        Report { nodes, results, seconds: began.elapsed().as_secs_f64(), peak_bytes, card_peaks, eased }
    }

    fn fits(&self) -> MutexGuard<'_, Fits> {
        self.fits.lock().expect("no thread panics while it holds what fitted")
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("no thread panics while it holds the history")
    }
}

/// Takes what was done as done, but for the node that failed; returns the recipes that were carried out.
fn settle(done: &mut Done, failed: Option<&str>) -> Vec<Fingerprint> {
    failed.map(|failed| done.remove(failed));
    done.values_mut().for_each(|through| through.settled = true);
    done.values().filter(|through| through.how != How::Cached).map(|through| through.recipe).collect()
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
        memory: None,
    }
}
