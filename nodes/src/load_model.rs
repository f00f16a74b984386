//! `load_model`: opens a model.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Param;
use darkroom_core::types::{Kind, Type};

use crate::models::{ModelSource, Models};
use crate::wires::{DenoiserHandle, EncoderHandle, Parts, VaeHandle};

/// Opens a model: a denoiser, its text encoders and its autoencoder. Configurations and tokenizers are read at once,
/// weights only when a node uses them.
#[derive(Node)]
#[node(id = "load_model", version = 1, category = "Model", lane = "open")]
pub struct LoadModel {
    /// `mini`, the model that is built in, `mini-refiner`, which goes over its latents, or a folder as diffusers saves it.
    #[param(default = ModelSource::Mini)]
    source: ModelSource,
}

impl Node for LoadModel {
    type Output = Parts;

    fn run(self, cx: &mut Context<'_>) -> Result<Parts, Fault> {
        let model = cx.host::<Models>()?.open(&self.source)?;
        let digest = ModelSource::name(&self.source.literal(), cx.files())?;
        Ok(Parts {
            denoiser: DenoiserHandle::new(model.clone(), digest),
            encoder: EncoderHandle::new(model.clone(), digest),
            vae: VaeHandle::new(model, digest),
        })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let Some(source) = known.param::<ModelSource>("source")? else {
            return Ok([Kind("denoiser"), Kind("encoder"), Kind("vae")].map(Type::of).into());
        };
        let model = known.host::<Models>()?.open(&source)?;
        Ok(vec![DenoiserHandle::type_of(&model), EncoderHandle::type_of(&model), VaeHandle::type_of(&model)])
    }
}
