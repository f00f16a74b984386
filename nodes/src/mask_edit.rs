//! `mask_edit`: masks grown, softened and turned round.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};

use crate::pictures::mask::Mask;

/// Turns a mask round, grows or shrinks what is white, and softens its edge, in this order.
#[derive(Node)]
#[node(id = "mask_edit", version = 1, category = "Mask", lane = "light")]
pub struct MaskEdit {
    /// The mask.
    #[input]
    mask: Pictures,
    /// Whether black becomes white and white black.
    #[param(default = false)]
    invert: bool,
    /// By how much what is white grows; below 0 it shrinks.
    #[param(default = 0, range = -256..=256, unit = "px")]
    grow: i64,
    /// How far the edge fades to either side. A mask fades for blending; `inpaint` cuts it at middle grey.
    #[param(default = 0, range = 0..=256, unit = "px")]
    feather: u32,
}

impl Node for MaskEdit {
    type Output = Pictures;

    fn run(self, cx: &mut Context<'_>) -> Result<Pictures, Fault> {
        self.mask.map(|picture| {
            cx.check_cancel()?;
            let mask = Mask::of(picture);
            let mask = if self.invert { mask.inverted() } else { mask };
            Ok(mask.grown(self.grow).feathered(self.feather).to_picture())
        })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let mask = known.wire_or_unknown("mask");
        Ok(vec![Type::of(Kind::IMAGE).size(mask.width, mask.height).count(mask.count)])
    }
}
