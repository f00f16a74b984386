//! All that a run tells the world, as plain data. Bars, logs, windows and tests are observers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fault::{Fault, Located};
use crate::image::Picture;
use crate::plan::Plan;

/// Something that happened in a run.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// The plan is made and the run begins, or goes on by another plan: a cached result could not be read, memory ran out,
    /// or a device is gone.
    Planned(&'a Plan),
    /// A large file is read for its name, before the run: once per machine, as long as it does not change.
    Reading {
        /// The file.
        path: &'a Path,
        /// Bytes read.
        done: u64,
        /// Bytes in all.
        of: u64,
    },
    /// A node begins its work.
    Started {
        /// The node.
        node: &'a str,
        /// Its type.
        kind: &'a str,
    },
    /// A node has done `done` of `of` steps.
    Progress {
        /// The node.
        node: &'a str,
        /// Steps done.
        done: usize,
        /// Steps in all.
        of: usize,
    },
    /// A part is kept in memory only in part, because there is no room for all of it: once a part and run.
    Streams {
        /// The node that uses it first.
        node: &'a str,
        /// What the part is called.
        title: &'a str,
        /// Bytes of it in memory.
        bytes: u64,
        /// Bytes in all: the rest is read from its file at each use.
        of: u64,
    },
    /// What a node's result looks like so far.
    Preview {
        /// The node.
        node: &'a str,
        /// A small picture.
        picture: &'a Picture,
    },
    /// A node is through.
    Finished {
        /// The node.
        node: &'a str,
        /// What it took.
        how: How,
        /// Seconds it took.
        seconds: f64,
    },
    /// An effect left a file, or finds the one that it left before.
    Wrote {
        /// The node.
        node: &'a str,
        /// The file.
        path: &'a Path,
        /// Whether this run wrote it, or an earlier one.
        anew: bool,
    },
    /// Something a person should know, that stops nothing.
    Warning {
        /// The node, if it concerns one.
        node: Option<&'a str>,
        /// One sentence.
        text: &'a str,
    },
    /// A node is about to be through that made do with less than was planned for it. Said once a node and run.
    Eased {
        /// The node.
        node: &'a str,
        /// Why and how, without the node: "ran out of memory (needs 5.2 GiB, 3.9 GiB free): decoded in tiles of 64 instead".
        what: &'a str,
    },
    /// A node failed and the run ends.
    Failed(&'a Located),
}

/// How a node came by its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It ran.
    Ran,
    /// It had been in the cache, or another node made the same in this run.
    Cached,
    /// It was opened: a model, free and lazy.
    Opened,
}

impl How {
    /// Returns the word for reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Cached => "cached",
            Self::Opened => "opened",
        }
    }
}

/// Somebody who watches a run. Events come from several threads, in the order in which each thread meets them.
pub trait Observer: Sync {
    /// Takes notice of an event.
    fn see(&self, event: &Event<'_>);

    /// Tells whether previews are wanted; they are not computed if nobody looks.
    fn wants_previews(&self) -> bool {
        false
    }
}

/// Nobody watches.
impl Observer for () {
    fn see(&self, _: &Event<'_>) {}
}

/// A request to stop, shared by those who may ask and those who must hear.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Makes a request that nobody has made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns the fault that ends the work, once somebody asked.
    ///
    /// # Errors
    /// [`Fault::cancelled`].
    pub fn check(&self) -> Result<(), Fault> {
        if self.is_asked() { Err(Fault::cancelled()) } else { Ok(()) }
    }
}
