//! What this process holds, as Linux tells it: memory that no file could be read again for, and pages of mapped files.
//! Other systems tell nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::peak::{Peak, Watchers};

/// Between two looks at the process.
const EVERY: Duration = Duration::from_millis(5);

/// Memory of this process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// That no file could be read again for.
    pub anonymous: u64,
    /// Pages of mapped files, which the system takes back when it wants to.
    pub mapped: u64,
}

impl Held {
    /// Returns both together.
    pub fn all(self) -> u64 {
        self.anonymous + self.mapped
    }
}

/// Returns what this process holds now; `None` where the system does not tell.
pub fn held() -> Option<Held> {
    read(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Reads `RssAnon:     5120 kB` and its like.
fn read(status: &str) -> Option<Held> {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Held { anonymous: field("RssAnon:")?, mapped: field("RssFile:")? + field("RssShmem:")? })
}

/// A thread that looks at the anonymous memory of the process all the time, and tells those who watch.
pub struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// What was held when it looked last.
    last: AtomicU64,
    watchers: Mutex<Watchers>,
    over: AtomicBool,
}

impl Sampler {
    /// Begins to look; in vain where the system does not tell.
    pub fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let looks = Arc::clone(&shared);
        let thread = held().map(|held| {
            shared.last.store(held.anonymous, Ordering::Relaxed);
            thread::spawn(move || {
                while !looks.over.load(Ordering::Relaxed) {
                    thread::park_timeout(EVERY);
                    looks.look();
                }
            })
        });
        Self { shared, thread }
    }

    /// Begins to watch, from what was held when it looked last.
    pub fn watch(&self) -> Peak {
        let bytes = self.shared.last.load(Ordering::Relaxed);
        self.shared.watchers.lock().expect("no thread panics while it looks").watch(bytes)
    }

    /// Looks now, so that what is held at this moment is counted.
    pub fn look(&self) {
        self.shared.look();
    }
}

impl Shared {
    fn look(&self) {
        let bytes = held().unwrap_or_default().anonymous;
        self.last.store(bytes, Ordering::Relaxed);
        self.watchers.lock().expect("no thread panics while it looks").see(bytes);
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does nothing that could panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read_in_bytes() {
        let told = "VmHWM:\t  9 kB\nRssAnon:\t   5120 kB\nRssFile:\t  8 kB\nRssShmem:\t  4 kB\n";
        let held = read(told).expect("all is told");
        assert_eq!((held.anonymous, held.mapped, held.all()), (5120 << 10, 12 << 10, 5132 << 10));
        for told in ["", "RssAnon: 5 kB\n", "RssAnon: many kB\nRssFile: 1 kB\nRssShmem: 1 kB\n"] {
            assert_eq!(read(told), None, "{told}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_held_for_a_moment_is_remembered() {
        let sampler = Sampler::start();
        let most = sampler.watch();
        let before = most.bytes();
        let memory = vec![1u8; 64 << 20];
        thread::sleep(EVERY * 20);
        std::hint::black_box(&memory);
        drop(memory);
        assert!(most.bytes() >= before + (48 << 20));
        assert!(held().expect("Linux tells").mapped > 0);
    }
}
