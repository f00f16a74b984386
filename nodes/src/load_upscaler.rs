//! `load_upscaler`: opens a network that makes pictures larger.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::spec::FileSort;
use darkroom_core::types::{Kind, Type};

use crate::devices::Devices;
use crate::models::placing::Placing;
use crate::models::upscalers::{UpscalerHandle, UpscalerSource};

/// Opens an upscaler of the ESRGAN line. Names and shapes are read at once, weights only when a node uses them.
#[derive(Node)]
#[node(id = "load_upscaler", version = 1, category = "Model", lane = "open")]
pub struct LoadUpscaler {
    /// `mini`, the upscaler that is built in, or a `.safetensors` file of ESRGAN or Real-ESRGAN.
    #[param(default = UpscalerSource::Mini, file = FileSort::Upscaler)]
    source: UpscalerSource,
    #[params]
    placing: Placing,
}

impl Node for LoadUpscaler {
    type Output = UpscalerHandle;

    fn run(self, cx: &mut Context<'_>) -> Result<UpscalerHandle, Fault> {
        UpscalerHandle::open(&self.source, cx.files(), (cx.host::<Devices>()?, self.placing))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let Some(source) = known.param::<UpscalerSource>("source")? else {
            return Ok(vec![Type::of(Kind("upscaler"))]);
        };
        Ok(vec![UpscalerHandle::type_of(&source, (known.host::<Devices>()?, Placing::of(known)?))?])
    }
}
