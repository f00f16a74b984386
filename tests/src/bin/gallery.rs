//! Makes `docs/gallery.md` and its pictures anew: runs every workflow in `graphs/` that needs no download.
//!
//!     cargo run --release -p darkroom-tests --bin gallery

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::files::Files;
use darkroom_core::graph;
use darkroom_core::history::History;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::Wish;
use darkroom_core::residency::Ledger;
use darkroom_models::nn::{Compute, Mode};
use darkroom_tests::studio::files_below;

/// What a newcomer looks at first; whatever is not named here follows by name.
const ORDER: [&str; 3] = ["landscape", "refine", "remix"];

const HEAD: &str = "\
# Gallery

Every workflow in [`graphs/`](../graphs) that runs on the built-in model, with what it draws. This page and its pictures are
made by

    cargo run --release -p darkroom-tests --bin gallery
";

fn main() -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("`tests` lies in the workspace")?;
    let pictures = workspace.join("docs/pictures/gallery");
    fs::remove_dir_all(&pictures).or_else(|error| if pictures.exists() { Err(error) } else { Ok(()) })?;
    fs::create_dir_all(&pictures)?;
    let mut page = HEAD.to_owned();
    for path in workflows(&workspace.join("graphs"))? {
        let text = fs::read_to_string(&path)?;
        if text.contains("hub://") {
            continue;
        }
        let name = path.file_stem().context("a workflow has a name")?.to_string_lossy().into_owned();
        let home = tempfile::tempdir()?;
        run(&text, &workspace.join("graphs"), home.path()).with_context(|| format!("{name} does not run"))?;
        let shown = collect(&home.path().join("output"), &pictures, &name)?;
        section(&mut page, &name, &text, &shown)?;
        writeln!(std::io::stdout(), "{name}: {} pictures", shown.len())?;
    }
    fs::write(workspace.join("docs/gallery.md"), page)?;
    Ok(())
}

fn workflows(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut found: Vec<_> = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "ron")).collect();
    let rank = |path: &PathBuf| ORDER.iter().position(|name| path.file_stem().is_some_and(|stem| stem == *name));
    found.sort_by_key(|path| (rank(path).unwrap_or(ORDER.len()), path.clone()));
    Ok(found)
}

fn run(text: &str, graphs: &Path, home: &Path) -> Result<()> {
    let files = Files::new(vec![graphs.to_owned()], home.join("output"));
    let history = History::open(&home.join("history"), Path::new("workflow"));
    let cache = Cache::in_memory(1 << 30);
    let host = darkroom_nodes::host(files, &Compute::new(Mode::Exact));
    let engine = Engine::new(darkroom_nodes::registry(), host, cache, Ledger::new(8 << 30), history);
    let loaded = graph::read(text).map_err(|faults| anyhow!("{faults}"))?;
    engine
        .run(&loaded.graph, &Wish::default(), &(), &Cancel::new())
        .map_err(|faults| anyhow!("{}", loaded.places.locate(faults)))?;
    Ok(())
}

/// Moves what was saved to the page's pictures; returns their names.
fn collect(output: &Path, pictures: &Path, name: &str) -> Result<Vec<String>> {
    let saved = files_below(output);
    let keep = |(index, file): (usize, &String)| {
        let ending = file.rsplit('.').next().unwrap_or_default();
        let kept = if index == 0 { format!("{name}.{ending}") } else { format!("{name}-{}.{ending}", index + 1) };
        fs::copy(output.join(file), pictures.join(&kept))?;
        Ok(kept)
    };
    saved.iter().enumerate().map(keep).collect()
}

fn section(page: &mut String, name: &str, text: &str, shown: &[String]) -> Result<()> {
    let about: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//")).map(str::trim).collect();
    write!(page, "\n## {name}\n\n{}\n\n", about.join("\n"))?;
    for picture in shown {
        writeln!(page, "![{name}](pictures/gallery/{picture})")?;
    }
    let body: Vec<_> = text.lines().skip(about.len()).collect();
    write!(page, "\n`darkroom run graphs/{name}.ron`\n\n```ron\n{}\n```\n", body.join("\n"))?;
    Ok(())
}
