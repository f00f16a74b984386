//! From what was typed to what was meant: a graph with its seeds drawn, a wish, and an engine that can run it.

use std::path::{Path, PathBuf};

use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::files::Files;
use darkroom_core::graph::check::{draw_seeds, set_seeds};
use darkroom_core::graph::{Field, Graph, NodeEntry, Places};
use darkroom_core::history::History;
use darkroom_core::ladder::Fits;
use darkroom_core::literal::Literal;
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::registry::Registry;
use indexmap::IndexMap;

use crate::allowance::Allowance;
use crate::args::{Budgets, Seed, Wanted};
use crate::checks::folders::Used;
use crate::desk::Desk;
use crate::folders::{Folders, full};
use crate::machine::System;
use crate::means::Means;
use crate::shelves::with_shelves;
use crate::{compose, set, workflow};

/// A workflow that is ready to be planned and run.
pub struct Job {
    /// What plans and runs it.
    pub engine: Engine,
    /// What is run.
    pub graph: Graph,
    /// What is wanted of it.
    pub wish: Wish,
    /// The seeds that were drawn, by `node.input`.
    pub drawn: Vec<(String, u64)>,
    source: Source,
}

/// Where a graph came from.
struct Source {
    file: PathBuf,
    places: Places,
    /// Inputs that the command line has set: what is wrong with them is not in the file.
    set: Vec<(String, String)>,
}

impl Job {
    /// Makes all ready; networks will compute as `means` say.
    ///
    /// # Errors
    /// Everything that is wrong with the file and the command line; folders that cannot be written.
    pub fn prepare(wanted: &Wanted, means: &Means, folders: &Folders, desk: &Desk) -> Result<Self, Faults> {
        let registry = compose::registry();
        let loaded = workflow::load(&wanted.file, desk)?;
        let mut graph = loaded.graph;
        if let Some(on_too_large) = wanted.on_too_large {
            graph.set_on_too_large(on_too_large);
        }
        let (drawn, set) = settle(&mut graph, &registry, wanted)?;
        for (id, name) in &set {
            // What was typed is what is wanted, whatever the file was locked to.
            if graph.lock.shift_remove(&format!("{id}.{name}")).is_some() {
                desk.say(&format!("`{id}.{name}` is set, and no longer locked"));
            }
        }
        for (at, seed) in &drawn {
            desk.say(&format!("drawn for `{at}`: {seed}"));
        }
        let output = full(&wanted.out)?;
        Used::output(&output).check(&System::here()).pass(desk)?;
        let cache = open_cache(&wanted.budgets, folders, desk)?;
        let allowance = Allowance::here(&wanted.budgets, folders)?;
        allowance.unused(&means.choice).iter().for_each(|told| desk.warn(told));
        let file = full(&wanted.file)?;
        let history = History::open(&folders.histories(), &file.canonicalize().unwrap_or(file));
        let files = Files::new(roots(&wanted.file, &wanted.allow)?, output).with_memo(folders.digests());
        let files = with_shelves(files, folders, &wanted.file)?;
        let goal = wanted.to.clone().map_or(Goal::Effects, Goal::Node);
        Ok(Self {
            engine: compose::engine(means.host(&files), cache, allowance.ledger(&means.choice), history)
                .with_fits(Fits::open(&folders.fits())),
            graph,
            wish: Wish { goal, fresh: wanted.fresh },
            drawn,
            source: Source { file: wanted.file.clone(), places: loaded.places, set },
        })
    }

    /// Adds file, line and column to faults, and puts them in the order of the file.
    pub fn locate(&self, faults: Faults) -> Faults {
        let mut faults = self.source.places.locate(faults).in_file(&self.source.file);
        for place in faults.0.iter_mut().map(|located| &mut located.place) {
            let at = place.node.as_ref().zip(place.input.as_ref());
            if at.is_some_and(|((node, _), input)| self.source.set.iter().any(|set| (&set.0, &set.1) == (node, input)))
            {
                place.file = Some(PathBuf::from("--set"));
                place.position = None;
            }
        }
        faults.0.sort_by_key(|located| located.place.position);
        faults
    }
}

/// The seeds that were drawn, and the inputs that were set.
type Settled = (Vec<(String, u64)>, Vec<(String, String)>);

/// Puts what the command line says into a graph, and draws the seeds that are left to chance.
fn settle(graph: &mut Graph, registry: &Registry, wanted: &Wanted) -> Result<Settled, Faults> {
    let mut drawn = Vec::new();
    match wanted.seed {
        Some(Seed::Fixed(seed)) => set_seeds(graph, registry, seed),
        Some(Seed::Random) => {
            let seed = draw()?;
            set_seeds(graph, registry, seed);
            drawn.push(("--seed".to_owned(), seed));
        }
        None => {}
    }
    let set = set::set_all(graph, registry, &wanted.set)?;
    let before = graph.clone();
    let mut failed = None;
    draw_seeds(graph, registry, || draw().inspect_err(|fault| failed = Some(fault.clone())).unwrap_or_default());
    if let Some(fault) = failed {
        return Err(fault.into());
    }
    drawn.extend(changes(&before, graph));
    Ok((drawn, set))
}

/// Draws a seed. Thirty-two bits are plenty, and short enough to be typed again.
pub fn draw() -> Result<u64, Fault> {
    let drawn =
        getrandom::u32().map_err(|error| Fault::file(format!("the system gives no random numbers: {error}")))?;
    Ok(u64::from(drawn))
}

/// Lists the whole numbers that have taken the place of something else.
fn changes(before: &Graph, after: &Graph) -> Vec<(String, u64)> {
    let mut all = changed("", &before.nodes, &after.nodes);
    for (name, subgraph) in &after.subgraphs {
        if let Some(before) = before.subgraphs.get(name) {
            all.extend(changed(&format!("{name} › "), &before.nodes, &subgraph.nodes));
        }
    }
    all
}

type Nodes = IndexMap<String, NodeEntry>;

fn changed(within: &str, before: &Nodes, after: &Nodes) -> Vec<(String, u64)> {
    let mut changes = Vec::new();
    for (id, entry) in after {
        for (name, field) in &entry.fields {
            let was = before.get(id).and_then(|entry| entry.fields.get(name));
            if let Field::Literal(Literal::Integer(seed)) = field
                && was != Some(field)
            {
                changes.extend(u64::try_from(*seed).map(|seed| (format!("{within}{id}.{name}"), seed)));
            }
        }
    }
    changes
}

/// Opens the cache within its budgets.
///
/// # Errors
/// A fault of its folder.
pub fn open_cache(budgets: &Budgets, folders: &Folders, desk: &Desk) -> Result<Cache, Fault> {
    let cache = Cache::in_memory(budgets.cache_memory);
    if budgets.no_cache_disk {
        return Ok(cache);
    }
    let results = Used::results(&folders.results);
    results.check(&System::here()).pass(desk)?;
    let opened = cache.with_disk(&folders.results, budgets.cache_disk);
    opened.map_err(|fault| fault.hint(results.way_out))
}

/// Returns the folders that a workflow may read: its own, `input`, and those that are allowed.
///
/// # Errors
/// A fault of an allowed folder that is none.
pub fn roots(file: &Path, allow: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    if let Some(wrong) = allow.iter().find(|folder| !folder.is_dir()) {
        return Err(Fault::file(format!("--allow: there is no folder `{}`", wrong.display())));
    }
    let home = full(file)?.parent().map(Path::to_owned);
    let mut roots: Vec<_> = home.into_iter().collect();
    roots.push(full(Path::new("input"))?);
    for folder in allow {
        roots.push(full(folder)?);
    }
    Ok(roots)
}
