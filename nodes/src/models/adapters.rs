//! LoRAs laid over the parts of a model.
//!
//! A handle carries its LoRAs beside the part that they change. Both are loaded, held and let go by themselves: the
//! part with the tensors that it was built of, the LoRA with its small ones. To work, a network of patched layers is
//! built over both, which reads nothing; so another strength costs no more than that.

use std::ops::Deref;
use std::sync::Arc;

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::observe::Cancel;
use darkroom_core::residency::{Handle, PartId, Pinned, Place, Reservation, Resident};
use darkroom_models::folder::Component;
use darkroom_models::lora::{BlockStrengths, Changes, Fit, Lora, Patches};
use darkroom_models::{Result, Weights};

use crate::fault::fault;

/// The tensors of a LoRA file.
pub struct LoraFile {
    /// The file, by its header.
    pub lora: Arc<Lora>,
    /// The name of its content.
    pub digest: Fingerprint,
}

impl Resident for LoraFile {
    type Loaded = Changes;

    fn part(&self) -> PartId {
        PartId(Hasher::new("lora").fingerprint(self.digest).finish())
    }

    fn title(&self) -> String {
        let file = self.lora.path().file_name().unwrap_or_default();
        format!("the LoRA {}", file.to_string_lossy())
    }

    fn bytes(&self) -> u64 {
        self.lora.bytes()
    }

    fn load(&self, _: Place, cancel: &Cancel) -> Result<Changes, Fault> {
        cancel.check()?;
        self.lora.load().map_err(fault)
    }
}

/// A LoRA with its strength.
#[derive(Clone)]
pub struct Adapter {
    /// Its tensors.
    pub file: Handle<LoraFile>,
    /// What it changes about the model.
    pub fit: Arc<Fit>,
    /// How strongly.
    pub strength: f64,
    /// Factors of the strength, by block.
    pub blocks: Arc<BlockStrengths>,
}

/// A loaded part: its network, and the tensors it was built of, so that a patched twin can be built of them too.
pub struct Kept<N> {
    network: N,
    weights: Vec<(Component, Weights)>,
}

impl<N> Deref for Kept<N> {
    type Target = N;

    fn deref(&self) -> &N {
        &self.network
    }
}

impl<N> Kept<N> {
    /// Builds a network, and remembers what it is built of.
    ///
    /// # Errors
    /// What building it says.
    pub fn build(
        weights: impl IntoIterator<Item = (Component, Weights)>,
        build: impl FnOnce(&[(Component, Weights)]) -> Result<N>,
    ) -> Result<Self> {
        let weights: Vec<_> =
            weights.into_iter().map(|(component, weights)| (component, weights.with_vault())).collect();
        Ok(Self { network: build(&weights)?, weights })
    }
}

/// A part that LoRAs can change.
pub trait Wearer: Resident<Loaded = Kept<Self::Network>> {
    /// What computes.
    type Network: Send + Sync + 'static;

    /// Builds the network of its components' tensors.
    ///
    /// # Errors
    /// An error if they do not fit.
    fn network(&self, weights: &[(Component, Weights)]) -> Result<Self::Network>;
}

/// A promise of a part with LoRAs over it.
pub struct Worn<R> {
    base: Handle<R>,
    adapters: Vec<Adapter>,
}

impl<R> Clone for Worn<R> {
    fn clone(&self) -> Self {
        Self { base: self.base.clone(), adapters: self.adapters.clone() }
    }
}

impl<R> Deref for Worn<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.base
    }
}

/// A part in use with its LoRAs; all of it stays while this lives.
pub struct Dressed<R: Wearer> {
    base: Pinned<R>,
    twin: Option<Twin<R::Network>>,
    _adapters: Vec<Pinned<LoraFile>>,
}

/// A network of which some layers are changed, and the memory that these take.
struct Twin<N> {
    network: N,
    _room: Reservation,
}

impl<R: Wearer> Deref for Dressed<R> {
    type Target = R::Network;

    fn deref(&self) -> &R::Network {
        self.twin.as_ref().map_or(&self.base.network, |twin| &twin.network)
    }
}

impl<R: Wearer> Worn<R> {
    /// Returns the same LoRAs over another base.
    #[must_use]
    pub fn over(&self, base: R) -> Self {
        Self { base: Handle::new(base), adapters: self.adapters.clone() }
    }

    /// Makes the handle of a part without LoRAs.
    pub fn new(resident: R) -> Self {
        Self { base: Handle::new(resident), adapters: Vec::new() }
    }

    /// Returns a handle with one more LoRA.
    #[must_use]
    pub fn with(&self, adapter: Adapter) -> Self {
        let adapters = self.adapters.iter().cloned().chain([adapter]).collect();
        Self { base: self.base.clone(), adapters }
    }

    /// Returns the bytes of the LoRAs.
    pub fn added_bytes(&self) -> u64 {
        self.adapters.iter().map(|adapter| adapter.file.lora.bytes()).sum()
    }

    /// Holds the part and its LoRAs for as long as they are used.
    ///
    /// # Errors
    /// A fault of a file, or of memory: who holds it.
    pub fn pin(&self, cx: &mut Context<'_>) -> Result<Dressed<R>, Fault> {
        let base = cx.pin(&self.base)?;
        let pinned = self.adapters.iter().map(|adapter| cx.pin(&adapter.file)).collect::<Result<Vec<_>, _>>()?;
        let twin = self.twin(&base, &pinned, cx).map_err(fault)?;
        Ok(Dressed { base, twin, _adapters: pinned })
    }

    /// Builds the network with patched layers; none where there is no LoRA. What of these has no room is read and changed
    /// at each use.
    fn twin(
        &self,
        base: &Kept<R::Network>,
        changes: &[impl Deref<Target = Changes>],
        cx: &mut Context<'_>,
    ) -> Result<Option<Twin<R::Network>>> {
        if self.adapters.is_empty() {
            return Ok(None);
        }
        let patched = |(component, weights): &(Component, Weights)| {
            let mut patches = Patches::default();
            for (adapter, changes) in self.adapters.iter().zip(changes) {
                adapter.fit.patch(&mut patches, changes, *component, (adapter.strength, &adapter.blocks));
            }
            (*component, weights.clone().with_patches(patches))
        };
        let weights: Vec<_> = base.weights.iter().map(patched).collect();
        let room = cx.reserve_up_to(weights.iter().map(|(_, weights)| weights.changed_bytes()).sum());
        let mut left = room.bytes();
        let within = |(component, weights): (Component, Weights)| {
            let share = weights.changed_bytes().min(left);
            left -= share;
            (component, weights.changes_within(share))
        };
        let weights: Vec<_> = weights.into_iter().map(within).collect();
        Ok(Some(Twin { network: self.base.network(&weights)?, _room: room }))
    }
}
