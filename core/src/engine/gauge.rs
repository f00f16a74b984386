//! Measures how much memory was taken while each node ran, so that it can be held against the plan.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use crate::history::Measured;
use crate::observe::{Event, How, Observer};
use crate::peak::Peak;
use crate::plan::Step;
use crate::process::{Sampler, held};
use crate::residency::Ledger;

/// An observer that measures, and passes on all that it hears.
pub(super) struct Gauge<'a> {
    inner: &'a dyn Observer,
    ledger: &'a Ledger,
    sampler: Sampler,
    /// Bytes that the process held when the run began and that stood in no account, where the system tells.
    beside: Option<u64>,
    run: Peak,
    nodes: Mutex<Nodes>,
}

#[derive(Default)]
struct Nodes {
    running: HashMap<String, Watch>,
    took: HashMap<String, Took>,
}

/// What is watched while a node runs: the account, and the process.
struct Watch {
    booked: Peak,
    held: Peak,
}

/// What a node took, in bytes.
#[derive(Clone, Copy)]
struct Took {
    booked: u64,
    held: Option<u64>,
}

impl<'a> Gauge<'a> {
    pub fn new(inner: &'a dyn Observer, ledger: &'a Ledger) -> Self {
        let beside = held().map(|held| held.anonymous.saturating_sub(ledger.used()));
        Self { inner, ledger, sampler: Sampler::start(), beside, run: ledger.watch(), nodes: Mutex::default() }
    }

    /// Returns the most bytes that were booked at once since the run began.
    pub fn run_peak(&self) -> u64 {
        self.run.bytes()
    }

    /// Returns what was planned of a step's memory and what was measured, if it ran by this plan.
    pub fn measured(&self, step: &Step) -> Option<Measured> {
        let (need, Took { booked, held }) = (step.need.as_ref()?, *self.nodes().took.get(&step.id)?);
        Some(Measured { recipe: step.recipe, planned: need.peak, booked, held })
    }

    fn watch(&self) -> Watch {
        Watch { booked: self.ledger.watch(), held: self.sampler.watch() }
    }

    fn took(&self, watch: &Watch) -> Took {
        self.sampler.look();
        Took { booked: watch.booked.bytes(), held: self.beside.map(|beside| watch.held.bytes().saturating_sub(beside)) }
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().expect("no thread panics while it measures")
    }
}

impl Observer for Gauge<'_> {
    fn see(&self, event: &Event<'_>) {
        match event {
            Event::Started { node, .. } => {
                let watch = self.watch();
                self.nodes().running.insert((*node).to_owned(), watch);
            }
            Event::Finished { node, how, .. } => {
                let mut nodes = self.nodes();
                if let Some(watch) = nodes.running.remove(*node).filter(|_| *how == How::Ran) {
                    nodes.took.insert((*node).to_owned(), self.took(&watch));
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
