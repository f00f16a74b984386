//! The account of one device: its budget, what sits there, and who goes to make room.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use super::room::{Ask, Idle, make_room, may_stay};
use super::{Device, PartId, gibibytes};
use crate::fault::{Fault, Shortage};
use crate::peak::Watchers;

/// The account of one device.
#[derive(Default)]
pub(super) struct Account {
    pub budget: u64,
    pub parts: HashMap<PartId, Part>,
    pub reserved: u64,
    pub peak: u64,
    pub watchers: Watchers,
}

#[derive(Default)]
pub(super) struct Uses {
    /// The number of the step that runs; a use at it, or at a later one, counts as "next".
    pub now: usize,
    /// The steps of the plan at which each part is used, ascending.
    pub of: HashMap<PartId, Vec<usize>>,
}

pub(super) struct Part {
    pub title: String,
    /// What was granted.
    pub bytes: u64,
    /// What all of it would take.
    pub wants: u64,
    pub pins: usize,
    pub pinned_at: u64,
    /// `None` while somebody loads it.
    pub loaded: Option<Arc<dyn Any + Send + Sync>>,
}

impl Account {
    pub fn used(&self) -> u64 {
        self.reserved + self.parts.values().map(|part| part.bytes).sum::<u64>()
    }

    pub fn free(&self) -> u64 {
        self.budget.saturating_sub(self.used())
    }

    pub fn note_peak(&mut self) {
        let used = self.used();
        self.peak = self.peak.max(used);
        self.watchers.see(used);
    }

    pub fn release_all(&mut self) {
        self.parts.retain(|_, part| part.pins > 0);
    }

    fn idle(&self, uses: &Uses) -> Vec<Idle<PartId>> {
        let idle = |(id, part): (&PartId, &Part)| Idle {
            key: *id,
            bytes: part.bytes,
            next_use: uses.next(*id),
            used_at: part.pinned_at,
        };
        self.parts.iter().filter(|(_, part)| part.pins == 0).map(idle).collect()
    }

    pub fn may_stay(&self, uses: &Uses, ask: Ask, id: PartId, bytes: u64) -> bool {
        let others = self.idle(uses).iter().filter(|part| part.key != id).map(|part| part.bytes).sum();
        may_stay(ask, bytes, self.free(), others)
    }

    /// Makes room; returns the bytes that are granted, or `None` where there is too little.
    pub fn make_room(&mut self, uses: &Uses, ask: Ask) -> Option<u64> {
        let grant = make_room(ask, self.free(), uses.now, self.idle(uses))?;
        // What goes is gone before the room is given to anybody: the books stay closed meanwhile.
        grant.goes.iter().for_each(|id| drop(self.parts.remove(id)));
        Some(grant.bytes)
    }

    /// Idle parts are not named: they would have gone.
    pub fn too_much(&self, device: Device, ask: Ask, title: &str) -> Fault {
        let held = self.parts.values().filter(|part| part.pins > 0);
        let mut holders: Vec<_> = held.map(|part| (part.bytes, part.title.as_str())).collect();
        holders.extend(Some((self.reserved, "scratch memory")).filter(|(bytes, _)| *bytes > 0));
        holders.sort_by(|a, b| b.cmp(a));
        let used: u64 = holders.iter().map(|(bytes, _)| bytes).sum();
        let holders: Vec<_> = holders.iter().map(|(bytes, title)| format!("{title} {}", gibibytes(*bytes))).collect();
        let held = if holders.is_empty() { String::new() } else { format!("; in use: {}", holders.join(", ")) };
        let least = if ask.least < ask.whole { "at least " } else { "" };
        let short = Shortage { on: device, needs: ask.least, free: self.budget.saturating_sub(used), of: self.budget };
        Fault::memory(format!(
            "{title} needs {least}{} and {} of {} are free{}{held}",
            gibibytes(short.needs),
            gibibytes(short.free),
            gibibytes(short.of),
            device.on()
        ))
        .short_of(short)
        .hint(device.way_out())
    }
}

impl Uses {
    fn next(&self, id: PartId) -> usize {
        let uses = self.of.get(&id).map_or(&[][..], Vec::as_slice);
        uses.iter().copied().find(|step| *step >= self.now).unwrap_or(usize::MAX)
    }
}

/// Says that a device has no account, or none any more.
pub(super) fn no_account(device: Device, title: &str) -> Fault {
    Fault::device_lost(format!("{title} cannot go to {device}: it is gone, or none of its memory may be taken"))
}
