//! The big blocks of a network, kept or fetched one at a time.
//!
//! A network walks over its blocks and does not know whether they stay: a residency layer can so run a network that
//! is larger than the memory it is given.

use std::{fmt, sync::Arc};

use crate::Result;

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

    /// Loads every block once: to keep it, or to find out now what is wrong with its weights.
    pub fn load(keep: Keep, loaders: Vec<Loader<B>>) -> Result<Self> {
        match keep {
            Keep::All => Ok(Self::resident(
                loaders.iter().map(|load| load()).collect::<Result<_>>()?,
            )),
            Keep::One => {
                for load in &loaders {
                    load()?;
                }
                Ok(Self::streamed(loaders))
            }
        }
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
    fn streamed_blocks_are_loaded_at_each_walk_and_kept_ones_once() {
        let loads = Arc::new(AtomicUsize::new(0));
        let loaders = || -> Vec<Loader<usize>> {
            let loader = |i| -> Loader<usize> {
                let loads = loads.clone();
                Box::new(move || {
                    loads.fetch_add(1, Ordering::Relaxed);
                    Ok(i)
                })
            };
            (0..3).map(loader).collect()
        };
        for (keep, after) in [(Keep::All, 3), (Keep::One, 9)] {
            loads.store(0, Ordering::Relaxed);
            let blocks = Blocks::load(keep, loaders()).unwrap();
            for _ in 0..2 {
                let seen: Vec<usize> = blocks.iter().map(|block| *block.unwrap()).collect();
                assert_eq!(seen, [0, 1, 2]);
            }
            assert_eq!(loads.load(Ordering::Relaxed), after, "{keep:?}");
        }
    }
}
