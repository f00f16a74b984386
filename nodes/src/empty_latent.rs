//! `empty_latent`: the size of a picture that is not drawn yet.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::ChoiceParam as _;
use darkroom_core::types::{Kind, Type};

use crate::wires::sizes::SIZES;
use crate::wires::{Latent, Space};

/// A blank sheet: the size of the pictures to draw, and how many.
#[derive(Node)]
#[node(id = "empty_latent", version = 1, category = "Latent", lane = "light")]
pub struct EmptyLatent {
    /// Width of the pictures.
    #[param(default = 1024, range = 8..=8192, multiple_of = 8, unit = "px", pair = "height", sizes = SIZES)]
    width: u32,
    /// Height of the pictures.
    #[param(default = 1024, range = 8..=8192, multiple_of = 8, unit = "px", pair = "width")]
    height: u32,
    /// Pictures in the batch.
    #[param(default = 1, range = 1..=64)]
    count: u32,
    /// The family of models that will draw on it.
    #[param(default = Space::Sdxl, advanced)]
    space: Space,
}

impl Node for EmptyLatent {
    type Output = Latent;

    fn run(self, _: &mut Context<'_>) -> Result<Latent, Fault> {
        let Self { width, height, count, space } = self;
        Ok(Latent::blank(space.word(), width, height, count))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let ty =
            Type::of(Kind("latent")).size(known.param("width")?, known.param("height")?).count(known.param("count")?);
        Ok(vec![match known.param::<Space>("space")? {
            Some(space) => ty.family(space.word()),
            None => ty,
        }])
    }
}
