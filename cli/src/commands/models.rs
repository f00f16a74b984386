//! `darkroom models`: models from the hub, in the cache that the Python tools share.

use std::sync::Arc;

use darkroom_core::fault::{Fault, FaultKind, Faults};
use darkroom_hub::fault::bytes_for_people;
use darkroom_hub::shelf::{Cached, Checked, Remove};
use darkroom_hub::{Address, Hub, HubFault, Kind, Plan, Settings, Shelf};
use serde_json::{Value, json};

use crate::args::ModelsDeed;
use crate::desk::Desk;
use crate::folders::Folders;
use crate::interrupt;
use crate::show::pulls::Pulls;

/// Fetches, finds, lists, removes or verifies models.
///
/// # Errors
/// A fault of the address, the hub, the way there, or the cache; what is missing or damaged.
pub fn models(deed: &ModelsDeed, desk: &Arc<Desk>) -> Result<(), Faults> {
    let settings = Settings::from_environment().map_err(fault)?;
    settings.notices.iter().for_each(|notice| desk.warn(notice));
    match deed {
        ModelsDeed::Pull { address, dry_run: true, json } => dry_run(address, *json, settings, desk),
        ModelsDeed::Pull { address, json, .. } => pull(address, *json, settings, desk),
        ModelsDeed::Where { address, json } => find(address, *json, settings, desk),
        ModelsDeed::Ls { json } => list(*json, &settings, desk),
        ModelsDeed::Rm { address, all, json } => remove(address, *all, *json, &settings, desk),
        ModelsDeed::Verify { address, json } => verify(address.as_deref(), *json, &settings, desk),
    }
}

/// Makes a fault of the command line out of one of the hub.
fn fault(fault: HubFault) -> Fault {
    let kind = match fault.kind() {
        Kind::Asked => FaultKind::Graph,
        Kind::File => FaultKind::File,
        Kind::Space => FaultKind::Memory,
        Kind::Cancelled => return Fault::cancelled(),
    };
    let (message, hint) = (fault.to_string(), fault.hint());
    hint.into_iter().fold(Fault::new(kind, message), Fault::hint)
}

fn parsed(address: &str) -> Result<Address, Fault> {
    address.parse().map_err(fault)
}

fn pull(address: &str, as_json: bool, settings: Settings, desk: &Arc<Desk>) -> Result<(), Faults> {
    let address = parsed(address)?;
    desk.begin_log(&Folders::find()?.last_session());
    desk.note(&format!("asked: models pull {address}"));
    let watch = Pulls::new(desk, interrupt::listen(desk));
    let pulled = Hub::new(settings).pull(&address, &watch);
    watch.clear();
    let plan = pulled.map_err(fault)?;
    if as_json {
        return desk.answer_json(with_ok(plan_json(&plan)));
    }
    desk.say(&format!("{} files, {}", plan.files.len(), bytes_for_people(plan.bytes())));
    desk.answer(&plan.path.to_string_lossy())
}

fn dry_run(address: &str, as_json: bool, settings: Settings, desk: &Arc<Desk>) -> Result<(), Faults> {
    let address = parsed(address)?;
    let watch = Pulls::new(desk, interrupt::listen(desk));
    let planned = Hub::new(settings).plan(&address, &watch);
    watch.clear();
    let plan = planned.map_err(fault)?;
    if as_json {
        return desk.answer_json(with_ok(plan_json(&plan)));
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

fn find(address: &str, as_json: bool, settings: Settings, desk: &Desk) -> Result<(), Faults> {
    let path = Hub::new(settings).find(&parsed(address)?).map_err(fault)?;
    if as_json {
        return desk.answer_json(json!({"ok": true, "exit": 0, "path": path.to_string_lossy()}));
    }
    desk.answer(&path.to_string_lossy())
}

fn list(as_json: bool, settings: &Settings, desk: &Desk) -> Result<(), Faults> {
    let cached = Shelf::new(settings).list();
    let folder = settings.cache.display();
    if as_json {
        let models: Vec<_> = cached.iter().map(cached_json).collect();
        return desk.answer_json(json!({"ok": true, "exit": 0, "folder": folder.to_string(), "hub": models}));
    }
    for model in &cached {
        desk.answer(&format!("{:>10}  hub://{}", bytes_for_people(model.bytes), model.repo))?;
        for revision in &model.revisions {
            let refs = revision.refs.join(", ");
            desk.answer(&format!("{:>10}    {}  {} files  {refs}", "", &revision.commit[..12], revision.files.len()))?;
        }
        if model.partial_bytes > 0 {
            desk.answer(&format!("{:>10}    half fetched: {}", "", bytes_for_people(model.partial_bytes)))?;
        }
    }
    let bytes = cached.iter().map(|model| model.bytes + model.partial_bytes).sum();
    desk.say(&format!("{} models, {}, in {folder}", cached.len(), bytes_for_people(bytes)));
    Ok(())
}

fn remove(address: &str, all: bool, as_json: bool, settings: &Settings, desk: &Desk) -> Result<(), Faults> {
    let address = parsed(address)?;
    if let Some(file) = address.file() {
        return Err(Fault::graph(format!("`{file}` cannot be removed alone"))
            .hint("name the repository, or one of its revisions")
            .into());
    }
    let what = if all { Remove::Repository } else { Remove::Revision };
    let removed = Shelf::new(settings).remove(&address, what).map_err(fault)?;
    if as_json {
        let removed = json!({"revisions": removed.revisions, "bytes": removed.bytes});
        return desk.answer_json(json!({"ok": true, "exit": 0, "removed": removed}));
    }
    desk.answer(&format!("removed {} revisions, {}", removed.revisions, bytes_for_people(removed.bytes)))
}

fn verify(address: Option<&str>, as_json: bool, settings: &Settings, desk: &Arc<Desk>) -> Result<(), Faults> {
    let address = address.map(parsed).transpose()?;
    let watch = Pulls::new(desk, interrupt::listen(desk));
    let checked = Shelf::new(settings).verify(address.as_ref(), &watch);
    watch.clear();
    let Checked { good, damaged, dangling } = checked.map_err(fault)?;
    let mut faults = Faults::default();
    for damage in &damaged {
        let message = format!("`{}` is damaged: its hash is {}", damage.path.display(), damage.found);
        faults.push(Fault::file(message).hint("remove the file, and pull the model again"));
    }
    for path in &dangling {
        faults.push(Fault::file(format!("`{}` leads nowhere", path.display())).hint("pull the model again"));
    }
    if !as_json {
        desk.answer(&format!("{good} files are good"))?;
    } else if faults.0.is_empty() {
        desk.answer_json(json!({"ok": true, "exit": 0, "good": good}))?;
    }
    faults.or(())
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

fn cached_json(cached: &Cached) -> Value {
    let revisions = cached.revisions.iter().map(|revision| {
        let files = revision.files.iter().map(|(file, bytes)| json!({"file": file, "size": bytes}));
        json!({"commit": revision.commit, "refs": revision.refs, "files": files.collect::<Vec<_>>()})
    });
    json!({
        "address": format!("hub://{}", cached.repo),
        "bytes": cached.bytes,
        "partial_bytes": cached.partial_bytes,
        "revisions": revisions.collect::<Vec<_>>(),
    })
}
