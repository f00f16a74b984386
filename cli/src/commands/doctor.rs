//! `darkroom doctor`: what this machine has, what is used of it and why, and what stands in the way of a run.

use std::io;
use std::path::{Path, PathBuf};

use darkroom_core::fault::{Fault, FaultKind, Faults, Located};
use darkroom_hub::{Hub, Settings};
use darkroom_models::nn::{Compute, Mode};
use serde_json::{Value, json};

use crate::allowance::Allowance;
use crate::args::DoctorArgs;
use crate::checks::folders::Used;
use crate::checks::hub::Way;
use crate::checks::models::{Here, Planner};
use crate::checks::{Finding, Section, folders, graphics, hub, memory, models, processor};
use crate::config::Config;
use crate::desk::Desk;
use crate::device::{self, Asked, BUILT};
use crate::folders::{Folders, full};
use crate::machine::System;
use crate::machine::disks::nearest;
use crate::machine::graphics::{NvidiaSmi, look};
use crate::machine::memory::Memory;
use crate::machine::processor::Processor;
use crate::machine::speed::{self, Limits, Speed};
use crate::shelves::{hub_fault, library, named_roots};
use crate::size::Amount;
use crate::{exit, quality};

/// A file that is smaller tells more of the way to the disk than of the disk.
const WORTH_READING: u64 = 16 << 20;

/// Looks at everything, and says it.
///
/// # Errors
/// That something is in trouble: what, is in the answer.
pub fn doctor(args: &DoctorArgs, typed: (Option<Mode>, Option<Asked>), desk: &Desk) -> Result<(), Faults> {
    let sections = look_at_all(args, typed);
    let findings = sections.iter().flat_map(|section| &section.findings);
    let trouble: Vec<_> = findings.filter_map(|finding| finding.verdict.trouble()).collect();
    let Some(first) = trouble.first() else {
        return answer(args, &sections, None, desk);
    };
    answer(args, &sections, Some(*first), desk)?;
    let count = if trouble.len() == 1 { "one thing is".to_owned() } else { format!("{} things are", trouble.len()) };
    Err(Fault::new(*first, format!("{count} in trouble")).hint("the way out stands below each of them").into())
}

fn answer(args: &DoctorArgs, sections: &[Section], trouble: Option<FaultKind>, desk: &Desk) -> Result<(), Faults> {
    if args.json {
        let sections: Vec<_> = sections.iter().map(Section::json).collect();
        let exit = trouble.map_or(0, exit::code);
        return desk.answer_json(json!({"ok": trouble.is_none(), "exit": exit, "sections": sections}));
    }
    let text: Vec<_> = sections.iter().map(Section::text).collect();
    desk.answer_text(text.join("\n").trim_end())
}

fn look_at_all(args: &DoctorArgs, (typed, device): (Option<Mode>, Option<Asked>)) -> Vec<Section> {
    let system = System::here();
    let places = match Folders::find().and_then(|folders| Ok((folders, full(&args.out)?))) {
        Ok(places) => places,
        Err(fault) => return vec![Section::new("folders", Value::Null, vec![fault.into()])],
    };
    let (folders, output) = places;
    let (config, told) = settings(&folders.config);
    let quality = quality::chosen(typed, &config);
    let compute = Compute::new(quality.as_ref().map_or(Mode::usual(), |chosen| chosen.value));
    let memory = Memory::of(&system);
    let allowance = Allowance::of(&args.budgets, &config, &memory);
    let budget = allowance.as_ref().map_or(0, |allowance| allowance.bytes);
    let asked = device::asked(device, &config);
    let hub = Settings::from_environment().map_err(hub_fault);
    let here = hub.clone().and_then(|hub| models::here(&folders, &hub));
    vec![
        told,
        processor::section(&Processor::of(&system), quality::tier(), quality),
        memory::section(&memory, allowance, args.budgets.cache_memory),
        graphics::section(&look(&system, &NvidiaSmi), asked.map(|chosen| chosen.value), BUILT),
        on_disk(&used(args, &folders, &output, hub.as_ref().ok()), here.as_deref().unwrap_or_default(), &system),
        reach(args, hub.clone()),
        on_shelves(here, &compute, &folders, hub, budget),
    ]
}

/// Reads the user's settings; where something is wrong with them, it goes on without.
fn settings(path: &Path) -> (Config, Section) {
    let file = path.display();
    let (config, findings) = match Config::load(path) {
        Ok(config) if path.exists() => (config, vec![Finding::fine(format!("`{file}` is read"))]),
        Ok(config) => (config, vec![Finding::fine(format!("`{file}` is not there, and sets nothing"))]),
        Err(faults) => {
            let sentence =
                |located: &Located| Finding { says: located.to_string(), ..Finding::from(located.fault.clone()) };
            (Config::default(), faults.0.iter().map(sentence).collect())
        }
    };
    let amount = |amount: Option<Amount>| amount.map(|amount| amount.to_string());
    let facts = json!({
        "file": path.to_string_lossy(),
        "exists": path.exists(),
        "ram": amount(config.ram),
        "vram": amount(config.vram),
        "reserve": amount(config.reserve),
        "quality": config.quality.map(Mode::name),
        "device": config.device.map(|asked| asked.to_string()),
    });
    (config, Section::new("settings", facts, findings))
}

/// Says how the folders are, and how fast models are read.
fn on_disk(used: &[Used], models: &[Here], system: &System) -> Section {
    let measured = measure(models, used);
    let mut findings: Vec<_> = used.iter().map(|used| used.check(system)).collect();
    findings.push(folders::speed(&measured));
    let about: Vec<_> = used.iter().map(|used| used.json(system)).collect();
    Section::new("folders", json!({"folders": about, "reading": folders::speed_json(&measured)}), findings)
}

fn used(args: &DoctorArgs, folders: &Folders, output: &Path, hub: Option<&Settings>) -> Vec<Used> {
    let mut used = vec![Used::output(output)];
    if !args.budgets.no_cache_disk {
        used.push(Used::results(&folders.results));
    }
    used.push(Used::state(&folders.state));
    used.extend(hub.map(|hub| Used::hub(&hub.cache)));
    // A list of folders that cannot be read is told with the models; that the user has none of his own is no news.
    let places = library(folders).map(|library| library.places().to_vec()).unwrap_or_default();
    let lie_in = places.iter().filter_map(|place| place.folder.parent()).filter(|folder| folder.exists());
    let mut models: Vec<_> = lie_in.map(Path::to_owned).collect();
    models.extend(named_roots().into_iter().filter(|root| !root.exists()));
    models.sort();
    models.dedup();
    used.extend(models.iter().map(|models| Used::models(models)));
    used
}

/// Reads the largest file of the models, or else one that is written where results lie.
fn measure(models: &[Here], used: &[Used]) -> io::Result<Speed> {
    let limits = Limits::default();
    let files = models.iter().filter_map(|model| largest_file(model.path.as_deref()?));
    match files.max_by_key(|(bytes, _)| *bytes).filter(|(bytes, _)| *bytes >= WORTH_READING) {
        Some((_, file)) => speed::of_file(&file, &limits),
        None => {
            let results = used.iter().find(|used| used.what == "results").unwrap_or(&used[0]);
            speed::of_folder(&nearest(&results.path), &limits)
        }
    }
}

fn largest_file(path: &Path) -> Option<(u64, PathBuf)> {
    let about = path.metadata().ok()?;
    if !about.is_dir() {
        return Some((about.len(), path.to_owned()));
    }
    path.read_dir().ok()?.flatten().filter_map(|entry| largest_file(&entry.path())).max()
}

fn reach(args: &DoctorArgs, settings: Result<Settings, Fault>) -> Section {
    let settings = match settings {
        Ok(settings) => settings,
        Err(fault) => return hub::unknown(fault),
    };
    let way = match (args.offline, settings.offline) {
        (true, _) => Way::Closed("--offline"),
        (false, true) => Way::Closed("HF_HUB_OFFLINE is set"),
        (false, false) => Way::Tried(Hub::new(settings.clone()).reach()),
    };
    let mut section = hub::section(&settings.endpoint, way, settings.token.is_some());
    section.findings.extend(settings.notices.iter().map(Finding::note));
    section
}

fn on_shelves(
    here: Result<Vec<Here>, Fault>,
    compute: &Compute,
    folders: &Folders,
    hub: Result<Settings, Fault>,
    budget: u64,
) -> Section {
    let planned = hub.and_then(|hub| Planner::new(compute, folders, hub));
    match (here, planned) {
        (Ok(here), Ok(planner)) => models::section(&here, &planner, budget),
        (Err(fault), _) | (_, Err(fault)) => Section::new("models", Value::Null, vec![fault.into()]),
    }
}
