//! Plans: what would happen, as data, before anything does. Pure: the same graph, registry and cache listing give the
//! same plan. `explain` prints it, an editor overlays it, the engine obeys it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

mod memory;
mod safe_mode;
mod twins;

use crate::cache::{Cache, Gone, Tier};
use crate::fault::{Fault, Faults};
use crate::files::{Files, Names};
use crate::fingerprint::Fingerprint;
use crate::graph::check::{Source, Wired, WiredNode};
use crate::graph::{Flat, Graph, Mode, expand};
use crate::history::{History, Measured, Past};
use crate::host::Host;
use crate::literal::Literal;
use crate::locks::{self, StandIn};
use crate::node::AnyNode;
use crate::registry::{Registry, nearest};
use crate::residency::Device;
use crate::spec::Lane;
use crate::survey::{Finding, Survey, survey};
use crate::types::{Cost, Type};
use crate::value::Value;

pub use memory::{Bounds, Leave, Load, Machine, Memory, Need, Part, Room, Verdict};
pub use safe_mode::SafeMode;

/// What is wanted of a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Goal {
    /// All effects, as saving a picture.
    #[default]
    Effects,
    /// One node, and what it needs; of a sub-graph, what its outputs need.
    Node(String),
}

/// How a plan is made.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// What is wanted.
    pub goal: Goal,
    /// Whether to run everything again, whatever the cache has.
    pub fresh: bool,
}

/// What would happen.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Every node that the goal could need, sources first.
    pub steps: Vec<Step>,
    /// The steps that are wanted.
    pub goals: Vec<usize>,
    /// The most bytes of the processor's memory that would be in use at once: weights, those that are kept for later
    /// included, values and scratch. [`Memory::bounds`] tells of cards.
    pub peak_bytes: u64,
    /// Whether all of it fits.
    pub memory: Memory,
    /// What the machine's arithmetic is called.
    pub numerics: String,
    /// What stands in for names of files, because it has the content that they are locked to.
    pub stand_ins: Vec<StandIn>,
    /// What became of sizes with which it cannot fit.
    pub safe_mode: SafeMode,
}

impl Plan {
    /// Returns the step that makes a step's result: itself, but where it shares another's.
    pub fn origin(&self, step: usize) -> usize {
        twins::origin(&self.steps, step)
    }
}

/// What would happen to one node.
#[derive(Clone)]
pub struct Step {
    /// The author's name for it.
    pub id: String,
    /// What stands behind its type.
    pub node: Arc<dyn AnyNode>,
    /// The name of its recipe.
    pub recipe: Fingerprint,
    /// What would be done.
    pub action: Action,
    /// Why.
    pub why: Why,
    /// What stands at each input.
    pub inputs: Vec<StepInput>,
    /// The names of what stands at the inputs, by the input's index.
    pub input_names: Vec<(usize, Fingerprint)>,
    /// What it makes.
    pub types: Vec<Type>,
    /// What it needs.
    pub cost: Cost,
    /// What it would find and leave in memory, if it would run.
    pub need: Option<Need>,
    /// Seconds it took last time, if it would run.
    pub seconds: Option<f64>,
    /// Memory that it took when it last ran.
    pub took: Option<Measured>,
    /// The text that a light value drew by a seed: what no reader of the file could know.
    pub drawn: Option<String>,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.id, self.action, self.why)
    }
}

/// What stands at an input of a step.
#[derive(Debug, Clone)]
pub enum StepInput {
    /// A literal.
    Literal(Literal),
    /// The default of the spec.
    Default,
    /// A light value.
    Value(Value),
    /// What another step makes.
    Step {
        /// The step.
        step: usize,
        /// The output.
        output: usize,
    },
    /// Nothing.
    Open,
}

/// What is done to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It runs.
    Run,
    /// Its result is taken from the cache.
    Take(Tier),
    /// A model is opened: free and lazy.
    Open,
    /// It waits for this step, which is made of the same and runs, and takes its result.
    Share(usize),
    /// Nothing: whatever would want it has its own result already.
    Idle(Option<Tier>),
}

/// Why a node runs or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Nothing changed.
    Same,
    /// It has not run before in this workflow.
    New,
    /// These inputs changed.
    Changed(Vec<String>),
    /// What another node makes changes.
    Follows(String),
    /// It became another node, or a newer version of it.
    Node,
    /// The arithmetic of the machine changed.
    Machine,
    /// It was asked for.
    Asked,
    /// Its result is no longer there.
    Gone(&'static str),
    /// What it did in the world no longer holds.
    Undone(String),
    /// This node is made of the same.
    SameAs(String),
    /// Something that runs needs it.
    Needed,
    /// Nothing that runs needs it.
    NotNeeded,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => write!(f, "nothing changed"),
            Self::New => write!(f, "new here"),
            Self::Changed(inputs) => {
                let inputs: Vec<_> = inputs.iter().map(|input| format!("`{input}`")).collect();
                write!(f, "{} changed", inputs.join(" and "))
            }
            Self::Follows(node) => write!(f, "follows `{node}`"),
            Self::Node => write!(f, "the node is another one"),
            Self::Machine => write!(f, "the machine computes differently"),
            Self::Asked => write!(f, "asked to run anew"),
            Self::Gone(what) => f.write_str(what),
            Self::Undone(what) => f.write_str(what),
            Self::SameAs(node) => write!(f, "same as `{node}`"),
            Self::Needed => write!(f, "needed"),
            Self::NotNeeded => write!(f, "not needed"),
        }
    }
}

/// Checks a graph: its structure, its literals, its locks, and the types and sizes on its wires. Returns what stands in for
/// locked files.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn check(graph: &Graph, registry: &Registry, host: &Host) -> Result<Vec<StandIn>, Faults> {
    let host = host.apart();
    let flat = expand(graph, registry);
    let (wired, mut faults) = flat.wire(host.files());
    locks::check(&flat.graph, &wired, &mut faults);
    let found = survey(&wired, &wired.order, &host, &host.files().named(Names::Provisional), &mut faults);
    flat.in_file_order(faults).or(found.stand_ins)
}

/// Makes a plan for a machine with as much memory as it takes.
///
/// # Errors
/// Everything that is wrong with the graph, at once.
pub fn plan(
    graph: &Graph,
    registry: &Registry,
    host: &Host,
    cache: &Cache,
    history: &History,
    wish: &Wish,
) -> Result<Plan, Faults> {
    let host = &host.apart();
    let given = Given::of(host, Machine::default());
    plan_given(&given, &expand(graph, registry), host, cache, history, wish)
}

/// What a plan takes for granted.
pub(crate) struct Given {
    /// Recipes whose results are listed and could not be read: they are not counted on.
    pub lost: HashSet<Fingerprint>,
    /// Recipes that this run has carried out: their results are taken even if all is wanted anew.
    pub made: HashSet<Fingerprint>,
    /// The host's files, and how they are named.
    pub files: Files,
    /// The memory there is.
    pub machine: Machine,
}

impl Given {
    /// Nothing is lost, and files are named by their content.
    pub fn of(host: &Host, machine: Machine) -> Self {
        Self { lost: HashSet::new(), made: HashSet::new(), files: host.files().clone(), machine }
    }
}

/// Makes a plan.
///
/// # Errors
/// The same as of [`plan`].
pub(crate) fn plan_given(
    given: &Given,
    flat: &Flat<'_>,
    host: &Host,
    cache: &Cache,
    history: &History,
    wish: &Wish,
) -> Result<Plan, Faults> {
    let (wired, mut faults) = flat.wire(host.files());
    let goals = goals(&wired, flat, wish, &mut faults);
    let found = survey(&wired, &goals, host, &given.files, &mut faults);
    locks::check(&flat.graph, &wired, &mut faults);
    if faults.0.is_empty() && goals.iter().all(|goal| found.findings[*goal].is_none()) {
        faults.push(Fault::graph("all that is wanted waits for a muted node").hint("make that node active"));
    }
    flat.in_file_order(faults).or(())?;
    Ok(Planner { wired: &wired, found: &found, host, cache, history, wish, given }.plan(&goals))
}

fn goals(wired: &Wired<'_>, flat: &Flat<'_>, wish: &Wish, faults: &mut Faults) -> Vec<usize> {
    let Goal::Node(id) = &wish.goal else {
        let is_effect = |node: &WiredNode<'_>| node.spec().effect && node.entry.mode == Mode::Active;
        let effects: Vec<_> =
            (0..wired.nodes.len()).filter(|index| wired.nodes[*index].as_ref().is_some_and(is_effect)).collect();
        if effects.is_empty() && faults.0.is_empty() {
            faults.push(
                Fault::graph("nothing in this graph has an effect")
                    .hint("add a `save_image`, or name a node with --to"),
            );
        }
        return effects;
    };
    match flat.goals(id) {
        Some(goals) => goals,
        None => {
            let fault = Fault::graph(format!("there is no node `{id}` in this graph"));
            faults.push(match nearest(id, flat.ids()) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault,
            });
            Vec::new()
        }
    }
}

struct Planner<'a, 'g> {
    wired: &'a Wired<'g>,
    found: &'a Survey,
    host: &'a Host,
    cache: &'a Cache,
    history: &'a History,
    wish: &'a Wish,
    given: &'a Given,
}

impl<'g> Planner<'_, 'g> {
    fn plan(&self, goals: &[usize]) -> Plan {
        // Routes and bypassed nodes are gone from here on: their readers read the origin.
        let order: Vec<_> =
            self.found.order.iter().copied().filter(|index| self.finding(*index).alias.is_none()).collect();
        let mut step_of = vec![usize::MAX; self.wired.nodes.len()];
        order.iter().enumerate().for_each(|(step, index)| step_of[*index] = step);
        let goals: Vec<_> = goals
            .iter()
            .filter(|goal| self.found.findings[**goal].is_some())
            .map(|goal| step_of[self.found.origin(*goal, 0).0])
            .collect();
        let mut steps: Vec<_> = order.iter().map(|index| self.step(*index, &step_of)).collect();
        self.decide(&mut steps, &goals);
        self.explain(&mut steps);
        twins::join(&mut steps);
        let memory = memory::foresee(&mut steps, &goals, &self.given.machine, self.host.device());
        let peak_bytes = memory.bounds(Device::Cpu).peak;
        let (numerics, stand_ins) = (self.host.numerics().to_owned(), self.found.stand_ins.clone());
        Plan { steps, goals, peak_bytes, memory, numerics, stand_ins, safe_mode: SafeMode::Unneeded }
    }

    fn finding(&self, index: usize) -> &Finding {
        self.found.findings[index].as_ref().expect("the order holds what was found")
    }

    fn step(&self, index: usize, step_of: &[usize]) -> Step {
        let node = self.wired.nodes[index].as_ref().expect("a finding is of a node");
        let finding = self.finding(index);
        let input = |source: &Source<'g>| match *source {
            Source::Literal(literal) => StepInput::Literal(literal.clone()),
            Source::Default => StepInput::Default,
            Source::Link { node, output } => {
                let (node, output) = self.found.origin(node, output);
                match &self.finding(node).values {
                    Some(values) => StepInput::Value(values[output].clone()),
                    None => StepInput::Step { step: step_of[node], output },
                }
            }
            Source::Open | Source::Broken => StepInput::Open,
        };
        Step {
            id: node.id.to_owned(),
            node: Arc::clone(&node.node),
            recipe: finding.recipe,
            action: Action::Idle(None),
            why: Why::NotNeeded,
            inputs: node.inputs.iter().map(input).collect(),
            input_names: finding.inputs.clone(),
            types: finding.types.clone(),
            cost: finding.cost,
            need: None,
            seconds: None,
            took: None,
            drawn: drawn(node, finding),
        }
    }

    /// Decides from the goals back: what is at hand is taken, and what only it would need stays idle.
    fn decide(&self, steps: &mut [Step], goals: &[usize]) {
        let twins = twins::find(steps);
        let mut wanted = vec![false; steps.len()];
        goals.iter().for_each(|goal| wanted[*goal] = true);
        for index in (0..steps.len()).rev() {
            let step = &mut steps[index];
            let lane = step.node.spec().lane;
            let hopeless = lane == Lane::Value || self.given.lost.contains(&step.recipe);
            let tier = if hopeless { None } else { self.cache.find(step.recipe) };
            if !wanted[index] {
                step.action = Action::Idle(tier);
                continue;
            }
            (step.action, step.why) = self.act(step, tier);
            if let (Action::Run, Some(twin)) = (&step.action, twins[index]) {
                (steps[index].action, steps[index].why) = (Action::Share(twin), Why::SameAs(steps[twin].id.clone()));
                wanted[twin] = true;
                continue;
            }
            if step.action == Action::Run || step.action == Action::Open {
                step.inputs.iter().for_each(|input| {
                    if let StepInput::Step { step, .. } = input {
                        wanted[*step] = true;
                    }
                });
            }
        }
    }

    fn act(&self, step: &Step, tier: Option<Tier>) -> (Action, Why) {
        let spec = step.node.spec();
        let fresh = self.wish.fresh && !self.given.made.contains(&step.recipe);
        let tier = match tier {
            Some(tier) if !fresh => tier,
            _ if spec.lane == Lane::Open => return (Action::Open, Why::Needed),
            _ if self.wish.fresh => return (Action::Run, Why::Asked),
            _ => return (Action::Run, Why::Needed),
        };
        if spec.effect {
            match self.cache.load(step.recipe, &spec.outputs) {
                Some(values) => {
                    if let Some(what) = values.iter().find_map(|value| value.holds(self.host.files()).err()) {
                        return (Action::Run, Why::Undone(what));
                    }
                }
                None => return (Action::Run, self.gone(step.recipe)),
            }
        }
        (Action::Take(tier), Why::Same)
    }

    /// Why a result that was once there is there no more.
    fn gone(&self, recipe: Fingerprint) -> Why {
        Why::Gone(match self.cache.why_gone(recipe) {
            Gone::EvictedForRoom => "its result was let go: the cache was full",
            Gone::Damaged => "its result was damaged",
            Gone::Cleared => "the cache was cleared",
            Gone::Never if self.given.lost.contains(&recipe) => "its result could not be read",
            Gone::Never => "its result is no longer in the cache",
        })
    }

    /// Finds out why each node that runs does so.
    fn explain(&self, steps: &mut [Step]) {
        for index in 0..steps.len() {
            let past = self.history.past(&steps[index].id);
            steps[index].took = past.and_then(|past| past.memory);
            if matches!(steps[index].action, Action::Run) {
                steps[index].seconds = past.and_then(|past| past.seconds);
            }
            if steps[index].action == Action::Run && steps[index].why == Why::Needed {
                steps[index].why = self.why(&steps[index], past, steps);
            }
        }
    }

    fn why(&self, step: &Step, past: Option<&Past>, steps: &[Step]) -> Why {
        let spec = step.node.spec();
        let Some(past) = past else { return Why::New };
        if past.recipe == step.recipe {
            return self.gone(step.recipe);
        }
        if past.kind != spec.id || past.version != spec.version {
            return Why::Node;
        }
        if spec.lane == Lane::Compute && past.numerics != self.host.numerics() {
            return Why::Machine;
        }
        let before = |name: &str| past.inputs.iter().find(|(input, _)| input == name).map(|(_, name)| *name);
        let now = |name: &str| {
            step.input_names.iter().find(|(index, _)| spec.inputs[*index].name == name).map(|(_, name)| *name)
        };
        let changed = spec.inputs.iter().enumerate().filter(|(_, input)| before(input.name) != now(input.name));
        let (wires, own): (Vec<_>, Vec<_>) =
            changed.partition(|(index, _)| matches!(step.inputs[*index], StepInput::Step { .. }));
        match (own.is_empty(), wires.first()) {
            (true, Some((index, _))) => match step.inputs[*index] {
                StepInput::Step { step, .. } => Why::Follows(steps[step].id.clone()),
                _ => Why::Needed,
            },
            (true, None) => Why::Gone("its output folder changed"),
            (false, _) => Why::Changed(own.iter().map(|(_, input)| input.name.to_owned()).collect()),
        }
    }
}

/// The text that a light value drew by a seed.
fn drawn(node: &WiredNode<'_>, finding: &Finding) -> Option<String> {
    let seeded = node.spec().inputs.iter().filter_map(|input| input.param.as_ref()).any(|param| param.seed);
    match finding.values.as_ref().filter(|_| seeded)?.first()?.literal()? {
        Literal::Text(text) => Some(text),
        _ => None,
    }
}
