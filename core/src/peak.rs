//! The most of something that goes up and down, from a moment on: of the account of memory, of what a process holds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The most bytes since somebody began to watch.
#[derive(Debug)]
pub struct Peak(Arc<AtomicU64>);

impl Peak {
    /// Returns the most bytes since then.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Those who watch.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Vec<Weak<AtomicU64>>);

impl Watchers {
    /// Begins to watch where so many bytes are in use.
    pub fn watch(&mut self, bytes: u64) -> Peak {
        let most = Arc::new(AtomicU64::new(bytes));
        // Where nothing is ever told, nobody else lets go of those who watch no more.
        if self.0.len() == self.0.capacity() {
            self.0.retain(|most| most.strong_count() > 0);
        }
        self.0.push(Arc::downgrade(&most));
        Peak(most)
    }

    /// Tells all who still watch that so many bytes are in use.
    pub fn see(&mut self, bytes: u64) {
        let tell = |most: Arc<AtomicU64>| most.fetch_max(bytes, Ordering::Relaxed);
        self.0.retain(|most| most.upgrade().map(tell).is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_watches_no_more_is_forgotten() {
        let mut watchers = Watchers::default();
        let first = watchers.watch(2);
        for _ in 0..1000 {
            let other = watchers.watch(5);
            watchers.see(3);
            assert_eq!((first.bytes(), other.bytes()), (3, 5));
        }
        assert!(watchers.0.len() <= 2);
        (0..1000).for_each(|_| drop(watchers.watch(1)));
        assert!(watchers.0.len() < 20, "{}", watchers.0.len());
        watchers.see(9);
        assert_eq!((first.bytes(), watchers.0.len()), (9, 1));
    }
}
