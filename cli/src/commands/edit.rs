//! `darkroom edit`: workflows in a window, on the same engine as `darkroom run`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use darkroom_core::engine::Engine;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::files::Files;
use darkroom_core::history::History;
use darkroom_core::residency::Ledger;
use darkroom_editor::session::{Backend, Disk, Local};
use darkroom_editor::{MakeBackend, Options};

use crate::args::EditArgs;
use crate::commands::init;
use crate::desk::Desk;
use crate::folders::{Folders, check_writable, full};
use crate::shelves::with_shelves;
use crate::templates::TEMPLATES;
use crate::{compose, job};

/// Opens the window, and returns when it is closed.
///
/// # Errors
/// Folders that cannot be written; a display that is missing.
pub fn edit(args: &EditArgs, desk: &Desk) -> Result<(), Faults> {
    let folders = Folders::find()?;
    let (output, allow, budgets) = (full(&args.out)?, args.allow.clone(), args.budgets.clone());
    check_writable(&output)?;
    let ledger = compose::ledger(budgets.ram);
    let disk = disk(&folders, &args.allow)?;
    let open = move |path: Option<&Path>, ledger: &Arc<Ledger>| -> Result<Engine, Fault> {
        // What is not saved yet reads below the working folder.
        let file = path.map_or_else(|| full(Path::new("untitled.ron")), |path| Ok(path.to_owned()))?;
        let files = Files::new(job::roots(&file, &allow)?, output.clone()).with_memo(folders.digests());
        let files = with_shelves(files, &folders, &file)?;
        let history = path.map_or_else(History::in_memory, |path| History::open(&folders.histories(), path));
        Ok(compose::engine(files, job::open_cache(&budgets, &folders)?, Arc::clone(ledger), history))
    };
    let make: MakeBackend = Box::new(move |wake| -> Box<dyn Backend> {
        // Where the system gives no random numbers, the engine says so when it is asked to draw.
        let draw = || job::draw().unwrap_or_default();
        Box::new(Local::new(compose::registry(), ledger, Box::new(open), wake, draw))
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
fn disk(folders: &Folders, allow: &[PathBuf]) -> Result<Disk, Fault> {
    // A state folder that cannot be written is told by the window, which works without.
    let (state, allow) = (folders.state.join("editor"), allow.to_vec());
    let roots = move |path: Option<&Path>| {
        // A folder that is no more is told by the engine.
        job::roots(path.unwrap_or(Path::new("untitled.ron")), &allow).unwrap_or_default()
    };
    Ok(Disk { state: Some(full(&state)?), workflow_of: Box::new(init::workflow_of), roots: Box::new(roots) })
}
