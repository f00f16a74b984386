//! The memory of the machine, and of the container.

use std::path::Path;

use super::System;
use super::groups::{self, Limit};

/// How much memory there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of the machine, where it tells.
    pub total: Option<u64>,
    /// Bytes of the machine that programs could take now.
    pub available: Option<u64>,
    /// What the container allows, where it allows less than the machine has.
    pub limit: Option<Limit>,
}

impl Memory {
    /// Asks the system.
    pub fn of(system: &System) -> Self {
        let told = system.text(Path::new("/proc/meminfo")).unwrap_or_default();
        let total = line(&told, "MemTotal:");
        let limit = groups::limit(system).filter(|limit| total.is_none_or(|total| limit.bytes < total));
        Self { total, available: line(&told, "MemAvailable:"), limit }
    }

    /// Returns the bytes that there are for this program and its neighbours: the machine's, or the container's.
    pub fn all(&self) -> Option<u64> {
        let container = self.limit.as_ref().map(|limit| limit.bytes);
        self.total.into_iter().chain(container).min()
    }

    /// Returns the bytes that this program could take now.
    pub fn free(&self) -> Option<u64> {
        let container = self.limit.as_ref().and_then(|limit| Some(limit.bytes.saturating_sub(limit.used?)));
        self.available.into_iter().chain(container).min()
    }
}

/// Reads `MemTotal:  16384256 kB` in bytes.
fn line(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::system;

    const MEMINFO: &str = "MemTotal:       16384256 kB\nMemFree: 1 kB\nMemAvailable:    8192000 kB\n";

    fn memory(files: &[(&str, &str)]) -> Memory {
        Memory::of(&system(files).system)
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let memory = memory(&[("/proc/meminfo", MEMINFO)]);
        assert_eq!((memory.all(), memory.free()), (Some(16_384_256 * 1024), Some(8_192_000 * 1024)));
        assert_eq!(memory.limit, None);
    }

    #[test]
    fn what_is_broken_is_not_known() {
        for told in ["", "what", "MemTotal: many kB\nMemAvailable: 5 MB\n", "MemTotal: 99999999999999999999 kB\n"] {
            assert_eq!(memory(&[("/proc/meminfo", told)]), Memory::default(), "{told}");
        }
        assert_eq!((memory(&[]).all(), memory(&[]).free()), (None, None));
    }

    #[test]
    fn a_container_has_what_it_is_allowed() {
        let contained = |limit: &str| {
            memory(&[
                ("/proc/meminfo", MEMINFO),
                ("/proc/self/cgroup", "0::/\n"),
                ("/proc/self/mountinfo", "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
                ("/sys/fs/cgroup/memory.max", limit),
                ("/sys/fs/cgroup/memory.current", "1073741824"),
            ])
        };
        let tight = contained("4294967296");
        assert_eq!((tight.all(), tight.free()), (Some(4 << 30), Some(3 << 30)));
        let wide = contained("99999999999");
        assert_eq!((wide.all(), wide.limit), (Some(16_384_256 * 1024), None), "the machine has less");
        let full = contained("1000");
        assert_eq!(full.free(), Some(0));
    }
}
