//! The folders that are written and read: whether they can be, what is free there, and how fast they are read.

use std::io;
use std::path::{Path, PathBuf};

use darkroom_core::fault::Fault;
use darkroom_hub::fault::bytes_for_people;
use serde_json::{Value, json};

use super::Finding;
use crate::folders::check_writable;
use crate::machine::System;
use crate::machine::disks::{Disk, Medium};
use crate::machine::speed::Speed;

/// Free bytes below which a disk is soon full: some pictures and results, and the system wants some too.
const SHORT: u64 = 500_000_000;

/// Bytes a second below which reading a model is a wait: 7 GB take more than a minute.
const SLOW: f64 = 100e6;

/// How much hangs on a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// No run goes without writing there.
    Runs,
    /// Runs go on without writing there.
    Comfort,
    /// It is read.
    Reading,
}

/// A folder that is used.
#[derive(Debug, Clone)]
pub struct Used {
    /// What lies there.
    pub what: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// How much hangs on it.
    pub need: Need,
    /// What names another one.
    pub way_out: &'static str,
}

impl Used {
    /// The folder for pictures.
    pub fn output(path: &Path) -> Self {
        Self { what: "pictures", path: path.to_owned(), need: Need::Runs, way_out: "name another folder with --out" }
    }

    /// The folder for results of earlier runs.
    pub fn results(path: &Path) -> Self {
        let way_out = "set DARKROOM_CACHE to another folder, or run with --no-cache-disk";
        Self { what: "results", path: path.to_owned(), need: Need::Runs, way_out }
    }

    /// The folder for logs and histories.
    pub fn state(path: &Path) -> Self {
        let way_out = "set DARKROOM_STATE to another folder";
        Self { what: "logs and histories", path: path.to_owned(), need: Need::Comfort, way_out }
    }

    /// The cache of the hub.
    pub fn hub(path: &Path) -> Self {
        let way_out = "set HF_HUB_CACHE to another folder: models cannot be fetched";
        Self { what: "models of the hub", path: path.to_owned(), need: Need::Comfort, way_out }
    }

    /// A folder of the user's own models.
    pub fn models(path: &Path) -> Self {
        Self { what: "models", path: path.to_owned(), need: Need::Reading, way_out: "mend DARKROOM_MODELS" }
    }

    /// Looks whether it serves.
    pub fn check(&self, system: &System) -> Finding {
        match self.need {
            Need::Reading => self.readable(system),
            Need::Runs | Need::Comfort => match check_writable(&self.path) {
                Ok(()) => self.room(&Disk::of(system, &self.path)),
                Err(fault) if self.need == Need::Runs => fault.hint(self.way_out).into(),
                Err(fault) => Finding::note(fault.message).way_out(self.way_out),
            },
        }
    }

    fn readable(&self, system: &System) -> Finding {
        match self.path.read_dir() {
            Ok(_) => self.room(&Disk::of(system, &self.path)),
            Err(error) => Finding::note(Fault::io("read", &self.path, &error).message).way_out(self.way_out),
        }
    }

    /// Says what is free on its disk.
    fn room(&self, disk: &Disk) -> Finding {
        let free = disk.free.map(|free| format!(", {} free", bytes_for_people(free))).unwrap_or_default();
        let says = format!("{} in `{}`: {disk}{free}", self.what, self.path.display());
        if self.need == Need::Reading {
            return Finding::fine(says);
        }
        if disk.medium == Medium::Memory {
            return Finding::note(format!("{says}; what lies there takes from what models need")).way_out(self.way_out);
        }
        match disk.free {
            Some(free) if free < SHORT => {
                Finding::note(format!("{says}, which is soon full")).way_out("free some space")
            }
            _ => Finding::fine(says),
        }
    }

    /// Writes it for a program.
    pub fn json(&self, system: &System) -> Value {
        let disk = Disk::of(system, &self.path);
        json!({
            "what": self.what,
            "path": self.path.to_string_lossy(),
            "exists": self.path.is_dir(),
            "free": disk.free,
            "file_system": disk.kind,
            "medium": disk.medium.word(),
        })
    }
}

/// Says how fast a disk is read.
pub fn speed(measured: &io::Result<Speed>) -> Finding {
    let speed = match measured {
        Ok(speed) => speed,
        Err(error) => return Finding::note(format!("how fast models are read could not be measured: {error}")),
    };
    let of = match &speed.file {
        Some(file) => format!("of `{}`", file.display()),
        None => "written for this".to_owned(),
    };
    let rate = bytes_for_people(speed.rate() as u64);
    let says = format!("models are read at {rate} a second ({} {of})", bytes_for_people(speed.bytes));
    if speed.rate() >= SLOW {
        return Finding::fine(says);
    }
    Finding::note(format!("{says}: one of 7 GB takes {:.0} s", 7e9 / speed.rate()))
        .way_out("keep models on a faster disk: see DARKROOM_MODELS and HF_HUB_CACHE")
}

/// Writes the speed for a program.
pub fn speed_json(measured: &io::Result<Speed>) -> Value {
    match measured {
        Ok(speed) => json!({
            "bytes": speed.bytes,
            "seconds": speed.time.as_secs_f64(),
            "file": speed.file.as_ref().map(|file| file.to_string_lossy()),
        }),
        Err(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::checks::Verdict;

    fn disk(free: u64, medium: Medium) -> Disk {
        Disk { free: Some(free), kind: Some("ext4".to_owned()), medium }
    }

    #[test]
    fn row_37_a_folder_that_cannot_be_written_stops_runs_only_where_they_need_it() {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("file"), "").expect("written");
        let (blocked, system) = (home.path().join("file/below"), System::here());
        let output = Used::output(&blocked).check(&system);
        assert!(matches!(output.verdict, Verdict::Trouble(_)), "{output:?}");
        assert_eq!(output.way_out.as_deref(), Some("name another folder with --out"));
        assert!(Used::results(&blocked).check(&system).way_out.is_some_and(|way| way.contains("--no-cache-disk")));
        for used in [Used::state(&blocked), Used::hub(&blocked), Used::models(&blocked)] {
            assert_eq!(used.check(&system).verdict, Verdict::Note, "{}", used.what);
        }
    }

    #[test]
    fn row_37_a_folder_that_is_not_there_yet_can_be_written_and_is_not_made() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("a/b");
        let finding = Used::output(&path).check(&System::here());
        assert!(finding.says.contains("free"), "{finding:?}");
        assert!(!home.path().join("a").exists());
        assert_eq!(Used::output(&path).json(&System::here())["exists"], false);
    }

    #[test]
    fn a_disk_that_is_soon_full_or_in_memory_is_worth_knowing() {
        let used = Used::results(Path::new("/c"));
        let fine = used.room(&disk(3_000_000_000, Medium::Disk));
        assert_eq!(fine, Finding::fine("results in `/c`: ext4, 3.0 GB free"));
        let full = used.room(&disk(100_000_000, Medium::Disk));
        assert_eq!(full.says, "results in `/c`: ext4, 100.0 MB free, which is soon full");
        assert_eq!(used.room(&disk(3_000_000_000, Medium::Memory)).verdict, Verdict::Note);
        assert_eq!(Used::models(Path::new("/m")).room(&disk(1, Medium::Memory)).verdict, Verdict::Fine, "it is read");
    }

    #[test]
    fn a_slow_disk_is_told_by_the_wait() {
        let speed = |bytes, file: Option<&str>| {
            speed(&Ok(Speed { bytes, time: Duration::from_secs(2), file: file.map(Into::into) }))
        };
        let fast = speed(256_000_000, Some("/m/a.safetensors"));
        let says = "models are read at 128.0 MB a second (256.0 MB of `/m/a.safetensors`)";
        assert_eq!(fast, Finding::fine(says));
        let slow = speed(140_000_000, None);
        assert_eq!(
            slow.says,
            "models are read at 70.0 MB a second (140.0 MB written for this): one of 7 GB takes 100 s"
        );
        let fault = super::speed(&Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(fault.verdict, Verdict::Note);
    }
}
