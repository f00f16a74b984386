//! How a pull goes about it: sizes, numbers and times, with values that suit the hub. Tests choose their own.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::retry::{Clock, Retry, WallClock};

/// Finds out how many bytes are free where a folder lies.
pub type FreeSpace = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// Sizes, numbers and times of a pull.
#[derive(Clone)]
pub struct Tuning {
    /// Bytes that one request asks for; a pull that is killed loses no more than this for each open request.
    pub chunk: u64,
    /// Files that are fetched at once.
    pub files: usize,
    /// Ranges of one file that are fetched at once.
    pub ranges: usize,
    /// When to try again.
    pub retry: Retry,
    /// The time within which `slowest` bytes must arrive.
    pub window: Duration,
    /// Bytes that must arrive in every `window`.
    pub slowest: u64,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// Bytes of the disk that are left alone.
    pub spare: u64,
    /// How much of the disk is free.
    pub free_space: FreeSpace,
    /// What waits.
    pub clock: Arc<dyn Clock>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            chunk: 16 << 20,
            files: 3,
            ranges: 4,
            retry: Retry::default(),
            window: Duration::from_secs(30),
            slowest: 30 << 10,
            connect: Duration::from_secs(15),
            spare: 2_000_000_000,
            free_space: Arc::new(free_space),
            clock: Arc::new(WallClock),
        }
    }
}

impl Tuning {
    /// Returns the same for a question that can be done without: asked once, and not waited for long.
    #[must_use]
    pub(crate) fn hurried(&self) -> Self {
        let [connect, window] = [self.connect, self.window].map(|time| time.min(Duration::from_secs(5)));
        Self { retry: Retry { attempts: 1, ..self.retry.clone() }, connect, window, ..self.clone() }
    }
}

impl fmt::Debug for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tuning").field("chunk", &self.chunk).field("files", &self.files).finish_non_exhaustive()
    }
}

/// Returns the bytes that are free for this user where a folder lies, or would if it were made.
///
/// # Errors
/// What the system says.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let there = folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(folder);
    let of = rustix::fs::statvfs(there)?;
    Ok(of.f_bavail.saturating_mul(of.f_frsize))
}
