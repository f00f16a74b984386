//! The memory half of a plan: what comes, stays and goes at each step, and whether all of it fits.
//!
//! The walk goes through the steps in the order in which they run, and grants room by the rule by which the account of
//! memory will: see [`room`](crate::residency::room). A part is told apart by the output that it was opened at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

mod work;

use super::{Action, Step, StepInput};
use crate::residency::room::{Ask, Idle, make_room, may_stay};
use crate::residency::{Device, gibibytes};
use work::{Takes, Want, Work};

/// The memory that a machine has for weights and scratch, by device; without bounds by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine(Option<BTreeMap<Device, u64>>);

impl Machine {
    /// Makes a machine with so many bytes on each device, and none on others.
    pub fn of(budgets: BTreeMap<Device, u64>) -> Self {
        Self(Some(budgets))
    }

    /// Returns the bytes that there are on a device; `u64::MAX` for as many as it takes.
    pub fn budget(&self, device: Device) -> u64 {
        self.0.as_ref().map_or(u64::MAX, |budgets| budgets.get(&device).copied().unwrap_or(0))
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
    /// The device that it works on, where its scratch memory is: that of the first weights that come in by wire, else
    /// that of the host.
    pub device: Device,
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
    /// What it takes of each device that is in play: of the processor in any case, where values are.
    pub rooms: BTreeMap<Device, Room>,
    /// The parts that come.
    pub loads: Vec<Load>,
    /// The parts that go to make room.
    pub lets_go: Vec<Leave>,
}

/// What a step takes of a device, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// The least of the weights that it uses there.
    pub least: u64,
    /// Most that is there at once while it runs: weights, scratch, values, and the weights that are kept for later.
    pub peak: u64,
}

impl Need {
    /// Returns the most that is in the memory of the device that it works on at once.
    pub fn peak(&self) -> u64 {
        self.room(self.device).peak
    }

    /// Returns what it takes of a device.
    pub fn room(&self, device: Device) -> Room {
        self.rooms.get(&device).copied().unwrap_or_default()
    }
}

/// A part that comes into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// The part.
    pub part: Part,
    /// The device that it comes to.
    pub device: Device,
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
    /// The device that it leaves.
    pub device: Device,
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
    /// What it takes of each device that is in play: of the processor in any case.
    pub bounds: BTreeMap<Device, Bounds>,
    /// Whether it fits.
    pub verdict: Verdict,
}

/// With how much of a device's memory a plan fits, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The least with which it fits.
    pub least: u64,
    /// That with which no part would be kept only in part.
    pub whole: u64,
    /// Most that is there at once as planned: weights, those that are kept for later included, scratch and values.
    pub peak: u64,
}

impl Memory {
    /// Returns with how much of a device's memory it fits.
    pub fn bounds(&self, device: Device) -> Bounds {
        self.bounds.get(&device).copied().unwrap_or_default()
    }

    /// Returns the cards that are in play.
    pub fn cards(&self) -> impl Iterator<Item = Device> {
        self.bounds.keys().copied().filter(|device| *device != Device::Cpu)
    }
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
        /// The device on which it does not.
        device: Device,
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
        let of = |device: Device, bytes: u64| format!("{}{}", gibibytes(bytes), device.on());
        let there = |device: Device| of(device, self.machine.budget(device));
        let all = [Device::Cpu].into_iter().chain(self.cards()).map(there).collect::<Vec<_>>().join(" and ");
        match &self.verdict {
            Verdict::Whole => write!(f, "it fits in {all}"),
            Verdict::Streamed { parts } => {
                let (are, their) = if *parts == 1 { ("part is", "its file") } else { ("parts are", "their files") };
                let short = self.bounds.iter().filter(|(device, bounds)| bounds.whole > self.machine.budget(**device));
                let whole: Vec<_> = short.map(|(device, bounds)| of(*device, bounds.whole)).collect();
                write!(f, "it fits in {all}: {parts} {are} kept only in part and read from {their} at each use")?;
                write!(f, "; {} would hold all of it", whole.join(" and "))
            }
            Verdict::Short { node, device, what, needs, beside, missing } => {
                let (there, needs) = (there(*device), gibibytes(*needs));
                let beside = if *beside == 0 { String::new() } else { format!(" and {} beside", gibibytes(*beside)) };
                write!(f, "it does not fit in {there}: at `{node}` {what} needs {needs}{beside}")?;
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

/// Walks through a run, notes what every step that runs needs, and says whether all of it fits. Whatever comes by no
/// wire sits on `home`.
pub(super) fn foresee(steps: &mut [Step], goals: &[usize], machine: &Machine, home: Device) -> Memory {
    let live = live(steps, goals);
    let runs: Vec<_> = (0..steps.len()).filter(|index| steps[*index].action == Action::Run).collect();
    let works: Vec<_> = runs.iter().map(|index| Work::of(steps, *index, home)).collect();
    let mut account = Account { machine, sitting: BTreeMap::new(), uses: HashMap::new(), clock: 0 };
    for (index, work) in runs.iter().zip(&works) {
        work.wanted.iter().for_each(|want| account.uses.entry(want.part).or_default().push(*index));
    }
    let mut memory = Memory { machine: machine.clone(), ..Memory::default() };
    let mut in_part = BTreeSet::new();
    for (index, work) in runs.into_iter().zip(works) {
        for (device, Takes { least, whole }) in work.takes() {
            let bounds = memory.bounds.entry(device).or_default();
            (bounds.least, bounds.whole) = (bounds.least.max(least), bounds.whole.max(whole));
            if least > machine.budget(device) && memory.verdict == Verdict::Whole {
                memory.verdict = work.short(steps, index, device, machine);
            }
        }
        let mut need = account.run(index, &work);
        in_part.extend(need.loads.iter().filter(|load| load.bytes < load.of).map(|load| load.part));
        need.live = live[index];
        need.rooms.entry(Device::Cpu).or_default().peak += need.live;
        for (device, room) in &need.rooms {
            let bounds = memory.bounds.entry(*device).or_default();
            bounds.peak = bounds.peak.max(room.peak);
        }
        steps[index].need = Some(need);
    }
    memory.bounds.retain(|device, bounds| *device == Device::Cpu || bounds.peak > 0);
    if memory.verdict == Verdict::Whole && !in_part.is_empty() {
        memory.verdict = Verdict::Streamed { parts: in_part.len() };
    }
    memory
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

/// The accounts of memory, as they will be.
struct Account<'m> {
    machine: &'m Machine,
    sitting: BTreeMap<Part, Sits>,
    /// The steps at which each part is used, ascending.
    uses: HashMap<Part, Vec<usize>>,
    clock: u64,
}

#[derive(Clone, Copy)]
struct Sits {
    device: Device,
    bytes: u64,
    used_at: u64,
    /// Whether the running step holds it.
    held: bool,
}

impl Account<'_> {
    /// Runs a step: it reserves its scratch memory, and then takes its parts in turn.
    fn run(&mut self, index: usize, work: &Work) -> Need {
        let Work { device, workspace, ref wanted } = *work;
        let mut need = Need { device, ..Need::default() };
        for want in wanted {
            (need.weights, need.least) = (need.weights + want.whole, need.least + want.least);
            need.rooms.entry(want.device).or_default().least += want.least;
        }
        // Scratch memory is reserved first, while nothing is held.
        self.grant(Ask::exactly(workspace), device, index, &mut need);
        need.workspace = workspace;
        self.note_peaks(&mut need);
        for (nth, want) in wanted.iter().enumerate() {
            let later = wanted[nth + 1..].iter().filter(|later| later.device == want.device);
            need.granted += self.pin(*want, later.map(|later| later.least).sum(), index, &mut need);
            self.note_peaks(&mut need);
        }
        self.sitting.values_mut().for_each(|sits| sits.held = false);
        need
    }

    fn pin(&mut self, want: Want, spare: u64, index: usize, need: &mut Need) -> u64 {
        let Want { part, device, whole, least } = want;
        let ask = Ask { whole, least, spare };
        self.clock += 1;
        let (used_at, held) = (self.clock, true);
        if let Some(Sits { bytes, .. }) = self.sitting.get(&part).copied() {
            let idle = self.idle(device, index);
            let others = idle.iter().filter(|idle| idle.key != part).map(|idle| idle.bytes).sum();
            if may_stay(ask, bytes, self.free(device, need), others) {
                self.sitting.insert(part, Sits { device, bytes, used_at, held });
                return bytes;
            }
            self.let_go(part, index, need);
        }
        let bytes = self.grant(ask, device, index, need);
        self.sitting.insert(part, Sits { device, bytes, used_at, held });
        need.loads.push(Load { part, device, bytes, of: whole });
        bytes
    }

    /// Grants room on a device. Where there is too little, the walk goes on as if there were just enough.
    fn grant(&mut self, ask: Ask, device: Device, index: usize, need: &mut Need) -> u64 {
        let idle = self.idle(device, index);
        let Some(grant) = make_room(ask, self.free(device, need), index, idle.clone()) else {
            idle.iter().for_each(|part| self.let_go(part.key, index, need));
            return ask.least;
        };
        grant.goes.iter().for_each(|part| self.let_go(*part, index, need));
        grant.bytes
    }

    fn let_go(&mut self, part: Part, index: usize, need: &mut Need) {
        if let Some(Sits { device, bytes, .. }) = self.sitting.remove(&part) {
            need.lets_go.push(Leave { part, device, bytes, next_use: self.next_use(part, index) });
        }
    }

    /// Notes what is in use by now wherever something is.
    fn note_peaks(&self, need: &mut Need) {
        let devices: BTreeSet<_> = self.sitting.values().map(|sits| sits.device).chain([need.device]).collect();
        for device in devices {
            let used = self.used(device, need);
            let room = need.rooms.entry(device).or_default();
            room.peak = room.peak.max(used);
        }
    }

    /// The bytes in use on a device, beside values.
    fn used(&self, device: Device, need: &Need) -> u64 {
        let sitting = self.sitting.values().filter(|sits| sits.device == device);
        let scratch = if device == need.device { need.workspace } else { 0 };
        scratch + sitting.map(|sits| sits.bytes).sum::<u64>()
    }

    fn free(&self, device: Device, need: &Need) -> u64 {
        self.machine.budget(device).saturating_sub(self.used(device, need))
    }

    fn idle(&self, device: Device, index: usize) -> Vec<Idle<Part>> {
        let idle = |(part, sits): (&Part, &Sits)| Idle {
            key: *part,
            bytes: sits.bytes,
            next_use: self.next_use(*part, index).unwrap_or(usize::MAX),
            used_at: sits.used_at,
        };
        self.sitting.iter().filter(|(_, sits)| !sits.held && sits.device == device).map(idle).collect()
    }

    fn next_use(&self, part: Part, index: usize) -> Option<usize> {
        self.uses.get(&part)?.iter().copied().find(|step| *step >= index)
    }
}

#[cfg(test)]
mod tests;
