//! Who goes first when room is needed: the entry that saves the fewest seconds per byte, where worth halves with every
//! so many uses of other entries.
//!
//! Halving is what makes this cheap. `worth · 2^(-age / HALF_LIFE)` orders entries as `last_used + HALF_LIFE · log2(worth)`
//! does, and that number changes only when its own entry is used: it can be kept in a sorted set, and in a file's time.
//! Ages are counted in uses, so a clock that jumps a day changes nothing.

use std::collections::{BTreeSet, HashMap};

use crate::fingerprint::Fingerprint;

/// Uses of other entries that halve an entry's worth.
const HALF_LIFE: f64 = 64.0;

/// Returns an entry's place in the queue to the door; the least goes first.
pub(super) fn rank(last_used: u64, seconds: f64, bytes: u64) -> i64 {
    last_used.min(1 << 40) as i64 + bonus(seconds, bytes)
}

/// Returns the use at which an entry of this rank was last wanted.
pub(super) fn last_used(rank: i64, seconds: f64, bytes: u64) -> u64 {
    u64::try_from(rank - bonus(seconds, bytes)).unwrap_or(0)
}

/// Between -4200 and 1280.
fn bonus(seconds: f64, bytes: u64) -> i64 {
    let seconds = if seconds.is_finite() { seconds.clamp(1e-6, 1e6) } else { 1e-6 };
    let bytes = bytes.clamp(1, 1 << 45) as f64;
    (HALF_LIFE * (seconds / bytes).log2()) as i64
}

/// Entries by name and by rank, and the sum of their bytes.
pub(super) struct Shelf<T> {
    items: HashMap<Fingerprint, Item<T>>,
    order: BTreeSet<(i64, Fingerprint)>,
    bytes: u64,
}

/// An entry on a shelf.
pub(super) struct Item<T> {
    /// What it takes of the budget.
    pub bytes: u64,
    /// Its place in the queue to the door.
    pub rank: i64,
    /// The rest.
    pub content: T,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { items: HashMap::new(), order: BTreeSet::new(), bytes: 0 }
    }
}

impl<T> Shelf<T> {
    /// Returns the sum of all bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Tells whether an entry is there.
    pub fn has(&self, recipe: Fingerprint) -> bool {
        self.items.contains_key(&recipe)
    }

    /// Finds an entry.
    pub fn get_mut(&mut self, recipe: Fingerprint) -> Option<&mut Item<T>> {
        self.items.get_mut(&recipe)
    }

    /// Puts an entry there, and returns the one that was in its place.
    pub fn insert(&mut self, recipe: Fingerprint, item: Item<T>) -> Option<Item<T>> {
        let before = self.remove(recipe);
        self.bytes += item.bytes;
        self.order.insert((item.rank, recipe));
        self.items.insert(recipe, item);
        before
    }

    /// Takes an entry away.
    pub fn remove(&mut self, recipe: Fingerprint) -> Option<Item<T>> {
        let item = self.items.remove(&recipe)?;
        self.order.remove(&(item.rank, recipe));
        self.bytes -= item.bytes;
        Some(item)
    }

    /// Gives an entry another rank.
    pub fn rerank(&mut self, recipe: Fingerprint, rank: i64) {
        if let Some(item) = self.items.get_mut(&recipe) {
            self.order.remove(&(item.rank, recipe));
            self.order.insert((rank, recipe));
            item.rank = rank;
        }
    }

    /// Returns the entry that goes first, of those after `past`.
    pub fn least(&self, past: Option<(i64, Fingerprint)>) -> Option<(i64, Fingerprint)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = past.map_or(Unbounded, Excluded);
        self.order.range((from, Unbounded)).next().copied()
    }

    /// Walks over all entries, the first to go first.
    pub fn iter(&self) -> impl Iterator<Item = (Fingerprint, &Item<T>)> {
        self.order.iter().filter_map(|(_, recipe)| self.items.get(recipe).map(|item| (*recipe, item)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worth_is_seconds_per_byte() {
        assert!(rank(0, 20.0, 1 << 16) > rank(0, 2.0, 12 << 20), "a latent outlives its picture");
        assert!(rank(1, 1.0, 100) > rank(0, 1.0, 100), "of equals, the one used later stays");
    }

    #[test]
    fn worth_ages() {
        assert!(rank(63, 1.0, 100) < rank(0, 2.0, 100), "twice the worth is 64 uses");
        assert!(rank(65, 1.0, 100) > rank(0, 2.0, 100));
    }

    #[test]
    fn odd_numbers_do_no_harm() {
        for seconds in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            for bytes in [0, u64::MAX] {
                let rank = rank(7, seconds, bytes);
                assert!((-4500..1500).contains(&rank), "{rank}");
                assert_eq!(last_used(rank, seconds, bytes), 7);
            }
        }
    }
}
