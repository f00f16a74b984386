//! Makes the tables of `docs/step-savers.md` anew: what guidance in an interval and the step cache save on the built-in
//! model, and how far the pictures are off.
//!
//!     cargo run --release -p darkroom-tests --bin step_savers

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use darkroom_core::image::Picture;
use darkroom_tests::savers::{Drawing, psnr};

/// Ways to walk: a name, and settings.
const WALKS: [(&str, &str); 3] = [
    ("`euler`, 28 steps", "steps: 28"),
    ("`dpmpp_2m` on `karras`, 20 steps", "steps: 20, sampler: \"dpmpp_2m\", schedule: \"karras\""),
    ("`heun`, 20 steps", "steps: 20, sampler: \"heun\""),
];
const INTERVALS: [(f64, f64); 4] = [(0.0, 0.8), (0.0, 0.6), (0.2, 1.0), (0.2, 0.6)];
const THRESHOLDS: [f64; 5] = [0.05, 0.1, 0.2, 0.3, 0.5];
const SEEDS: [u32; 3] = [1, 2, 3];
const SIZE: u32 = 256;

/// The line behind which the page is made anew.
const MARK: &str = "<!-- made by the command above -->\n";

fn main() -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("`tests` lies in the workspace")?;
    let path = workspace.join("docs/step-savers.md");
    let page = std::fs::read_to_string(&path)?;
    let (head, _) = page.split_once(MARK).context("the page has lost its mark")?;
    let mut page = format!("{head}{MARK}");
    for (name, walk) in WALKS {
        writeln!(page, "\n{name}:\n\n| settings | counted | work saved | PSNR |\n|---|---|---|---|")?;
        let plain = SEEDS.map(|seed| drawn(walk, seed, "").picture);
        for (start, end) in INTERVALS {
            let settings = format!("guidance_start: {start:?}, guidance_end: {end:?}");
            let row = Row::of(walk, &settings, "guidance", &plain)?;
            let unguided = row.steps - row.counted;
            row.write(&mut page, &settings, unguided, unguided as f64 / 2.0)?;
        }
        for threshold in THRESHOLDS {
            let settings = format!("step_cache: \"easycache\", step_cache_threshold: {threshold:?}");
            let row = Row::of(walk, &settings, "easycache", &plain)?;
            row.write(&mut page, &settings, row.counted, row.counted as f64)?;
        }
        writeln!(std::io::stdout(), "{name}")?;
    }
    std::fs::write(path, page)?;
    Ok(())
}

fn drawn(walk: &str, seed: u32, settings: &str) -> Drawing {
    Drawing::of(SIZE, &format!("{walk}, guidance: 4.0, seed: {seed}, {settings}"))
}

/// What the drawings of all seeds say together.
struct Row {
    counted: usize,
    steps: usize,
    /// That of the drawing that is furthest off.
    psnr: f64,
}

impl Row {
    /// Draws with settings, and counts what the run tells in the sentence with a word.
    fn of(walk: &str, settings: &str, word: &str, plain: &[Picture]) -> Result<Self> {
        let mut row = Self { counted: 0, steps: 0, psnr: f64::INFINITY };
        for (seed, plain) in SEEDS.into_iter().zip(plain) {
            let drawing = drawn(walk, seed, settings);
            let (counted, steps) = drawing.share(word).with_context(|| format!("{settings} saved nothing"))?;
            row = Self {
                counted: row.counted + counted,
                steps: row.steps + steps,
                psnr: row.psnr.min(psnr(&drawing.picture, plain)),
            };
        }
        Ok(row)
    }

    fn write(&self, page: &mut String, settings: &str, saved: usize, evaluations: f64) -> Result<()> {
        let share = 100.0 * evaluations / self.steps as f64;
        let psnr = if self.psnr.is_finite() { format!("{:.1} dB", self.psnr) } else { "the same picture".to_owned() };
        writeln!(page, "| `{settings}` | {saved} of {} | {share:.0} % | {psnr} |", self.steps)?;
        Ok(())
    }
}
