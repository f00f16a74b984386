//! The machine as the nodes want it: with what networks compute, and the models that are open.

use darkroom_core::files::Files;
use darkroom_core::host::Host;

use crate::devices::{Devices, device_of};
use crate::models::Models;

/// Makes the host of a run, on which networks compute as `devices` say: what all others compute with is part of the name
/// of every result, and its memory is shared by all hosts that are made with it.
pub fn host(files: Files, devices: impl Into<Devices>) -> Host {
    let devices = devices.into();
    let (usual, used, models) = (devices.usual(), devices.clone(), Models::new(devices.clone()));
    let open = models.clone();
    let tidy = move || {
        open.close_unused();
        used.tidy();
    };
    let host = Host::new(files).with_numerics(usual.numerics()).with_device(device_of(usual)).with_tidy(tidy);
    host.with(devices.clone()).with(models)
}
