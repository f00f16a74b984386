//! The models that are here: what each takes, and at what sizes it draws within the budget. The figures are those of plans:
//! a text becomes a picture, as in `graphs/landscape.ron`.

use std::path::Path;
use std::path::PathBuf;

use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::graph::read;
use darkroom_core::history::History;
use darkroom_core::plan::Wish;
use darkroom_core::residency::{Device, Ledger, gibibytes};
use darkroom_core::spec::FileSort;
use darkroom_hub::Settings;
use darkroom_hub::fault::bytes_for_people;
use darkroom_models::nn::Compute;
use serde_json::{Value, json};

use super::{Finding, Section};
use crate::about::About;
use crate::compose;
use crate::folders::Folders;
use crate::set::set_all;
use crate::shelves::{library, library_fault, on_hub, with_hub};

/// Edges of the square pictures that are planned.
const EDGES: [u32; 4] = [512, 768, 1024, 1536];

/// How a text becomes a picture.
const WORKFLOW: &str = include_str!("../../../graphs/landscape.ron");

/// A model that is here.
#[derive(Debug)]
pub struct Here {
    /// What a workflow calls it.
    pub name: String,
    /// The file, or the folder of a pipeline; none of the model that is built in.
    pub path: Option<PathBuf>,
    /// Its size.
    pub bytes: u64,
}

/// What a picture of a size takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    edge: u32,
    /// Bytes with each part wholly in memory.
    whole: u64,
    /// The fewest bytes that will do: of parts, the rest is read from its file at each use.
    least: u64,
}

/// How a picture fits into a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Whole,
    Streamed,
    Not,
}

impl Need {
    fn fit(&self, budget: u64) -> Fit {
        match budget {
            _ if self.whole <= budget => Fit::Whole,
            _ if self.least <= budget => Fit::Streamed,
            _ => Fit::Not,
        }
    }
}

impl Fit {
    fn word(self) -> &'static str {
        match self {
            Fit::Whole => "whole",
            Fit::Streamed => "streamed",
            Fit::Not => "not",
        }
    }
}

/// Lists the model that is built in, those of the user's own folders, and those of the hub's cache.
///
/// # Errors
/// A fault of a folder.
pub fn here(folders: &Folders, settings: &Settings) -> Result<Vec<Here>, Fault> {
    let items = library(folders)?.list().map_err(|fault| library_fault(&fault))?;
    let own = items.into_iter().map(|item| Here {
        name: format!("{}/{}", item.kind, item.name),
        path: Some(item.path),
        bytes: item.bytes,
    });
    let of_hub = on_hub(settings).into_iter();
    let of_hub = of_hub.map(|found| Here { name: found.name, path: Some(found.path), bytes: found.bytes });
    let built_in = Here { name: "mini".to_owned(), path: None, bytes: 0 };
    Ok([built_in].into_iter().chain(own).chain(of_hub).collect())
}

/// Says what the models take that are here, and what fits into so many bytes.
pub fn section(models: &[Here], planner: &Planner, budget: u64) -> Section {
    let known: Vec<_> = models.iter().map(|model| (model, planner.look(model))).collect();
    let mut findings: Vec<_> = known.iter().map(|(model, look)| said(model, look, budget)).collect();
    if models.iter().all(|model| model.path.is_none()) {
        let way_out = "fetch one with `darkroom models pull`, or name a folder of them in DARKROOM_MODELS";
        findings.push(Finding::note("no other models are here").way_out(way_out));
    }
    let facts: Vec<_> = known.iter().map(|(model, look)| facts(model, look, budget)).collect();
    Section::new("models", json!({"budget": budget, "models": facts}), findings)
}

/// Plans pictures, and makes none.
pub struct Planner {
    engine: Engine,
    compute: Compute,
}

/// What is known of a model.
#[derive(Debug)]
struct Look {
    /// What it is, or why nothing is known of it; nothing of the model that is built in.
    about: Option<Result<About, String>>,
    /// Bytes of its largest part in memory.
    part: Option<u64>,
    /// What pictures take, if it makes some of texts alone.
    needs: Vec<Need>,
}

impl Planner {
    /// Plans for networks that compute with `compute`, on the models that these folders and settings name.
    ///
    /// # Errors
    /// A fault of a list of folders.
    pub fn new(compute: &Compute, folders: &Folders, settings: Settings) -> Result<Self, Fault> {
        let files = Files::default().with_memo(folders.digests());
        let files = with_hub(files, folders, Path::new("landscape.ron"), settings)?;
        let (cache, ledger, history) = (Cache::in_memory(0), Ledger::new(u64::MAX), History::in_memory());
        Ok(Self {
            engine: compose::engine(compose::host(files, compute), cache, ledger, history),
            compute: compute.clone(),
        })
    }

    fn look(&self, model: &Here) -> Look {
        let Some(path) = &model.path else { return Look { about: None, part: None, needs: self.needs(&model.name) } };
        let about = About::of(path);
        let sort = about.as_ref().ok().and_then(About::sort);
        let part = sort.and_then(|sort| compose::needs(path, sort, &self.compute).ok());
        let needs = if sort == Some(FileSort::Model) { self.needs(&model.name) } else { Vec::new() };
        Look { about: Some(about), part, needs }
    }

    /// Plans pictures of all sizes. A model that makes none of a text alone, as a refiner, has no plan.
    fn needs(&self, model: &str) -> Vec<Need> {
        EDGES.into_iter().map_while(|edge| self.need(model, edge)).collect()
    }

    fn need(&self, model: &str, edge: u32) -> Option<Need> {
        let mut graph = read(WORKFLOW).expect("the workflow is part of the program").graph;
        let set = [format!("model.source={model}"), format!("blank.width={edge}"), format!("blank.height={edge}")];
        set_all(&mut graph, self.engine.registry(), &set).ok()?;
        let bounds = self.engine.foresee(&graph, &Wish::default()).ok()?.memory.bounds(Device::Cpu);
        Some(Need { edge, whole: bounds.whole, least: bounds.least })
    }
}

fn said(model: &Here, look: &Look, budget: u64) -> Finding {
    let name = &model.name;
    let what = match &look.about {
        None => "built in".to_owned(),
        Some(Err(why)) => return Finding::note(format!("`{name}` is unknown: {why}")),
        Some(Ok(about)) => {
            let told = [Some(about.role()), about.family.clone(), about.precision.clone()];
            let told: Vec<_> = told.into_iter().flatten().chain([bytes_for_people(model.bytes)]).collect();
            told.join(", ")
        }
    };
    let part = look.part.map(|bytes| format!(", largest part {}", gibibytes(bytes))).unwrap_or_default();
    let mut says = format!("`{name}` ({what}{part})");
    let sizes = |fit: Fit, size: &dyn Fn(&Need) -> String| {
        let needs: Vec<_> = look.needs.iter().filter(|need| need.fit(budget) == fit).map(size).collect();
        needs.join(", ")
    };
    let parts = [
        ("draws", sizes(Fit::Whole, &|need| format!("{0}×{0} in {1}", need.edge, gibibytes(need.whole)))),
        (
            "reads a part of its weights at each step for",
            sizes(Fit::Streamed, &|need| {
                format!("{0}×{0} ({1}, at least {2})", need.edge, gibibytes(need.whole), gibibytes(need.least))
            }),
        ),
        ("cannot draw", sizes(Fit::Not, &|need| format!("{0}×{0} (at least {1})", need.edge, gibibytes(need.least)))),
    ];
    for (does, sizes) in parts.iter().filter(|(_, sizes)| !sizes.is_empty()) {
        says.push_str(&format!("; {does} {sizes}"));
    }
    match look.needs.iter().find(|need| need.fit(budget) != Fit::Whole) {
        None => Finding::fine(says),
        Some(_) => Finding::note(says).way_out("give a larger budget with --ram, or draw smaller"),
    }
}

fn facts(model: &Here, look: &Look, budget: u64) -> Value {
    let about = look.about.as_ref().and_then(|about| about.as_ref().ok());
    let pictures = look.needs.iter().map(|need| {
        let Need { edge, whole, least } = need;
        json!({"width": edge, "height": edge, "whole": whole, "least": least, "fits": need.fit(budget).word()})
    });
    json!({
        "name": model.name,
        "path": model.path.as_ref().map(|path| path.to_string_lossy()),
        "bytes": model.bytes,
        "role": about.map(About::role),
        "family": about.and_then(|about| about.family.clone()),
        "precision": about.and_then(|about| about.precision.clone()),
        "largest_part": look.part,
        "pictures": pictures.collect::<Vec<_>>(),
        "fault": look.about.as_ref().and_then(|about| about.as_ref().err()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Verdict;

    const GIB: u64 = 1 << 30;

    fn look(part: Option<u64>, needs: &[(u32, u64, u64)]) -> Look {
        let about = About { role: None, family: Some("sdxl".to_owned()), precision: Some("f16".to_owned()) };
        let needs =
            needs.iter().map(|(edge, whole, least)| Need { edge: *edge, whole: whole * GIB, least: least * GIB });
        Look { about: Some(Ok(about)), part, needs: needs.collect() }
    }

    fn model() -> Here {
        Here {
            name: "checkpoints/x.safetensors".to_owned(),
            path: Some("/m/x.safetensors".into()),
            bytes: 7_000_000_000,
        }
    }

    #[test]
    fn a_model_is_told_with_what_fits_whole_streamed_and_not() {
        let look = look(Some(5 * GIB), &[(512, 6, 2), (1024, 9, 4), (1536, 20, 11)]);
        let told = said(&model(), &look, 8 * GIB);
        let expected = "`checkpoints/x.safetensors` (folder, sdxl, f16, 7.0 GB, largest part 5.0 GiB); draws 512×512 in 6.0 GiB; \
            reads a part of its weights at each step for 1024×1024 (9.0 GiB, at least 4.0 GiB); \
            cannot draw 1536×1536 (at least 11.0 GiB)";
        assert_eq!((told.says.as_str(), told.verdict), (expected, Verdict::Note));
        let json = facts(&model(), &look, 8 * GIB);
        let fits: Vec<_> = json["pictures"].as_array().expect("a list").iter().map(|size| &size["fits"]).collect();
        assert_eq!(fits, ["whole", "streamed", "not"]);
    }

    #[test]
    fn what_fits_or_draws_nothing_is_fine() {
        assert_eq!(said(&model(), &look(Some(5 * GIB), &[(512, 6, 2)]), 8 * GIB).verdict, Verdict::Fine);
        let part = said(&model(), &look(Some(GIB), &[]), 8 * GIB);
        assert_eq!(
            part,
            Finding::fine("`checkpoints/x.safetensors` (folder, sdxl, f16, 7.0 GB, largest part 1.0 GiB)")
        );
    }

    #[test]
    fn a_file_that_nobody_knows_is_told_with_why() {
        let look = Look { about: Some(Err("no header".to_owned())), ..look(None, &[]) };
        assert_eq!(said(&model(), &look, GIB).says, "`checkpoints/x.safetensors` is unknown: no header");
        assert_eq!(facts(&model(), &look, GIB)["fault"], "no header");
    }
}
