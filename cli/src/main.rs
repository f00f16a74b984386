//! The command line of darkroom.
//!
//! `args` is what was typed, `job` what was meant; `commands` do it, one file each. All words leave over the `desk`: results
//! to stdout, everything else to stderr. `exit` turns a kind of fault into an exit code, and `compose` puts registry,
//! machine, cache and engine together; no other file knows all of them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use darkroom_core::fault::{Fault, Faults};
use darkroom_kernels::heap;
use serde_json::json;

use crate::args::{Command, Typed};
use crate::config::Config;
use crate::desk::{Desk, fault_json};
use crate::folders::Folders;
use crate::means::Means;

mod about;
mod allowance;
mod args;
mod checks;
mod chosen;
mod commands;
mod compose;
mod config;
mod desk;
mod device;
mod exit;
mod fitting;
mod folders;
mod interrupt;
mod job;
mod log;
mod machine;
mod means;
mod quality;
mod set;
mod shelves;
mod show;
mod size;
#[cfg(feature = "editor")]
mod templates;
mod words;
mod workflow;

fn main() -> ExitCode {
    heap::set_up();
    let typed = Typed::parse();
    let desk = Arc::new(Desk::new());
    watch_for_panics(&desk);
    let done = catch_unwind(AssertUnwindSafe(|| act(&typed, &desk)));
    let done = done.unwrap_or_else(|panic| Err(broken_off(panic.as_ref()).into()));
    let Err(faults) = done else {
        desk.note("exit 0");
        return ExitCode::SUCCESS;
    };
    desk.show(&faults);
    let code = exit::code(faults.kind());
    desk.note(&format!("exit {code}"));
    if typed.command.wants_json() {
        let faults: Vec<_> = faults.0.iter().map(fault_json).collect();
        let mut object = json!({"ok": false, "exit": code, "faults": faults});
        if matches!(typed.command, Command::Run { events: true, .. }) {
            object["event"] = "report".into();
        }
        // The exit code tells it too.
        let _ = desk.answer_json(object);
    }
    ExitCode::from(code)
}

fn act(typed: &Typed, desk: &Arc<Desk>) -> Result<(), Faults> {
    let means = || -> Result<Means, Faults> {
        let settings = settings()?;
        let choice = device::choose_here(typed.device, &settings, desk)?;
        let (means, told) = Means::open(choice, quality::mode(typed.quality, &settings)?)?;
        told.iter().for_each(|told| desk.warn(told));
        Ok(means)
    };
    match &typed.command {
        Command::Run { wanted, events, pull } => commands::run::run(wanted, &means()?, *events, *pull, desk),
        #[cfg(feature = "editor")]
        Command::Edit(args) => commands::edit::edit(args, &means()?, desk),
        Command::Explain { wanted, last: false } => commands::explain::explain(wanted, &means()?, desk),
        Command::Explain { wanted, last: true } => commands::explain::last(wanted, &means()?, desk),
        Command::Check { file, allow, budget, vram, on_too_large, json } => {
            let (budget, vram, on_too_large) = (*budget, *vram, *on_too_large);
            let asked = commands::check::Asked { file, allow, budget, vram, on_too_large, as_json: *json };
            commands::check::check(&asked, &means()?, desk)
        }
        Command::Lock(args) => commands::lock::lock(args, desk),
        Command::Nodes { name, json } => commands::nodes::nodes(name.as_deref(), *json, desk),
        Command::Cache { deed } => commands::cache::cache(deed, desk),
        Command::Models { deed } => commands::models::models(deed, desk),
        Command::Doctor(args) => commands::doctor::doctor(args, (typed.quality, typed.device), desk),
        Command::Init { from, file } => commands::init::init(file, from.as_deref(), desk),
        Command::Completions { shell } => commands::shell::completions(*shell, desk),
        Command::Man { dir } => commands::shell::man(dir.as_deref(), desk),
    }
}

/// Reads the user's settings. Who has no folders has none.
fn settings() -> Result<Config, Faults> {
    Folders::find().map_or_else(|_| Ok(Config::default()), |folders| Config::load(&folders.config))
}

fn broken_off(panic: &(dyn Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Fault::bug(format!("darkroom broke off: {}", text.as_deref().unwrap_or("no reason was given")))
}

/// Sends what a panic says to the log: the engine makes a fault of it, and its words may hold anything.
fn watch_for_panics(desk: &Arc<Desk>) {
    let desk = Arc::clone(desk);
    std::panic::set_hook(Box::new(move |panic| desk.note(&format!("panic: {panic}"))));
}
