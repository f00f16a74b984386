//! `darkroom run`: paths of pictures to stdout, everything else to stderr.

use std::sync::Arc;

use darkroom_core::fault::Faults;

use crate::args::Wanted;
use crate::commands::pull::pull_lacking;
use crate::desk::Desk;
use crate::folders::Folders;
use crate::interrupt;
use crate::job::Job;
use crate::machine::System;
use crate::machine::memory::Memory;
use crate::means::Means;
use crate::show::watch::Watch;
use crate::show::{json, summary};

/// Runs a workflow; `pull` fetches first what it lacks.
///
/// # Errors
/// Everything that is wrong with it, or the fault that ended it.
pub fn run(wanted: &Wanted, means: &Means, events: bool, pull: bool, desk: &Arc<Desk>) -> Result<(), Faults> {
    let folders = Folders::find()?;
    desk.begin_log(&folders.last_session());
    let typed: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    desk.note(&format!("asked: {}", typed.join(" ")));
    let cancel = interrupt::listen(desk);
    let job = Job::prepare(wanted, means, &folders, desk)?;
    if pull {
        pull_lacking(&job.graph, &job.engine, &cancel, desk)?;
    }
    let watch = Watch::new(desk, events).within(Memory::of(&System::here()));
    let ended = job.engine.run(&job.graph, &job.wish, &watch, &cancel);
    let warnings = watch.finish();
    let report = ended.map_err(|faults| job.locate(faults))?;
    desk.say_all(&summary::lines(&report));
    desk.say_all(&summary::others(&report));
    if events || wanted.json {
        let mut object = json::report(&report, &job.drawn, &warnings);
        if events {
            object["event"] = "report".into();
        }
        return desk.answer_json(object);
    }
    summary::files(&report).iter().try_for_each(|file| desk.answer(file))
}
