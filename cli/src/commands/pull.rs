//! `darkroom models pull`: fetches what one address names, or all that a workflow names and lacks.

use std::path::Path;
use std::sync::Arc;

use darkroom_core::engine::Engine;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::files::Files;
use darkroom_core::graph::{Field, Graph, Mode, expand};
use darkroom_core::host::Host;
use darkroom_core::literal::Literal;
use darkroom_core::locks;
use darkroom_core::observe::Cancel;
use darkroom_core::registry::Registry;
use darkroom_core::spec::Lane;
use darkroom_hub::fault::bytes_for_people;
use darkroom_hub::{Address, Hub, Plan, Settings};
use darkroom_models::nn::Compute;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::folders::{Folders, full};
use crate::interrupt;
use crate::shelves::{HUB, hub_fault, with_shelves};
use crate::show::pulls::Pulls;
use crate::{compose, job, workflow};

/// How far a pull goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It fetches.
    Fetch,
    /// It says what it would fetch.
    Look,
}

impl How {
    /// Takes the flag.
    pub fn of(dry_run: bool) -> Self {
        if dry_run { Self::Look } else { Self::Fetch }
    }
}

/// Pulls an address, or what a workflow needs.
///
/// # Errors
/// A fault of the address or the workflow, of the hub, the way there, or the cache.
pub fn pull(what: &str, how: How, as_json: bool, settings: Settings, desk: &Arc<Desk>) -> Result<(), Faults> {
    if how == How::Fetch {
        desk.begin_log(&Folders::find()?.last_session());
        desk.note(&format!("asked: models pull {what}"));
    }
    let file = Path::new(what);
    let is_workflow = file.is_file() || file.extension().is_some_and(|end| end == "ron" || end == "png");
    if !what.starts_with(HUB) && is_workflow {
        return pull_all(file, how, as_json, settings, desk);
    }
    let puller = Puller { hub: Hub::new(settings), how, cancel: interrupt::listen(desk), desk };
    let plan = puller.one(&parsed(what)?)?;
    if as_json {
        return desk.answer_json(with_ok(plan_json(&plan)));
    }
    tell(&plan, how, desk)
}

/// Reads an address.
///
/// # Errors
/// A fault of what was typed.
pub fn parsed(address: &str) -> Result<Address, Fault> {
    address.parse().map_err(hub_fault)
}

fn pull_all(file: &Path, how: How, as_json: bool, settings: Settings, desk: &Arc<Desk>) -> Result<(), Faults> {
    let graph = workflow::load(file, desk)?.graph;
    let folders = Folders::find()?;
    let files = Files::new(job::roots(file, &[])?, full(Path::new("output"))?).with_memo(folders.digests());
    let host = compose::host(with_shelves(files, &folders, file)?, &Compute::default());
    let lacking = lacking(&graph, &compose::registry(), &host, desk)?;
    let puller = Puller { hub: Hub::new(settings), how, cancel: interrupt::listen(desk), desk };
    puller.make_sure_of_room(&lacking)?;
    let plans = lacking.iter().map(|address| puller.one(address)).collect::<Result<Vec<_>, _>>()?;
    if as_json {
        let models: Vec<_> = plans.iter().map(plan_json).collect();
        return desk.answer_json(json!({"ok": true, "exit": 0, "workflow": file.to_string_lossy(), "models": models}));
    }
    for plan in &plans {
        if how == How::Look {
            desk.answer(&plan.address.to_string())?;
        }
        tell(plan, how, desk)?;
    }
    if plans.is_empty() {
        desk.say(&format!("`{}` lacks nothing of the hub", file.display()));
    }
    Ok(())
}

/// Fetches what a graph names and lacks, before it is run.
///
/// # Errors
/// The same as of [`pull`].
pub fn pull_lacking(graph: &Graph, engine: &Engine, cancel: &Cancel, desk: &Desk) -> Result<(), Faults> {
    let settings = Settings::from_environment().map_err(hub_fault)?;
    settings.notices.iter().for_each(|notice| desk.warn(notice));
    let lacking = lacking(graph, engine.registry(), engine.host(), desk)?;
    let puller = Puller { hub: Hub::new(settings), how: How::Fetch, cancel: cancel.clone(), desk };
    puller.make_sure_of_room(&lacking)?;
    Ok(lacking.iter().try_for_each(|address| puller.one(address).map(drop))?)
}

/// Lists the addresses that a graph names and that are not here, each once. What is locked may lie elsewhere.
fn lacking(graph: &Graph, registry: &Registry, host: &Host, desk: &Desk) -> Result<Vec<Address>, Fault> {
    let mut lacking = Vec::new();
    let flat = expand(graph, registry);
    let (graph, registry) = (&*flat.graph, &*flat.registry);
    for (id, entry) in graph.nodes.iter().filter(|(_, entry)| entry.mode != Mode::Muted) {
        let Some(node) = registry.get(&entry.kind) else { continue };
        for (name, field) in &entry.fields {
            let Field::Literal(Literal::Text(text)) = field else { continue };
            // A text on its own may be what a wire carries to a loader.
            let param = node.spec().input(name).and_then(|(_, input)| input.param.as_ref());
            let is_file = param.is_some_and(|param| param.outside) || node.spec().lane == Lane::Value;
            if !is_file || !text.starts_with(HUB) || host.files().resolve(text).is_ok() {
                continue;
            }
            let address = parsed(text)?;
            if let Some(stand_in) = locks::stand_in(graph, &format!("{id}.{name}"), registry, host) {
                desk.say(&stand_in.to_string());
            } else if !lacking.contains(&address) {
                lacking.push(address);
            }
        }
    }
    Ok(lacking)
}

struct Puller<'d> {
    hub: Hub,
    how: How,
    cancel: Cancel,
    desk: &'d Desk,
}

impl Puller<'_> {
    fn one(&self, address: &Address) -> Result<Plan, Fault> {
        let watch = Pulls::new(self.desk, self.cancel.clone());
        let plan = match self.how {
            How::Fetch => self.hub.pull(address, &watch),
            How::Look => self.hub.plan(address, &watch),
        };
        watch.clear();
        plan.map_err(hub_fault)
    }

    /// Makes sure of room for all that will be fetched, before the first of it is. For one alone, its pull does.
    fn make_sure_of_room(&self, addresses: &[Address]) -> Result<(), Fault> {
        if self.how == How::Look || addresses.len() < 2 {
            return Ok(());
        }
        let watch = Pulls::new(self.desk, self.cancel.clone());
        let plans = addresses.iter().map(|address| self.hub.plan(address, &watch)).collect::<Result<Vec<_>, _>>();
        watch.clear();
        self.hub.check_space(&plans.map_err(hub_fault)?).map_err(hub_fault)
    }
}

fn tell(plan: &Plan, how: How, desk: &Desk) -> Result<(), Faults> {
    if how == How::Fetch {
        let files = if plan.files.len() == 1 { "file" } else { "files" };
        desk.say(&format!("{} {files}, {}", plan.files.len(), bytes_for_people(plan.bytes())));
        return desk.answer(&plan.path.to_string_lossy());
    }
    for file in &plan.files {
        let size = file.size.map_or("?".to_owned(), bytes_for_people);
        let state = match (file.is_whole, file.here) {
            (true, _) => "here".to_owned(),
            (false, 0) => "missing".to_owned(),
            (false, here) => format!("{} here", bytes_for_people(here)),
        };
        desk.answer(&format!("{size:>10}  {state:<14}  {}", file.file))?;
    }
    let (missing, bytes) = (plan.missing().count(), bytes_for_people(plan.bytes_to_fetch()));
    desk.say(&format!("{missing} of {} files are missing, {bytes} would be fetched", plan.files.len()));
    Ok(())
}

fn with_ok(mut object: Value) -> Value {
    (object["ok"], object["exit"]) = (true.into(), 0.into());
    object
}

fn plan_json(plan: &Plan) -> Value {
    let files = plan
        .files
        .iter()
        .map(|file| json!({"file": file.file, "size": file.size, "here": file.here, "whole": file.is_whole}));
    json!({
        "address": plan.address.to_string(),
        "commit": plan.commit,
        "path": plan.path.to_string_lossy(),
        "bytes": plan.bytes(),
        "bytes_to_fetch": plan.bytes_to_fetch(),
        "files": files.collect::<Vec<_>>(),
    })
}
