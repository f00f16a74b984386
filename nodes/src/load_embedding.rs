//! `load_embedding`: a trained word.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::spec::FileSort;
use darkroom_core::types::{Kind, Type};
use darkroom_models::prompt::Inversion;

use crate::fault::fault;
use crate::models::input_file::InputFile;
use crate::wires::EncoderHandle;

/// Teaches text encoders a word of textual inversion: where it stands in a prompt, its trained vectors are read.
///
/// Safetensors files of A1111, of SDXL and of diffusers are read; pickles (.pt, .bin) are refused, because they may run
/// code. The word is found in any letter case where it stands by itself; ComfyUI's `embedding:word` is the same.
#[derive(Node)]
#[node(id = "load_embedding", version = 1, category = "Model", lane = "open")]
pub struct LoadEmbedding {
    /// The text encoders of the model.
    #[input]
    encoder: EncoderHandle,
    /// The file.
    #[param(file = FileSort::Embedding)]
    file: InputFile,
    /// The word; the one that diffusers wrote into the file, or the file's name without its ending, if left out.
    #[param(advanced)]
    name: Option<String>,
}

impl Node for LoadEmbedding {
    type Output = EncoderHandle;

    fn run(self, _: &mut Context<'_>) -> Result<EncoderHandle, Fault> {
        let widths: Vec<_> = self.encoder.model().encoder_sizes().into_iter().map(|(width, _)| width).collect();
        let word = Inversion::open(&self.file.path, self.name.as_deref(), &widths).map_err(fault)?;
        Ok(self.encoder.with_word(word))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        if let Some(file) = known.param::<InputFile>("file")? {
            Inversion::probe(&file.path).map_err(fault)?;
        }
        Ok(vec![Type { kind: Kind("encoder"), ..known.wire_or_unknown("encoder") }])
    }
}
