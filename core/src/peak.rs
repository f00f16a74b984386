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
        self.0.push(Arc::downgrade(&most));
        Peak(most)
    }

    /// Tells all who still watch that so many bytes are in use.
    pub fn see(&mut self, bytes: u64) {
        let tell = |most: Arc<AtomicU64>| most.fetch_max(bytes, Ordering::Relaxed);
        self.0.retain(|most| most.upgrade().map(tell).is_some());
    }
}
