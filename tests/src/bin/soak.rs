//! Runs workflows one after another in one process, and says what it held after each.
//!
//! `soak [--runs 30] [--width 4] [--mode fast] [--budget BYTES] [--grace BYTES]`
//!
//! Runs follow a cycle of nine (`tests/src/soak`), and the last does what the third did: 12, 21, 30 and so on can be
//! asked for. `--width` makes the UNets of the made-up models so many times as wide as the one that is built in. The
//! budget is the least that every run can be done in whole, unless one is given.
//!
//! Fails where a run ends otherwise than it should, where after the last run 5 % more is held than after the third, or
//! where more anonymous memory was seen than the budget and what is beside it. `--grace` lets a process grow by so much
//! more: a small one, of which the heaps of threads are a large share.
#![expect(clippy::print_stdout, reason = "the result is what the program is for")]

use anyhow::{Context as _, Result, bail, ensure};
use darkroom_kernels::heap;
use darkroom_models::nn::Mode;
use darkroom_tests::{
    bench::mode,
    soak::{CYCLE, Settings, Soak, complaints, table},
};

fn main() -> Result<()> {
    // As the program does.
    heap::set_up();
    let (runs, settings) = read(std::env::args().skip(1))?;
    let home = tempfile::tempdir()?;
    let mut soak = Soak::at(home.path(), settings)?;
    let bounds = soak.bounds();
    println!("budget {:.1} MB, and {:.1} MB beside it\n", bounds.budget as f64 / 1e6, bounds.beside as f64 / 1e6);
    let rows = (0..runs).map(|_| soak.next_run()).collect::<Result<Vec<_>>>()?;
    println!("{}", table(&rows));
    let complaints = complaints(&rows, bounds);
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    println!("{runs} runs, nothing to complain of");
    Ok(())
}

fn read(mut words: impl Iterator<Item = String>) -> Result<(usize, Settings)> {
    let mut runs = 30;
    let mut settings = Settings { width: 4, mode: Mode::Fast, budget: None, grace: 0 };
    while let Some(flag) = words.next() {
        let value = words.next().with_context(|| format!("{flag} wants a value"))?;
        let number = || value.parse::<u64>().with_context(|| format!("{flag} wants a number, not `{value}`"));
        match flag.as_str() {
            "--runs" => runs = number()? as usize,
            "--width" => settings.width = number()?,
            "--mode" => settings.mode = mode(&value)?,
            "--budget" => settings.budget = Some(number()?),
            "--grace" => settings.grace = number()?,
            _ => bail!("`{flag} {value}` is not known; see the head of this program"),
        }
    }
    ensure!((1..=64).contains(&settings.width), "--width wants 1 to 64");
    let cycle = CYCLE.len();
    ensure!(runs > cycle && runs % cycle == 3, "--runs wants 12, 21, 30, …: the last must do what the third did");
    Ok((runs, settings))
}
