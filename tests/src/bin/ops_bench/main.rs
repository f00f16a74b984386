//! Runs the operations of `tests/peers/ops.txt` one by one, and prints what each took beside what the machine can do.
//!
//! `ops_bench [--mode exact] [--threads N] [--only conv3]` prints a line of JSON for each. `--peak` prints the machine's
//! peaks alone. `--serve` takes turns with a peer (`tests/peers/bench_ops.py`): it is sent a line of the file, then
//! `go` as often as wanted; or `peak`.

mod layers;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use darkroom_models::nn::Mode;
use darkroom_tests::{
    archive,
    bench::{arithmetic, bytes_a_value, median, mode, op::Op, peak::Peak, turns},
};
use serde_json::{Value, json};

/// How long one sample lasts at least; what takes less is done several times.
const SAMPLE: Duration = Duration::from_millis(100);
/// Samples of an operation when nobody tells when to take them.
const SAMPLES: usize = 7;

fn main() -> Result<()> {
    let flags = Flags::read(std::env::args().skip(1))?;
    rayon::ThreadPoolBuilder::new().num_threads(flags.threads).build_global()?;
    let mut bench = Bench { flags: &flags, ready: None };
    let end = json!({ "program": "darkroom", "mode": flags.mode.name(), "threads": flags.threads });
    match flags.want {
        Want::Peak => print(&Peak::measure(flags.threads).to_json()),
        Want::Turns => turns::serve(&json!({ "ready": true }), |line| bench.answer(line)).and_then(|()| print(&end)),
        Want::All => bench.all(),
    }
}

struct Flags {
    mode: Mode,
    threads: usize,
    only: String,
    want: Want,
}

enum Want {
    All,
    Peak,
    Turns,
}

impl Flags {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let threads = std::thread::available_parallelism()?.get();
        let mut flags = Self { mode: Mode::Exact, threads, only: String::new(), want: Want::All };
        while let Some(flag) = words.next() {
            let mut value = || words.next().with_context(|| format!("{flag} wants a value"));
            match flag.as_str() {
                "--mode" => flags.mode = mode(&value()?)?,
                "--threads" => flags.threads = value()?.parse().context("--threads wants a number")?,
                "--only" => flags.only = value()?,
                "--peak" => flags.want = Want::Peak,
                "--serve" => flags.want = Want::Turns,
                _ => bail!("`{flag}` is not known; see the head of this program"),
            }
        }
        ensure!(flags.threads > 0, "--threads wants at least 1");
        Ok(flags)
    }
}

struct Bench<'a> {
    flags: &'a Flags,
    ready: Option<Ready>,
}

/// An operation with its weights and inputs at hand.
struct Ready {
    run: layers::Run,
    /// How often it runs in one sample.
    repeats: u32,
}

impl Bench<'_> {
    fn answer(&mut self, line: &str) -> Result<Value> {
        match (line, &self.ready) {
            ("peak", _) => Ok(Peak::measure(self.flags.threads).to_json()),
            ("go", Some(ready)) => Ok(json!({ "seconds": { "darkroom": ready.sample()? } })),
            ("go", None) => bail!("`go` comes before any operation"),
            (line, _) => self.prepare(line),
        }
    }

    /// Readies an operation, and tells its costs; one that this mode lacks is no fault of the run.
    fn prepare(&mut self, line: &str) -> Result<Value> {
        self.ready = None;
        let op: Op = line.parse()?;
        match Ready::new(op, self.flags.mode) {
            Ok(ready) => self.ready = Some(ready),
            Err(fault) => return Ok(json!({ "op": line, "refused": format!("{fault:#}") })),
        }
        let mode = self.flags.mode;
        Ok(json!({
            "op": line,
            "flops": op.flops(),
            "bytes": op.values() * bytes_a_value(mode),
            "bytes_a_value": bytes_a_value(mode),
            "arithmetic": arithmetic(mode, op),
        }))
    }

    fn all(&mut self) -> Result<()> {
        print(&Peak::measure(self.flags.threads).to_json())?;
        let path = archive::folder().join("../peers/ops.txt");
        let file = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for line in file.lines().filter(|line| !line.starts_with('#') && line.contains(&self.flags.only)) {
            let mut facts = self.prepare(line)?;
            if let Some(ready) = &self.ready {
                let seconds = (0..SAMPLES).map(|_| ready.sample()).collect::<Result<Vec<_>>>()?;
                facts["median_seconds"] = json!(median(&seconds));
            }
            print(&facts)?;
        }
        Ok(())
    }
}

impl Ready {
    /// Runs the operation until it is warm, and learns how often it fits into a sample.
    fn new(op: Op, mode: Mode) -> Result<Self> {
        let run = layers::prepare(op, mode)?;
        run()?;
        let start = Instant::now();
        run()?;
        let repeats = SAMPLE.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-7);
        Ok(Self { run, repeats: repeats.ceil() as u32 })
    }

    /// Returns the seconds of one run.
    fn sample(&self) -> Result<f64> {
        let start = Instant::now();
        for _ in 0..self.repeats {
            (self.run)()?;
        }
        Ok(start.elapsed().as_secs_f64() / f64::from(self.repeats))
    }
}

fn print(value: &Value) -> Result<()> {
    Ok(std::io::Write::write_all(&mut std::io::stdout(), format!("{value}\n").as_bytes())?)
}
