//! How room is made: one rule, by which the [`Ledger`](super::Ledger) grants memory and a plan foresees what it will
//! grant. Pure.
//!
//! Whoever asks gets all it wants, if that fits once idle parts have gone, those needed latest first. If not even that
//! is enough, all idle parts go, and it gets what is left, as long as it can do with that.

use std::cmp::Reverse;

/// What somebody asks for, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// All that it wants.
    pub whole: u64,
    /// The least that it can do with.
    pub least: u64,
    /// What must be left for those that the same step will ask for next: their least.
    pub spare: u64,
}

impl Ask {
    /// Asks for so much and no less, as scratch memory does.
    pub fn exactly(bytes: u64) -> Self {
        Self { whole: bytes, least: bytes, spare: 0 }
    }
}

/// A part that sits in memory and that nobody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle<K> {
    /// Its name.
    pub key: K,
    /// Its bytes.
    pub bytes: u64,
    /// The step at which it is used next, the one that runs included; `usize::MAX` for never.
    pub next_use: usize,
    /// When it was last used, as a count: of equals, the older goes first.
    pub used_at: u64,
}

/// What is granted, and who goes for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant<K> {
    /// The bytes: from the least to the whole of what was asked for.
    pub bytes: u64,
    /// The parts that are let go, in that order.
    pub goes: Vec<K>,
}

/// Makes room where `free` bytes are free at step `now`; `None` if even without the idle parts there is too little.
pub fn make_room<K: Copy + Ord>(ask: Ask, mut free: u64, now: usize, mut idle: Vec<Idle<K>>) -> Option<Grant<K>> {
    // The one that goes next stands last.
    idle.sort_by_key(|part| (part.next_use, Reverse(part.used_at), part.key));
    let mut goes = Vec::new();
    // What the same step uses next may be there already.
    let due = |idle: &[Idle<K>]| idle.iter().filter(|part| part.next_use <= now).map(|part| part.bytes).sum();
    while free < ask.whole.saturating_add(ask.spare.saturating_sub(due(&idle))) {
        let Some(part) = idle.pop() else { break };
        free += part.bytes;
        goes.push(part.key);
    }
    let left = free.saturating_sub(ask.spare.saturating_sub(due(&idle)));
    // Who asks next may still be lucky: another run may have given something back by then.
    let bytes = left.min(ask.whole).max(ask.least);
    (bytes <= free).then_some(Grant { bytes, goes })
}

/// Tells whether an idle part that is asked for may stay as it is, where `free` bytes are free and `others` could be made
/// so. If not, it would take the place of those that the same step uses next: it goes, and comes back smaller.
pub fn may_stay(ask: Ask, bytes: u64, free: u64, others: u64) -> bool {
    bytes <= ask.least || free.saturating_add(others) >= ask.spare
}
