//! Whether a file lies on another machine, where it can vanish under a map without this machine hearing of it.

use std::fs::File;

/// Tells whether a file lies on a network file system, or on one that a program serves; unknown ones are local.
#[cfg(target_os = "linux")]
pub fn is_remote(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|found| is_remote_kind(found.f_type as u32))
}

/// Elsewhere nothing is known of the file system.
#[cfg(not(target_os = "linux"))]
pub fn is_remote(_: &File) -> bool {
    false
}

/// The numbers are those of statfs(2) and of the kernel's `linux/magic.h`.
#[cfg(target_os = "linux")]
fn is_remote_kind(kind: u32) -> bool {
    const NFS: u32 = 0x6969;
    const SMB: u32 = 0x517B;
    const SMB2: u32 = 0xFE53_4D42;
    const CIFS: u32 = 0xFF53_4D42;
    const FUSE: u32 = 0x6573_5546;
    const PLAN9: u32 = 0x0102_1997;
    const CEPH: u32 = 0x00C3_6400;
    const AFS: u32 = 0x5346_414F;
    const KAFS: u32 = 0x6B41_4653;
    const CODA: u32 = 0x7375_7245;
    const LUSTRE: u32 = 0x0BD0_0BD0;
    const GPFS: u32 = 0x4750_4653;
    const VBOX: u32 = 0x786F_4256;
    matches!(kind, NFS | SMB | SMB2 | CIFS | FUSE | PLAN9 | CEPH | AFS | KAFS | CODA | LUSTRE | GPFS | VBOX)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_remote_and_disks_are_not() {
        for remote in [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x0102_1997] {
            assert!(is_remote_kind(remote), "{remote:#x}");
        }
        // ext4, xfs, btrfs, tmpfs, overlayfs
        for local in [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630] {
            assert!(!is_remote_kind(local), "{local:#x}");
        }
        // What the kernel keeps for itself is served by no other machine.
        assert!(!is_remote(&File::open("/proc/self/status").unwrap()));
    }
}
