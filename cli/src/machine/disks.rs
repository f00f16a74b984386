//! The disk that a folder lies on: what is free there, and what kind of disk it is.

use std::fmt;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use darkroom_hub::tuning::free_space;

use super::System;
use super::mounts::{mount_of, mounts};

/// The disk that a folder lies on, or would if it were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that are free for this user.
    pub free: Option<u64>,
    /// What the file system is called, as `ext4`.
    pub kind: Option<String>,
    /// What it lies on.
    pub medium: Medium,
}

/// What a file system lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Memory: what is written there takes from what models need.
    Memory,
    /// Another machine.
    Network,
    /// A disk of this machine, or nobody says.
    Disk,
}

impl Disk {
    /// Asks the system about the nearest folder that is there.
    pub fn of(system: &System, folder: &Path) -> Self {
        let there = nearest(folder);
        // Links are followed: what counts is where the bytes go.
        let real = there.canonicalize().unwrap_or(there);
        let mount = mount_of(&mounts(system), &real);
        let medium = mount.as_ref().map_or(Medium::Disk, |mount| medium(&mount.kind));
        Self { free: free_space(&real).ok(), kind: mount.map(|mount| mount.kind), medium }
    }
}

/// Returns the nearest folder that is there: the path itself, or one above it.
pub fn nearest(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|ancestor| ancestor.metadata().is_ok_and(|about: Metadata| about.is_dir()));
    there.unwrap_or(path).to_owned()
}

/// What a kind of file system lies on. Whether a disk turns is not asked: virtual ones say anything, and how fast it is read is
/// measured.
fn medium(kind: &str) -> Medium {
    match kind {
        "tmpfs" | "ramfs" | "devtmpfs" => Medium::Memory,
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "ceph" | "lustre" | "glusterfs" | "afs" | "fuse.sshfs"
        | "fuse.s3fs" | "fuse.gcsfuse" | "fuse.rclone" => Medium::Network,
        _ => Medium::Disk,
    }
}

/// Writes `nfs4 over the network`.
impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_deref().unwrap_or("unknown file system"))?;
        match self.medium {
            Medium::Memory => f.write_str(" in memory"),
            Medium::Network => f.write_str(" over the network"),
            Medium::Disk => Ok(()),
        }
    }
}

impl Medium {
    /// Returns the word that programs read.
    pub fn word(self) -> &'static str {
        match self {
            Medium::Memory => "memory",
            Medium::Network => "network",
            Medium::Disk => "disk",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::system;

    #[test]
    fn a_disk_is_told_by_its_file_system() {
        let told = |kind: &str| {
            let mounts = format!("1 0 8:1 / / rw - {kind} source rw\n");
            Disk::of(&system(&[("/proc/self/mountinfo", &mounts)]).system, Path::new("/")).to_string()
        };
        assert_eq!(told("tmpfs"), "tmpfs in memory");
        assert_eq!(told("nfs4"), "nfs4 over the network");
        assert_eq!(told("ext4"), "ext4");
        assert_eq!(Disk::of(&system(&[]).system, Path::new("/")).to_string(), "unknown file system");
    }

    #[test]
    fn a_folder_that_is_not_there_lies_where_it_would_be_made() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::write(home.path().join("file"), "").expect("written");
        for below in ["a/b/c", "file/below"] {
            assert_eq!(nearest(&home.path().join(below)), home.path(), "{below}");
        }
        let disk = Disk::of(&System::here(), &home.path().join("a/b"));
        assert!(disk.free.is_some_and(|free| free > 0), "{disk:?}");
    }
}
