//! What is chosen. It is no part of the document, and no step of its history.

use std::collections::HashSet;

use crate::document::{FrameId, NodeId, Sheet};

/// Nodes and frames that the next command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Nodes.
    pub nodes: HashSet<NodeId>,
    /// Frames and notes.
    pub frames: HashSet<FrameId>,
}

/// How a click or a box changes what is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choose {
    /// What is met takes the place of what was chosen.
    Only,
    /// What is met is chosen too.
    Also,
    /// What is met is chosen if it was not, and the other way round.
    Toggle,
}

impl Choose {
    /// Reads what keys say: Shift adds, Ctrl toggles.
    pub fn by(keys: egui::Modifiers) -> Self {
        match (keys.shift, keys.command) {
            (true, _) => Self::Also,
            (false, true) => Self::Toggle,
            _ => Self::Only,
        }
    }
}

impl Selection {
    /// Chooses nothing.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.frames.clear();
    }

    /// Tells whether nothing is chosen.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.frames.is_empty()
    }

    /// Changes what is chosen by what was met.
    pub fn choose(&mut self, met: &Self, how: Choose) {
        if how == Choose::Only {
            self.clone_from(met);
            return;
        }
        for node in &met.nodes {
            if !self.nodes.insert(*node) && how == Choose::Toggle {
                self.nodes.remove(node);
            }
        }
        for frame in &met.frames {
            if !self.frames.insert(*frame) && how == Choose::Toggle {
                self.frames.remove(frame);
            }
        }
    }

    /// Chooses one node.
    pub fn node(id: NodeId) -> Self {
        Self { nodes: HashSet::from([id]), frames: HashSet::new() }
    }

    /// Chooses one frame.
    pub fn frame(id: FrameId) -> Self {
        Self { nodes: HashSet::new(), frames: HashSet::from([id]) }
    }

    /// Forgets what is no longer there.
    pub fn keep(&mut self, sheet: &Sheet) {
        self.nodes.retain(|node| sheet.nodes.contains_key(node));
        self.frames.retain(|frame| sheet.frames.contains_key(frame));
    }
}
