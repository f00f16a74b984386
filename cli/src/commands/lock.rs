//! `darkroom lock`: writes down which files a workflow was made with, by their content, so that they are found again
//! wherever they lie and whatever they are called.

use std::path::Path;
use std::sync::{Arc, mpsc};

use darkroom_core::fault::{Fault, Faults, Located};
use darkroom_core::files::{self, Content, Files, Reading};
use darkroom_core::graph::{Graph, Loaded, expand, relock, write_file};
use darkroom_core::locks::{self, Locked};
use darkroom_core::observe::{Event, Observer as _};
use darkroom_hub::fault::bytes_for_people;
use darkroom_models::nn::Compute;
use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::args::LockArgs;
use crate::desk::Desk;
use crate::folders::{Folders, full};
use crate::shelves::with_shelves;
use crate::show::watch::Watch;
use crate::{compose, interrupt, job, workflow};

/// Every file parameter, by `node.input`.
type All = IndexMap<String, Locked>;

/// Locks a workflow, or says how its lock differs.
///
/// # Errors
/// Everything that is wrong with the workflow, a file that is not there; with `--check`, every difference.
pub fn lock(args: &LockArgs, desk: &Arc<Desk>) -> Result<(), Faults> {
    let LockArgs { file, check, allow, json } = args;
    let loaded = workflow::load(file, desk)?;
    let folders = Folders::find()?;
    let files = Files::new(job::roots(file, allow)?, full(Path::new("output"))?).with_memo(folders.digests());
    let files = with_shelves(files, &folders, file)?;
    let all = read(&loaded.graph, &files, desk).map_err(|faults| placed(faults, &loaded, file))?;
    if let Err(fault) = files.save_memo() {
        desk.warn(&format!("the hashes are not remembered: {fault}"));
    }
    all.values().filter_map(|locked| locked.stand_in.as_ref()).for_each(|stand_in| desk.say(&stand_in.to_string()));
    if *check {
        let faults = differences(&loaded.graph, &all);
        faults.or(()).map_err(|faults| placed(faults, &loaded, file))?;
    } else {
        write(&loaded, &all, file, desk)?;
    }
    if *json {
        let entries: serde_json::Map<_, _> = all.iter().map(|(at, locked)| (at.clone(), entry(locked))).collect();
        return desk.answer_json(json!({"ok": true, "exit": 0, "lock": entries}));
    }
    for (at, Locked { name, content, .. }) in &all {
        let Content { sha256, bytes, files } = content;
        let files = if *files == 1 { String::new() } else { format!("  {files} files") };
        let size = bytes_for_people(*bytes);
        desk.answer(&format!("{}  {size:>10}  {at}  {name}{files}", &sha256.to_string()[..10]))?;
    }
    let state = if *check { "is locked to what is here" } else { "is locked" };
    let count = if all.len() == 1 { "1 file".to_owned() } else { format!("{} files", all.len()) };
    desk.say(&format!("`{}` {state}: {count}", file.display()));
    Ok(())
}

/// Finds out what the files are, while somebody watches; Ctrl-C ends it.
fn read(graph: &Graph, files: &Files, desk: &Arc<Desk>) -> Result<All, Faults> {
    let (tell, hear) = mpsc::channel();
    let files = files.watched(files::Watch { tell, cancel: interrupt::listen(desk) });
    let watch = Watch::new(desk, false);
    let all = std::thread::scope(|scope| {
        let reading =
            scope.spawn(move || locks::lock(graph, &compose::registry(), &compose::host(files, &Compute::default())));
        for Reading { path, done, of } in hear {
            watch.see(&Event::Reading { path: &path, done, of });
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    watch.finish();
    all
}

fn placed(faults: Faults, loaded: &Loaded, file: &Path) -> Faults {
    let mut faults = loaded.places.locate(faults).in_file(file);
    faults.0.sort_by_key(|located| located.place.position);
    faults
}

/// Notes what a lock does not hold, holds otherwise, or holds in vain.
fn differences(graph: &Graph, all: &All) -> Faults {
    let mut faults = Faults::default();
    let (registry, hint) = (compose::registry(), "`darkroom lock` writes the lock anew");
    let flat = expand(graph, &registry);
    let mut note = |at: &str, what: String| {
        let (id, input) = at.split_once('.').unwrap_or((at, ""));
        let kind = flat.graph.nodes.get(id).map_or("", |node| node.kind.as_str());
        faults.push(flat.place(Located::at_node(Fault::file(what).hint(hint), id, kind).input(input)));
    };
    for (at, Locked { name, content, .. }) in all {
        match graph.lock.get(at) {
            Some(there) if there == content => {}
            Some(there) => {
                note(
                    at,
                    format!(
                        "`{name}` is not what it is locked to: SHA-256 {} instead of {}",
                        content.sha256, there.sha256
                    ),
                );
            }
            None => note(at, format!("`{name}` is not locked")),
        }
    }
    for at in graph.lock.keys().filter(|at| !all.contains_key(*at)) {
        note(at, format!("`{at}` is locked, and no file stands there"));
    }
    faults
}

/// Writes the lock into the workflow's file, and leaves the rest of it as it is.
fn write(loaded: &Loaded, all: &All, file: &Path, desk: &Desk) -> Result<(), Faults> {
    let lock: IndexMap<_, _> = all.iter().map(|(at, locked)| (at.clone(), locked.content)).collect();
    if loaded.migrated_from.is_some() {
        let graph = Graph { lock, ..loaded.graph.clone() };
        write_file(&graph, file)?;
        desk.warn(
            "the file was of an older format: it is written anew without its comments, and kept beside the new one",
        );
        return Ok(());
    }
    let bytes = std::fs::read(file).map_err(|error| Fault::io("read", file, &error))?;
    let Ok(text) = String::from_utf8(bytes) else {
        let fault = Fault::file(format!("`{}` is a picture: its workflow cannot be locked", file.display()));
        let hint = format!("`darkroom init --from {}` writes the workflow to a file, which can", file.display());
        return Err(fault.hint(hint).into());
    };
    let written = relock(&text, &lock)?;
    if written != text {
        files::write_aside(file, written.as_bytes())?;
    }
    Ok(())
}

fn entry(Locked { name, content, .. }: &Locked) -> Value {
    let Content { sha256, bytes, files } = content;
    json!({"name": name, "sha256": sha256.to_string(), "bytes": bytes, "files": files})
}
