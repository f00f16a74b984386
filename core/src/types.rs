//! Wire types: the kind of a value, and its family and size where they are known before a run.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::residency::Device;

/// The kind of a value; wires join where kinds agree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub &'static str);

impl Kind {
    /// Takes whatever comes.
    pub const ANY: Self = Self("any");
    /// A text.
    pub const TEXT: Self = Self("text");
    /// A whole number.
    pub const INTEGER: Self = Self("integer");
    /// A number; a whole number will do.
    pub const NUMBER: Self = Self("number");
    /// A truth value.
    pub const BOOLEAN: Self = Self("boolean");
    /// Pictures.
    pub const IMAGE: Self = Self("image");

    /// Tells whether a socket of this kind takes a value of the other.
    pub fn accepts(self, found: Self) -> bool {
        self == found || self == Self::ANY || found == Self::ANY || (self == Self::NUMBER && found == Self::INTEGER)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What is known of a value before it exists: its kind, and more where the kind has more.
#[derive(Debug, Clone, PartialEq)]
pub struct Type {
    /// What it is.
    pub kind: Kind,
    /// The model family it belongs to, as `sdxl`.
    pub family: Option<Arc<str>>,
    /// Width in pixels of the picture it is or will become.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Pictures in the batch.
    pub count: Option<u32>,
    /// For a model: bytes of its weights once loaded.
    pub weights: Option<u64>,
    /// The least bytes of them that must be in memory at work, where that is less than all: the rest is read from its
    /// file at each use.
    pub least_weights: Option<u64>,
    /// For a model: the device that its weights sit on once loaded, if it is not the processor, and where the work is
    /// done with them.
    pub device: Option<Device>,
    /// For a model: what it takes at work beside its weights.
    pub at_work: Option<AtWork>,
}

/// What a model takes at work beside its weights, asked of the model itself.
#[derive(Clone)]
pub struct AtWork(Arc<dyn Fn(Task) -> u64 + Send + Sync>);

/// Work that a model is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Task {
    /// What is done, in a word of the model's nodes.
    pub what: &'static str,
    /// Width and height in pixels of the pictures that it is about.
    pub size: (u32, u32),
    /// How many are worked on at a time.
    pub count: u32,
}

impl AtWork {
    /// Takes whoever knows how many bytes of scratch memory a task takes.
    pub fn new(bytes: impl Fn(Task) -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(bytes))
    }

    /// Returns the bytes of scratch memory that a task takes.
    pub fn bytes(&self, task: Task) -> u64 {
        (self.0)(task)
    }
}

impl fmt::Debug for AtWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtWork")
    }
}

/// Whom to ask is no part of what something is.
impl PartialEq for AtWork {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Type {
    /// Makes a type of which only the kind is known.
    pub fn of(kind: Kind) -> Self {
        let (width, height, count) = (None, None, None);
        let (weights, least_weights, device, at_work) = (None, None, None, None);
        Self { kind, family: None, width, height, count, weights, least_weights, device, at_work }
    }

    /// Adds the family.
    #[must_use]
    pub fn family(mut self, family: impl Into<Arc<str>>) -> Self {
        self.family = Some(family.into());
        self
    }

    /// Adds width and height in pixels.
    #[must_use]
    pub fn size(mut self, width: Option<u32>, height: Option<u32>) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Adds the number of pictures.
    #[must_use]
    pub fn count(mut self, count: Option<u32>) -> Self {
        self.count = count;
        self
    }

    /// Adds the bytes of a model's weights.
    #[must_use]
    pub fn weights(mut self, bytes: u64) -> Self {
        self.weights = Some(bytes);
        self
    }

    /// Adds the least bytes of a model's weights that must be in memory at work.
    #[must_use]
    pub fn least_weights(mut self, bytes: u64) -> Self {
        self.least_weights = Some(bytes);
        self
    }

    /// Adds the device that a model's weights sit on.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }

    /// Adds what a model takes at work.
    #[must_use]
    pub fn at_work(mut self, at_work: AtWork) -> Self {
        self.at_work = Some(at_work);
        self
    }

    /// Returns the bytes of scratch memory that a task takes; 0 of what is no model.
    pub fn scratch(&self, task: Task) -> u64 {
        self.at_work.as_ref().map_or(0, |at_work| at_work.bytes(task))
    }

    /// Returns the least bytes of a model's weights that must be in memory at work: all of them, where nothing else is
    /// known; 0 of what is no model.
    pub fn least(&self) -> u64 {
        let whole = self.weights.unwrap_or(0);
        self.least_weights.unwrap_or(whole).min(whole)
    }
}

/// Writes `sdxl latent 1024×768 ×2`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(family) = &self.family {
            write!(f, "{family} ")?;
        }
        write!(f, "{}", self.kind)?;
        if let (Some(width), Some(height)) = (self.width, self.height) {
            write!(f, " {width}×{height}")?;
        }
        match self.count {
            Some(count) if count > 1 => write!(f, " ×{count}"),
            _ => Ok(()),
        }
    }
}

/// What a node will need, known before it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Bytes of weights that should be in memory.
    pub weights: u64,
    /// The least bytes of them that must be, where that is less; 0 means all of them.
    pub least_weights: u64,
    /// Bytes of scratch memory beside weights, inputs and outputs.
    pub workspace: u64,
    /// Bytes of what it makes.
    pub output: u64,
    /// Steps that a person can watch.
    pub steps: u32,
}

impl Cost {
    /// Returns the least bytes of weights that must be in memory.
    pub fn least(&self) -> u64 {
        match self.least_weights {
            0 => self.weights,
            least => least.min(self.weights),
        }
    }
}
