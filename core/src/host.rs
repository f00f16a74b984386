//! The machine that a graph runs on: files it may touch, limits it must keep, and the parts that nodes share (as the
//! folder of models). Nothing here may change a picture except `numerics`, which is part of every name it touches.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use crate::fault::Fault;
use crate::files::Files;
use crate::residency::Device;

/// The machine, as nodes and plans see it.
pub struct Host {
    files: Files,
    numerics: String,
    device: Device,
    parts: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    fallback: Option<Arc<Host>>,
    tidy: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Host {
    /// Makes a host over the files that may be touched.
    pub fn new(files: Files) -> Self {
        let (parts, fallback, tidy) = (HashMap::new(), None, None);
        Self { files, numerics: String::new(), device: Device::Cpu, parts, fallback, tidy }
    }

    /// Says what arithmetic this machine does (device kind, precision, kernel tier): part of the name of every result
    /// of a compute node, so that a result of other arithmetic is never taken for it.
    #[must_use]
    pub fn with_numerics(mut self, numerics: impl Into<String>) -> Self {
        self.numerics = numerics.into();
        self
    }

    /// Says where nodes work whose wires bring no model of another device; on the processor if nobody says so.
    #[must_use]
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Adds a part that nodes share.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, part: T) -> Self {
        self.parts.insert(TypeId::of::<T>(), Arc::new(part));
        self
    }

    /// Says what to go on with once a device of this machine is gone, as the same machine on its processor. Without it, a
    /// run ends when a device goes.
    #[must_use]
    pub fn with_fallback(mut self, other: Self) -> Self {
        self.fallback = Some(Arc::new(other));
        self
    }

    /// Returns what to go on with once a device is gone, if that is allowed.
    pub fn fallback(&self) -> Option<&Self> {
        self.fallback.as_deref()
    }

    /// Says how this machine gives back to the system what work left behind and nobody uses.
    #[must_use]
    pub fn with_tidy(mut self, tidy: impl Fn() + Send + Sync + 'static) -> Self {
        self.tidy = Some(Arc::new(tidy));
        self
    }

    /// Gives back to the system what work left behind and nobody uses.
    pub fn tidy(&self) {
        if let Some(tidy) = &self.tidy {
            tidy();
        }
    }

    /// Returns the same machine for another graph: no name is held to a content yet.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            files: self.files.apart(),
            numerics: self.numerics.clone(),
            device: self.device,
            parts: self.parts.clone(),
            fallback: self.fallback.clone(),
            tidy: self.tidy.clone(),
        }
    }

    /// Returns the files that may be touched.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Returns what arithmetic this machine does.
    pub fn numerics(&self) -> &str {
        &self.numerics
    }

    /// Returns where nodes work whose wires bring no model of another device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Returns a shared part.
    ///
    /// # Errors
    /// A bug, if the program was put together without it.
    pub fn part<T: Send + Sync + 'static>(&self) -> Result<&T, Fault> {
        let part = self.parts.get(&TypeId::of::<T>()).and_then(|part| part.downcast_ref());
        part.ok_or_else(|| Fault::bug(format!("this program was put together without `{}`", type_name::<T>())))
    }
}
