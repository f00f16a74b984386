//! What a process holds, as Linux tells it: memory that no file could be read again for, and pages of mapped files.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

/// Between two looks at the process.
const EVERY: Duration = Duration::from_millis(5);

/// Memory of this process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held {
    /// That no file could be read again for.
    pub anonymous: u64,
    /// Pages of mapped files, which the system takes back when it wants to.
    pub mapped: u64,
}

impl Held {
    /// Returns both together.
    #[must_use]
    pub fn all(self) -> u64 {
        self.anonymous + self.mapped
    }
}

/// Returns what this process holds now.
///
/// # Errors
/// Systems other than Linux.
pub fn held() -> Result<Held> {
    let status = fs::read_to_string("/proc/self/status").context("memory is read from Linux's /proc")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.with_context(|| format!("no {name} in /proc/self/status"))?;
        Ok::<_, anyhow::Error>(kib.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
    };
    Ok(Held { anonymous: field("RssAnon:")?, mapped: field("RssFile:")? + field("RssShmem:")? })
}

/// A thread that looks at the process all the time and remembers the most.
pub struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    most: AtomicU64,
    over: AtomicBool,
}

impl Sampler {
    /// Begins to look.
    #[must_use]
    pub fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let looked_at = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while !looked_at.over.load(Ordering::Relaxed) {
                // Where nothing can be read, `most` says so.
                looked_at.most.fetch_max(held().map_or(0, |held| held.anonymous), Ordering::Relaxed);
                thread::sleep(EVERY);
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Forgets what was seen so far.
    pub fn forget(&self) {
        self.shared.most.store(0, Ordering::Relaxed);
    }

    /// Returns the most anonymous memory seen since, in bytes.
    ///
    /// # Errors
    /// Systems other than Linux.
    pub fn most(&self) -> Result<u64> {
        Ok(self.shared.most.load(Ordering::Relaxed).max(held()?.anonymous))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_for_a_moment_is_remembered() {
        let sampler = Sampler::start();
        let before = sampler.most().unwrap();
        let memory = vec![1u8; 64 << 20];
        thread::sleep(EVERY * 20);
        std::hint::black_box(&memory);
        drop(memory);
        assert!(sampler.most().unwrap() >= before + (48 << 20));
        assert!(held().unwrap().mapped > 0);
    }
}
