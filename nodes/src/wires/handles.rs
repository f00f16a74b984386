//! Handles: promises of the parts of a model, which are loaded when a node pins them.

use std::sync::Arc;

use darkroom_core::Outputs;
use darkroom_core::fault::Fault;
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::residency::{Handle, PartId, Resident};
use darkroom_core::types::{AtWork, Kind, Type};
use darkroom_core::value::Datum;
use darkroom_models::prompt::{Inversion, Words};

use crate::devices::device_of;
use crate::fault::fault;
use crate::models::adapters::{Adapter, Worn};
use crate::models::{Autoencoder, Denoiser, Encoder, Model, Part, PartOf};

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $holder:ident, $resident:ident, $part:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub $holder<$resident>);

        impl $name {
            /// Makes the handle of a model's part; `digest` names the model's content.
            pub fn new(model: Arc<Model>, digest: Fingerprint) -> Self {
                Self($holder::new($resident(PartOf { model, digest, words: Vec::new() })))
            }

            /// Describes the part of a model before it is opened.
            pub fn type_of(model: &Arc<Model>) -> Type {
                let (bytes, at_work) = (model.bytes($part), Arc::clone(model));
                Type::of(Self::KIND)
                    .family(model.family($part))
                    .weights(bytes.whole)
                    .least_weights(bytes.least)
                    .device(device_of(model.compute()))
                    .at_work(AtWork::new(move |task| at_work.room($part, task)))
            }

            /// Returns the model.
            pub fn model(&self) -> &Arc<Model> {
                &self.0.0.model
            }
        }

        impl Datum for $name {
            const KIND: Kind = Kind($kind);

            fn bytes(&self) -> u64 {
                0
            }

            fn describe(&self) -> Type {
                let (ty, added) = (Self::type_of(self.model()), self.added_bytes());
                let more = |bytes: Option<u64>| bytes.map(|bytes| bytes + added);
                Type { weights: more(ty.weights), least_weights: more(ty.least_weights), ..ty }
            }

            fn part(&self) -> Option<PartId> {
                Some(self.0.part())
            }
        }
    };
}

macro_rules! wears {
    ($name:ident) => {
        impl $name {
            /// Returns a handle with one more LoRA; this one stays as it is.
            #[must_use]
            pub fn with(&self, adapter: Adapter) -> Self {
                Self(self.0.with(adapter))
            }

            fn added_bytes(&self) -> u64 {
                self.0.added_bytes()
            }
        }
    };
}

handle! {
    /// A promise of a denoiser.
    DenoiserHandle, "denoiser", Worn, Denoiser, Part::Denoiser
}

wears! { DenoiserHandle }

impl DenoiserHandle {
    /// Returns the text encoders of the same model, without any LoRA.
    pub fn sibling(&self) -> EncoderHandle {
        EncoderHandle::new(Arc::clone(self.model()), self.0.0.digest)
    }
}

handle! {
    /// A promise of text encoders.
    EncoderHandle, "encoder", Worn, Encoder, Part::Encoder
}

wears! { EncoderHandle }

handle! {
    /// A promise of an autoencoder.
    VaeHandle, "vae", Handle, Autoencoder, Part::Vae
}

impl VaeHandle {
    fn added_bytes(&self) -> u64 {
        0
    }
}

impl EncoderHandle {
    /// Returns the same encoders that know one more word.
    #[must_use]
    pub fn with_word(&self, word: Inversion) -> Self {
        let PartOf { model, digest, words } = &self.0.0;
        let words = words.iter().cloned().chain([Arc::new(word)]).collect();
        Self(self.0.over(Encoder(PartOf { model: model.clone(), digest: *digest, words })))
    }

    /// Returns the trained words that each text encoder knows.
    ///
    /// # Errors
    /// A bug: words are checked when they are read.
    pub fn words(&self) -> Result<Vec<Words>, Fault> {
        let of = |(tower, (_, vocab_size)): (usize, (usize, usize))| {
            Words::new(self.0.0.words.iter().map(Arc::as_ref), tower, vocab_size).map_err(fault)
        };
        self.model().encoder_sizes().into_iter().enumerate().map(of).collect()
    }
}

/// The parts of a model.
#[derive(Outputs)]
pub struct Parts {
    /// What takes noise out of latents.
    pub denoiser: DenoiserHandle,
    /// What reads prompts.
    pub encoder: EncoderHandle,
    /// What turns latents into pictures and back.
    pub vae: VaeHandle,
}
