//! A process that runs a workflow of toys and says what happens, a line an event: `engine_worker HOME WORKFLOW`. Tests
//! kill it.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::testing::line;
use darkroom_tests::room::{Kit, Room};

struct Aloud;

impl Observer for Aloud {
    fn see(&self, event: &Event<'_>) {
        let mut out = std::io::stdout().lock();
        // Whoever listened may have left; the work goes on.
        let _ = writeln!(out, "{}", line(event)).and_then(|()| out.flush());
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [home, workflow] = &arguments[..] else { bail!("engine_worker HOME WORKFLOW") };
    let text = std::fs::read_to_string(workflow).context("the workflow cannot be read")?;
    let room = Room::at(Path::new(home), &text, Kit::default());
    room.run_watched(&Aloud, &Cancel::new())?;
    Ok(())
}
