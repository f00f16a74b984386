//! The machine as the nodes want it: with what networks compute, and the models that are open.

use darkroom_core::files::Files;
use darkroom_core::host::Host;
use darkroom_models::nn::Compute;

use crate::models::Models;

/// Makes the host of a run, on which networks compute with `compute`: its name is part of the name of every result, and
/// its memory is shared by all hosts that are made with it.
pub fn host(files: Files, compute: &Compute) -> Host {
    let used = compute.clone();
    let host = Host::new(files).with_numerics(compute.numerics()).with_tidy(move || used.tidy());
    host.with(compute.clone()).with(Models::new(compute.clone()))
}
