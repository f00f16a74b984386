//! A soak: many mixed runs in one process, and what the process holds after each.
//!
//! Models come and go, sizes change, LoRAs are laid on and taken off, runs are stopped in the middle, and a model fails
//! to load. The runs follow a cycle, so that the last one does what the third did, after the same two: what the process
//! holds after the two can be compared. Nothing here asks the allocator to give anything back.

mod judge;
mod scenes;

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use candle_core::DType;
use darkroom_core::{
    cache::Cache,
    engine::Engine,
    fault::{FaultKind, Faults},
    files::Files,
    graph::{self, Graph},
    history::History,
    observe::{Cancel, Event, Observer},
    plan::Wish,
    process::{self, Held, Sampler},
    residency::Ledger,
};
use darkroom_models::{
    Weights,
    nn::{Compute, Mode},
};

pub use judge::{Bounds, complaints, table};
pub use scenes::{CYCLE, Ending, Scene};

use crate::made_up;

/// The memory that results may take, in bytes: little, so that weights are what a soak is about.
const CACHE: u64 = 4 << 20;
const CACHE_DISK: u64 = 512 << 20;
/// A process is looked at when two looks in a row find the same, or after this long.
const SETTLED: Duration = Duration::from_secs(2);

/// How a soak is made.
#[derive(Clone, Copy)]
pub struct Settings {
    /// How many times as wide as the built-in UNet those of the made-up models are.
    pub width: u64,
    /// How networks compute.
    pub mode: Mode,
    /// Bytes of weights and scratch; without, the least that every run can be done in without streaming.
    pub budget: Option<u64>,
    /// By how many bytes the process may grow beyond the share that is allowed.
    pub grace: u64,
}

/// One run, and what was left of it.
#[derive(Clone)]
pub struct Row {
    /// What was run.
    pub what: &'static str,
    /// How it was to end.
    pub wanted: Ending,
    /// How it ended, and in which words where that was in a fault.
    pub ended: (Ending, String),
    /// Seconds it took.
    pub seconds: f64,
    /// What the process held once all was quiet.
    pub after: Held,
    /// The most anonymous memory that was seen during the run, in bytes.
    pub peak_anonymous: u64,
    /// Bytes that the ledger thought were in use after it.
    pub booked: u64,
}

/// A process in which runs follow one another.
pub struct Soak {
    engine: Engine,
    sampler: Sampler,
    bounds: Bounds,
    done: usize,
}

impl Soak {
    /// Writes the models below `home` and opens an engine.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn at(home: &Path, settings: Settings) -> Result<Self> {
        let input = home.join("input");
        fs::create_dir_all(&input)?;
        write_models(&input, settings.width)?;
        let budget = settings.budget.map_or_else(|| least(home, settings.mode), Ok)?;
        let engine = engine(home, settings.mode, budget)?;
        let beside = held()?.anonymous + CACHE + judge::ALLOWANCE;
        let bounds = Bounds { budget, beside, grace: settings.grace };
        Ok(Self { engine, sampler: Sampler::start(), bounds, done: 0 })
    }

    /// Returns what the process is held to.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Does the next run of the cycle.
    ///
    /// # Errors
    /// Systems that do not tell what a process holds.
    pub fn next_run(&mut self) -> Result<Row> {
        let scene = &CYCLE[self.done % CYCLE.len()];
        self.done += 1;
        // Another seed, so that no run is a repetition to the cache.
        let graph = read(&scene.workflow(self.done))?;
        let cancel = Cancel::new();
        let stop = Stop { cancel: &cancel, wanted: scene.ending == Ending::Stopped };
        let wish = Wish { fresh: true, ..Wish::default() };
        let peak = self.sampler.watch();
        let begun = Instant::now();
        let ended = self.engine.run(&graph, &wish, &stop, &cancel).map(drop);
        let seconds = begun.elapsed().as_secs_f64();
        self.sampler.look();
        Ok(Row {
            what: scene.what,
            wanted: scene.ending,
            ended: ending(ended),
            seconds,
            after: settle()?,
            peak_anonymous: peak.bytes(),
            booked: self.engine.ledger().used(),
        })
    }
}

/// Asks to stop as soon as something has done a step.
struct Stop<'c> {
    cancel: &'c Cancel,
    wanted: bool,
}

impl Observer for Stop<'_> {
    fn see(&self, event: &Event<'_>) {
        let in_the_middle = matches!(event, Event::Progress { node: "denoise", done, of } if done < of);
        if self.wanted && in_the_middle {
            self.cancel.ask();
        }
    }
}

fn ending(ended: Result<(), Faults>) -> (Ending, String) {
    match ended {
        Ok(()) => (Ending::Picture, String::new()),
        Err(faults) => match faults.kind() {
            FaultKind::Cancelled => (Ending::Stopped, String::new()),
            FaultKind::File => (Ending::NotLoaded, faults.to_string()),
            _ => (Ending::Fault, faults.to_string()),
        },
    }
}

fn held() -> Result<Held> {
    process::held().context("only Linux tells what a process holds")
}

/// Waits until the process is quiet, and returns what it holds.
fn settle() -> Result<Held> {
    let begun = Instant::now();
    let mut before = held()?;
    loop {
        thread::sleep(Duration::from_millis(50));
        let now = held()?;
        if now == before || begun.elapsed() > SETTLED {
            return Ok(now);
        }
        before = now;
    }
}

/// Two models of noise, a LoRA for the second, and a third one whose UNet lacks the tensor that is loaded last.
fn write_models(input: &Path, width: u64) -> Result<()> {
    for (name, seed) in [("dusk", 1), ("dawn", 2), ("torn", 3)] {
        made_up::folder(&input.join(name), width, DType::F16, seed)?;
    }
    made_up::lora(&input.join("haze.safetensors"), &input.join("dawn"), 4)?;
    let unet = made_up::unet_file(&input.join("torn"));
    let mut shapes: made_up::Shapes = {
        let whole = Weights::open(&unet)?;
        whole.tensors().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect()
    };
    shapes.remove("conv_out.weight");
    made_up::save(&unet, shapes, DType::F16, 3)?;
    let cyanotype = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs/loras/cyanotype.safetensors");
    fs::copy(cyanotype, input.join("cyanotype.safetensors"))?;
    Ok(())
}

fn engine(home: &Path, mode: Mode, budget: u64) -> Result<Engine> {
    let files = Files::new(vec![home.join("input")], home.join("output"));
    let cache = Cache::in_memory(CACHE).with_disk(&home.join("cache"), CACHE_DISK)?;
    let history = History::open(&home.join("history"), Path::new("soak"));
    let host = darkroom_nodes::host(files, &Compute::new(mode));
    Ok(Engine::new(darkroom_nodes::registry(), host, cache, Ledger::new(budget), history))
}

/// Returns the least budget in which every run can be done whole, as the plans have it.
fn least(home: &Path, mode: Mode) -> Result<u64> {
    let engine = engine(home, mode, 1 << 40)?;
    let mut least = 0;
    for scene in CYCLE.iter().filter(|scene| scene.ending != Ending::NotLoaded) {
        let graph = read(&scene.workflow(0))?;
        let plan = engine.foresee(&graph, &Wish::default()).map_err(|faults| anyhow!("{faults}"))?;
        least = least.max(plan.peak_bytes);
    }
    Ok(least)
}

fn read(workflow: &str) -> Result<Graph> {
    Ok(graph::read(workflow).map_err(|faults| anyhow!("{faults}"))?.graph)
}
