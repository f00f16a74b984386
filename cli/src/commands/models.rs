//! `darkroom models`: models from the hub, in the cache that the Python tools share, and those in the user's own folders.

use std::sync::Arc;

use darkroom_core::fault::{Fault, Faults};
use darkroom_hub::fault::bytes_for_people;
use darkroom_hub::shelf::{Cached, Checked, Remove};
use darkroom_hub::{Hub, Settings, Shelf};
use serde_json::{Value, json};

use crate::args::ModelsDeed;
use crate::commands::local_models::{Local, local};
use crate::commands::pull::{How, parsed, pull};
use crate::desk::Desk;
use crate::folders::Folders;
use crate::interrupt;
use crate::shelves::hub_fault;
use crate::show::pulls::Pulls;

/// Fetches, finds, lists, removes or verifies models.
///
/// # Errors
/// A fault of the address, the hub, the way there, or the cache; what is missing or damaged.
pub fn models(deed: &ModelsDeed, desk: &Arc<Desk>) -> Result<(), Faults> {
    let settings = Settings::from_environment().map_err(hub_fault)?;
    settings.notices.iter().for_each(|notice| desk.warn(notice));
    match deed {
        ModelsDeed::Pull { what, dry_run, json } => pull(what, How::of(*dry_run), *json, settings, desk),
        ModelsDeed::Where { address, json } => find(address, *json, settings, desk),
        ModelsDeed::Ls { json } => list(*json, &settings, desk),
        ModelsDeed::Rm { address, all, json } => remove(address, *all, *json, &settings, desk),
        ModelsDeed::Verify { address, json } => verify(address.as_deref(), *json, &settings, desk),
    }
}

fn find(address: &str, as_json: bool, settings: Settings, desk: &Desk) -> Result<(), Faults> {
    let path = Hub::new(settings).find(&parsed(address)?).map_err(hub_fault)?;
    if as_json {
        return desk.answer_json(json!({"ok": true, "exit": 0, "path": path.to_string_lossy()}));
    }
    desk.answer(&path.to_string_lossy())
}

fn list(as_json: bool, settings: &Settings, desk: &Desk) -> Result<(), Faults> {
    let cached = Shelf::new(settings).list();
    let own = local(&Folders::find()?, desk)?;
    let folder = settings.cache.display();
    if as_json {
        let models: Vec<_> = cached.iter().map(cached_json).collect();
        let own: Vec<_> = own.iter().map(Local::json).collect();
        let all = json!({"ok": true, "exit": 0, "folder": folder.to_string(), "hub": models, "local": own});
        return desk.answer_json(all);
    }
    for model in &own {
        desk.answer(&model.line())?;
    }
    if !own.is_empty() {
        let bytes = own.iter().map(Local::bytes).sum();
        desk.say(&format!("{} models, {}, in your own folders", own.len(), bytes_for_people(bytes)));
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
    let removed = Shelf::new(settings).remove(&address, what).map_err(hub_fault)?;
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
    let Checked { good, damaged, dangling } = checked.map_err(hub_fault)?;
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
