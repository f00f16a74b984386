//! Steps of a network as ticks of a node.

use darkroom_core::context::Context;
use darkroom_models::{Error, Progress, Result};

/// Hears whether to stop at every step of a network, and shows its steps as the node's.
pub struct Ticks<'a, 'c>(pub &'a mut Context<'c>);

impl Progress for Ticks<'_, '_> {
    fn tick(&mut self, done: usize, of: usize) -> Result<()> {
        self.0.tick(done, of).map_err(|_| Error::Stopped)
    }
}

/// Hears whether to stop at every step of a network, and shows nothing: the network is one step of something longer.
pub struct Listen<'a, 'c>(pub &'a Context<'c>);

impl Progress for Listen<'_, '_> {
    fn tick(&mut self, _: usize, _: usize) -> Result<()> {
        self.0.check_cancel().map_err(|_| Error::Stopped)
    }
}
