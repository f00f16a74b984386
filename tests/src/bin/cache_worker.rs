//! A process that uses a cache folder, to be killed, starved and set against others of its kind.
//!
//! `cache_worker store FOLDER BYTES` stores one result after another until it is killed, and says which.
//! `cache_worker storm FOLDER SEED ROUNDS` stores and loads at random in a small budget, and checks what it loads.
//! `cache_worker hold FOLDER NUMBER` leases a result until its input ends.
//! `cache_worker fill FOLDER BYTES` stores more than the disk of the folder holds, and reports what became of it.
//! `cache_worker open FOLDER` opens the folder and says why it cannot.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use darkroom_core::cache::{Cache, Tier};
use darkroom_tests::cached::{is_right, outputs, recipe, values};

const LARGE: u64 = 1 << 40;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let what = args.next().context("what to do?")?;
    let folder = PathBuf::from(args.next().context("in which folder?")?);
    let numbers: Vec<u64> = args.map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    match (what.as_str(), numbers[..].as_ref()) {
        ("store", [bytes]) => store(&folder, *bytes as usize),
        ("storm", [seed, rounds]) => storm(&folder, *seed, *rounds),
        ("hold", [number]) => hold(&folder, *number),
        ("fill", [bytes]) => fill(&folder, *bytes as usize),
        ("open", []) => Ok(open(&folder, 0, LARGE).map(drop)?),
        _ => bail!("no such task"),
    }
}

fn open(folder: &Path, memory: u64, disk: u64) -> anyhow::Result<Cache> {
    Ok(Cache::in_memory(memory).with_disk(folder, disk)?)
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn store(folder: &Path, bytes: usize) -> anyhow::Result<()> {
    let cache = open(folder, 0, LARGE)?;
    for number in 0.. {
        // Every fourth is small: such are written in another way.
        cache.store(recipe(number), "toy", &values(number, if number % 4 == 0 { 100 } else { bytes }), 1.0);
        say(&number.to_string())?;
    }
    Ok(())
}

fn storm(folder: &Path, mut seed: u64, rounds: u64) -> anyhow::Result<()> {
    let cache = open(folder, 0, 2 << 20)?;
    let mut hits = 0;
    for _ in 0..rounds {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (seed >> 33) % 48;
        let bytes = 1000 + 2500 * number as usize;
        if let Some(found) = cache.load(recipe(number), &outputs()) {
            ensure!(is_right(&found, number, bytes), "{number} is another picture");
            hits += 1;
        } else {
            let warnings = cache.store(recipe(number), "toy", &values(number, bytes), number as f64);
            ensure!(warnings.is_empty(), "{warnings:?}");
        }
    }
    let usage = cache.usage();
    ensure!(usage.quarantined == 0, "{usage:?}");
    say(&hits.to_string())
}

fn hold(folder: &Path, number: u64) -> anyhow::Result<()> {
    let cache = open(folder, 0, LARGE)?;
    let _lease = cache.lease(recipe(number)).context("there is nothing to hold")?;
    say("held")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn fill(folder: &Path, bytes: usize) -> anyhow::Result<()> {
    let cache = open(folder, LARGE, LARGE)?;
    let warnings: Vec<_> =
        (0..40).flat_map(|number| cache.store(recipe(number), "toy", &values(number, bytes), 1.0)).collect();
    for number in 0..40 {
        let found = cache.load(recipe(number), &outputs()).context("memory has it")?;
        ensure!(is_right(&found, number, bytes), "{number} is another picture");
    }
    let unwritten = cache.usage().unwritten;
    ensure!(std::fs::read_dir(folder.join("v1/aside"))?.count() == 0, "half a file was left");
    // A later process finds what was written whole, and can write again once there is room.
    let later = open(folder, 0, LARGE)?;
    let found: Vec<_> = (0..40).filter(|number| later.find(recipe(*number)) == Some(Tier::Disk)).collect();
    let right =
        |number: &u64| later.load(recipe(*number), &outputs()).is_some_and(|found| is_right(&found, *number, bytes));
    ensure!(found.iter().all(right) && later.verify().damaged.is_empty(), "what was written is not whole");
    later.clear()?;
    ensure!(later.store(recipe(99), "toy", &values(99, 1000), 1.0).is_empty(), "there is room again");
    let report = serde_json::json!({ "warnings": warnings, "unwritten": unwritten, "written": found.len() });
    say(&report.to_string())
}
