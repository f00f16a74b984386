//! Whoever plans and runs graphs for the editor, near or far.
//!
//! The window never waits: it hands over what it wants and is woken when there is news. Everything that goes to and fro
//! is plain data with nodes by name, so that the same editor can sit before an engine in this process or on another
//! machine.

mod arrivals;
mod closing;
mod folder;
mod holding;
mod journal;
mod local;
mod models;
mod past;
mod settings;
mod stars;
mod told;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use darkroom_core::fault::{Fault, Faults};
use darkroom_core::graph::Graph;
use darkroom_core::plan::Wish;
use darkroom_core::registry::Registry;

pub use arrivals::{Disk, ShowFolder, Sort, WorkflowOf, is_model_folder, sort_by_name, sort_of};
pub use closing::Closing;
pub use folder::{Entry, Folder};
pub use holding::{Held, Holding, Seat, Spare};
pub use journal::{Journal, Left, PAUSE};
pub use local::{Local, OpenEngine};
pub use models::{Model, Nothing, Pulling, Store, bytes_for_people};
pub use past::{Outcome, Past, PastRuns};
pub use settings::{Look, Settings, Sight};
pub use stars::Stars;
pub use told::{Fate, NodeOutlook, Outlook, Told};

/// A document of the window, by a number that is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub u64);

/// A run that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A graph, and what is wanted of it.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Whose graph it is.
    pub document: DocumentId,
    /// The document's revision, so that late answers are known as such.
    pub revision: u64,
    /// The document's file: what it reads lies beside it.
    pub path: Option<PathBuf>,
    /// The graph as it is now.
    pub graph: Arc<Graph>,
    /// What is wanted.
    pub wish: Wish,
}

/// Where a run stands among those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before all others; the one under way goes on.
    Front,
    /// Behind all others.
    Back,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum News {
    /// What would happen to a graph.
    Foreseen {
        /// Whose graph.
        document: DocumentId,
        /// The revision that was asked about.
        revision: u64,
        /// What would happen, or everything that is wrong.
        outlook: Result<Outlook, Faults>,
    },
    /// A run goes on.
    Run {
        /// Which.
        ticket: Ticket,
        /// What it tells.
        told: Told,
    },
    /// A run is over.
    Ended {
        /// Which.
        ticket: Ticket,
        /// Seconds it took and the most bytes that were in use; or why it ended.
        ended: Result<(f64, u64), Faults>,
    },
    /// Nothing has run for a while, so that weights were let go of.
    Rested {
        /// For how long.
        idle: Duration,
        /// Bytes of weights.
        bytes: u64,
    },
    /// What sits in memory and on disk.
    Stock(Vec<Holding>),
    /// The models that a document can name.
    Models {
        /// Whose.
        document: DocumentId,
        /// All of them, or why they cannot be listed.
        models: Result<Vec<Model>, Fault>,
    },
    /// Something is being fetched.
    Pulling(Pulling),
    /// Something has been fetched, or not.
    Pulled {
        /// Which.
        ticket: Ticket,
        /// Why not.
        ended: Result<(), Fault>,
    },
}

/// Plans and runs graphs.
pub trait Backend {
    /// Returns the nodes there are.
    fn registry(&self) -> &Registry;

    /// Asks what would happen. Only the newest question about a document is answered.
    fn foresee(&mut self, ask: Ask);

    /// Asks for a run. Until it begins it is a handle and no more: it holds no memory but its graph.
    fn run(&mut self, ask: Ask, place: Place) -> Ticket;

    /// Brings a run that waits before all others that wait.
    fn hasten(&mut self, ticket: Ticket);

    /// Asks which models a document can name, whose file lies here.
    fn models(&mut self, document: DocumentId, path: Option<&Path>);

    /// Tells whether what has this name can be fetched.
    fn can_pull(&self, name: &str) -> bool;

    /// Asks for something to be fetched, behind what was asked for before. What an earlier one left is not fetched
    /// again.
    fn pull(&mut self, name: &str) -> Ticket;

    /// Asks a run to stop, or what is being fetched. A run that waits is taken out at once.
    fn cancel(&mut self, ticket: Ticket);

    /// Asks what sits in memory and on disk.
    fn take_stock(&mut self);

    /// Lets go of what no run uses, and asks what is left.
    fn let_go(&mut self, spare: Spare);

    /// Checks a graph at once: whether a wire may be drawn is asked while the hand waits.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn check(&mut self, ask: &Ask) -> Result<(), Faults>;

    /// Returns what has happened since the last time.
    fn news(&mut self) -> Vec<News>;

    /// Returns the bytes of memory that runs may use, and those in use now.
    fn memory(&self) -> (u64, u64);
}
