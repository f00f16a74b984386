//! `load_model`: opens a model.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::fingerprint::Hasher;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Param;
use darkroom_core::spec::FileSort;
use darkroom_core::types::{Kind, Type};
use darkroom_models::folder::Component;

use crate::models::input_file::InputFile;
use crate::models::placing::Placing;
use crate::models::{ModelSource, Models};
use crate::wires::{DenoiserHandle, EncoderHandle, Parts, VaeHandle};

/// Opens a model: a denoiser, its text encoders and its autoencoder. Configurations and tokenizers are read at once,
/// weights only when a node uses them.
#[derive(Node)]
#[node(id = "load_model", version = 1, category = "Model", lane = "open")]
pub struct LoadModel {
    /// `mini`, the model that is built in, `mini-refiner`, which goes over its latents, a folder as diffusers saves it, or a .safetensors or .gguf file.
    #[param(default = ModelSource::Mini, file = FileSort::Model)]
    source: ModelSource,
    /// A file whose autoencoder takes the place of the model's own.
    #[param(advanced, file = FileSort::Vae)]
    vae: Option<InputFile>,
    /// A file of the first text encoder (CLIP-L), for a source without one, or in its place.
    #[param(advanced, file = FileSort::TextEncoder)]
    text_encoder: Option<InputFile>,
    /// A file of the second text encoder (OpenCLIP bigG), likewise.
    #[param(advanced, file = FileSort::TextEncoder)]
    text_encoder_2: Option<InputFile>,
    #[params]
    placing: Placing,
}

/// The components that may come from files beside the source; the inputs have their names.
const PARTS: [Component; 3] = [Component::Vae, Component::TextEncoder, Component::TextEncoder2];

impl Node for LoadModel {
    type Output = Parts;

    fn run(self, cx: &mut Context<'_>) -> Result<Parts, Fault> {
        let files = PARTS.into_iter().zip([self.vae, self.text_encoder, self.text_encoder_2]);
        let parts: Vec<_> = files.filter_map(|(component, file)| Some((component, file?))).collect();
        let mut digest = ModelSource::name(&self.source.literal(), cx.files())?;
        for (component, file) in &parts {
            let part = cx.files().digest(&file.path)?;
            digest =
                Hasher::new("model with part").fingerprint(digest).text(component.name()).fingerprint(part).finish();
        }
        let model = cx.host::<Models>()?.open(&self.source, parts, self.placing)?;
        if let Some(leftovers) = model.leftovers() {
            cx.warn(leftovers);
        }
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
        let mut parts = Vec::new();
        for component in PARTS {
            let file = known.param::<Option<InputFile>>(component.name())?.flatten();
            parts.extend(file.map(|file| (component, file)));
        }
        let model = known.host::<Models>()?.open(&source, parts, Placing::of(known)?)?;
        Ok(vec![DenoiserHandle::type_of(&model), EncoderHandle::type_of(&model), VaeHandle::type_of(&model)])
    }
}
