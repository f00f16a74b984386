//! Measures how much memory was taken while each node ran, so that it can be held against the plan.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, OnceLock};

use crate::history::Measured;
use crate::observe::{Event, How, Observer};
use crate::peak::Peak;
use crate::plan::Step;
use crate::process::{Sampler, held};
use crate::residency::{Device, Ledger};

/// Seconds of a node after which the process is looked at once more: of a graph with many small nodes, looking would be
/// most of the work.
const WORTH_A_LOOK: f64 = 0.001;

/// An observer that measures, and passes on all that it hears.
pub(super) struct Gauge<'a> {
    inner: &'a dyn Observer,
    ledger: &'a Ledger,
    /// Looks at the process once a node runs: a run that finds everything in the cache need not be watched.
    process: OnceLock<Process>,
    run: BTreeMap<Device, Peak>,
    nodes: Mutex<Nodes>,
}

#[derive(Default)]
struct Nodes {
    running: HashMap<String, Watch>,
    took: HashMap<String, Took>,
}

struct Process {
    sampler: Sampler,
    /// Bytes that it held at first and that stood in no account, where the system tells.
    beside: Option<u64>,
}

/// What is watched while a node runs: the account, and the process.
struct Watch {
    booked: BTreeMap<Device, Peak>,
    held: Peak,
}

/// What a node took, in bytes.
#[derive(Clone)]
struct Took {
    booked: BTreeMap<Device, u64>,
    held: Option<u64>,
}

impl<'a> Gauge<'a> {
    pub fn new(inner: &'a dyn Observer, ledger: &'a Ledger) -> Self {
        Self { inner, ledger, process: OnceLock::new(), run: ledger.watch(), nodes: Mutex::default() }
    }

    /// Returns the most bytes that were booked at once since the run began, by device.
    pub fn run_peaks(&self) -> BTreeMap<Device, u64> {
        most(&self.run)
    }

    /// Returns what was planned of a step's memory and what was measured, if it ran by this plan.
    pub fn measured(&self, step: &Step) -> Option<Measured> {
        let (need, Took { booked, held }) = (step.need.as_ref()?, self.nodes().took.get(&step.id)?.clone());
        let booked = booked.get(&need.device).copied().unwrap_or(0);
        // What the process holds says nothing of a card.
        let held = held.filter(|_| need.device == Device::Cpu);
        Some(Measured { recipe: step.recipe, planned: need.peak(), booked, held })
    }

    fn process(&self) -> &Process {
        self.process.get_or_init(|| {
            let beside = held().map(|held| held.anonymous.saturating_sub(self.ledger.used()));
            Process { sampler: Sampler::start(), beside }
        })
    }

    fn watch(&self) -> Watch {
        Watch { booked: self.ledger.watch(), held: self.process().sampler.watch() }
    }

    fn took(&self, watch: &Watch, seconds: f64) -> Took {
        let Process { sampler, beside } = self.process();
        if seconds > WORTH_A_LOOK {
            sampler.look();
        }
        Took { booked: most(&watch.booked), held: beside.map(|beside| watch.held.bytes().saturating_sub(beside)) }
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().expect("no thread panics while it measures")
    }
}

fn most(watched: &BTreeMap<Device, Peak>) -> BTreeMap<Device, u64> {
    watched.iter().map(|(device, peak)| (*device, peak.bytes())).collect()
}

impl Observer for Gauge<'_> {
    fn see(&self, event: &Event<'_>) {
        match event {
            Event::Started { node, .. } => {
                let watch = self.watch();
                self.nodes().running.insert((*node).to_owned(), watch);
            }
            Event::Finished { node, how, seconds } => {
                let mut nodes = self.nodes();
                if let Some(watch) = nodes.running.remove(*node).filter(|_| *how == How::Ran) {
                    nodes.took.insert((*node).to_owned(), self.took(&watch, *seconds));
                }
            }
            _ => {}
        }
        self.inner.see(event);
    }

    fn wants_previews(&self) -> bool {
        self.inner.wants_previews()
    }
}
