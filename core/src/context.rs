//! What a node may ask for while it runs. Progress and cancel are one call, so that neither can be forgotten.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::fault::Fault;
use crate::fingerprint::Fingerprint;
use crate::graph::{self, Graph};
use crate::host::Host;
use crate::image::Picture;
use crate::observe::{Cancel, Event, Observer};
use crate::plan::Plan;
use crate::residency::{Handle, Ledger, Pinned, Reservation, Resident};
use crate::value::Record;

/// A place where a node in the middle of its work is kept, so that a killed run resumes.
pub trait Checkpoints: Send + Sync {
    /// Returns what was kept under a recipe's name.
    fn load(&self, recipe: Fingerprint) -> Option<Record>;
    /// Keeps the state of a node in the middle of its work; a failure costs only the comfort.
    fn save(&self, recipe: Fingerprint, record: &Record);
    /// Forgets it, once the node is through.
    fn forget(&self, recipe: Fingerprint);
}

/// What every node of a run shares.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// Who may ask to stop.
    pub cancel: &'a Cancel,
    /// Who may sit in memory.
    pub ledger: &'a Arc<Ledger>,
    /// The machine.
    pub host: &'a Host,
    /// Where half-done work is kept, if anywhere.
    pub checkpoints: Option<&'a dyn Checkpoints>,
    /// The workflow, for pictures that carry it.
    pub workflow: &'a Workflow<'a>,
}

/// The workflow as text, written down when somebody first asks, because most nodes never do; and what it means, with
/// light values made and routes taken.
#[derive(Debug, Default)]
pub struct Workflow<'g> {
    told: Option<(&'g Graph, &'g Plan)>,
    text: OnceLock<String>,
}

impl<'g> Workflow<'g> {
    /// Makes the text of a graph that runs by a plan.
    pub fn new(graph: &'g Graph, plan: &'g Plan) -> Self {
        Self { told: Some((graph, plan)), text: OnceLock::new() }
    }

    /// Returns the text; empty where no graph runs.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| self.told.map(|(graph, _)| graph::write(graph)).unwrap_or_default())
    }
}

/// What a node may ask for while it runs.
pub struct Context<'a> {
    around: Surroundings<'a>,
    node: &'a str,
    recipe: Fingerprint,
}

impl<'a> Context<'a> {
    /// Makes the context of one node.
    pub fn new(around: Surroundings<'a>, node: &'a str, recipe: Fingerprint) -> Self {
        Self { around, node, recipe }
    }

    /// Says how far the work is, and hears whether to stop.
    ///
    /// # Errors
    /// [`Fault::cancelled`], to be passed on at once.
    pub fn tick(&mut self, done: usize, of: usize) -> Result<(), Fault> {
        self.around.cancel.check()?;
        self.around.observer.see(&Event::Progress { node: self.node, done, of });
        Ok(())
    }

    /// Hears whether to stop, inside one step.
    ///
    /// # Errors
    /// [`Fault::cancelled`], to be passed on at once.
    pub fn check_cancel(&self) -> Result<(), Fault> {
        self.around.cancel.check()
    }

    /// Shows what the result looks like so far; not computed if nobody looks.
    ///
    /// # Errors
    /// What computing it says.
    pub fn preview(&mut self, picture: impl FnOnce() -> Result<Picture, Fault>) -> Result<(), Fault> {
        if self.around.observer.wants_previews() {
            let picture = picture()?;
            self.around.observer.see(&Event::Preview { node: self.node, picture: &picture });
        }
        Ok(())
    }

    /// Holds weights for as long as they are used.
    ///
    /// # Errors
    /// A fault of the file, or of memory: who holds it.
    pub fn pin<R: Resident>(&mut self, handle: &Handle<R>) -> Result<Pinned<R>, Fault> {
        self.around.cancel.check()?;
        Ledger::pin(self.around.ledger, handle, self.around.cancel)
    }

    /// Makes room for scratch memory.
    ///
    /// # Errors
    /// A fault of memory: who holds it.
    pub fn reserve(&mut self, bytes: u64) -> Result<Reservation, Fault> {
        Ledger::reserve(self.around.ledger, bytes)
    }

    /// Says something that a person should know and that stops nothing.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        self.around.observer.see(&Event::Warning { node: Some(self.node), text: text.as_ref() });
    }

    /// Says that a file was written.
    pub fn wrote(&mut self, path: &Path) {
        self.around.observer.see(&Event::Wrote { node: self.node, path, anew: true });
    }

    /// Returns a shared part of the machine.
    ///
    /// # Errors
    /// A bug, if the program was put together without it.
    pub fn host<T: Send + Sync + 'static>(&self) -> Result<&'a T, Fault> {
        self.around.host.part()
    }

    /// Returns the files that may be touched.
    pub fn files(&self) -> &'a crate::files::Files {
        self.around.host.files()
    }

    /// Returns the plan that is carried out, and the node's id in it.
    pub fn plan(&self) -> Option<(&'a Plan, &'a str)> {
        self.around.workflow.told.map(|(_, plan)| (plan, self.node))
    }

    /// Returns the workflow as text.
    pub fn workflow(&self) -> &'a str {
        self.around.workflow.text()
    }

    /// Returns the state in which an earlier run of the same recipe was killed.
    pub fn resume(&self) -> Option<Record> {
        self.around.checkpoints?.load(self.recipe)
    }

    /// Keeps the state, so that a killed run resumes from here.
    pub fn checkpoint(&mut self, record: &Record) {
        if let Some(checkpoints) = self.around.checkpoints {
            checkpoints.save(self.recipe, record);
        }
    }
}
