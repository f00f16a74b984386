//! The memory tier: values as they are, within a budget of bytes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::worth::{Item, Shelf, rank};
use crate::fingerprint::Fingerprint;
use crate::value::Value;

/// What an entry costs beside its values; with it, a million texts cannot outgrow the budget unseen.
const OVERHEAD: u64 = 256;

/// All outputs of one run of a node.
#[derive(Clone)]
pub(super) struct Kept {
    pub values: Vec<Value>,
    pub label: Arc<str>,
    pub seconds: f64,
    pub last_used: u64,
}

/// Values within a budget.
pub(super) struct Memory {
    budget: u64,
    clock: u64,
    shelf: Shelf<Kept>,
    touched: HashMap<Fingerprint, f64>,
}

impl Memory {
    pub fn new(budget: u64) -> Self {
        Self { budget, clock: 0, shelf: Shelf::default(), touched: HashMap::new() }
    }

    pub fn budget(&self) -> u64 {
        self.budget
    }

    pub fn bytes(&self) -> u64 {
        self.shelf.bytes()
    }

    pub fn len(&self) -> usize {
        self.shelf.len()
    }

    pub fn has(&self, recipe: Fingerprint) -> bool {
        self.shelf.has(recipe)
    }

    /// Returns the values, and notes the use.
    pub fn get(&mut self, recipe: Fingerprint) -> Option<Vec<Value>> {
        self.clock += 1;
        let item = self.shelf.get_mut(recipe)?;
        item.content.last_used = self.clock;
        let (values, seconds) = (item.content.values.clone(), item.content.seconds);
        let rank = rank(self.clock, seconds, item.bytes);
        self.shelf.rerank(recipe, rank);
        self.touched.insert(recipe, seconds);
        Some(values)
    }

    /// Keeps the values if the budget allows it at all. Returns what had to go, so that the caller drops it (which may
    /// take long) after letting go of the lock.
    #[must_use]
    pub fn put(
        &mut self,
        recipe: Fingerprint,
        label: &str,
        values: &[Value],
        seconds: f64,
    ) -> Vec<(Fingerprint, Kept)> {
        self.clock += 1;
        let bytes = values.iter().fold(OVERHEAD, |sum, value| sum.saturating_add(value.bytes()));
        let mut out = Vec::new();
        out.extend(self.shelf.remove(recipe).map(|item| (recipe, item.content)));
        if bytes > self.budget {
            return out;
        }
        while self.shelf.bytes() > self.budget - bytes {
            let (_, least) = self.shelf.least(None).expect("a shelf that holds bytes holds entries");
            out.extend(self.forget(least).map(|kept| (least, kept)));
        }
        let content = Kept { values: values.to_vec(), label: label.into(), seconds, last_used: self.clock };
        self.shelf.insert(recipe, Item { bytes, rank: rank(self.clock, seconds, bytes), content });
        out
    }

    /// Takes an entry away.
    pub fn forget(&mut self, recipe: Fingerprint) -> Option<Kept> {
        self.shelf.remove(recipe).map(|item| item.content)
    }

    /// Takes everything away but these. Returns what went, so that the caller drops it without the lock.
    #[must_use]
    pub fn let_go(&mut self, keep: &HashSet<Fingerprint>) -> Vec<(Fingerprint, Kept)> {
        let names: Vec<_> = self.shelf.iter().map(|(recipe, _)| recipe).filter(|name| !keep.contains(name)).collect();
        names.into_iter().filter_map(|recipe| Some((recipe, self.forget(recipe)?))).collect()
    }

    /// Takes away what stands for weights. Returns what went, so that the caller drops it without the lock.
    #[must_use]
    pub fn let_go_of_models(&mut self) -> Vec<(Fingerprint, Kept)> {
        let is_model = |item: &Item<Kept>| item.content.values.iter().any(|value| value.part().is_some());
        let names: Vec<_> = self.shelf.iter().filter(|(_, item)| is_model(item)).map(|(recipe, _)| recipe).collect();
        names.into_iter().filter_map(|recipe| Some((recipe, self.forget(recipe)?))).collect()
    }

    /// Takes everything away.
    pub fn clear(&mut self) -> Shelf<Kept> {
        self.touched.clear();
        std::mem::take(&mut self.shelf)
    }

    /// Returns what was used since the last time somebody asked, with its seconds.
    pub fn take_touched(&mut self) -> HashMap<Fingerprint, f64> {
        std::mem::take(&mut self.touched)
    }

    /// Walks over all entries, the first to go first.
    pub fn iter(&self) -> impl Iterator<Item = (Fingerprint, &Item<Kept>)> {
        self.shelf.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Made;
    use proptest::prelude::*;

    fn name(id: u8) -> Fingerprint {
        Fingerprint::of_bytes(&[id])
    }

    fn value(bytes: usize) -> Value {
        Made::new(crate::cache::tests::Lump(vec![0.0; bytes / 4])).named(name(0))
    }

    #[test]
    fn the_cheapest_to_make_again_goes_first() {
        let mut memory = Memory::new(3 * (400 + OVERHEAD));
        for (id, seconds) in [(1, 5.0), (2, 0.1), (3, 1.0)] {
            assert!(memory.put(name(id), "toy", &[value(400)], seconds).is_empty());
        }
        let out = memory.put(name(4), "toy", &[value(400)], 3.0);
        assert_eq!(out.iter().map(|(recipe, _)| *recipe).collect::<Vec<_>>(), [name(2)]);
        assert!(memory.has(name(1)) && memory.has(name(3)) && memory.has(name(4)));
    }

    #[test]
    fn of_equals_the_one_not_used_goes_first() {
        let mut memory = Memory::new(2 * (400 + OVERHEAD));
        assert!(memory.put(name(1), "toy", &[value(400)], 1.0).is_empty());
        assert!(memory.put(name(2), "toy", &[value(400)], 1.0).is_empty());
        assert!(memory.get(name(1)).is_some());
        assert_eq!(memory.put(name(3), "toy", &[value(400)], 1.0)[0].0, name(2));
    }

    #[test]
    fn what_is_larger_than_the_budget_throws_nobody_out() {
        let mut memory = Memory::new(1000);
        assert!(memory.put(name(1), "toy", &[value(400)], 1.0).is_empty());
        assert!(memory.put(name(2), "toy", &[value(4000)], 1e6).is_empty());
        assert!(memory.has(name(1)) && !memory.has(name(2)));
    }

    proptest! {
        #[test]
        fn the_memory_budget_is_kept(
            budget in 0_u64..6000,
            uses in prop::collection::vec((0_u8..12, 0_usize..2000, 0.0_f64..10.0, any::<bool>()), 1..60),
        ) {
            let mut memory = Memory::new(budget);
            for (id, bytes, seconds, read) in uses {
                if read {
                    memory.get(name(id));
                } else {
                    let _ = memory.put(name(id), "toy", &[value(bytes)], seconds);
                }
                let sum: u64 = memory.iter().map(|(_, item)| item.bytes).sum();
                prop_assert_eq!(sum, memory.bytes());
                prop_assert!(sum <= budget);
            }
        }
    }
}
