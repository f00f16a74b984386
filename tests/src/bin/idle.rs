//! Makes one picture in this process, lets it rest as the window does when nothing runs, and says what it held before and
//! after: `idle --model FILE [--edge 512] [--steps 1] [--mode fast]`.
#![expect(clippy::print_stdout, reason = "the result is what the program is for")]

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use darkroom_core::{
    graph,
    observe::Cancel,
    plan::Wish,
    process::{Held, held},
};
use darkroom_kernels::heap;
use darkroom_models::nn::Mode;
use darkroom_tests::{
    bench::mode,
    studio::{Studio, landscape},
};

/// What an idle process may hold, in bytes.
const MOST: u64 = 400_000_000;

fn main() -> Result<()> {
    // As the program does.
    heap::set_up();
    let (mut model, mut edge, mut steps, mut how) = (None, 512, 1, Mode::Fast);
    let mut words = std::env::args().skip(1);
    while let Some(flag) = words.next() {
        let value = words.next().with_context(|| format!("{flag} wants a value"))?;
        match flag.as_str() {
            "--model" => model = Some(value),
            "--edge" => edge = value.parse()?,
            "--steps" => steps = value.parse()?,
            "--mode" => how = mode(&value)?,
            _ => bail!("`{flag} {value}` is not known; see the head of this program"),
        }
    }
    let model = std::path::absolute(model.context("--model names a model")?)?;
    // On the same disk, so that the model's file can have another name there.
    let home = tempfile::tempdir_in(model.parent().context("a file lies in a folder")?)?;
    let studio = Studio::at(home.path()).with_mode(how).with_ram(16 << 30);
    std::fs::hard_link(&model, studio.input.join("model.safetensors"))?;
    let workflow = landscape(edge, &format!("steps: {steps}"), "name: \"x\"");
    let workflow = workflow.replace("source: \"mini\"", "source: \"model.safetensors\"");
    let loaded = graph::read(&workflow).map_err(|faults| anyhow!("{faults}"))?;
    let engine = studio.engine();
    engine.run(&loaded.graph, &Wish::default(), &(), &Cancel::new()).map_err(|faults| anyhow!("{faults}"))?;
    say("after the run", "")?;
    let bytes = engine.rest();
    let idle = say("idle", &format!(", {:.2} GB of weights let go", bytes as f64 / 1e9))?;
    ensure!(idle.all() <= MOST, "an idle process may hold {:.0} MB", MOST as f64 / 1e6);
    Ok(())
}

fn say(when: &str, more: &str) -> Result<Held> {
    let held = held().context("memory is read from Linux's /proc")?;
    let [anonymous, mapped] = [held.anonymous, held.mapped].map(|bytes| bytes as f64 / 1e6);
    println!("{when}: {anonymous:.0} MB anonymous, {mapped:.0} MB mapped{more}");
    Ok(held)
}
