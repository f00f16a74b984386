//! Files that a folder may name: only those inside of it.
//!
//! A downloaded folder is somebody else's word. A link in it that leads out would let it read any file of the user's.
//! The hub's shared cache is the one exception: its snapshots are links into the `blobs` folder beside them.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Returns where `file` really lies, if that is below `root` or in the hub cache that `root` is a snapshot of.
pub fn inside(root: &Path, file: &Path) -> Result<PathBuf> {
    let real_root = root.canonicalize().map_err(|fault| Error::io(root, fault))?;
    let real = file.canonicalize().map_err(|fault| Error::io(file, fault))?;
    if real.starts_with(&real_root) || blobs(&real_root).is_some_and(|blobs| real.starts_with(blobs)) {
        return Ok(real);
    }
    let what = format!("the link leads out of the model folder, to {}", real.display());
    Err(Error::format(file, what).with_hint("put the file itself into the folder"))
}

/// Returns the `blobs` folder if `root` lies in `models--owner--name/snapshots/revision`.
fn blobs(root: &Path) -> Option<PathBuf> {
    let snapshots = root.ancestors().find(|at| at.file_name().is_some_and(|name| name == "snapshots"))?;
    let repository = snapshots.parent()?;
    let is_cached = repository.file_name()?.to_str()?.starts_with("models--");
    is_cached.then(|| repository.join("blobs").canonicalize().ok())?
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_link_into_the_hub_cache_is_inside_and_any_other_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("models--a--b");
        let part = repo.join("snapshots/1234/unet");
        fs::create_dir_all(&part).unwrap();
        fs::create_dir_all(repo.join("blobs")).unwrap();
        fs::write(repo.join("blobs/abcd"), "x").unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        symlink("../../../blobs/abcd", part.join("good")).unwrap();
        symlink(dir.path().join("secret"), part.join("bad")).unwrap();
        fs::write(part.join("own"), "x").unwrap();

        assert!(inside(&part, &part.join("own")).is_ok());
        assert!(inside(&part, &part.join("good")).is_ok());
        let fault = inside(&part, &part.join("bad")).unwrap_err().to_string();
        assert!(fault.contains("leads out of the model folder"), "{fault}");
    }
}
