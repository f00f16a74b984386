//! Where things lie: results in the user's cache folder, logs and histories in the state folder, settings in the
//! configuration folder. The environment may name others. Whether they can be written is found out before any work begins.

use std::fs;
use std::path::{Path, PathBuf, absolute};

use darkroom_core::fault::Fault;
use darkroom_core::files::next_number;
use etcetera::{AppStrategy as _, AppStrategyArgs, choose_app_strategy};

/// The folders of this user.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Results of earlier runs.
    pub results: PathBuf,
    /// Logs, histories, digests of files.
    pub state: PathBuf,
    /// The user's own models, in folders by kind.
    pub models: PathBuf,
    /// The user's settings.
    pub config: PathBuf,
}

impl Folders {
    /// Finds the folders; makes none.
    ///
    /// # Errors
    /// A fault of the file, if neither the system nor the environment names them.
    pub fn find() -> Result<Self, Fault> {
        let strategy =
            choose_app_strategy(AppStrategyArgs { app_name: "darkroom".to_owned(), ..AppStrategyArgs::default() });
        let strategy = strategy.ok();
        let cache = folder("DARKROOM_CACHE", strategy.as_ref().map(|of| of.cache_dir()))?;
        // Where a system has no folder for state, it belongs to the data.
        let data = strategy.as_ref().map(|of| of.data_dir());
        let state = strategy.as_ref().and_then(|of| of.state_dir()).or_else(|| data.clone());
        let state = folder("DARKROOM_STATE", state)?;
        let models = data.unwrap_or_else(|| state.clone()).join("models");
        let config = folder("DARKROOM_CONFIG", strategy.as_ref().map(|of| of.config_dir()))?.join("config.ron");
        Ok(Self { results: cache.join("results"), state, models, config })
    }

    /// Returns the folder of histories.
    pub fn histories(&self) -> PathBuf {
        self.state.join("history")
    }

    /// Returns the file that remembers digests of large files.
    pub fn digests(&self) -> PathBuf {
        self.state.join("digests.json")
    }

    /// Returns the file that remembers what fitted into the memory of this machine.
    pub fn fits(&self) -> PathBuf {
        self.state.join("fits.json")
    }

    /// Returns the log of the last session.
    pub fn last_session(&self) -> PathBuf {
        self.state.join("reports").join("last_session.log")
    }
}

fn folder(variable: &str, usual: Option<PathBuf>) -> Result<PathBuf, Fault> {
    let given = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let Some(chosen) = given.or(usual) else {
        return Err(Fault::file("this system names no home folder").hint(format!("set {variable} to a folder")));
    };
    full(&chosen)
}

/// Makes a path independent of the working folder.
///
/// # Errors
/// A fault of the file.
pub fn full(path: &Path) -> Result<PathBuf, Fault> {
    absolute(path).map_err(|error| Fault::io("find", path, &error))
}

/// Finds out whether files can be made in a folder, or, if it is not there yet, whether it can be made. Leaves nothing.
///
/// # Errors
/// A fault of the file, or of a disk that is full.
pub fn check_writable(folder: &Path) -> Result<(), Fault> {
    let there = folder.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok()).unwrap_or(folder);
    let fail = |error: &std::io::Error| {
        let fault = Fault::io("write below", folder, error);
        if fault.hint.is_some() { fault } else { fault.hint("choose another folder") }
    };
    if there.metadata().map_err(|error| fail(&error))?.is_file() {
        return Err(Fault::file(format!("cannot write below `{}`: `{}` is a file", folder.display(), there.display()))
            .hint("choose another folder"));
    }
    let probe = there.join(format!(".darkroom-{}-{}", std::process::id(), next_number()));
    fs::OpenOptions::new().write(true).create_new(true).open(&probe).map_err(|error| fail(&error))?;
    fs::remove_file(&probe).map_err(|error| fail(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        check_writable(&home.path().join("a/b/c")).expect("it could be made");
        assert_eq!(fs::read_dir(home.path()).expect("readable").count(), 0);
    }

    #[test]
    fn row_37_a_file_is_no_folder() {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("file"), "").expect("writable");
        let fault = check_writable(&home.path().join("file/below")).expect_err("a file is in the way");
        assert!(fault.message.contains("is a file"), "{fault}");
    }
}
