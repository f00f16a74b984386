//! The registry: which node stands behind which name in a file. An explicit list, so that a reader can see what there is.

use std::collections::HashMap;
use std::sync::Arc;

use crate::node::{AnyNode, Erased, Node};

/// Nodes by the name that files give them.
#[derive(Default, Clone)]
pub struct Registry {
    nodes: HashMap<&'static str, Arc<dyn AnyNode>>,
}

impl Registry {
    /// Makes an empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node.
    ///
    /// # Panics
    /// If a node of this name is there already.
    #[must_use]
    pub fn with<N: Node>(mut self) -> Self {
        let node = Erased::<N>::new();
        let id = node.spec().id;
        let before = self.nodes.insert(id, Arc::new(node));
        assert!(before.is_none(), "two nodes are called `{id}`");
        self
    }

    /// Adds a node of this workflow alone, in place of one of the same name.
    pub(crate) fn put(&mut self, node: impl AnyNode + 'static) {
        self.nodes.insert(node.spec().id, Arc::new(node));
    }

    /// Finds a node by its name in files.
    pub fn get(&self, id: &str) -> Option<&Arc<dyn AnyNode>> {
        self.nodes.get(id)
    }

    /// Lists all nodes, by category and then by name.
    pub fn all(&self) -> Vec<&dyn AnyNode> {
        let mut all: Vec<_> = self.nodes.values().map(AsRef::as_ref).collect();
        all.sort_by_key(|node| (node.spec().category, node.spec().id));
        all
    }

    /// Returns the known name that is nearest to a misspelt one.
    pub fn nearest(&self, id: &str) -> Option<&'static str> {
        nearest(id, self.all().into_iter().map(|node| node.spec().id))
    }
}

/// Returns the candidate that is nearest to a misspelt word, if any is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    near.filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits between two words (Levenshtein), of which the first is cut at 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<_> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(nearest("vae_decod", ["vae_decode", "vae_encode"]), Some("vae_decode"));
        assert_eq!(nearest("upscale", ["denoise"]), None);
    }
}
