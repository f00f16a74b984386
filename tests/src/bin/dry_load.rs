//! Plans a picture of a model of full size whose weights are not there, and prints what that took: seconds, and the
//! memory that is no file's.

use std::time::Instant;

use anyhow::Context as _;
use darkroom_core::{graph, plan::Wish};
use darkroom_tests::{
    single,
    studio::{Studio, landscape},
};

fn main() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let studio = Studio::at(dir.path());
    let path = studio.input.join("sd_xl_base_1.0.safetensors");
    single::save_sparse("sd_xl_base_1.0", &path);
    let bytes = std::fs::metadata(&path)?.len();
    let workflow = landscape(1024, "", "").replace("\"mini\"", "\"sd_xl_base_1.0.safetensors\"");
    let loaded = graph::read(&workflow).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let engine = studio.engine();
    let (before, began) = (anonymous_mb()?, Instant::now());
    let plan = engine.foresee(&loaded.graph, &Wish::default()).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    let seconds = began.elapsed().as_secs_f64();
    let words = format!(
        "a file of {:.2} GB, recognised, mapped and planned ({} steps): {seconds:.3} s, {:.1} MB of anonymous memory more",
        bytes as f64 / 1e9,
        plan.steps.len(),
        anonymous_mb()? - before,
    );
    std::io::Write::write_all(&mut std::io::stdout(), format!("{words}\n").as_bytes())?;
    Ok(())
}

/// The memory of this process that no file could be read again for, in megabytes.
fn anonymous_mb() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("a line of anonymous memory")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}
