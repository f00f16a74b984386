//! What is known of nodes beside what the document says: plans, runs, faults, pictures.

use std::collections::HashMap;
use std::sync::Arc;

use darkroom_core::fault::Located;
use darkroom_core::types::Type;
use egui::TextureHandle;

use crate::document::NodeId;
use crate::session::Pulling;

/// All nodes of a document.
#[derive(Default, Clone)]
pub struct Status {
    /// Each node of which something is known.
    pub nodes: HashMap<NodeId, NodeStatus>,
    /// Whether they lie inside of a sub-graph, and can offer their sockets outside.
    pub inside: bool,
    /// What is being fetched, for whichever document.
    pub pulls: Arc<Vec<Pulling>>,
    /// Prompts that were run, the last one first.
    pub prompts: Arc<Vec<String>>,
}

/// One node.
#[derive(Default, Clone)]
pub struct NodeStatus {
    /// What would happen to it, or happens.
    pub state: State,
    /// Why, in a few words.
    pub why: String,
    /// What is wrong with it.
    pub faults: Vec<Arc<Located>>,
    /// What it makes.
    pub types: Vec<Type>,
    /// Seconds it took when it last ran.
    pub seconds: Option<f64>,
    /// Bytes it needs while it runs.
    pub bytes: u64,
    /// What its result looks like, or looks like so far.
    pub picture: Option<Thumb>,
    /// Inputs that are offered outside of the sub-graph it lies in, and their names there.
    pub offered: HashMap<String, String>,
    /// Outputs that are; without a name it is the only one.
    pub given: HashMap<Option<String>, String>,
    /// The seeds that the last run took, by input.
    pub seeds: HashMap<String, u64>,
    /// Inputs that name something that is not here and could be fetched, with that name.
    pub lacks: Vec<(String, String)>,
}

/// A picture on the card.
#[derive(Clone)]
pub struct Thumb {
    /// Its pixels.
    pub texture: TextureHandle,
    /// Width and height of the picture itself.
    pub size: (u32, u32),
}

/// What happens to a node.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum State {
    /// Nothing is known.
    #[default]
    Unknown,
    /// It would run.
    Dirty,
    /// Its result is there.
    Cached,
    /// A model that is opened when it is needed.
    Opens,
    /// It waits for its turn.
    Queued,
    /// It runs, and has done a share of its work.
    Running(f32),
    /// It ran.
    Done,
    /// It failed.
    Failed,
    /// Nothing that is wanted needs it.
    Idle,
}

impl State {
    /// Returns the word that a person reads.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Dirty => "will run",
            Self::Cached => "cached",
            Self::Opens => "opens",
            Self::Queued => "queued",
            Self::Running(_) => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Idle => "not needed",
        }
    }
}

impl Status {
    /// Returns what is known of a node.
    pub fn of(&self, node: NodeId) -> Option<&NodeStatus> {
        self.nodes.get(&node)
    }
}
