//! One run of one plan: a loop on the calling thread that hands out work and takes in results.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::relief::Relief;
use crate::cache::{AtHand, Cache, Lease, Tier};
use crate::context::{Context, Surroundings};
use crate::fault::{Fault, Located, Remedy};
use crate::fingerprint::Fingerprint;
use crate::node::{Feed, Inputs};
use crate::observe::{Event, How};
use crate::plan::{Action, Plan, Step, StepInput, Why};
use crate::spec::{Input, Lane};
use crate::value::{Made, Value};

/// What became of each node that did something.
pub(super) type Done = HashMap<String, Through>;

/// How a node came by its result.
pub(super) struct Through {
    pub how: How,
    pub seconds: f64,
    pub recipe: Fingerprint,
    pub why: Why,
    /// Whether that was by an earlier plan of this run: taking the result again is no news.
    pub settled: bool,
}

/// What the wanted nodes made, by their ids.
pub(super) type Results = Vec<(String, Vec<Value>)>;

/// Why a run ended early.
pub(super) enum End {
    /// A cached result, of this recipe, could not be read back.
    Lost(Fingerprint),
    /// A node failed, or somebody asked to stop.
    Fault(Box<Failed>),
}

/// A fault in the middle of a run, and what was left in its hands.
pub(super) struct Failed {
    pub located: Located,
    /// The step that failed, if one did.
    pub step: Option<usize>,
    /// Results that somebody still waits for, if there is a remedy: of those on disk, none.
    pub left: Vec<(Fingerprint, Vec<Value>)>,
}

/// One run of one plan.
pub(super) struct Run<'a> {
    plan: &'a Plan,
    cache: &'a Cache,
    around: Surroundings<'a>,
    done: &'a mut Done,
    relief: &'a mut Relief,
    /// What each step has made, as long as somebody will read it.
    values: Vec<Vec<Value>>,
    /// Readers that have not run yet, by step.
    readers: Vec<usize>,
    /// Steps that each step still waits for.
    waiting: Vec<usize>,
    /// The steps that read each step's outputs, once for each wire.
    behind: Vec<Vec<usize>>,
    /// The steps that share each step's result.
    sharing: Vec<Vec<usize>>,
    /// The steps that have a result by now.
    through: Vec<bool>,
    ready: Ready,
    under_way: usize,
    /// Keeps what the plan counts on from being evicted.
    leases: Vec<Lease>,
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
    pub fn new(
        plan: &'a Plan,
        cache: &'a Cache,
        around: Surroundings<'a>,
        (done, relief): (&'a mut Done, &'a mut Relief),
    ) -> Self {
        let count = plan.steps.len();
        let mut run = Self {
            plan,
            cache,
            around,
            done,
            relief,
            values: vec![Vec::new(); count],
            readers: vec![0; count],
            waiting: vec![0; count],
            behind: vec![Vec::new(); count],
            sharing: vec![Vec::new(); count],
            through: vec![false; count],
            ready: Ready::default(),
            under_way: 0,
            leases: Vec::new(),
        };
        for (index, step) in plan.steps.iter().enumerate().filter(|(_, step)| acts(step)) {
            for from in sources(step) {
                run.readers[from] += 1;
                run.behind[from].push(index);
                run.waiting[index] += usize::from(acts(&plan.steps[from]));
            }
            if run.waiting[index] == 0 {
                run.make_ready(index);
            }
        }
        for (index, step) in plan.steps.iter().enumerate() {
            if let Action::Share(twin) = step.action {
                run.sharing[twin].push(index);
            }
        }
        plan.goals.iter().for_each(|goal| run.readers[plan.origin(*goal)] += 1);
        run
    }

    /// Runs to the end, and returns what the wanted nodes made. What an earlier plan of this run had in its hands is taken
    /// over first.
    pub fn run(mut self, at_hand: Option<AtHand>) -> Result<Results, End> {
        let (plan, cache, around) = (self.plan, self.cache, self.around);
        around.ledger.expect(HashMap::new());
        self.hold()?;
        drop(at_hand);
        let (tell, hear) = channel();
        let ended = rayon::in_place_scope(|scope| {
            let beside = |work: Work<'a>| scope.spawn(move |_| work(cache, around));
            let ended = self.drive(&tell, &hear, &beside);
            // Whatever is under way is waited for, and what it made is kept.
            while self.under_way > 0 {
                let outcome = hear.recv().expect("whoever is under way tells how it went");
                // The first fault is the one that is told.
                let _ = self.take_in(outcome, &beside);
            }
            ended
        });
        if let Err(End::Fault(mut failed)) = ended {
            if failed.located.fault.remedy != Remedy::None {
                failed.left = self.left();
            }
            return Err(End::Fault(failed));
        }
        ended?;
        let mut results = Vec::with_capacity(plan.goals.len());
        for goal in &plan.goals {
            let from = plan.origin(*goal);
            if self.values[from].is_empty() {
                self.values[from] = self.fetch(from)?;
            }
            results.push((plan.steps[*goal].id.clone(), self.values[from].clone()));
        }
        Ok(results)
    }

    /// Takes hold of what the plan counts on, so that nothing that is stored meanwhile pushes it out.
    fn hold(&mut self) -> Result<(), End> {
        for (index, step) in self.plan.steps.iter().enumerate() {
            match step.action {
                Action::Take(Tier::Memory) if self.readers[index] > 0 => self.values[index] = self.fetch(index)?,
                Action::Take(Tier::Disk) if self.readers[index] > 0 => {
                    self.leases.extend(self.cache.lease(step.recipe));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Results in memory that steps which are not through will read: those held for them, and those that a step under way
    /// has taken already.
    fn left(&self) -> Vec<(Fingerprint, Vec<Value>)> {
        let waiting = self.plan.steps.iter().enumerate().filter(|(index, step)| acts(step) && !self.through[*index]);
        let mut wanted: BTreeSet<_> = waiting.flat_map(|(_, step)| sources(step)).collect();
        wanted.extend((0..self.values.len()).filter(|index| !self.values[*index].is_empty()));
        let taken = |from: usize| {
            let recipe = self.plan.steps[from].recipe;
            let values = Some(self.values[from].clone()).filter(|values| !values.is_empty());
            Some((recipe, values.or_else(|| self.cache.recall(recipe))?))
        };
        wanted
            .into_iter()
            .filter(|from| !self.cache.is_on_disk(self.plan.steps[*from].recipe))
            .filter_map(taken)
            .collect()
    }

    /// Runs until nothing is left.
    fn drive(&mut self, tell: &Sender<Outcome>, hear: &Receiver<Outcome>, beside: &Beside<'a, '_>) -> Result<(), End> {
        loop {
            while let Ok(outcome) = hear.try_recv() {
                self.take_in(outcome, beside)?;
            }
            self.around.cancel.check().map_err(|fault| failed(fault.into(), None))?;
            let here = self.ready.compute.pop_first().or_else(|| self.lone_step());
            while let Some(step) = self.ready.beside.pop_first() {
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

    /// A step that could as well run here: nothing else is under way or ready, so this thread would only wait for it.
    fn lone_step(&mut self) -> Option<usize> {
        if self.under_way == 0 && self.ready.beside.len() == 1 { self.ready.beside.pop_first() } else { None }
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
                self.values[from] = self.fetch(from)?;
            }
        }
        let spec = step.node.spec();
        let feeds = step.inputs.iter().zip(&spec.inputs).map(|(input, declared)| self.feed(input, declared)).collect();
        for from in sources(step) {
            self.readers[from] -= 1;
            if self.readers[from] == 0 {
                self.values[from] = Vec::new();
            }
        }
        if spec.lane == Lane::Compute {
            self.around.ledger.reach(index);
        }
        Ok(Job { index, step, feeds })
    }

    fn feed(&self, input: &'a StepInput, declared: &'a Input) -> Feed<'a> {
        match input {
            StepInput::Literal(literal) => Feed::Literal(literal),
            StepInput::Default => {
                let default = declared.param.as_ref().and_then(|param| param.default.as_ref());
                default.map_or(Feed::Open, Feed::Literal)
            }
            StepInput::Value(value) => Feed::Value(value.clone()),
            StepInput::Step { step, output } => Feed::Value(self.values[*step][*output].clone()),
            StepInput::Open => Feed::Open,
        }
    }

    /// Takes a result out of the cache.
    fn fetch(&mut self, index: usize) -> Result<Vec<Value>, End> {
        let step = &self.plan.steps[index];
        let began = Instant::now();
        let values = self.load(step).ok_or(End::Lost(step.recipe))?;
        let settled = self.done.get(&step.id).is_some_and(|through| through.settled);
        if !settled {
            self.note(index, How::Cached, began.elapsed().as_secs_f64());
            self.still_there(index, &values);
        }
        self.expect_parts(index, &values);
        Ok(values)
    }

    fn load(&mut self, step: &Step) -> Option<Vec<Value>> {
        let outputs = &step.node.spec().outputs;
        self.cache.load(step.recipe, outputs).or_else(|| {
            // What is damaged is set aside only if nobody has a lease on it.
            self.leases.clear();
            self.cache.load(step.recipe, outputs)
        })
    }

    fn note(&mut self, index: usize, how: How, seconds: f64) {
        let Step { id: node, recipe, why, .. } = &self.plan.steps[index];
        self.relief.say(node, self.around.observer);
        let through = Through { how, seconds, recipe: *recipe, why: why.clone(), settled: false };
        self.done.insert(node.clone(), through);
        self.around.observer.see(&Event::Finished { node, how, seconds });
    }

    /// Tells of the files of an effect that need not be written again.
    fn still_there(&self, index: usize, values: &[Value]) {
        let node = &self.plan.steps[index].id;
        for path in values.iter().flat_map(Value::written) {
            self.around.observer.see(&Event::Wrote { node, path: &path, anew: false });
        }
    }

    fn take_in(&mut self, outcome: Outcome, beside: &Beside<'a, '_>) -> Result<(), End> {
        self.under_way -= 1;
        let Outcome { step: index, made, seconds } = outcome;
        let step = &self.plan.steps[index];
        let values = match made {
            Ok(values) => values,
            Err(fault) => return Err(failed(Located::at_node(fault, &step.id, step.node.spec().id), Some(index))),
        };
        self.through[index] = true;
        self.note(index, if step.action == Action::Open { How::Opened } else { How::Ran }, seconds);
        for twin in std::mem::take(&mut self.sharing[index]) {
            self.note(twin, How::Cached, 0.0);
            self.still_there(twin, &values);
        }
        self.expect_parts(index, &values);
        if self.readers[index] > 0 {
            self.values[index].clone_from(&values);
        }
        self.keep(step, values, seconds, beside);
        for reader in std::mem::take(&mut self.behind[index]) {
            self.waiting[reader] -= 1;
            if self.waiting[reader] == 0 {
                self.make_ready(reader);
            }
        }
        Ok(())
    }

    /// Puts a result into the cache: beside the compute lane if that may take long.
    fn keep(&self, step: &'a Step, values: Vec<Value>, seconds: f64, beside: &Beside<'a, '_>) {
        let store = move |cache: &Cache, around: Surroundings<'_>| {
            let stored = || cache.store(step.recipe, step.node.spec().id, &values, seconds);
            let warnings = catch_unwind(AssertUnwindSafe(stored))
                .unwrap_or_else(|panic| vec![format!("this result is not kept: {}", reason(panic.as_ref()))]);
            for text in warnings {
                around.observer.see(&Event::Warning { node: Some(&step.id), text: &text });
            }
            if let Some(checkpoints) = around.checkpoints.filter(|_| step.node.spec().lane == Lane::Compute) {
                checkpoints.forget(step.recipe);
            }
        };
        if self.cache.has_disk() { beside(Box::new(store)) } else { store(self.cache, self.around) }
    }

    /// Tells the ledger when the weights behind these values will be used.
    fn expect_parts(&self, index: usize, values: &[Value]) {
        for (output, part) in values.iter().enumerate().filter_map(|(output, value)| Some((output, value.part()?))) {
            let reads = |input: &StepInput| matches!(input, StepInput::Step { step, output: from } if (*step, *from) == (index, output));
            let readers = self.behind[index].iter().filter(|reader| self.plan.steps[**reader].inputs.iter().any(reads));
            self.around.ledger.expect_also(part, readers.copied());
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

fn failed(located: Located, step: Option<usize>) -> End {
    End::Fault(Box::new(Failed { located, step, left: Vec::new() }))
}

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
    /// Runs the node. A panic ends here: it is a fault like any other, and the thread that waits hears of it.
    fn work(self, around: Surroundings<'_>) -> Outcome {
        let (index, began) = (self.index, Instant::now());
        let made = catch_unwind(AssertUnwindSafe(|| self.make(around)));
        let made =
            made.unwrap_or_else(|panic| Err(Fault::bug(format!("this node broke off: {}", reason(panic.as_ref())))));
        Outcome { step: index, made, seconds: began.elapsed().as_secs_f64() }
    }

    fn make(self, around: Surroundings<'_>) -> Result<Vec<Value>, Fault> {
        let (step, spec) = (self.step, self.step.node.spec());
        around.observer.see(&Event::Started { node: &step.id, kind: spec.id });
        let inputs = Inputs::new(spec, around.host, self.feeds);
        named(step, step.node.run(inputs, &mut Context::new(around, &step.id, step.recipe))?)
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

/// What somebody said when they panicked.
fn reason(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason was given")
}
