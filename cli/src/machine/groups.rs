//! How much memory the groups allow that this process is in: what containers, services and job queues are held by
//! (Linux: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst).
//!
//! Groups lie in each other, and each may set a limit: the tightest counts. A process sees its group by the path in
//! `/proc/self/cgroup`, and the tree of groups where it is mounted; in a container the mount may begin further down than
//! the path does.

use std::path::{Path, PathBuf};

use super::System;
use super::mounts::{Mount, mounts};

/// A limit that a group sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Bytes that the processes of the group may hold together.
    pub bytes: u64,
    /// Bytes that they hold, without copies of files that can go at any time.
    pub used: Option<u64>,
    /// The file that says so.
    pub file: PathBuf,
}

/// The names of the files of one version.
struct Version {
    limit: &'static str,
    used: &'static str,
    /// The line of `memory.stat` that counts copies of files which nobody has used for a while.
    idle_files: &'static str,
}

const ONE: Version =
    Version { limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", idle_files: "total_inactive_file" };
const TWO: Version = Version { limit: "memory.max", used: "memory.current", idle_files: "inactive_file" };

/// Returns the tightest limit of the groups that this process is in, if any sets one.
pub fn limit(system: &System) -> Option<Limit> {
    let groups = system.text(Path::new("/proc/self/cgroup"))?;
    let mounts = mounts(system);
    let limits = groups.lines().filter_map(|line| group(line, &mounts)).flat_map(|(version, mount, path)| {
        let folder = seen(mount, path);
        let above: Vec<_> = folder.ancestors().map(Path::to_owned).collect();
        above.into_iter().take_while(|folder| folder.starts_with(&mount.point)).filter_map(|folder| {
            let file = folder.join(version.limit);
            Some(Limit { bytes: system.number(&file)?, used: used(system, version, &folder), file })
        })
    });
    // The first version writes an endless limit as a number of pages that no machine has.
    limits.filter(|limit| limit.bytes < 1 << 60).min_by_key(|limit| limit.bytes)
}

/// Reads `0::/a/b` of the second version, or `4:memory:/a/b` of the first, with where its tree is mounted.
fn group<'m, 'l>(line: &'l str, mounts: &'m [Mount]) -> Option<(&'static Version, &'m Mount, &'l Path)> {
    let mut parts = line.splitn(3, ':');
    let (number, controllers, path) = (parts.next()?, parts.next()?, Path::new(parts.next()?));
    if number == "0" && controllers.is_empty() {
        return Some((&TWO, mounts.iter().find(|mount| mount.kind == "cgroup2")?, path));
    }
    let of_memory = |mount: &&Mount| mount.kind == "cgroup" && mount.options.iter().any(|word| word == "memory");
    let holds_memory = controllers.split(',').any(|word| word == "memory");
    let mount = mounts.iter().find(of_memory).filter(|_| holds_memory)?;
    Some((&ONE, mount, path))
}

/// Returns the folder of a group: what its path has beyond the root of the mount lies below the mount's point. A group
/// that lies elsewhere is not seen, and the top of what is seen stands for it.
fn seen(mount: &Mount, path: &Path) -> PathBuf {
    let below = path.strip_prefix(&mount.root).unwrap_or(Path::new(""));
    let goes_up = below.components().any(|part| part.as_os_str() == "..");
    if goes_up || below.as_os_str().is_empty() { mount.point.clone() } else { mount.point.join(below) }
}

fn used(system: &System, version: &Version, folder: &Path) -> Option<u64> {
    let held = system.number(&folder.join(version.used))?;
    let about = system.text(&folder.join("memory.stat")).unwrap_or_default();
    let idle = about.lines().find_map(|line| line.strip_prefix(version.idle_files)?.trim().parse().ok());
    Some(held.saturating_sub(idle.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::system;

    const SECOND: &str = "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
    const FIRST: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    fn tightest(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<(u64, Option<u64>, String)> {
        let all = [&[("/proc/self/cgroup", groups), ("/proc/self/mountinfo", mounts)], files].concat();
        let limit = limit(&system(&all).system)?;
        Some((limit.bytes, limit.used, limit.file.display().to_string()))
    }

    #[test]
    fn a_limit_of_the_second_version_is_read_with_what_is_held() {
        let files = [
            ("/sys/fs/cgroup/app/memory.max", "4294967296\n"),
            ("/sys/fs/cgroup/app/memory.current", "1500\n"),
            ("/sys/fs/cgroup/app/memory.stat", "anon 1000\nfile 500\ninactive_file 400\n"),
        ];
        let expected = (4 << 30, Some(1100), "/sys/fs/cgroup/app/memory.max".to_owned());
        assert_eq!(tightest("0::/app\n", SECOND, &files), Some(expected));
        assert_eq!(tightest("0::/app\n", SECOND, &[("/sys/fs/cgroup/app/memory.max", "max\n")]), None);
    }

    #[test]
    fn of_groups_in_groups_the_tightest_counts() {
        let files = [
            ("/sys/fs/cgroup/a/memory.max", "3000"),
            ("/sys/fs/cgroup/a/b/memory.max", "max"),
            ("/sys/fs/cgroup/a/b/c/memory.max", "5000"),
            ("/sys/fs/cgroup/other/memory.max", "1"),
        ];
        let expected = (3000, None, "/sys/fs/cgroup/a/memory.max".to_owned());
        assert_eq!(tightest("0::/a/b/c\n", SECOND, &files), Some(expected));
    }

    #[test]
    fn a_limit_of_the_first_version_is_read_and_an_endless_one_is_none() {
        let groups = "5:devices:/\n4:cpu,memory:/jobs/7\n0::/\n";
        let endless = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        let files = [
            endless,
            ("/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes", "8589934592\n"),
            ("/sys/fs/cgroup/memory/jobs/7/memory.usage_in_bytes", "4096\n"),
            ("/sys/fs/cgroup/memory/jobs/7/memory.stat", "inactive_file 5000\ntotal_inactive_file 96\n"),
        ];
        let expected = (8 << 30, Some(4000), "/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes".to_owned());
        assert_eq!(tightest(groups, FIRST, &files), Some(expected));
        assert_eq!(tightest(groups, FIRST, &[endless]), None);
    }

    #[test]
    fn in_a_container_the_mount_begins_where_the_container_does() {
        let limit = [("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000"), ("/sys/fs/cgroup/memory.max", "1000")];
        let first = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        assert_eq!(tightest("4:memory:/docker/abc\n", first, &limit).expect("a limit").0, 1000);
        let shared = "29 23 0:26 /../../pod /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(tightest("0::/\n", shared, &limit).expect("a limit").0, 1000);
        assert_eq!(tightest("0::/../elsewhere\n", SECOND, &limit).expect("a limit").0, 1000);
    }

    #[test]
    fn what_is_broken_limits_nothing() {
        assert_eq!(tightest("", "", &[]), None);
        assert_eq!(tightest("nonsense\n0::\n", "nonsense\n", &[]), None);
        assert_eq!(tightest("0::/a\n", SECOND, &[("/sys/fs/cgroup/a/memory.max", "lots")]), None);
        assert_eq!(limit(&system(&[]).system), None);
    }
}
