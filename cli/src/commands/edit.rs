//! `darkroom edit`: workflows in a window, on the same engine as `darkroom run`.

mod store;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use darkroom_core::engine::Engine;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::files::Files;
use darkroom_core::history::History;
use darkroom_core::ladder::Fits;
use darkroom_core::residency::Ledger;
use darkroom_editor::session::{Backend, Disk, Local};
use darkroom_editor::{MakeBackend, Options};

use self::store::Shelves;
use crate::allowance::Allowance;
use crate::args::EditArgs;
use crate::checks::folders::Used;
use crate::commands::init;
use crate::config::Config;
use crate::desk::Desk;
use crate::folders::{Folders, full};
use crate::machine::System;
use crate::means::Means;
use crate::shelves::with_shelves;
use crate::templates::TEMPLATES;
use crate::{compose, job};

/// Opens the window, and returns when it is closed.
///
/// # Errors
/// Folders that cannot be written; a display that is missing.
pub fn edit(args: &EditArgs, means: &Means, desk: &Arc<Desk>) -> Result<(), Faults> {
    let folders = Folders::find()?;
    let (output, allow, budgets) = (full(&args.out)?, args.allow.clone(), args.budgets.clone());
    Used::output(&output).check(&System::here()).pass(desk)?;
    let allowance = Allowance::here(&budgets, &folders)?;
    allowance.unused(&means.choice).iter().for_each(|told| desk.warn(told));
    let ledger = allowance.ledger(&means.choice);
    let disk = disk(&folders, &args.allow, &output)?;
    let keep_loaded = Config::load(&folders.config)?.keep_loaded;
    let store = Shelves::new(folders.clone(), args.allow.clone(), means.devices.usual().clone())?;
    let (means, told) = (means.clone(), Arc::clone(desk));
    let open = move |path: Option<&Path>, ledger: &Arc<Ledger>| -> Result<Engine, Fault> {
        // What is not saved yet reads below the working folder.
        let file = path.map_or_else(|| full(Path::new("untitled.ron")), |path| Ok(path.to_owned()))?;
        let files = Files::new(roots(&file, &allow, &folders)?, output.clone()).with_memo(folders.digests());
        let files = with_shelves(files, &folders, &file)?;
        let history = path.map_or_else(History::in_memory, |path| History::open(&folders.histories(), path));
        let cache = job::open_cache(&budgets, &folders, &told)?;
        Ok(compose::engine(means.host(&files), cache, Arc::clone(ledger), history)
            .with_fits(Fits::open(&folders.fits())))
    };
    let make: MakeBackend = Box::new(move |wake| -> Box<dyn Backend> {
        // Where the system gives no random numbers, the engine says so when it is asked to draw.
        let draw = || job::draw().unwrap_or_default();
        let local = Local::with_store(compose::registry(), ledger, Box::new(open), wake, draw, Box::new(store));
        Box::new(match keep_loaded {
            Some(time) => local.keeping_loaded(time),
            None => local,
        })
    });
    desk.note("a window is opened");
    let options = Options {
        files: args.files.clone(),
        template: TEMPLATES[0].text,
        templates: TEMPLATES,
        screenshot: args.screenshot.clone(),
        size: args.size,
        run: args.run,
        disk,
    };
    Ok(darkroom_editor::open(options, make)?)
}

/// What the editor is told of the disk: where it may remember things, what pictures carry, what workflows may read.
fn disk(folders: &Folders, allow: &[PathBuf], output: &Path) -> Result<Disk, Fault> {
    // A state folder that cannot be written is told by the window, which works without.
    let (state, allow, folders) = (folders.state.join("editor"), allow.to_vec(), folders.clone());
    let roots = move |path: Option<&Path>| {
        // A folder that is no more is told by the engine.
        roots(path.unwrap_or(Path::new("untitled.ron")), &allow, &folders).unwrap_or_default()
    };
    Ok(Disk {
        state: Some(full(&state)?),
        output: Some(output.to_owned()),
        workflow_of: Arc::new(init::workflow_of),
        show_folder: Box::new(show_folder),
        roots: Box::new(roots),
    })
}

/// Shows a folder in the system's own window for files.
fn show_folder(folder: &Path) -> Result<(), Fault> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let fail = |error: &std::io::Error| {
        Fault::file(format!("`{}` cannot be shown: {program}: {error}", folder.display()))
            .hint("copy its path, and open it by hand")
    };
    let mut shown = Command::new(program).arg(folder).spawn().map_err(|error| fail(&error))?;
    // Somebody must hear that it ends.
    drop(std::thread::spawn(move || shown.wait()));
    Ok(())
}

/// Returns the folders that a workflow may read in the window: beside those of a run, the one where the window keeps
/// pictures that were pasted into a workflow without a file.
///
/// # Errors
/// A fault of an allowed folder that is none.
fn roots(file: &Path, allow: &[PathBuf], folders: &Folders) -> Result<Vec<PathBuf>, Fault> {
    let mut roots = job::roots(file, allow)?;
    roots.push(full(&folders.state.join("editor/input"))?);
    Ok(roots)
}
