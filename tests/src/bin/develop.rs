//! A process that runs one workflow with the real nodes, to be killed: `develop HOME WORKFLOW_FILE`. It prints every
//! step of every node and the sampler's progress.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_tests::studio::Studio;

struct Say;

impl Observer for Say {
    fn see(&self, event: &Event<'_>) {
        let mut out = std::io::stdout().lock();
        // Whoever reads this may be gone; the run goes on.
        let _ = match event {
            Event::Progress { node, done, of } => writeln!(out, "{node} {done}/{of}"),
            Event::Finished { node, how, .. } => writeln!(out, "{} {node}", how.word()),
            _ => Ok(()),
        };
        let _ = out.flush();
    }
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let home = args.next().context("in which folder?")?;
    let workflow = std::fs::read_to_string(args.next().context("which workflow?")?)?;
    Studio::at(Path::new(&home)).run_watched(&workflow, &Say, &Cancel::new())?;
    Ok(())
}
