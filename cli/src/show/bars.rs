//! Progress on a terminal: a bar for the run, and one for each node at work with its steps and when it will be through.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use darkroom_core::observe::{Event, How};
use darkroom_core::plan::{Action, Plan};
use indicatif::{ProgressBar, ProgressStyle};

use crate::desk::Desk;

/// Units of the run's bar for each node, or second where the seconds are known.
const UNITS: f64 = 1000.0;

/// Bars on the screen.
pub struct Bars<'d> {
    desk: &'d Desk,
    drawn: Mutex<Drawn>,
}

#[derive(Default)]
struct Drawn {
    run: Option<ProgressBar>,
    nodes: HashMap<String, ProgressBar>,
    /// The share of each node that runs in the run's bar.
    shares: HashMap<String, f64>,
    /// How much of each share is done, from 0 to 1.
    done: HashMap<String, f64>,
}

impl<'d> Bars<'d> {
    /// Draws nothing yet.
    pub fn new(desk: &'d Desk) -> Self {
        Self { desk, drawn: Mutex::default() }
    }

    /// Takes all bars away.
    pub fn clear(&self) {
        let mut drawn = self.drawn.lock().expect("no thread panics while it draws");
        drawn.nodes.drain().for_each(|(_, bar)| bar.finish_and_clear());
        if let Some(run) = drawn.run.take() {
            run.finish_and_clear();
        }
    }

    /// Draws an event.
    pub fn see(&self, event: &Event<'_>) {
        let mut drawn = self.drawn.lock().expect("no thread panics while it draws");
        match event {
            Event::Planned(plan) => drawn.plan(plan, self.desk),
            Event::Reading { path, done, of } => drawn.read(path, *done, *of, self.desk),
            Event::Started { node, .. } if drawn.shares.contains_key(*node) => drawn.start(node, self.desk),
            Event::Progress { node, done, of } => drawn.progress(node, *done, *of),
            Event::Finished { node, how: How::Ran, .. } => drawn.finish(node),
            _ => {}
        }
    }
}

impl Drawn {
    /// Shows how far a file is that is read before the plan is made.
    fn read(&mut self, path: &Path, done: u64, of: u64, desk: &Desk) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !self.nodes.contains_key(&name) {
            self.start(&name, desk);
        }
        let Some(bar) = self.nodes.get(&name) else { return };
        if bar.length() != Some(of) {
            bar.set_length(of);
            bar.set_style(style("{bar:24} reading {prefix}  {eta} left"));
        }
        bar.set_position(done);
    }

    fn plan(&mut self, plan: &Plan, desk: &Desk) {
        // What was read for the plan is read.
        self.nodes.drain().for_each(|(_, bar)| bar.finish_and_clear());
        let runs: Vec<_> = plan.steps.iter().filter(|step| step.action == Action::Run).collect();
        // With one node of unknown length, the nodes count alike: half a truth about time would be none.
        let known = runs.iter().all(|step| step.seconds.is_some());
        let share = |seconds: Option<f64>| if known { seconds.unwrap_or_default().max(0.001) } else { 1.0 };
        self.shares = runs.iter().map(|step| (step.id.clone(), share(step.seconds))).collect();
        if runs.is_empty() {
            return;
        }
        let bar = ProgressBar::new((self.shares.values().sum::<f64>() * UNITS) as u64);
        bar.set_style(style("{bar:24} {msg}  {elapsed}, {eta} left"));
        let bar = desk.bars().add(bar);
        bar.enable_steady_tick(Duration::from_millis(100));
        self.run = Some(bar);
        self.advance();
    }

    fn start(&mut self, node: &str, desk: &Desk) {
        let bar = ProgressBar::no_length().with_prefix(desk.safe(node));
        bar.set_style(style("{spinner} {prefix}  {elapsed}"));
        let bar = desk.bars().add(bar);
        bar.enable_steady_tick(Duration::from_millis(100));
        self.nodes.insert(node.to_owned(), bar);
    }

    fn progress(&mut self, node: &str, done: usize, of: usize) {
        let Some(bar) = self.nodes.get(node) else { return };
        if bar.length() != Some(of as u64) {
            bar.set_length(of as u64);
            bar.set_style(style("{bar:24} {prefix}  {pos}/{len}, {eta} left"));
        }
        bar.set_position(done as u64);
        self.done.insert(node.to_owned(), done as f64 / of.max(1) as f64);
        self.advance();
    }

    fn finish(&mut self, node: &str) {
        if let Some(bar) = self.nodes.remove(node) {
            bar.finish_and_clear();
        }
        self.done.insert(node.to_owned(), 1.0);
        self.advance();
    }

    /// Moves the run's bar to where the nodes are.
    fn advance(&self) {
        let Some(run) = &self.run else { return };
        let through = self.done.values().filter(|part| **part >= 1.0).count();
        let part: f64 = self.done.iter().map(|(node, part)| self.shares.get(node).unwrap_or(&0.0) * part).sum();
        run.set_message(format!("{through} of {} nodes", self.shares.len()));
        run.set_position((part * UNITS) as u64);
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates above are well-formed");
    style.progress_chars("━╸ ")
}
