//! Progress and cancel in one call, so that neither can be forgotten.

use crate::Result;

/// Watches a long piece of work and may stop it.
pub trait Progress {
    /// Hears that `done` of `of` units are finished; [`Error::Stopped`](crate::Error::Stopped) ends the work.
    fn tick(&mut self, done: usize, of: usize) -> Result<()>;
}

/// Nobody watches.
impl Progress for () {
    fn tick(&mut self, _done: usize, _of: usize) -> Result<()> {
        Ok(())
    }
}

impl<F: FnMut(usize, usize) -> Result<()>> Progress for F {
    fn tick(&mut self, done: usize, of: usize) -> Result<()> {
        self(done, of)
    }
}
