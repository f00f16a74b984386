//! What plans and runs tell, without what is borrowed.

use std::path::PathBuf;
use std::sync::Arc;

use darkroom_core::cache::Tier;
use darkroom_core::fault::Located;
use darkroom_core::graph::Graph;
use darkroom_core::image::Picture;
use darkroom_core::observe::{Event, How};
use darkroom_core::plan::{Action, Plan, Step};
use darkroom_core::residency::streaming;
use darkroom_core::spec::Lane;
use darkroom_core::types::Type;

/// What would happen to a graph.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// Every node that the goal could need.
    pub nodes: Vec<NodeOutlook>,
    /// How many of them run.
    pub runs: usize,
    /// How many do work at all.
    pub of: usize,
    /// The most bytes that would be in memory at once.
    pub peak_bytes: u64,
    /// Seconds that it should take, if all of it has run before.
    pub seconds: Option<f64>,
}

/// What would happen to a node.
#[derive(Debug, Clone)]
pub struct NodeOutlook {
    /// The node's name in the file.
    pub name: String,
    /// What is done to it.
    pub fate: Fate,
    /// Why.
    pub why: String,
    /// What it makes.
    pub types: Vec<Type>,
    /// Seconds it took last time.
    pub seconds: Option<f64>,
    /// Bytes it needs while it runs.
    pub bytes: u64,
}

/// What is done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Runs,
    /// Its result is in memory or on disk.
    Cached(Tier),
    /// It takes what another node makes of the same.
    Shares,
    /// A model is opened.
    Opens,
    /// Nothing.
    Idle,
}

impl Outlook {
    /// Takes from a plan what a window shows.
    pub fn of(plan: &Plan) -> Self {
        let works = |step: &&Step| step.node.spec().lane != Lane::Value;
        Self {
            nodes: plan.steps.iter().filter(works).map(NodeOutlook::of).collect(),
            runs: plan.runs(),
            of: plan.steps.iter().filter(works).count(),
            peak_bytes: plan.peak_bytes,
            seconds: plan.seconds(),
        }
    }
}

impl NodeOutlook {
    fn of(step: &Step) -> Self {
        let fate = match step.action {
            Action::Run => Fate::Runs,
            Action::Take(tier) | Action::Idle(Some(tier)) => Fate::Cached(tier),
            Action::Open => Fate::Opens,
            Action::Share(_) => Fate::Shares,
            Action::Idle(None) => Fate::Idle,
        };
        Self {
            name: step.id.clone(),
            fate,
            why: step.why.to_string(),
            // What a type counts by would keep its model open.
            types: step.types.iter().map(|ty| Type { at_work: None, ..ty.clone() }).collect(),
            seconds: step.seconds,
            bytes: step.cost.weights + step.cost.workspace + step.cost.output,
        }
    }
}

/// What a run tells.
#[derive(Debug, Clone)]
pub enum Told {
    /// Its turn has come.
    Began {
        /// The graph that is run, with the seeds that were drawn.
        graph: Arc<Graph>,
    },
    /// It goes by this plan.
    Planned(Outlook),
    /// A large file is read for its name.
    Reading {
        /// The file.
        path: PathBuf,
        /// Bytes read.
        done: u64,
        /// Bytes in all.
        of: u64,
    },
    /// A node begins its work.
    Started {
        /// The node.
        node: String,
    },
    /// A node has done some of its steps.
    Progress {
        /// The node.
        node: String,
        /// Steps done.
        done: usize,
        /// Steps in all.
        of: usize,
    },
    /// What a node's result looks like so far.
    Preview {
        /// The node.
        node: String,
        /// A small picture.
        picture: Picture,
    },
    /// A node is through.
    Finished {
        /// The node.
        node: String,
        /// What it took.
        how: How,
        /// Seconds it took.
        seconds: f64,
    },
    /// A node left a file.
    Wrote {
        /// The node.
        node: String,
        /// The file.
        path: PathBuf,
        /// Whether this run wrote it, or an earlier one.
        anew: bool,
    },
    /// Something a person should know.
    Warning {
        /// The node, if it concerns one.
        node: Option<String>,
        /// One sentence.
        text: String,
    },
    /// A node failed.
    Failed(Box<Located>),
}

impl Told {
    /// Copies an event.
    pub fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Planned(plan) => Self::Planned(Outlook::of(plan)),
            Event::Reading { path, done, of } => Self::Reading { path: (*path).to_owned(), done: *done, of: *of },
            Event::Started { node, .. } => Self::Started { node: (*node).to_owned() },
            Event::Progress { node, done, of } => Self::Progress { node: (*node).to_owned(), done: *done, of: *of },
            Event::Preview { node, picture } => Self::Preview { node: (*node).to_owned(), picture: (*picture).clone() },
            Event::Finished { node, how, seconds } => {
                Self::Finished { node: (*node).to_owned(), how: *how, seconds: *seconds }
            }
            Event::Wrote { node, path, anew } => {
                Self::Wrote { node: (*node).to_owned(), path: (*path).to_owned(), anew: *anew }
            }
            Event::Streams { node, title, bytes, of } => {
                Self::Warning { node: Some((*node).to_owned()), text: streaming(title, *bytes, *of) }
            }
            Event::Warning { node, text } => Self::Warning { node: node.map(str::to_owned), text: (*text).to_owned() },
            Event::Eased { node, what } => Self::Warning { node: Some((*node).to_owned()), text: (*what).to_owned() },
            Event::Failed(located) => Self::Failed(Box::new((*located).clone())),
        }
    }
}
