//! A room to run toys in: an engine over folders of its own, and reports that can be held against a snapshot.
//!
//! [`Room::run`] tells what became of each node and why, [`Room::run_log`] what happened meanwhile. [`Room::again`] puts
//! up a new engine over the same folders, as a new process would.

use std::path::{Path, PathBuf};

use darkroom_core::cache::Cache;
use darkroom_core::engine::{Engine, NodeReport, Report};
use darkroom_core::fault::Faults;
use darkroom_core::files::Files;
use darkroom_core::graph::{Field, Graph, Link, Loaded, Places, read};
use darkroom_core::history::History;
use darkroom_core::host::Host;
use darkroom_core::literal::Literal;
use darkroom_core::observe::{Cancel, How, Observer};
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::registry::Registry;
use darkroom_core::residency::Ledger;
use darkroom_core::testing::{Log, Meeting, Tally, toys};
use tempfile::TempDir;

/// What an engine is put together from.
pub struct Kit {
    /// The nodes there are.
    pub registry: Registry,
    /// Bytes of the cache in memory.
    pub memory: u64,
    /// Bytes of the cache on disk; `None` for a cache in memory alone.
    pub disk: Option<u64>,
    /// Bytes of weights.
    pub weights: u64,
    /// What the machine's arithmetic is called.
    pub numerics: &'static str,
}

impl Default for Kit {
    fn default() -> Self {
        Self { registry: toys(), memory: 64 << 20, disk: Some(256 << 20), weights: 1 << 20, numerics: "toy" }
    }
}

/// A graph, an engine, and the folders they live in.
pub struct Room {
    /// The graph, to be changed between runs.
    pub graph: Graph,
    /// The engine.
    pub engine: Engine,
    /// Counts the creatures alive.
    pub tally: Tally,
    places: Places,
    home: PathBuf,
    _folder: Option<TempDir>,
}

impl Room {
    /// Puts up a room around a workflow, with a cache in memory and on disk.
    ///
    /// # Panics
    /// If the text is no workflow.
    pub fn new(text: &str) -> Self {
        Self::with(text, Kit::default())
    }

    /// Puts up a room from given parts.
    ///
    /// # Panics
    /// If the text is no workflow.
    pub fn with(text: &str, kit: Kit) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let room = Self::at(folder.path(), text, kit);
        Self { _folder: Some(folder), ..room }
    }

    /// Puts up a room in a folder that is there already.
    ///
    /// # Panics
    /// If the text is no workflow, or the folder cannot be written.
    pub fn at(home: &Path, text: &str, kit: Kit) -> Self {
        let Loaded { graph, places, .. } = read(text).expect("the text is a workflow");
        std::fs::create_dir_all(home.join("in")).expect("there is room for a folder");
        let tally = Tally::default();
        let engine = engine(home, &tally, kit);
        Self { graph, engine, tally, places, home: home.to_owned(), _folder: None }
    }

    /// Leaves, and comes back with a new engine, as a new process would.
    pub fn again(&mut self) {
        self.again_with(Kit::default());
    }

    /// Comes back with an engine of other parts.
    pub fn again_with(&mut self, kit: Kit) {
        self.engine = engine(&self.home, &self.tally, kit);
    }

    /// Returns the folder that everything lies in: `in`, `out`, `cache`, `state`.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Sets an input, named as `node.input`, to a literal.
    pub fn set(&mut self, at: &str, literal: impl Into<Literal>) {
        self.put(at, Field::Literal(literal.into()));
    }

    /// Connects an input, named as `node.input`, to a node.
    pub fn connect(&mut self, at: &str, from: &str) {
        self.put(at, Field::Link(Link { node: from.to_owned(), output: None }));
    }

    fn put(&mut self, at: &str, field: Field) {
        let (node, input) = at.split_once('.').expect("`node.input`");
        self.graph.nodes.get_mut(node).expect("a node of the graph").fields.insert(input.to_owned(), field);
    }

    /// Runs, and tells what became of each node, or what is wrong.
    pub fn run(&self) -> String {
        self.run_wish(&Wish::default())
    }

    /// Runs everything anew.
    pub fn run_fresh(&self) -> String {
        self.run_wish(&Wish { fresh: true, ..Wish::default() })
    }

    /// Runs one node and what it needs.
    pub fn run_to(&self, node: &str) -> String {
        self.run_wish(&Wish { goal: Goal::Node(node.to_owned()), ..Wish::default() })
    }

    fn run_wish(&self, wish: &Wish) -> String {
        match self.engine.run(&self.graph, wish, &(), &Cancel::new()) {
            Ok(report) => table(&report.nodes),
            Err(faults) => self.words(faults),
        }
    }

    /// Runs, and tells what happened, a line an event.
    pub fn run_log(&self) -> Vec<String> {
        let log = Log::default();
        // The log ends with the fault, if there was one.
        let _ = self.engine.run(&self.graph, &Wish::default(), &log, &Cancel::new());
        log.take()
    }

    /// Runs while somebody watches, who may ask to stop.
    ///
    /// # Errors
    /// Whatever is wrong.
    pub fn run_watched(&self, observer: &dyn Observer, cancel: &Cancel) -> Result<Report, Faults> {
        self.engine.run(&self.graph, &Wish::default(), observer, cancel)
    }

    /// Explains what a run would do, or what is wrong.
    pub fn explain(&self) -> String {
        match self.engine.plan(&self.graph, &Wish::default()) {
            Ok(plan) => darkroom_core::explain::explain(&plan),
            Err(faults) => self.words(faults),
        }
    }

    /// Writes faults with their places and ways out.
    pub fn words(&self, faults: Faults) -> String {
        let mut text = String::new();
        for located in self.places.locate(faults).0 {
            text.push_str(&format!("{located}\n"));
            if let Some(hint) = &located.fault.hint {
                text.push_str(&format!("  {hint}\n"));
            }
        }
        text.replace(&self.home.display().to_string(), "HOME")
    }
}

fn engine(home: &Path, tally: &Tally, kit: Kit) -> Engine {
    let files = Files::new(vec![home.join("in")], home.join("out")).with_memo(home.join("state/digests.json"));
    let host = Host::new(files).with_numerics(kit.numerics).with(Meeting::default()).with(tally.clone());
    let mut cache = Cache::in_memory(kit.memory);
    if let Some(disk) = kit.disk {
        cache = cache.with_disk(&home.join("cache"), disk).expect("the folder can be written");
    }
    let history = History::open(&home.join("state"), Path::new("workflow.ron"));
    Engine::new(kit.registry, host, cache, Ledger::new(kit.weights), history)
}

fn table(nodes: &[NodeReport]) -> String {
    let width = nodes.iter().map(|node| node.id.chars().count()).max().unwrap_or(0);
    let line = |node: &NodeReport| {
        let how = node.how.map_or("idle", How::word);
        format!("{:width$}  {how:6}  {}\n", node.id, node.why)
    };
    nodes.iter().map(line).collect()
}
