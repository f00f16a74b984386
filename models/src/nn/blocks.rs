//! The big blocks of a network, kept or fetched one at a time.
//!
//! A network walks over its blocks and does not know whether they stay: a residency layer can so run a network that
//! is larger than the memory it is given.

use std::{fmt, sync::Arc};

use crate::{Result, Weights};

/// Makes one block from its weights.
pub type Loader<B> = Box<dyn Fn() -> Result<B> + Send + Sync>;

/// Whether blocks stay in memory between uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// All of them stay: the whole model is loaded.
    #[default]
    All,
    /// Each is loaded when it is needed and let go after.
    One,
}

/// The blocks of a network in the order of their use.
pub struct Blocks<B>(Kind<B>);

enum Kind<B> {
    Resident(Vec<Arc<B>>),
    Streamed(Vec<Loader<B>>),
}

impl<B> Blocks<B> {
    /// Takes blocks that stay.
    pub fn resident(blocks: Vec<B>) -> Self {
        Self(Kind::Resident(blocks.into_iter().map(Arc::new).collect()))
    }

    /// Takes loaders that are called at each use.
    pub fn streamed(loaders: Vec<Loader<B>>) -> Self {
        Self(Kind::Streamed(loaders))
    }

    /// Builds a block from each of `scopes`, now or at each use. What is wrong with the weights is found out now in
    /// either case, from names and shapes alone where nothing is kept.
    pub fn load(
        keep: Keep,
        scopes: impl IntoIterator<Item = Weights>,
        build: impl Fn(usize, &Weights) -> Result<B> + Send + Sync + 'static,
    ) -> Result<Self> {
        let scopes = scopes.into_iter().enumerate();
        if keep == Keep::All {
            let blocks = scopes.map(|(i, w)| build(i, &w));
            return Ok(Self::resident(blocks.collect::<Result<_>>()?));
        }
        let build = Arc::new(build);
        let loader = |(i, w): (usize, Weights)| -> Result<Loader<B>> {
            build(i, &w.hollow())?;
            let build = build.clone();
            Ok(Box::new(move || build(i, &w)))
        };
        Ok(Self::streamed(scopes.map(loader).collect::<Result<_>>()?))
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Resident(blocks) => blocks.len(),
            Kind::Streamed(loaders) => loaders.len(),
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fetches the blocks one after the other; each goes when the caller lets go of it.
    pub fn iter(&self) -> impl Iterator<Item = Result<Arc<B>>> {
        (0..self.len()).map(|i| match &self.0 {
            Kind::Resident(blocks) => Ok(blocks[i].clone()),
            Kind::Streamed(loaders) => loaders[i]().map(Arc::new),
        })
    }
}

impl<B> fmt::Debug for Blocks<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Resident(_) => "resident",
            Kind::Streamed(_) => "streamed",
        };
        write!(f, "{} {kind} blocks", self.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn streamed_blocks_are_built_at_each_walk_and_kept_ones_once() {
        let weights = Weights::dry("toy", []);
        // Streamed ones are built once more, without values, to be checked.
        for (keep, times) in [(Keep::All, 3), (Keep::One, 9)] {
            let builds = Arc::new(AtomicUsize::new(0));
            let count = builds.clone();
            let scopes = (0..3).map(|i| weights.at(i));
            let blocks = Blocks::load(keep, scopes, move |i, _| {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(i)
            });
            let blocks = blocks.unwrap();
            for _ in 0..2 {
                let seen: Vec<usize> = blocks.iter().map(|block| *block.unwrap()).collect();
                assert_eq!(seen, [0, 1, 2]);
            }
            assert_eq!(builds.load(Ordering::Relaxed), times, "{keep:?}");
        }
    }

    #[test]
    fn what_a_streamed_block_lacks_is_found_at_loading() {
        let weights = Weights::dry("toy", []);
        let build = |_: usize, w: &Weights| w.get("weight", 3);
        Blocks::load(Keep::One, [weights.at("a"), weights.at("b")], build).unwrap();
        let fault = weights.finish().unwrap_err().to_string();
        assert!(fault.contains("a.weight") && fault.contains("b.weight"), "{fault}");
    }
}
