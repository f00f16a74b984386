//! What runs of a document: its runs that are not over, what they tell, what they leave.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use darkroom_core::fault::{Fault, FaultKind, Faults};
use darkroom_core::graph::Graph;
use darkroom_core::observe::How;
use darkroom_core::plan::Wish;
use darkroom_core::registry::Registry;
use egui::{ColorImage, Context, TextureOptions};

use super::Tab;
use super::{seeds, times};
use crate::session::{Fate, NodeOutlook, Outcome, Outlook, Past, Sort, Ticket, Told, sort_by_name};
use crate::status::{State, Thumb};

/// A run that is not over.
pub struct Run {
    /// Its ticket.
    pub ticket: Ticket,
    /// What is run.
    pub graph: Arc<Graph>,
    /// What is wanted of it.
    pub wish: Wish,
    /// Who asked for it.
    pub origin: Origin,
    /// When it was asked for, in seconds since 1970.
    pub asked: u64,
    /// When its turn came; none while it waits.
    pub began: Option<Instant>,
    /// Where it stands among those that wait: the least goes first.
    pub rank: i64,
    /// What is done and what is to be done.
    pub outlook: Option<Outlook>,
    /// The share of each node that is done.
    pub shares: HashMap<String, f32>,
    /// Nodes that are at work, the first one first.
    pub nodes: Vec<String>,
    /// Pictures that it left, or found again.
    pub pictures: Vec<PathBuf>,
    /// The seeds that it takes, once they are drawn.
    pub seeds: Vec<seeds::Taken>,
}

/// Who asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A person.
    Hand,
    /// A change of the graph.
    Change,
}

/// A picture that a run left.
pub struct Made {
    /// The file.
    pub path: PathBuf,
    /// The node that left it.
    pub node: String,
    /// The graph that made it, with the seeds that were drawn.
    pub graph: Arc<Graph>,
    /// Seconds that the run took that made it, once that is over.
    pub seconds: Option<f64>,
    /// That run; none if the picture was there before.
    making: Option<Ticket>,
}

/// A line of the log.
#[derive(Debug, Clone)]
pub struct Line {
    /// How much it matters.
    pub weight: Weight,
    /// The node it is about.
    pub node: Option<String>,
    /// One sentence.
    pub text: String,
    /// When it was said, in seconds since 1970.
    pub at: u64,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Should be known.
    Warning,
    /// Went wrong.
    Error,
}

impl Line {
    /// Says something now.
    pub fn new(weight: Weight, node: Option<String>, text: impl Into<String>) -> Self {
        Self { weight, node, text: text.into(), at: times::now() }
    }
}

/// Seconds that a node should take, by its own past; nodes without one count alike.
fn weight(node: &NodeOutlook) -> f64 {
    node.seconds.unwrap_or(1.0).max(0.01)
}

impl Run {
    /// Begins to wait.
    pub fn new(ticket: Ticket, graph: Arc<Graph>, wish: Wish) -> Self {
        Self {
            ticket,
            graph,
            wish,
            origin: Origin::Hand,
            asked: times::now(),
            began: None,
            rank: 0,
            outlook: None,
            shares: HashMap::new(),
            nodes: Vec::new(),
            pictures: Vec::new(),
            seeds: Vec::new(),
        }
    }

    /// Returns the share of the work that is done, by seconds of the past where they are known; none while it waits or
    /// plans.
    pub fn share(&self) -> Option<f32> {
        let outlook = self.outlook.as_ref()?;
        let runs = || outlook.nodes.iter().filter(|node| node.fate == Fate::Runs);
        let all: f64 = runs().map(weight).sum();
        let of = |node: &NodeOutlook| f64::from(self.shares.get(&node.name).copied().unwrap_or(0.0));
        let done: f64 = runs().map(|node| weight(node) * of(node)).sum();
        Some(if all > 0.0 { (done / all) as f32 } else { 1.0 })
    }

    /// Returns the seconds that are left of its own work, as long as all of it has a past. What it waited for does not
    /// count.
    pub fn left(&self) -> Option<f64> {
        let seconds = self.outlook.as_ref()?.seconds?;
        Some((seconds * (1.0 - f64::from(self.share()?))).max(0.0))
    }

    fn past(&self, ended: &Result<(f64, u64), Faults>) -> Past {
        let outcome = match ended {
            Ok(_) => Outcome::Done,
            Err(faults) => match faults.0.first() {
                Some(located) if located.fault.kind != FaultKind::Cancelled => {
                    Outcome::Failed(located.fault.message.clone())
                }
                _ => Outcome::Stopped,
            },
        };
        let since = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        let seconds = ended.as_ref().map_or(since, |(seconds, _)| *seconds);
        let at = times::now().saturating_sub(since as u64);
        Past { at, seconds, outcome, pictures: self.pictures.clone(), graph: Arc::clone(&self.graph) }
    }
}

impl Tab {
    /// Brings its runs into the order in which they go: the one under way first.
    pub fn line_up(&mut self) {
        self.runs.sort_by_key(|run| (run.began.is_none(), run.rank));
    }

    /// Returns the run that is under way.
    pub fn running(&self) -> Option<&Run> {
        self.runs.iter().find(|run| run.began.is_some())
    }

    /// Says something in the log.
    pub fn note(&mut self, weight: Weight, node: Option<String>, text: impl Into<String>) {
        self.log.push(Line::new(weight, node, text));
    }

    /// Takes in what a run tells. Pictures that it left are returned, to be read.
    pub fn told(&mut self, ctx: &Context, registry: &Registry, ticket: Ticket, told: Told) -> Option<PathBuf> {
        let index = self.runs.iter().position(|run| run.ticket == ticket)?;
        // Whatever tells something is under way.
        self.runs[index].began.get_or_insert_with(Instant::now);
        match told {
            Told::Began { graph } => {
                self.runs[index].seeds = seeds::taken(&graph, self.among(registry));
                self.runs[index].graph = graph;
                self.line_up();
            }
            Told::Planned(outlook) => {
                self.plan(&outlook, true);
                self.runs[index].outlook = Some(outlook);
                self.show_seeds(index);
                self.failures.clear();
            }
            Told::Started { node } => {
                if let Some(status) = self.node(&node) {
                    status.state = State::Running(0.0);
                    status.faults.clear();
                }
                self.runs[index].nodes.push(node);
            }
            Told::Progress { node, done, of } => {
                let share = done as f32 / of.max(1) as f32;
                self.runs[index].shares.insert(node.clone(), share);
                if let Some(status) = self.node(&node) {
                    status.state = State::Running(share);
                }
            }
            Told::Preview { node, picture } => {
                let thumb = texture(ctx, &format!("preview {node}"), &picture);
                if let Some(status) = self.node(&node) {
                    status.picture = thumb.or(status.picture.take());
                }
            }
            Told::Finished { node, how, seconds } => self.finished(index, node, how, seconds),
            Told::Wrote { node, path, anew } => {
                let word = if anew { "wrote" } else { "had written" };
                self.note(Weight::Note, Some(node.clone()), format!("{word} {}", path.display()));
                return self.left(index, node, path, anew.then_some(ticket));
            }
            Told::Warning { node, text } => self.note(Weight::Warning, node, text),
            Told::Reading { path, done, of } => {
                if done == of {
                    self.note(Weight::Note, None, format!("read `{}` for its name", path.display()));
                }
            }
            Told::Failed(_) => (),
        }
        self.gather();
        None
    }

    fn finished(&mut self, run: usize, node: String, how: How, seconds: f64) {
        if let Some(status) = self.node(&node) {
            status.state = match how {
                How::Ran => State::Done,
                How::Cached => State::Cached,
                How::Opened => State::Opens,
            };
            if how == How::Ran {
                status.seconds = Some(seconds);
            }
        }
        let run = &mut self.runs[run];
        run.nodes.retain(|at_work| *at_work != node);
        run.shares.insert(node, 1.0);
    }

    /// Takes note of a picture that a node left.
    fn left(&mut self, index: usize, node: String, path: PathBuf, making: Option<Ticket>) -> Option<PathBuf> {
        if sort_by_name(&path) != Sort::Picture {
            return None;
        }
        let run = &mut self.runs[index];
        let made = Made { path, node, graph: Arc::clone(&run.graph), seconds: None, making };
        let path = made.path.clone();
        run.pictures.push(path.clone());
        self.made.retain(|made| made.path != path);
        self.made.push(made);
        Some(path)
    }

    /// Shows a picture that was read at the node that left it last, or says why it cannot be read.
    pub fn came(&mut self, path: &Path, thumb: &Result<Thumb, Fault>) {
        let Some(made) = self.made.iter().find(|made| made.path == path) else { return };
        let node = made.node.clone();
        match thumb {
            Ok(thumb) => {
                let newest =
                    self.made.iter().rev().find(|made| made.node == node).is_some_and(|made| made.path == path);
                if let Some(status) = self.node(&node).filter(|_| newest) {
                    status.picture = Some(thumb.clone());
                }
                self.gather();
            }
            Err(fault) => self.note(Weight::Error, Some(node), fault.message.clone()),
        }
    }

    /// Takes in that a run is over.
    pub fn ended(&mut self, ticket: Ticket, ended: Result<(f64, u64), Faults>) {
        let Some(index) = self.runs.iter().position(|run| run.ticket == ticket) else { return };
        let run = self.runs.remove(index);
        if run.began.is_some() {
            self.settle(&run, &ended);
        }
        for located in ended.err().into_iter().flat_map(|faults| faults.0) {
            let node = located.place.node.as_ref().map(|(name, _)| name.clone());
            let stopped = located.fault.kind == FaultKind::Cancelled;
            let weight = if stopped { Weight::Note } else { Weight::Error };
            let hint = located.fault.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            self.note(weight, node, format!("{}{hint}", located.fault.message));
            if !stopped {
                self.fail(located);
            }
        }
        self.show_failures();
        self.gather();
        // What is cached has changed.
        self.ask_again();
    }

    /// Takes note of a run that was under way.
    fn settle(&mut self, run: &Run, ended: &Result<(f64, u64), Faults>) {
        let waiting = |state: State| matches!(state, State::Queued | State::Running(_));
        for status in self.status.nodes.values_mut().filter(|status| waiting(status.state)) {
            status.state = State::Dirty;
        }
        self.rest_inside();
        let past = run.past(ended);
        for made in self.made.iter_mut().filter(|made| made.making == Some(run.ticket)) {
            made.seconds = Some(past.seconds);
        }
        if let Err(fault) = self.past.add(past) {
            self.note(Weight::Warning, None, format!("this run will not be remembered: {}", fault.message));
        }
    }
}

/// Brings a picture onto the card.
fn texture(ctx: &Context, name: &str, picture: &darkroom_core::image::Picture) -> Option<Thumb> {
    let (width, height, channels) = (picture.width(), picture.height(), picture.channels() as usize);
    let level = |sample: f32| (sample.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    let pixel = |pixel: &[f32]| match pixel {
        [red, green, blue, ..] => egui::Color32::from_rgb(level(*red), level(*green), level(*blue)),
        [grey, ..] => egui::Color32::from_gray(level(*grey)),
        [] => egui::Color32::BLACK,
    };
    let pixels: Vec<_> = picture.samples().chunks_exact(channels.max(1)).map(pixel).collect();
    let image = ColorImage::new([width as usize, height as usize], pixels);
    Some(Thumb { texture: ctx.load_texture(name, image, TextureOptions::LINEAR), size: (width, height) })
}
