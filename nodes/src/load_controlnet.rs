//! `load_controlnet`: opens a network that steers a denoiser by a picture.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::spec::FileSort;
use darkroom_core::types::{Kind, Type};

use crate::devices::Devices;
use crate::models::controls::{ControlNetHandle, ControlSource};
use crate::models::placing::Placing;

/// Opens a ControlNet of SDXL or SD 1.5. Configuration, names and shapes are read at once, weights only when a node uses
/// them.
#[derive(Node)]
#[node(id = "load_controlnet", version = 1, category = "Model", lane = "open")]
pub struct LoadControlNet {
    /// `mini`, which is built in and draws along edges; a folder as diffusers saves it, or a `.safetensors` file of that
    /// layout.
    #[param(file = FileSort::ControlNet)]
    source: ControlSource,
    #[params]
    placing: Placing,
}

impl Node for LoadControlNet {
    type Output = ControlNetHandle;

    fn run(self, cx: &mut Context<'_>) -> Result<ControlNetHandle, Fault> {
        ControlNetHandle::open(&self.source, cx.files(), (cx.host::<Devices>()?, self.placing))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let Some(source) = known.param::<ControlSource>("source")? else {
            return Ok(vec![Type::of(Kind("controlnet"))]);
        };
        Ok(vec![ControlNetHandle::type_of(&source, (known.host::<Devices>()?, Placing::of(known)?))?])
    }
}
