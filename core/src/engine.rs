//! THE run loop: it obeys a plan.
//!
//! Compute nodes run one after another on the calling thread, which is their lane. Light nodes, files and models run
//! beside it on rayon. A value is dropped after its last reader; results go into the cache as they come, so that
//! whatever was done before a fault, a cancel or a kill is there next time.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::cache::Cache;
use crate::context::{Context, Surroundings};
use crate::fault::{Fault, Faults, Located};
use crate::graph::Graph;
use crate::history::{History, Past};
use crate::host::Host;
use crate::node::{Feed, Inputs};
use crate::observe::{Cancel, Event, How, Observer};
use crate::plan::{Action, Plan, Step, StepInput, Wish, plan};
use crate::registry::Registry;
use crate::residency::Ledger;
use crate::spec::Lane;
use crate::value::{Made, Value};

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
        plan(graph, &self.registry, &self.host, &self.cache, &self.history(), wish)
    }

    /// Plans and runs.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, or the fault that ended the run with its node.
    pub fn run(&self, graph: &Graph, wish: &Wish, observer: &dyn Observer, cancel: &Cancel) -> Result<Report, Faults> {
        let began = Instant::now();
        let workflow = crate::graph::write(graph);
        let mut wish = wish.clone();
        let mut done = HashMap::new();
        loop {
            let plan = self.plan(graph, &wish)?;
            if done.is_empty() {
                observer.see(&Event::Planned(&plan));
            }
            let around = Surroundings {
                observer,
                cancel,
                ledger: &self.ledger,
                host: &self.host,
                checkpoints: self.cache.checkpoints(),
                workflow: &workflow,
            };
            let ended = Run::new(&plan, &self.cache, around, &mut done).run();
            self.remember(&plan, &done);
            match ended {
                Ok(results) => return Ok(self.report(&plan, done, results, began)),
                // A cached result that could not be read back is gone from the cache by now: plan again around it.
                Err(End::Lost) => wish.fresh = false,
                Err(End::Fault(located)) => {
                    observer.see(&Event::Failed(&located));
                    return Err((*located).into());
                }
            }
        }
    }

    /// Notes what every node with a result was made of.
    fn remember(&self, plan: &Plan, done: &Done) {
        let mut history = self.history();
        for step in plan.steps.iter().filter(|step| step.node.spec().lane != Lane::Value) {
            let ran = done.get(&step.id);
            if ran.is_none() && step.action == Action::Idle(None) {
                continue;
            }
            if ran.is_none() && matches!(step.action, Action::Run | Action::Open) {
                continue;
            }
            let spec = step.node.spec();
            let inputs = step.input_names.iter().map(|(index, name)| (spec.inputs[*index].name.to_owned(), *name));
            let past = Past {
                recipe: step.recipe,
                kind: spec.id.to_owned(),
                version: spec.version,
                numerics: plan.numerics.clone(),
                inputs: inputs.collect(),
                seconds: ran.filter(|(how, _)| *how == How::Ran).map(|(_, seconds)| *seconds),
            };
            history.note(&step.id, past);
        }
        // A history that cannot be written costs answers, not pictures.
        let _ = history.save();
        let _ = self.host.files().save_memo();
    }

    fn report(&self, plan: &Plan, done: Done, results: Vec<(String, Vec<Value>)>, began: Instant) -> Report {
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

/// How each node that did something came by its result, and in how many seconds.
type Done = HashMap<String, (How, f64)>;

/// Why a run ended early.
enum End {
    /// A cached result could not be read back.
    Lost,
    /// A node failed, or somebody asked to stop.
    Fault(Box<Located>),
}

/// One run of one plan.
struct Run<'a> {
    plan: &'a Plan,
    cache: &'a Cache,
    around: Surroundings<'a>,
    done: &'a mut Done,
    /// What each step has made, as long as somebody will read it.
    values: Vec<Vec<Option<Value>>>,
    /// Readers that have not run yet, by step.
    readers: Vec<usize>,
    /// Steps that each step still waits for.
    waiting: Vec<usize>,
    /// The steps that read each step's outputs.
    behind: Vec<Vec<usize>>,
    ready: Ready,
    under_way: usize,
}

/// Steps that wait for nothing any more, in the plan's order.
#[derive(Default)]
struct Ready {
    compute: BTreeSet<usize>,
    beside: BTreeSet<usize>,
}

/// What a step came to.
struct Outcome {
    step: usize,
    made: Result<Vec<Value>, Fault>,
    seconds: f64,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, cache: &'a Cache, around: Surroundings<'a>, done: &'a mut Done) -> Self {
        let count = plan.steps.len();
        let mut run = Self {
            plan,
            cache,
            around,
            done,
            values: vec![Vec::new(); count],
            readers: vec![0; count],
            waiting: vec![0; count],
            behind: vec![Vec::new(); count],
            ready: Ready::default(),
            under_way: 0,
        };
        for (index, step) in plan.steps.iter().enumerate().filter(|(_, step)| acts(step)) {
            for from in sources(step) {
                run.readers[from] += 1;
                if acts(&plan.steps[from]) {
                    run.waiting[index] += 1;
                    run.behind[from].push(index);
                }
            }
            if run.waiting[index] == 0 {
                run.make_ready(index);
            }
        }
        plan.goals.iter().for_each(|goal| run.readers[*goal] += 1);
        run
    }

    fn run(mut self) -> Result<Vec<(String, Vec<Value>)>, End> {
        let (plan, cache, around) = (self.plan, self.cache, self.around);
        let (tell, hear) = channel();
        rayon::in_place_scope(|scope| {
            let ended = self.drive(&tell, &hear, &|work: Work<'a>| scope.spawn(move |_| work(cache, around)));
            // Whatever is under way is waited for, and what it made is kept.
            while self.under_way > 0 {
                if let Ok(outcome) = hear.recv() {
                    let _ = self.take_in(outcome, &|work: Work<'a>| scope.spawn(move |_| work(cache, around)));
                }
            }
            ended
        })?;
        let mut results = Vec::with_capacity(plan.goals.len());
        for goal in &plan.goals {
            let values = std::mem::take(&mut self.values[*goal]);
            let values = if values.is_empty() { self.fetch(*goal)? } else { values.into_iter().flatten().collect() };
            results.push((plan.steps[*goal].id.clone(), values));
        }
        Ok(results)
    }

    /// Runs until nothing is left.
    fn drive(&mut self, tell: &Sender<Outcome>, hear: &Receiver<Outcome>, beside: &Beside<'a, '_>) -> Result<(), End> {
        loop {
            while let Ok(outcome) = hear.try_recv() {
                self.take_in(outcome, beside)?;
            }
            self.around.cancel.check().map_err(|fault| End::Fault(Box::new(fault.into())))?;
            let here = self.ready.compute.pop_first().or_else(|| {
                // With nothing to compute, this thread takes one of the others itself.
                self.ready.beside.pop_first()
            });
            while here.is_some()
                && let Some(step) = self.ready.beside.pop_first()
            {
                self.send_beside(step, tell, beside)?;
            }
            match here {
                Some(step) => {
                    let job = self.job(step)?;
                    self.under_way += 1;
                    let outcome = job.work(self.around);
                    self.take_in(outcome, beside)?;
                }
                None if self.under_way == 0 => return Ok(()),
                None => {
                    let outcome = hear.recv().expect("whoever is under way tells how it went");
                    self.take_in(outcome, beside)?;
                }
            }
        }
    }

    fn send_beside(&mut self, step: usize, tell: &Sender<Outcome>, beside: &Beside<'a, '_>) -> Result<(), End> {
        let (job, tell) = (self.job(step)?, tell.clone());
        self.under_way += 1;
        beside(Box::new(move |_, around| {
            // If nobody hears it any more, the run has ended.
            let _ = tell.send(job.work(around));
        }));
        Ok(())
    }

    /// Gathers what a step reads, and lets go of what it was the last to read.
    fn job(&mut self, index: usize) -> Result<Job<'a>, End> {
        let step = &self.plan.steps[index];
        for from in sources(step) {
            if self.values[from].is_empty() {
                self.values[from] = self.fetch(from)?.into_iter().map(Some).collect();
            }
        }
        let spec = step.node.spec();
        let feed = |(input, declared): (&'a StepInput, &'a crate::spec::Input)| match input {
            StepInput::Literal(literal) => Feed::Literal(literal),
            StepInput::Default => match declared.param.as_ref().and_then(|param| param.default.as_ref()) {
                Some(default) => Feed::Literal(default),
                None => Feed::Open,
            },
            StepInput::Value(value) => Feed::Value(value.clone()),
            StepInput::Step { step, output } => {
                self.values[*step].get(*output).cloned().flatten().map_or(Feed::Open, Feed::Value)
            }
            StepInput::Open => Feed::Open,
        };
        let feeds = step.inputs.iter().zip(&spec.inputs).map(feed).collect();
        for from in sources(step) {
            self.readers[from] -= 1;
            if self.readers[from] == 0 {
                self.values[from].clear();
            }
        }
        self.around.ledger.reach(index);
        Ok(Job { index, step, feeds })
    }

    /// Takes a result out of the cache.
    fn fetch(&mut self, index: usize) -> Result<Vec<Value>, End> {
        let step = &self.plan.steps[index];
        let began = Instant::now();
        let values = self.cache.load(step.recipe, &step.node.spec().outputs).ok_or(End::Lost)?;
        let seconds = began.elapsed().as_secs_f64();
        self.done.insert(step.id.clone(), (How::Cached, seconds));
        self.around.observer.see(&Event::Finished { node: &step.id, how: How::Cached, seconds });
        self.expect_parts(index, &values);
        Ok(values)
    }

    fn take_in(&mut self, outcome: Outcome, beside: &Beside<'a, '_>) -> Result<(), End> {
        self.under_way -= 1;
        let Outcome { step: index, made, seconds } = outcome;
        let step = &self.plan.steps[index];
        let values = match made {
            Ok(values) => values,
            Err(fault) => return Err(End::Fault(Box::new(Located::at_node(fault, &step.id, step.node.spec().id)))),
        };
        let how = if step.action == Action::Open { How::Opened } else { How::Ran };
        self.done.insert(step.id.clone(), (how, seconds));
        self.around.observer.see(&Event::Finished { node: &step.id, how, seconds });
        self.expect_parts(index, &values);
        self.keep(step, values.clone(), seconds, beside);
        if self.readers[index] > 0 {
            self.values[index] = values.into_iter().map(Some).collect();
        }
        for reader in std::mem::take(&mut self.behind[index]) {
            self.waiting[reader] -= 1;
            if self.waiting[reader] == 0 {
                self.make_ready(reader);
            }
        }
        Ok(())
    }

    /// Puts a result into the cache, beside the compute lane: a disk may be slow.
    fn keep(&self, step: &'a Step, values: Vec<Value>, seconds: f64, beside: &Beside<'a, '_>) {
        let store = move |cache: &Cache, around: Surroundings<'_>| {
            for text in cache.store(step.recipe, step.node.spec().id, &values, seconds) {
                around.observer.see(&Event::Warning { node: Some(&step.id), text: &text });
            }
            if let Some(checkpoints) = around.checkpoints.filter(|_| step.node.spec().lane == Lane::Compute) {
                checkpoints.forget(step.recipe);
            }
        };
        beside(Box::new(store));
    }

    /// Tells the ledger when the weights behind these values will be used.
    fn expect_parts(&self, index: usize, values: &[Value]) {
        for (output, part) in values.iter().enumerate().filter_map(|(output, value)| Some((output, value.part()?))) {
            let reads = |step: &Step| {
                step.inputs.iter().any(|input| matches!(input, StepInput::Step { step, output: from } if (*step, *from) == (index, output)))
            };
            let uses = self.plan.steps.iter().enumerate().filter(|(_, step)| acts(step) && reads(step));
            self.around.ledger.expect_also(part, uses.map(|(index, _)| index).collect());
        }
    }

    fn make_ready(&mut self, index: usize) {
        match self.plan.steps[index].node.spec().lane {
            Lane::Compute => self.ready.compute.insert(index),
            _ => self.ready.beside.insert(index),
        };
    }
}

/// Work for another thread.
type Work<'a> = Box<dyn FnOnce(&Cache, Surroundings<'_>) + Send + 'a>;

/// Hands work to another thread.
type Beside<'a, 'b> = dyn Fn(Work<'a>) + 'b;

fn acts(step: &Step) -> bool {
    matches!(step.action, Action::Run | Action::Open)
}

fn sources(step: &Step) -> impl Iterator<Item = usize> {
    step.inputs.iter().filter_map(|input| match input {
        StepInput::Step { step, .. } => Some(*step),
        _ => None,
    })
}

/// A step with all that it reads.
struct Job<'a> {
    index: usize,
    step: &'a Step,
    feeds: Vec<Feed<'a>>,
}

impl Job<'_> {
    fn work(self, around: Surroundings<'_>) -> Outcome {
        let (step, spec) = (self.step, self.step.node.spec());
        around.observer.see(&Event::Started { node: &step.id, kind: spec.id });
        let began = Instant::now();
        let inputs = Inputs::new(spec, around.host, self.feeds);
        let mut context = Context::new(around, &step.id, step.recipe);
        let made = catch_unwind(AssertUnwindSafe(|| step.node.run(inputs, &mut context)));
        let made = made.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))).and_then(|made| named(step, made));
        Outcome { step: self.index, made, seconds: began.elapsed().as_secs_f64() }
    }
}

/// Names what a node made, if all its numbers are finite.
fn named(step: &Step, made: Vec<Made>) -> Result<Vec<Value>, Fault> {
    if let Some(flaw) = made.iter().find_map(Made::flaw) {
        return Err(
            Fault::numbers(flaw).hint("try another precision, fewer extremes in guidance, or check the model's files")
        );
    }
    Ok(made.into_iter().enumerate().map(|(index, made)| made.named(step.recipe.output(index))).collect())
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    Fault::bug(format!("this node broke off: {}", text.unwrap_or_else(|| "no reason was given".to_owned())))
}
