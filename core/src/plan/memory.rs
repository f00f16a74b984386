//! The memory half of a plan: what comes, stays and goes at each step, and whether all of it fits.
//!
//! The walk goes through the steps in the order in which they run, and grants room by the rule by which the account of
//! memory will: see [`room`](crate::residency::room). A part is told apart by the output that it was opened at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::{Action, Step, StepInput};
use crate::residency::gibibytes;
use crate::residency::room::{Ask, Idle, make_room, may_stay};

/// The memory that a machine has for weights and scratch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Bytes; `u64::MAX` for as many as it takes.
    pub ram: u64,
}

impl Default for Machine {
    fn default() -> Self {
        Self { ram: u64::MAX }
    }
}

/// Weights, as a plan tells them apart: by the step and the output that they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part {
    /// The step.
    pub step: usize,
    /// Its output; `None` for weights that come by no wire.
    pub output: Option<usize>,
}

/// What a step that runs finds and leaves in memory, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Need {
    /// All weights that it uses.
    pub weights: u64,
    /// The least of them that must be in memory.
    pub least: u64,
    /// Those of them that are in memory: the rest is read from its file at each use.
    pub granted: u64,
    /// Scratch memory.
    pub workspace: u64,
    /// Values that some step has yet to read, what it makes itself included.
    pub live: u64,
    /// Most that is in memory at once while it runs: all of that, and the weights that are kept for later.
    pub peak: u64,
    /// The parts that come.
    pub loads: Vec<Load>,
    /// The parts that go to make room.
    pub lets_go: Vec<Leave>,
}

/// A part that comes into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// The part.
    pub part: Part,
    /// Its bytes that come.
    pub bytes: u64,
    /// Its bytes in all.
    pub of: u64,
}

/// A part that goes out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// The part.
    pub part: Part,
    /// Its bytes that go.
    pub bytes: u64,
    /// The step that uses it next; `None` if nobody does.
    pub next_use: Option<usize>,
}

/// Whether a plan fits, and with how much memory it would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// The memory that it was made for.
    pub machine: Machine,
    /// The least bytes with which it fits.
    pub least: u64,
    /// The bytes with which no part would be kept only in part.
    pub whole: u64,
    /// Whether it fits.
    pub verdict: Verdict,
}

/// Whether a plan fits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    #[default]
    Whole,
    /// It does, with so many parts kept only in part.
    Streamed {
        /// How many.
        parts: usize,
    },
    /// It does not.
    Short {
        /// The first step at which it does not.
        node: String,
        /// What needs most there.
        what: String,
        /// The least bytes of it.
        needs: u64,
        /// The least bytes of all else at that step.
        beside: u64,
        /// Bytes that are missing there.
        missing: u64,
    },
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ram = gibibytes(self.machine.ram);
        match &self.verdict {
            Verdict::Whole => write!(f, "it fits in {ram}"),
            Verdict::Streamed { parts } => {
                let (are, their) = if *parts == 1 { ("part is", "its file") } else { ("parts are", "their files") };
                let whole = gibibytes(self.whole);
                write!(f, "it fits in {ram}: {parts} {are} kept only in part and read from {their} at each use")?;
                write!(f, "; {whole} would hold all of it")
            }
            Verdict::Short { node, what, needs, beside, missing } => {
                let needs = gibibytes(*needs);
                let beside = if *beside == 0 { String::new() } else { format!(" and {} beside", gibibytes(*beside)) };
                write!(f, "it does not fit in {ram}: at `{node}` {what} needs {needs}{beside}")?;
                write!(f, ", {} more than there is", gibibytes(*missing))
            }
        }
    }
}

impl super::Plan {
    /// Returns what a person calls a part, as "denoiser of `model`".
    pub fn part_title(&self, part: Part) -> String {
        title(&self.steps, part)
    }
}

fn title(steps: &[Step], Part { step, output }: Part) -> String {
    let step = &steps[step];
    let kind = output.map_or("weights", |output| step.types[output].kind.0);
    format!("{kind} of `{}`", step.id)
}

/// Walks through a run, notes what every step that runs needs, and says whether all of it fits.
pub(super) fn foresee(steps: &mut [Step], goals: &[usize], machine: Machine) -> Memory {
    let live = live(steps, goals);
    let runs: Vec<_> = (0..steps.len()).filter(|index| steps[*index].action == Action::Run).collect();
    let wanted: Vec<_> = runs.iter().map(|index| wanted(steps, *index)).collect();
    let mut account = Account { machine, sitting: BTreeMap::new(), uses: HashMap::new(), clock: 0 };
    for (index, wanted) in runs.iter().zip(&wanted) {
        wanted.iter().for_each(|want| account.uses.entry(want.part).or_default().push(*index));
    }
    let mut memory = Memory { machine, ..Memory::default() };
    let mut in_part = BTreeSet::new();
    for (index, wanted) in runs.into_iter().zip(wanted) {
        let workspace = steps[index].cost.workspace;
        let least = wanted.iter().map(|want| want.least).sum::<u64>() + workspace;
        memory.least = memory.least.max(least);
        memory.whole = memory.whole.max(wanted.iter().map(|want| want.whole).sum::<u64>() + workspace);
        if least > machine.ram && memory.verdict == Verdict::Whole {
            memory.verdict = short(steps, index, &wanted, machine);
        }
        let mut need = account.run(index, workspace, &wanted);
        in_part.extend(need.loads.iter().filter(|load| load.bytes < load.of).map(|load| load.part));
        need.live = live[index];
        need.peak += need.live;
        steps[index].need = Some(need);
    }
    if memory.verdict == Verdict::Whole && !in_part.is_empty() {
        memory.verdict = Verdict::Streamed { parts: in_part.len() };
    }
    memory
}

/// Weights that a step uses.
#[derive(Clone, Copy)]
struct Want {
    part: Part,
    whole: u64,
    least: u64,
}

/// The parts that a step uses: the models that come in by wire, as far as it says that it needs their weights, and what
/// it says beyond that.
fn wanted(steps: &[Step], index: usize) -> Vec<Want> {
    let cost = steps[index].cost;
    let (mut left, mut least_left) = (cost.weights, cost.least());
    let mut wanted: Vec<Want> = Vec::new();
    for input in steps[index].inputs.iter().filter(|_| cost.weights > 0) {
        let StepInput::Step { step, output } = *input else { continue };
        let (part, ty) = (Part { step, output: Some(output) }, &steps[step].types[output]);
        let whole = ty.weights.unwrap_or(0);
        if whole > 0 && whole <= left && wanted.iter().all(|want| want.part != part) {
            left -= whole;
            least_left = least_left.saturating_sub(ty.least());
            wanted.push(Want { part, whole, least: ty.least() });
        }
    }
    if left > 0 {
        wanted.push(Want { part: Part { step: index, output: None }, whole: left, least: least_left.min(left) });
    }
    wanted
}

/// Says what does not fit at a step: what needs most of it.
fn short(steps: &[Step], index: usize, wanted: &[Want], machine: Machine) -> Verdict {
    let workspace = steps[index].cost.workspace;
    let least = wanted.iter().map(|want| want.least).sum::<u64>() + workspace;
    let largest = wanted.iter().max_by_key(|want| want.least).filter(|want| want.least >= workspace);
    let (what, needs) = match largest {
        Some(want) => (format!("the {}", title(steps, want.part)), want.least),
        None => ("scratch memory".to_owned(), workspace),
    };
    let node = steps[index].id.clone();
    Verdict::Short { node, what, needs, beside: least - needs, missing: least - machine.ram }
}

/// The bytes of values in memory at each step: each value from its making to its last use, those that are wanted to the
/// end.
fn live(steps: &[Step], goals: &[usize]) -> Vec<u64> {
    let mut last_use: Vec<_> = (0..steps.len()).collect();
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.action == Action::Run) {
        for input in &step.inputs {
            if let StepInput::Step { step, .. } = input {
                last_use[*step] = last_use[*step].max(index);
            }
        }
    }
    goals.iter().for_each(|goal| last_use[super::twins::origin(steps, *goal)] = steps.len());
    let mut ends = vec![0; steps.len() + 1];
    let (mut live, mut all) = (0_u64, Vec::with_capacity(steps.len()));
    for (index, step) in steps.iter().enumerate() {
        if matches!(step.action, Action::Run | Action::Take(_)) {
            live += step.cost.output;
            ends[last_use[index]] += step.cost.output;
        }
        all.push(live);
        live -= ends[index];
    }
    all
}

/// The account of memory, as it will be.
struct Account {
    machine: Machine,
    sitting: BTreeMap<Part, Sits>,
    /// The steps at which each part is used, ascending.
    uses: HashMap<Part, Vec<usize>>,
    clock: u64,
}

#[derive(Clone, Copy)]
struct Sits {
    bytes: u64,
    used_at: u64,
    /// Whether the running step holds it.
    held: bool,
}

impl Account {
    /// Runs a step: it reserves its scratch memory, and then takes its parts in turn.
    fn run(&mut self, index: usize, workspace: u64, wanted: &[Want]) -> Need {
        let (weights, least) = wanted.iter().fold((0, 0), |sum, want| (sum.0 + want.whole, sum.1 + want.least));
        let mut need = Need { weights, least, workspace, ..Need::default() };
        // Scratch memory is reserved first, while nothing is held.
        self.grant(Ask::exactly(workspace), 0, index, &mut need);
        need.peak = self.used(workspace);
        for (nth, want) in wanted.iter().enumerate() {
            let spare = wanted[nth + 1..].iter().map(|want| want.least).sum();
            need.granted += self.pin(*want, spare, index, &mut need);
            need.peak = need.peak.max(self.used(workspace));
        }
        self.sitting.values_mut().for_each(|sits| sits.held = false);
        need
    }

    fn pin(&mut self, want: Want, spare: u64, index: usize, need: &mut Need) -> u64 {
        let ask = Ask { whole: want.whole, least: want.least, spare };
        self.clock += 1;
        let (used_at, held) = (self.clock, true);
        if let Some(Sits { bytes, .. }) = self.sitting.get(&want.part).copied() {
            let others = self.idle(index).iter().filter(|part| part.key != want.part).map(|part| part.bytes).sum();
            if may_stay(ask, bytes, self.free(need.workspace), others) {
                self.sitting.insert(want.part, Sits { bytes, used_at, held });
                return bytes;
            }
            self.let_go(want.part, index, need);
        }
        let bytes = self.grant(ask, need.workspace, index, need);
        self.sitting.insert(want.part, Sits { bytes, used_at, held });
        need.loads.push(Load { part: want.part, bytes, of: want.whole });
        bytes
    }

    /// Grants room beside what is reserved. Where there is too little, the walk goes on as if there were just enough.
    fn grant(&mut self, ask: Ask, reserved: u64, index: usize, need: &mut Need) -> u64 {
        let idle = self.idle(index);
        let Some(grant) = make_room(ask, self.free(reserved), index, idle.clone()) else {
            idle.iter().for_each(|part| self.let_go(part.key, index, need));
            return ask.least;
        };
        grant.goes.iter().for_each(|part| self.let_go(*part, index, need));
        grant.bytes
    }

    fn let_go(&mut self, part: Part, index: usize, need: &mut Need) {
        if let Some(Sits { bytes, .. }) = self.sitting.remove(&part) {
            need.lets_go.push(Leave { part, bytes, next_use: self.next_use(part, index) });
        }
    }

    fn used(&self, workspace: u64) -> u64 {
        workspace + self.sitting.values().map(|sits| sits.bytes).sum::<u64>()
    }

    fn free(&self, workspace: u64) -> u64 {
        self.machine.ram.saturating_sub(self.used(workspace))
    }

    fn idle(&self, index: usize) -> Vec<Idle<Part>> {
        let idle = |(part, sits): (&Part, &Sits)| Idle {
            key: *part,
            bytes: sits.bytes,
            next_use: self.next_use(*part, index).unwrap_or(usize::MAX),
            used_at: sits.used_at,
        };
        self.sitting.iter().filter(|(_, sits)| !sits.held).map(idle).collect()
    }

    fn next_use(&self, part: Part, index: usize) -> Option<usize> {
        self.uses.get(&part)?.iter().copied().find(|step| *step >= index)
    }
}

#[cfg(test)]
mod tests;
