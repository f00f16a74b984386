//! Locks between processes, the same ones that the Python tools take: one process fetches a blob, the others wait.
//!
//! The system holds the lock as long as the process lives, and gives it back when that is killed. So no lock is ever stale.

use std::fs::{self, File, Metadata, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::fault::HubFault;
use crate::stop::{LOOK, Stop};

/// A lock that is held.
#[derive(Debug)]
#[must_use = "a lock that is dropped is given back"]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes a lock if nobody holds it.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn attempt(path: &Path) -> Result<Option<Self>, HubFault> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(HubFault::io("make", folder))?;
        }
        loop {
            let open = File::options().read(true).write(true).create(true).truncate(false).open(path);
            let file = open.map_err(HubFault::io("write", path))?;
            match file.try_lock() {
                // Whoever held it may have removed the file in this moment; then the lock is worth nothing.
                Ok(()) if !leads_to(path, &file) => {}
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(HubFault::io("lock", path)(error)),
            }
        }
    }

    /// Takes a lock, and waits for it if need be; `waits` is called once if so.
    ///
    /// # Errors
    /// A fault of the file, or the stop.
    pub fn take(path: &Path, stop: &Stop, waits: impl FnOnce()) -> Result<Self, HubFault> {
        if let Some(lock) = Self::attempt(path)? {
            return Ok(lock);
        }
        waits();
        loop {
            stop.check()?;
            std::thread::sleep(LOOK);
            if let Some(lock) = Self::attempt(path)? {
                return Ok(lock);
            }
        }
    }
}

fn leads_to(path: &Path, file: &File) -> bool {
    let id = |about: Metadata| (about.dev(), about.ino());
    matches!((fs::metadata(path).map(id), file.metadata().map(id)), (Ok(named), Ok(opened)) if named == opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_57_a_lock_is_held_once_and_given_back() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("a/b.lock");
        let held = Lock::attempt(&path).expect("a file").expect("free");
        assert!(Lock::attempt(&path).expect("a file").is_none());
        let stop = Stop::default();
        stop.ask();
        assert!(matches!(Lock::take(&path, &stop, || {}), Err(HubFault::Cancelled)));
        drop(held);
        let again = Lock::take(&path, &Stop::default(), || panic!("nobody holds it")).expect("free");
        fs::remove_file(&path).expect("removed");
        assert!(Lock::attempt(&path).expect("a file").is_some(), "the lock of a removed file is worth nothing");
        drop(again);
    }
}
