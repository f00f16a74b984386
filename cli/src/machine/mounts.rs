//! What is mounted where, from `/proc/self/mountinfo` (Linux: Documentation/filesystems/proc.rst, section 3.5).

use std::path::{Path, PathBuf};

use super::System;

/// One thing that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The folder of it that is seen at `point`.
    pub root: PathBuf,
    /// Where it is seen.
    pub point: PathBuf,
    /// What kind of file system it is, as `ext4`.
    pub kind: String,
    /// The file system's own options, as `rw`, `memory`.
    pub options: Vec<String>,
}

/// Lists what is mounted; nothing, where the system does not tell.
pub fn mounts(system: &System) -> Vec<Mount> {
    let text = system.text(Path::new("/proc/self/mountinfo")).unwrap_or_default();
    text.lines().filter_map(mount).collect()
}

/// Returns the mount that a path lies on: of those above it the deepest, and of equals the last, which hides the others.
pub fn mount_of(mounts: &[Mount], path: &Path) -> Option<Mount> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.components().count()).cloned()
}

/// Reads `36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/root rw`; before the `-` stands any number of tags.
fn mount(line: &str) -> Option<Mount> {
    let (place, about) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, point) = (place.next()?, place.next()?);
    let mut about = about.split(' ');
    let (kind, _source, options) = (about.next()?, about.next()?, about.next().unwrap_or_default());
    Some(Mount {
        root: PathBuf::from(plain(root)),
        point: PathBuf::from(plain(point)),
        kind: kind.to_owned(),
        options: options.split(',').map(str::to_owned).collect(),
    })
}

/// Reads letters that are written as `\040`: blanks, tabs, line ends and backslashes.
fn plain(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (written, meant)| text.replace(written, meant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::system;

    #[test]
    fn a_path_lies_on_the_deepest_mount_above_it() {
        let told = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
25 22 0:23 / /dev/shm rw shared:2 master:1 - tmpfs tmpfs rw,size=24684084k
26 22 0:52 /home /mnt/my\\040disk rw - nfs4 server:/home rw,vers=4.2
27 22 0:53 / /mnt rw - autofs
nonsense
";
        let played = system(&[("/proc/self/mountinfo", told)]);
        let mounts = mounts(&played.system);
        assert_eq!(mounts.len(), 3, "a line that tells too little is left out");
        let kind = |path: &str| mount_of(&mounts, Path::new(path)).expect("a root").kind;
        assert_eq!(kind("/home/me"), "ext4");
        assert_eq!(kind("/dev/shm/a"), "tmpfs");
        assert_eq!(kind("/dev/shmother"), "ext4", "folders are compared, not letters");
        assert_eq!(kind("/mnt/my disk/models"), "nfs4");
        assert_eq!(mount_of(&[], Path::new("/")), None);
        assert!(super::mounts(&system(&[]).system).is_empty());
    }

    #[test]
    fn of_two_mounts_at_one_point_the_last_is_seen() {
        let told = "1 0 8:1 / / rw - ext4 a rw\n2 1 0:9 / /m rw - ext4 b rw\n3 2 0:8 / /m rw - tmpfs c rw\n";
        let mounts = mounts(&system(&[("/proc/self/mountinfo", told)]).system);
        assert_eq!(mount_of(&mounts, Path::new("/m/a")).expect("mounted").kind, "tmpfs");
    }
}
