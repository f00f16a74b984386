//! Runs that are over: when, how long, what came of them, and the graph that was run. Each document's file has a file of
//! them in the state folder, a line for each run, which is only ever added to; the last ones are read again.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use darkroom_core::fault::Fault;
use darkroom_core::files::write_aside;
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::graph::{self, Graph};
use serde::{Deserialize, Serialize};

/// So many runs of a document are remembered.
pub const MOST: usize = 100;

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// When it began, in seconds since 1970.
    pub at: u64,
    /// Seconds from its beginning to its end.
    pub seconds: f64,
    /// What came of it.
    pub outcome: Outcome,
    /// Pictures that it left, or found again.
    pub pictures: Vec<PathBuf>,
    /// What was run, with the seeds that were drawn.
    pub graph: Arc<Graph>,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It came to its end.
    Done,
    /// It was stopped.
    Stopped,
    /// It failed, and why.
    Failed(String),
}

/// A run as a line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    at: u64,
    seconds: f64,
    outcome: Outcome,
    pictures: Vec<String>,
    graph: String,
}

/// The runs of a document, the oldest first.
#[derive(Debug, Default)]
pub struct PastRuns {
    file: Option<PathBuf>,
    runs: Vec<Arc<Past>>,
}

impl PastRuns {
    /// Reads the runs of a document's file that are kept in a folder. Lines that cannot be read are left out.
    pub fn open(folder: &Path, document: &Path) -> Self {
        let name = Fingerprint::of_bytes(document.as_os_str().as_encoded_bytes());
        let file = folder.join(format!("{name}.runs"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let kept = &lines[lines.len().saturating_sub(MOST)..];
        if lines.len() > 2 * MOST {
            // A file that stays long costs time, and nothing else.
            let _ = write_aside(&file, format!("{}\n", kept.join("\n")).as_bytes());
        }
        let runs = kept.iter().filter_map(|line| read(line)).map(Arc::new).collect();
        Self { file: Some(file), runs }
    }

    /// Goes on with another file of runs, behind those that it holds.
    pub fn move_to(&mut self, folder: &Path, document: &Path) {
        let mut there = Self::open(folder, document);
        if there.file == self.file {
            return;
        }
        for run in std::mem::take(&mut self.runs) {
            if there.runs.iter().all(|known| *known != run) {
                // What cannot be written is known as long as the window lives.
                let _ = there.add(Past::clone(&run));
            }
        }
        *self = there;
    }

    /// Returns the runs, the oldest first.
    pub fn runs(&self) -> &[Arc<Past>] {
        &self.runs
    }

    /// Adds a run, and writes it down.
    ///
    /// # Errors
    /// A fault of the file; the run is known as long as the window lives.
    pub fn add(&mut self, run: Past) -> Result<(), Fault> {
        let line = write(&run);
        self.runs.push(Arc::new(run));
        if self.runs.len() > MOST {
            self.runs.remove(0);
        }
        let Some(file) = &self.file else { return Ok(()) };
        let fail = |error: &std::io::Error| Fault::io("write", file, error);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|error| fail(&error))?;
        }
        let mut open = OpenOptions::new().create(true).append(true).open(file).map_err(|error| fail(&error))?;
        open.write_all(format!("{line}\n").as_bytes()).map_err(|error| fail(&error))
    }
}

fn write(run: &Past) -> String {
    let line = Line {
        at: run.at,
        seconds: run.seconds,
        outcome: run.outcome.clone(),
        pictures: run.pictures.iter().filter_map(|path| path.to_str().map(str::to_owned)).collect(),
        graph: graph::write(&run.graph),
    };
    ron::to_string(&line).expect("texts and numbers are always valid RON")
}

fn read(line: &str) -> Option<Past> {
    let line: Line = ron::from_str(line).ok()?;
    Some(Past {
        at: line.at,
        seconds: line.seconds,
        outcome: line.outcome,
        pictures: line.pictures.into_iter().map(PathBuf::from).collect(),
        graph: Arc::new(graph::read(&line.graph).ok()?.graph),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(at: u64) -> Past {
        let text = "(darkroom: 1, nodes: {\"a\": (type: \"say\", text: \"two\\nlines\")})";
        Past {
            at,
            seconds: 1.5,
            outcome: Outcome::Failed("the tray is `empty`".to_owned()),
            pictures: vec![PathBuf::from("/out/a.png")],
            graph: Arc::new(graph::read(text).expect("a workflow").graph),
        }
    }

    #[test]
    fn runs_are_read_again_and_what_is_damaged_is_left_out() {
        let home = tempfile::tempdir().expect("a folder");
        let mut runs = PastRuns::open(home.path(), Path::new("/a.ron"));
        runs.add(past(1)).expect("it is written");
        let file = runs.file.clone().expect("it has a file");
        fs::write(&file, fs::read_to_string(&file).expect("readable") + "(at: 2, seco\n").expect("writable");
        runs.add(past(3)).expect("it is written");
        let again = PastRuns::open(home.path(), Path::new("/a.ron"));
        assert_eq!(again.runs().iter().map(|run| Past::clone(run)).collect::<Vec<_>>(), [past(1), past(3)]);
        assert!(PastRuns::open(home.path(), Path::new("/b.ron")).runs().is_empty());
    }

    #[test]
    fn no_more_than_the_last_runs_are_kept() {
        let home = tempfile::tempdir().expect("a folder");
        let mut runs = PastRuns::open(home.path(), Path::new("/a.ron"));
        (0..250).for_each(|at| runs.add(past(at)).expect("it is written"));
        assert_eq!((runs.runs().len(), runs.runs()[0].at), (MOST, 150));
        let again = PastRuns::open(home.path(), Path::new("/a.ron"));
        assert_eq!(again.runs()[0].at, 150);
        let text = fs::read_to_string(again.file.expect("it has a file")).expect("readable");
        assert_eq!(text.lines().count(), MOST);
    }

    #[test]
    fn a_document_that_is_saved_elsewhere_takes_its_runs_along() {
        let home = tempfile::tempdir().expect("a folder");
        let mut runs = PastRuns::default();
        runs.add(past(1)).expect("there is nothing to write");
        runs.move_to(home.path(), Path::new("/a.ron"));
        assert_eq!(PastRuns::open(home.path(), Path::new("/a.ron")).runs().len(), 1);
    }
}
