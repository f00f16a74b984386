//! What one step takes of the machine: where it works, which weights it uses there and elsewhere, and what cannot fit.

use std::collections::BTreeMap;

use super::{Machine, Part, Step, StepInput, Verdict, title};
use crate::residency::Device;
use crate::spec::Lane;

/// What a step takes of the machine.
pub(super) struct Work {
    /// Where it works.
    pub device: Device,
    /// Bytes of scratch memory there.
    pub workspace: u64,
    /// The weights that it uses, in the order in which it takes them.
    pub wanted: Vec<Want>,
}

/// Weights that a step uses.
#[derive(Clone, Copy)]
pub(super) struct Want {
    pub part: Part,
    pub device: Device,
    pub whole: u64,
    pub least: u64,
}

/// What a step takes of one device: weights and scratch.
#[derive(Clone, Copy, Default)]
pub(super) struct Takes {
    /// The least bytes.
    pub least: u64,
    /// The bytes with all weights whole.
    pub whole: u64,
}

impl Work {
    /// Finds the parts that a step uses: the models that come in by wire, as far as it says that it needs their weights,
    /// and what it says beyond that. It works where the first of its models sits, or else at `home`.
    pub fn of(steps: &[Step], index: usize, home: Device) -> Self {
        let cost = steps[index].cost;
        let (mut left, mut least_left) = (cost.weights, cost.least());
        let (mut device, mut wanted) = (None, Vec::<Want>::new());
        for input in &steps[index].inputs {
            let StepInput::Step { step, output } = *input else { continue };
            let (part, ty) = (Part { step, output: Some(output) }, &steps[step].types[output]);
            device = device.or(ty.device);
            let whole = ty.weights.unwrap_or(0);
            if whole > 0 && whole <= left && wanted.iter().all(|want| want.part != part) {
                left -= whole;
                least_left = least_left.saturating_sub(ty.least());
                wanted.push(Want { part, device: ty.device.unwrap_or_default(), whole, least: ty.least() });
            }
        }
        // Only work that computes is done on cards.
        let home = if steps[index].node.spec().lane == Lane::Compute { home } else { Device::Cpu };
        let device = device.unwrap_or(home);
        if left > 0 {
            let part = Part { step: index, output: None };
            wanted.push(Want { part, device, whole: left, least: least_left.min(left) });
        }
        Self { device, workspace: cost.workspace, wanted }
    }

    /// Sums up by device; the one that it works on is there in any case.
    pub fn takes(&self) -> BTreeMap<Device, Takes> {
        let scratch = Takes { least: self.workspace, whole: self.workspace };
        let mut all = BTreeMap::from([(self.device, scratch)]);
        for want in &self.wanted {
            let takes = all.entry(want.device).or_default();
            (takes.least, takes.whole) = (takes.least + want.least, takes.whole + want.whole);
        }
        all
    }

    /// Says what does not fit on a device: what needs most of it.
    pub fn short(&self, steps: &[Step], index: usize, device: Device, machine: &Machine) -> Verdict {
        let least = self.takes().get(&device).map_or(0, |takes| takes.least);
        let workspace = if device == self.device { self.workspace } else { 0 };
        let there = self.wanted.iter().filter(|want| want.device == device);
        let (what, needs) = match there.max_by_key(|want| want.least).filter(|want| want.least >= workspace) {
            Some(want) => (format!("the {}", title(steps, want.part)), want.least),
            None => ("scratch memory".to_owned(), workspace),
        };
        let (node, missing) = (steps[index].id.clone(), least - machine.budget(device));
        Verdict::Short { node, device, what, needs, beside: least - needs, missing }
    }
}
