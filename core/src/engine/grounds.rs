//! Where a run is made: on its machine, or on what that falls back to.

use std::collections::HashSet;

use crate::cache::Cache;
use crate::host::Host;

/// Where a run is made.
pub(super) struct Grounds<'a> {
    pub host: Host,
    cache: &'a Cache,
    /// Whether only this run is made elsewhere.
    strayed: bool,
}

impl<'a> Grounds<'a> {
    /// Begins on a machine.
    pub fn new(host: Host, cache: &'a Cache) -> Self {
        Self { host, cache, strayed: false }
    }

    /// Returns what the machine falls back to, for its own sake.
    pub fn fallback(&self) -> Option<Host> {
        self.host.fallback().map(Host::apart)
    }

    /// Goes on elsewhere for good. Models that are open would compute where they were opened.
    pub fn leave(&mut self, other: Host) {
        self.cache.let_go(&HashSet::new());
        self.host = other;
    }

    /// Goes on elsewhere to the end of this run.
    pub fn stray(&mut self, other: Host) {
        self.strayed = true;
        self.leave(other);
    }
}

impl Drop for Grounds<'_> {
    fn drop(&mut self) {
        if self.strayed {
            self.cache.let_go(&HashSet::new());
        }
    }
}
