//! What a node may ask for while it runs. Progress and cancel are one call, so that neither can be forgotten.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::fingerprint::Fingerprint;
use crate::graph::{self, Graph};
use crate::host::Host;
use crate::image::Picture;
use crate::observe::{Cancel, Event, Observer};
use crate::plan::{Need, Plan};
use crate::residency::{Device, Handle, Ledger, Pinned, Reservation, Resident};
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

/// Time between two previews of a node: what comes sooner, nobody sees.
const PREVIEW_PAUSE: Duration = Duration::from_millis(250);

/// What a node may ask for while it runs.
pub struct Context<'a> {
    around: Surroundings<'a>,
    node: &'a str,
    recipe: Fingerprint,
    /// When it last showed something.
    shown: Option<Instant>,
    /// The least bytes of what it has yet to pin on each device, by the plan; not known before the first pin there.
    to_come: BTreeMap<Device, u64>,
}

impl<'a> Context<'a> {
    /// Makes the context of one node.
    pub fn new(around: Surroundings<'a>, node: &'a str, recipe: Fingerprint) -> Self {
        Self { around, node, recipe, shown: None, to_come: BTreeMap::new() }
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

    /// Shows what the result looks like so far; not computed if nobody looks, or just after the last.
    ///
    /// # Errors
    /// What computing it says.
    pub fn preview(&mut self, picture: impl FnOnce() -> Result<Picture, Fault>) -> Result<(), Fault> {
        let is_early = self.shown.is_some_and(|shown| shown.elapsed() < PREVIEW_PAUSE);
        if is_early || !self.around.observer.wants_previews() {
            return Ok(());
        }
        let picture = picture()?;
        self.shown = Some(Instant::now());
        self.around.observer.see(&Event::Preview { node: self.node, picture: &picture });
        Ok(())
    }

    /// Holds weights for as long as they are used. Where there is room for a part of them only, the rest is read from
    /// its file at each use; that is told once in a run. Reserve scratch memory first: weights take what is left.
    ///
    /// # Errors
    /// A fault of the file, or of memory: who holds it.
    pub fn pin<R: Resident>(&mut self, handle: &Handle<R>) -> Result<Pinned<R>, Fault> {
        self.around.cancel.check()?;
        let spare = self.spare(handle.device(), handle.least_bytes());
        let pinned = Ledger::pin(self.around.ledger, handle, spare, self.around.cancel)?;
        let (bytes, of) = (pinned.bytes(), pinned.wants());
        if bytes < of && self.around.ledger.is_news(handle.part()) {
            self.around.observer.see(&Event::Streams { node: self.node, title: &handle.title(), bytes, of });
        }
        Ok(pinned)
    }

    /// The bytes that a part should leave to those that this node pins later on the same device.
    fn spare(&mut self, device: Device, least: u64) -> u64 {
        let planned = || self.need().map_or(0, |need| need.room(device).least);
        let to_come = self.to_come.get(&device).copied().unwrap_or_else(planned).saturating_sub(least);
        self.to_come.insert(device, to_come);
        to_come
    }

    /// Returns what the plan foresees for this node.
    fn need(&self) -> Option<&'a Need> {
        let (plan, node) = self.plan()?;
        plan.steps.iter().find(|step| step.id == node)?.need.as_ref()
    }

    /// Returns the device that this node works on: where the first of its models sits, else where the machine computes.
    pub fn device(&self) -> Device {
        self.need().map_or(self.around.host.device(), |need| need.device)
    }

    /// Makes room for scratch memory on the device that this node works on.
    ///
    /// # Errors
    /// A fault of memory: who holds it.
    pub fn reserve(&mut self, bytes: u64) -> Result<Reservation, Fault> {
        Ledger::reserve(self.around.ledger, self.device(), bytes)
    }

    /// Makes room for as much scratch memory as there can be on that device, up to `most`; maybe for none.
    pub fn reserve_up_to(&mut self, most: u64) -> Reservation {
        Ledger::reserve_up_to(self.around.ledger, self.device(), most)
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::files::Files;

    /// Somebody who looks at previews, or not.
    struct Eyes(bool);

    impl Observer for Eyes {
        fn see(&self, _: &Event<'_>) {}

        fn wants_previews(&self) -> bool {
            self.0
        }
    }

    /// Offers so many previews, or fewer once so many were computed; returns how many were.
    fn offered(observer: &dyn Observer, offers: u64, most: u32) -> u32 {
        let (cancel, ledger, host) = (Cancel::new(), Ledger::new(0), Host::new(Files::default()));
        let (ledger, host, workflow) = (&ledger, &host, &Workflow::default());
        let around = Surroundings { observer, cancel: &cancel, ledger, host, checkpoints: None, workflow };
        let mut context = Context::new(around, "leaf", Fingerprint::of_bytes(b"leaf"));
        let computed = Cell::new(0);
        for _ in 0..offers {
            let picture = || {
                computed.set(computed.get() + 1);
                Picture::new(1, 1, 3, vec![0.5; 3]).ok_or_else(|| Fault::bug("no picture"))
            };
            context.preview(picture).expect("a preview");
            if computed.get() == most {
                break;
            }
        }
        computed.get()
    }

    #[test]
    fn nobody_looks_and_nothing_is_computed() {
        assert_eq!(offered(&Eyes(false), 3, 1), 0);
    }

    #[test]
    fn three_previews_take_two_pauses() {
        let began = Instant::now();
        assert_eq!(offered(&Eyes(true), u64::MAX, 3), 3);
        assert!(began.elapsed() >= 2 * PREVIEW_PAUSE, "they came in {:?}", began.elapsed());
    }
}
