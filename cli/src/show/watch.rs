//! Who watches a run: the log takes every event but progress; a person gets bars, or now and then a line; a program gets
//! one JSON object a line.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use darkroom_core::observe::{Event, Observer};
use darkroom_core::plan::Action;
use darkroom_core::residency::streaming;

use crate::checks;
use crate::desk::Desk;
use crate::machine::memory::Memory;
use crate::show::bars::Bars;
use crate::show::json;

/// How often a line tells how far a node is, where there are no bars.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The observer of a run.
pub struct Watch<'d> {
    desk: &'d Desk,
    face: Face<'d>,
    began: Instant,
    warnings: Mutex<Vec<String>>,
    memory: Memory,
}

/// What a run looks like while it goes.
enum Face<'d> {
    Bars(Bars<'d>),
    Lines(Mutex<Instant>),
    Events,
}

impl<'d> Watch<'d> {
    /// Begins to watch; `events` is for a program that reads stdout as it comes.
    pub fn new(desk: &'d Desk, events: bool) -> Self {
        let face = match (events, desk.is_watched()) {
            (true, _) => Face::Events,
            (false, true) => Face::Bars(Bars::new(desk)),
            (false, false) => Face::Lines(Mutex::new(Instant::now())),
        };
        Self { desk, face, began: Instant::now(), warnings: Mutex::default(), memory: Memory::default() }
    }

    /// Warns of plans that need more memory than the container allows.
    #[must_use]
    pub fn within(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// Takes what was drawn off the screen; returns the warnings there were.
    pub fn finish(self) -> Vec<String> {
        if let Face::Bars(bars) = &self.face {
            bars.clear();
        }
        lock(&self.warnings).clone()
    }

    fn note(&self, event: &Event<'_>) {
        let line = match event {
            Event::Planned(plan) => {
                for step in plan.steps.iter().filter(|step| !matches!(step.action, Action::Idle(_))) {
                    self.desk.note(&format!("plan: {} {} ({})", word(&step.action), step.id, step.why));
                }
                format!("planned: {} of {} run", plan.runs(), plan.steps.len())
            }
            Event::Started { node, kind } => format!("started {node} ({kind})"),
            Event::Finished { node, how, seconds } => format!("{} {node} in {seconds:.3} s", how.word()),
            Event::Wrote { node, path, anew: true } => format!("{node} wrote {}", path.display()),
            Event::Wrote { node, path, anew: false } => format!("{node} had written {}", path.display()),
            Event::Failed(located) => format!("failed: {located}"),
            // What is said gets into the log that way.
            Event::Warning { .. }
            | Event::Eased { .. }
            | Event::Streams { .. }
            | Event::Reading { .. }
            | Event::Progress { .. }
            | Event::Preview { .. } => return,
        };
        self.desk.note(&line);
    }

    fn warn(&self, node: Option<&str>, text: &str) {
        let text = node.map_or_else(|| text.to_owned(), |node| format!("{node}: {text}"));
        self.desk.warn(&text);
        lock(&self.warnings).push(text);
    }
}

impl Observer for Watch<'_> {
    fn see(&self, event: &Event<'_>) {
        self.note(event);
        match event {
            Event::Warning { node, text } => self.warn(*node, text),
            Event::Streams { title, bytes, of, .. } => self.desk.say(&streaming(title, *bytes, *of)),
            Event::Eased { node, what } => self.warn(Some(node), what),
            Event::Planned(plan) => {
                plan.stand_ins.iter().for_each(|stand_in| self.desk.say(&stand_in.to_string()));
                // Nothing is loaded yet.
                let beyond = checks::memory::peak(plan.peak_bytes, &self.memory);
                beyond.iter().for_each(|finding| self.warn(None, &finding.sentence()));
            }
            _ => {}
        }
        match &self.face {
            Face::Bars(bars) => bars.see(event),
            Face::Lines(last) => {
                let mut last = lock(last);
                let line = match event {
                    Event::Progress { node, done, of } => format!("{node} {done}/{of}"),
                    Event::Reading { path, done, of } => {
                        format!("reading {}: {} of {} MB", path.display(), done >> 20, of >> 20)
                    }
                    _ => return,
                };
                if last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    self.desk.say(&line);
                }
            }
            Face::Events => {
                if let Some(event) = json::event(event, self.began.elapsed()) {
                    // A run does not end because its reader has gone.
                    let _ = self.desk.answer_json(event);
                }
            }
        }
    }
}

fn word(action: &Action) -> &'static str {
    match action {
        Action::Run => "run",
        Action::Take(_) => "take",
        Action::Open => "open",
        Action::Share(_) => "share",
        Action::Idle(_) => "idle",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it watches")
}
