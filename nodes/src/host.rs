//! The machine as the nodes want it: the models that are open, and the name of its arithmetic.

use darkroom_core::files::Files;
use darkroom_core::host::Host;

use crate::models::Models;

/// Makes the host of a run.
pub fn host(files: Files) -> Host {
    Host::new(files).with_numerics(darkroom_models::numerics()).with(Models::default())
}
