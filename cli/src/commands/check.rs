//! `darkroom check`: everything that is wrong with a workflow, at once; with a budget, whether it fits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use darkroom_core::cache::Cache;
use darkroom_core::engine::Foreseen;
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::files::Files;
use darkroom_core::graph::{Graph, OnTooLarge};
use darkroom_core::history::History;
use darkroom_core::host::Host;
use darkroom_core::plan::{self, SafeMode, Verdict, Wish};
use darkroom_core::residency::Ledger;
use serde_json::json;

use crate::allowance::Allowance;
use crate::desk::Desk;
use crate::folders::{Folders, full};
use crate::means::Means;
use crate::shelves::with_shelves;
use crate::show::json;
use crate::size::Amount;
use crate::{compose, fitting, job, workflow};

/// What is asked of a workflow.
pub struct Asked<'a> {
    /// The workflow, or a picture that carries one.
    pub file: &'a Path,
    /// Folders that it may read beside its own.
    pub allow: &'a [PathBuf],
    /// The memory that a run should fit into.
    pub budget: Option<Amount>,
    /// The memory of a card, where one is used.
    pub vram: Option<Amount>,
    /// What becomes of sizes with which it cannot fit, in place of what it says itself.
    pub on_too_large: Option<OnTooLarge>,
    /// Whether the answer is JSON.
    pub as_json: bool,
}

/// Checks a workflow; touches no folder, but for the memory of what was read for a lock.
///
/// # Errors
/// Everything that is wrong with it; or that it does not fit, with the cheapest change.
pub fn check(asked: &Asked<'_>, means: &Means, desk: &Desk) -> Result<(), Faults> {
    let Asked { file, allow, .. } = *asked;
    let mut loaded = workflow::load(file, desk)?;
    if let Some(on_too_large) = asked.on_too_large {
        loaded.graph.set_on_too_large(on_too_large);
    }
    let folders = Folders::find()?;
    let files = Files::new(job::roots(file, allow)?, full(Path::new("output"))?).with_memo(folders.digests());
    let files = with_shelves(files, &folders, file)?;
    let checked = plan::check(&loaded.graph, &compose::registry(), &means.host(&files));
    // What is not remembered is read again next time.
    let _ = files.save_memo();
    let locate = |faults: Faults| {
        let mut faults = loaded.places.locate(faults).in_file(file);
        faults.0.sort_by_key(|located| located.place.position);
        faults
    };
    let stand_ins = checked.map_err(locate)?;
    stand_ins.iter().for_each(|stand_in| desk.say(&stand_in.to_string()));
    let allowance = asked.budget.map(|budget| Allowance::asked(budget, asked.vram, &folders)).transpose()?;
    let ledger = allowance.map(|allowance| allowance.ledger(&means.choice));
    let fit = ledger.map(|ledger| fit(&loaded.graph, ledger, means.host(&files)));
    let foreseen = fit.transpose().map_err(locate)?;
    if asked.as_json {
        let nodes = loaded.graph.nodes.len();
        let mut answer = json!({"ok": true, "exit": 0, "nodes": nodes, "faults": []});
        if let Some(Foreseen { plan, eased }) = &foreseen {
            answer["memory"] = json::memory(&plan.memory);
            answer["safe_mode"] = json!(plan.safe_mode.told());
            answer["eased"] = eased.iter().map(json::eased).collect();
        }
        return desk.answer_json(answer);
    }
    desk.say(&format!("`{}` is fine: {} nodes", file.display(), loaded.graph.nodes.len()));
    if let Some(Foreseen { plan, eased }) = &foreseen {
        plan.safe_mode.told().iter().for_each(|text| desk.say(text));
        eased.iter().for_each(|eased| desk.say(&format!("{}: {}", eased.node, eased.what)));
        desk.say(&plan.memory.to_string());
    }
    Ok(())
}

/// Says how a run from scratch fits.
///
/// # Errors
/// What planning it says; that it does not fit, what is too big, and the cheapest change.
fn fit(graph: &Graph, ledger: Arc<Ledger>, host: Host) -> Result<Foreseen, Faults> {
    let engine = compose::engine(host, Cache::in_memory(0), ledger, History::in_memory());
    let foreseen = engine.foresee_eased(graph, &Wish::default())?;
    let memory = &foreseen.plan.memory;
    if !matches!(memory.verdict, Verdict::Short { .. }) {
        return Ok(foreseen);
    }
    let foresee = |graph: &Graph| Some(engine.foresee_eased(graph, &Wish::default()).ok()?.plan.memory);
    let mut advice = fitting::advice(graph, engine.registry(), memory, &foresee);
    if foreseen.plan.safe_mode == SafeMode::Helpless {
        advice += "; `on_too_large: clamp` leaves sizes alone that come by wire, as from a picture";
    }
    Err(Fault::memory(memory.to_string()).hint(advice).into())
}
