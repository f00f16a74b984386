//! `darkroom explain`: what a run would do, and why.

use darkroom_core::explain::{explain as table, last as measured};
use darkroom_core::fault::Faults;
use darkroom_core::plan::Verdict;

use crate::args::Wanted;
use crate::desk::Desk;
use crate::folders::Folders;
use crate::job::Job;
use crate::means::Means;
use crate::show::json;

/// Plans a workflow and prints the plan.
///
/// # Errors
/// Everything that is wrong with it.
pub fn explain(wanted: &Wanted, means: &Means, desk: &Desk) -> Result<(), Faults> {
    let job = Job::prepare(wanted, means, &Folders::find()?, desk)?;
    let plan = job.engine.foresee(&job.graph, &job.wish).map_err(|faults| job.locate(faults))?;
    let eased = match plan.memory.verdict {
        Verdict::Short { .. } => {
            job.engine.foresee_eased(&job.graph, &job.wish).map_err(|faults| job.locate(faults))?.eased
        }
        _ => Vec::new(),
    };
    if wanted.json {
        let mut answer = json::plan(&plan);
        answer["eased"] = eased.iter().map(json::eased).collect();
        return desk.answer_json(answer);
    }
    let lowered: String = plan.safe_mode.told().iter().map(|text| format!("{text}\n")).collect();
    let eased: String = eased.iter().map(|eased| format!("{}: {}\n", eased.node, eased.what)).collect();
    desk.answer_text(&(table(&plan) + &lowered + &eased))
}

/// Prints what memory was planned for each node, and what it took when it last ran.
///
/// # Errors
/// Everything that is wrong with the workflow.
pub fn last(wanted: &Wanted, means: &Means, desk: &Desk) -> Result<(), Faults> {
    let job = Job::prepare(wanted, means, &Folders::find()?, desk)?;
    let plan = job.engine.foresee(&job.graph, &job.wish).map_err(|faults| job.locate(faults))?;
    if wanted.json { desk.answer_json(json::plan(&plan)) } else { desk.answer_text(&measured(&plan)) }
}
