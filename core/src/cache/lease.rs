//! Leases: while a job counts on an entry, no process makes room by removing it.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::folder::{Folder, leads_to};
use crate::fingerprint::Fingerprint;

/// Open files that leases of one process may take; beyond it they are given without a promise.
const FILES: usize = 256;

/// Keeps an entry of the disk tier from being evicted, by any process, until it is dropped or its process ends.
#[derive(Debug)]
#[must_use = "a lease that is dropped promises nothing"]
pub struct Lease {
    _file: Option<File>,
    count: Arc<AtomicUsize>,
}

impl Lease {
    /// Leases an entry; `None` if it is not there.
    pub(super) fn take(folder: &Folder, recipe: Fingerprint, count: &Arc<AtomicUsize>) -> Option<Self> {
        let path = folder.entry(recipe);
        let held = count.fetch_add(1, Ordering::Relaxed);
        // From here on dropping the lease gives its count back.
        let mut lease = Self { _file: None, count: Arc::clone(count) };
        loop {
            let file = File::open(&path).ok()?;
            if held < FILES && file.try_lock_shared().is_err() {
                // Somebody is taking its name away in this moment.
                std::thread::yield_now();
                continue;
            }
            if leads_to(&path, &file) {
                lease._file = (held < FILES).then_some(file);
                return Some(lease);
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
