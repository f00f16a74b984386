//! The parts of a model that are loaded, held and let go by themselves.

use std::sync::Arc;

use darkroom_core::fault::Fault;
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::observe::Cancel;
use darkroom_core::residency::{Device, PartId, Place, Resident};
use darkroom_models::Result;
use darkroom_models::folder::Component;
use darkroom_models::nn::Keep;
use darkroom_models::prompt::Inversion;
use darkroom_models::sdxl::{TextEncoder, UNet, Vae};
use darkroom_models::weights::Weights;

use super::adapters::{Kept, Wearer};
use super::model::{Model, text_config};
use crate::devices::device_of;
use crate::fault::fault;

/// A part of a model that is loaded by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The UNet.
    Denoiser,
    /// All text encoders.
    Encoder,
    /// The autoencoder.
    Vae,
}

impl Part {
    /// Returns what a person calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Denoiser => "unet",
            Self::Encoder => "text encoders",
            Self::Vae => "vae",
        }
    }
}

/// The weights of one part of a model.
pub struct PartOf {
    /// The model.
    pub model: Arc<Model>,
    /// The name of its content.
    pub digest: Fingerprint,
    /// Words of prompts that stand for trained vectors; they change what is read, not the weights.
    pub words: Vec<Arc<Inversion>>,
}

impl PartOf {
    fn id(&self, part: Part) -> PartId {
        let numerics = self.model.compute().numerics();
        PartId(Hasher::new("part").fingerprint(self.digest).text(part.title()).text(&numerics).finish())
    }

    fn title(&self, part: Part) -> String {
        format!("the {} of {} ({})", part.title(), self.model.name(), self.model.family(part))
    }
}

macro_rules! resident {
    ($(#[$doc:meta])* $name:ident, $part:expr, $loaded:ty, $check:path, |$this:ident, $model:ident, $bytes:ident| $load:expr) => {
        $(#[$doc])*
        pub struct $name(pub PartOf);

        impl Resident for $name {
            type Loaded = $loaded;

            fn part(&self) -> PartId {
                self.0.id($part)
            }

            fn title(&self) -> String {
                self.0.title($part)
            }

            fn device(&self) -> Device {
                device_of(self.0.model.compute())
            }

            fn bytes(&self) -> u64 {
                self.0.model.bytes($part).whole
            }

            fn least_bytes(&self) -> u64 {
                self.0.model.bytes($part).least
            }

            fn check(&self) -> Result<(), Fault> {
                let weights = self.0.model.hollow($part).map_err(fault)?;
                $check(self, &weights).map(drop).map_err(fault)
            }

            fn load(&self, place: Place, cancel: &Cancel) -> Result<$loaded, Fault> {
                cancel.check()?;
                let ($this, $model, $bytes) = (self, &*self.0.model, place.bytes);
                $load.map_err(fault)
            }

            fn rest(&self) {
                self.0.model.compute().trim();
            }
        }
    };
}

resident! {
    /// The denoiser of a model.
    Denoiser, Part::Denoiser, Kept<UNet>, Wearer::network, |this, model, bytes| model.kept(this, Part::Denoiser, bytes)
}

impl Wearer for Denoiser {
    type Network = UNet;

    fn network(&self, weights: &[(Component, Weights)]) -> Result<UNet> {
        let [(_, weights)] = weights else { unreachable!("a denoiser is one component") };
        UNet::load(&self.0.model.configs().unet, weights, Keep::All)
    }
}

resident! {
    /// The text encoders of a model.
    Encoder, Part::Encoder, Kept<Vec<TextEncoder>>, Wearer::network, |this, model, bytes| model.kept(this, Part::Encoder, bytes)
}

impl Wearer for Encoder {
    type Network = Vec<TextEncoder>;

    fn network(&self, weights: &[(Component, Weights)]) -> Result<Vec<TextEncoder>> {
        let tower = |(component, weights): &(Component, Weights)| {
            let config = text_config(self.0.model.configs(), *component);
            let config = config.expect("a tower is a component with a configuration");
            TextEncoder::load(config, weights, Keep::All)
        };
        weights.iter().map(tower).collect()
    }
}

resident! {
    /// The autoencoder of a model.
    Autoencoder, Part::Vae, Vae, Autoencoder::network, |this, model, bytes| {
        model.weights_within(Part::Vae, bytes).and_then(|weights| this.network(&weights))
    }
}

impl Autoencoder {
    fn network(&self, weights: &[(Component, Weights)]) -> Result<Vae> {
        let [(_, weights)] = weights else { unreachable!("an autoencoder is one component") };
        Vae::load(&self.0.model.configs().vae, weights, Keep::All)
    }
}
