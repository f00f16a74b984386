//! `darkroom check`: everything that is wrong with a workflow, at once.

use std::path::{Path, PathBuf};

use darkroom_core::fault::Faults;
use darkroom_core::files::Files;
use darkroom_core::plan;
use darkroom_models::nn::Compute;
use serde_json::json;

use crate::desk::Desk;
use crate::folders::{Folders, full};
use crate::shelves::with_shelves;
use crate::{compose, job, workflow};

/// Checks a workflow; touches no folder, but for the memory of what was read for a lock.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(file: &Path, allow: &[PathBuf], as_json: bool, compute: &Compute, desk: &Desk) -> Result<(), Faults> {
    let loaded = workflow::load(file, desk)?;
    let folders = Folders::find()?;
    let files = Files::new(job::roots(file, allow)?, full(Path::new("output"))?).with_memo(folders.digests());
    let files = with_shelves(files, &folders, file)?;
    let checked = plan::check(&loaded.graph, &compose::registry(), &compose::host(files.clone(), compute));
    // What is not remembered is read again next time.
    let _ = files.save_memo();
    let stand_ins = checked.map_err(|faults| {
        let mut faults = loaded.places.locate(faults).in_file(file);
        faults.0.sort_by_key(|located| located.place.position);
        faults
    })?;
    stand_ins.iter().for_each(|stand_in| desk.say(&stand_in.to_string()));
    if as_json {
        return desk.answer_json(json!({"ok": true, "exit": 0, "nodes": loaded.graph.nodes.len(), "faults": []}));
    }
    desk.say(&format!("`{}` is fine: {} nodes", file.display(), loaded.graph.nodes.len()));
    Ok(())
}
