//! Values that a run has in its hands when it is planned anew: they count as kept in memory, whatever the budget says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::fingerprint::Fingerprint;
use crate::value::Value;

/// Values by recipe, and how many runs have them.
type Held = HashMap<Fingerprint, (usize, Vec<Value>)>;

/// What runs have in their hands.
#[derive(Clone, Default)]
pub(super) struct Hands(Arc<Mutex<Held>>);

/// What one run has in its hands; no longer counted as kept when dropped.
#[must_use]
pub struct AtHand {
    hands: Hands,
    recipes: Vec<Fingerprint>,
}

impl Hands {
    pub fn has(&self, recipe: Fingerprint) -> bool {
        self.lock().contains_key(&recipe)
    }

    pub fn get(&self, recipe: Fingerprint) -> Option<Vec<Value>> {
        self.lock().get(&recipe).map(|(_, values)| values.clone())
    }

    pub fn take(&self, all: impl IntoIterator<Item = (Fingerprint, Vec<Value>)>) -> AtHand {
        let mut held = self.lock();
        let take = |(recipe, values): (Fingerprint, Vec<Value>)| {
            held.entry(recipe).or_insert_with(|| (0, values)).0 += 1;
            recipe
        };
        let recipes = all.into_iter().map(take).collect();
        AtHand { hands: self.clone(), recipes }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no thread panics while it has values in its hands")
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        let mut held = self.hands.lock();
        let mut free = |recipe: &Fingerprint| {
            let (count, _) = held.get_mut(recipe)?;
            *count -= 1;
            if *count == 0 { held.remove(recipe) } else { None }
        };
        // Large values are dropped with the lock already given back.
        let gone: Vec<_> = self.recipes.iter().filter_map(&mut free).collect();
        drop(held);
        drop(gone);
    }
}
