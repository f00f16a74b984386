//! The models that are here: what each takes, and at what sizes it draws within the budget. The figures are those of plans:
//! a text becomes a picture, as in `graphs/landscape.ron`.

use std::path::Path;
use std::path::PathBuf;

use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::graph::read;
use darkroom_core::history::History;
use darkroom_core::plan::Wish;
use darkroom_core::residency::{Ledger, gibibytes};
use darkroom_core::spec::FileSort;
use darkroom_hub::Settings;
use darkroom_hub::fault::bytes_for_people;
use darkroom_models::nn::Compute;
use serde_json::{Value, json};

use super::{Finding, Section};
use crate::about::About;
use crate::compose;
use crate::folders::Folders;
use crate::set::set_all;
use crate::shelves::{library, library_fault, on_hub, with_hub};

/// Edges of the square pictures that are planned.
const EDGES: [u32; 4] = [512, 768, 1024, 1536];

/// How a text becomes a picture.
const WORKFLOW: &str = include_str!("../../../graphs/landscape.ron");

/// A model that is here.
#[derive(Debug)]
pub struct Here {
    /// What a workflow calls it.
    pub name: String,
    /// The file, or the folder of a pipeline; none of the model that is built in.
    pub path: Option<PathBuf>,
    /// Its size.
    pub bytes: u64,
}

/// What a picture of a size takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    edge: u32,
    bytes: u64,
}

/// Lists the model that is built in, those of the user's own folders, and those of the hub's cache.
///
/// # Errors
/// A fault of a folder.
pub fn here(folders: &Folders, settings: &Settings) -> Result<Vec<Here>, Fault> {
    let items = library(folders)?.list().map_err(|fault| library_fault(&fault))?;
    let own = items.into_iter().map(|item| Here {
        name: format!("{}/{}", item.kind, item.name),
        path: Some(item.path),
        bytes: item.bytes,
    });
    let of_hub = on_hub(settings).into_iter();
    let of_hub = of_hub.map(|found| Here { name: found.name, path: Some(found.path), bytes: found.bytes });
    let built_in = Here { name: "mini".to_owned(), path: None, bytes: 0 };
    Ok([built_in].into_iter().chain(own).chain(of_hub).collect())
}

/// Says what the models take that are here, and what fits into so many bytes.
pub fn section(models: &[Here], planner: &Planner, budget: u64) -> Section {
    let known: Vec<_> = models.iter().map(|model| (model, planner.look(model))).collect();
    let mut findings: Vec<_> = known.iter().map(|(model, look)| said(model, look, budget)).collect();
    if models.iter().all(|model| model.path.is_none()) {
        let way_out = "fetch one with `darkroom models pull`, or name a folder of them in DARKROOM_MODELS";
        findings.push(Finding::note("no other models are here").way_out(way_out));
    }
    let facts: Vec<_> = known.iter().map(|(model, look)| facts(model, look, budget)).collect();
    Section::new("models", json!({"budget": budget, "models": facts}), findings)
}

/// Plans pictures, and makes none.
pub struct Planner {
    engine: Engine,
    compute: Compute,
}

/// What is known of a model.
#[derive(Debug)]
struct Look {
    /// What it is, or why nothing is known of it; nothing of the model that is built in.
    about: Option<Result<About, String>>,
    /// Bytes of its largest part in memory.
    part: Option<u64>,
    /// What pictures take, if it makes some of texts alone.
    needs: Vec<Need>,
}

impl Planner {
    /// Plans for networks that compute with `compute`, on the models that these folders and settings name.
    ///
    /// # Errors
    /// A fault of a list of folders.
    pub fn new(compute: &Compute, folders: &Folders, settings: Settings) -> Result<Self, Fault> {
        let files = Files::default().with_memo(folders.digests());
        let files = with_hub(files, folders, Path::new("landscape.ron"), settings)?;
        let (cache, ledger, history) = (Cache::in_memory(0), Ledger::new(u64::MAX), History::in_memory());
        Ok(Self { engine: compose::engine(files, compute, cache, ledger, history), compute: compute.clone() })
    }

    fn look(&self, model: &Here) -> Look {
        let Some(path) = &model.path else { return Look { about: None, part: None, needs: self.needs(&model.name) } };
        let about = About::of(path);
        let sort = about.as_ref().ok().and_then(About::sort);
        let part = sort.and_then(|sort| compose::needs(path, sort, &self.compute).ok());
        let needs = if sort == Some(FileSort::Model) { self.needs(&model.name) } else { Vec::new() };
        Look { about: Some(about), part, needs }
    }

    /// Plans pictures of all sizes. A model that makes none of a text alone, as a refiner, has no plan.
    fn needs(&self, model: &str) -> Vec<Need> {
        let need = |edge: u32| Some(Need { edge, bytes: self.peak(model, edge)? });
        EDGES.into_iter().map_while(need).collect()
    }

    fn peak(&self, model: &str, edge: u32) -> Option<u64> {
        let mut graph = read(WORKFLOW).expect("the workflow is part of the program").graph;
        let set = [format!("model.source={model}"), format!("blank.width={edge}"), format!("blank.height={edge}")];
        set_all(&mut graph, self.engine.registry(), &set).ok()?;
        Some(self.engine.foresee(&graph, &Wish::default()).ok()?.peak_bytes)
    }
}

fn said(model: &Here, look: &Look, budget: u64) -> Finding {
    let name = &model.name;
    let what = match &look.about {
        None => "built in".to_owned(),
        Some(Err(why)) => return Finding::note(format!("`{name}` is unknown: {why}")),
        Some(Ok(about)) => {
            let told = [Some(about.role()), about.family.clone(), about.precision.clone()];
            let told: Vec<_> = told.into_iter().flatten().chain([bytes_for_people(model.bytes)]).collect();
            told.join(", ")
        }
    };
    let part = look.part.map(|bytes| format!(", largest part {}", gibibytes(bytes))).unwrap_or_default();
    let (fitting, large): (Vec<_>, Vec<_>) = look.needs.iter().partition(|need| need.bytes <= budget);
    let sizes = |needs: &[&Need]| {
        let size = |need: &&Need| format!("{0}×{0} in {1}", need.edge, gibibytes(need.bytes));
        needs.iter().map(size).collect::<Vec<_>>().join(", ")
    };
    let drawn = if fitting.is_empty() { String::new() } else { format!("; draws {}", sizes(&fitting)) };
    let says = format!("`{name}` ({what}{part}){drawn}");
    let is_large = look.part.is_some_and(|part| part > budget);
    if large.is_empty() && !is_large {
        return Finding::fine(says);
    }
    let beyond = if large.is_empty() { String::new() } else { format!("; beyond the budget {}", sizes(&large)) };
    Finding::note(format!("{says}{beyond}")).way_out("give a larger budget with --ram, or draw smaller")
}

fn facts(model: &Here, look: &Look, budget: u64) -> Value {
    let about = look.about.as_ref().and_then(|about| about.as_ref().ok());
    let pictures = look.needs.iter().map(
        |need| json!({"width": need.edge, "height": need.edge, "bytes": need.bytes, "fits": need.bytes <= budget}),
    );
    json!({
        "name": model.name,
        "path": model.path.as_ref().map(|path| path.to_string_lossy()),
        "bytes": model.bytes,
        "role": about.map(About::role),
        "family": about.and_then(|about| about.family.clone()),
        "precision": about.and_then(|about| about.precision.clone()),
        "largest_part": look.part,
        "pictures": pictures.collect::<Vec<_>>(),
        "fault": look.about.as_ref().and_then(|about| about.as_ref().err()),
    })
}
