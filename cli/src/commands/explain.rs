//! `darkroom explain`: what a run would do, and why.

use darkroom_core::explain::explain as table;
use darkroom_core::fault::Faults;
use darkroom_models::nn::Compute;

use crate::args::Wanted;
use crate::desk::Desk;
use crate::folders::Folders;
use crate::job::Job;
use crate::show::json;

/// Plans a workflow and prints the plan.
///
/// # Errors
/// Everything that is wrong with it.
pub fn explain(wanted: &Wanted, compute: &Compute, desk: &Desk) -> Result<(), Faults> {
    let job = Job::prepare(wanted, compute, &Folders::find()?, desk)?;
    let plan = job.engine.foresee(&job.graph, &job.wish).map_err(|faults| job.locate(faults))?;
    if wanted.json { desk.answer_json(json::plan(&plan)) } else { desk.answer_text(&table(&plan)) }
}
