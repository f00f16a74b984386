//! `darkroom check`: everything that is wrong with a workflow, at once.

use std::path::{Path, PathBuf};

use darkroom_core::fault::Faults;
use darkroom_core::files::Files;
use darkroom_core::plan;
use serde_json::json;

use crate::desk::Desk;
use crate::folders::{Folders, full};
use crate::shelves::with_shelves;
use crate::{compose, job, workflow};

/// Checks a workflow; touches no folder.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(file: &Path, allow: &[PathBuf], as_json: bool, desk: &Desk) -> Result<(), Faults> {
    let loaded = workflow::load(file, desk)?;
    let files = Files::new(job::roots(file, allow)?, full(Path::new("output"))?);
    let files = with_shelves(files, &Folders::find()?)?;
    plan::check(&loaded.graph, &compose::registry(), &compose::host(files)).map_err(|faults| {
        let mut faults = loaded.places.locate(faults).in_file(file);
        faults.0.sort_by_key(|located| located.place.position);
        faults
    })?;
    if as_json {
        return desk.answer_json(json!({"ok": true, "exit": 0, "nodes": loaded.graph.nodes.len(), "faults": []}));
    }
    desk.say(&format!("`{}` is fine: {} nodes", file.display(), loaded.graph.nodes.len()));
    Ok(())
}
