//! `mask_from_alpha`: what is see-through in a picture.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};

use crate::pictures::mask::Mask;

/// Makes a mask of a picture's transparency: white where it was erased, black where it covers.
#[derive(Node)]
#[node(id = "mask_from_alpha", version = 1, category = "Mask", lane = "light")]
pub struct MaskFromAlpha {
    /// The picture, with an alpha channel; one without is covered everywhere.
    #[input]
    image: Pictures,
}

impl Node for MaskFromAlpha {
    type Output = Pictures;

    fn run(self, cx: &mut Context<'_>) -> Result<Pictures, Fault> {
        if self.image.iter().any(|picture| picture.channels() < 4) {
            cx.warn("the picture has no alpha channel: nothing of it is see-through, and the mask is black");
        }
        self.image.map(|picture| {
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let alpha = |x, y| match picture.channels() {
                4 => picture.samples()[4 * (y * width + x) + 3],
                _ => 1.0,
            };
            Ok(Mask::draw(width, height, |x, y| 1.0 - alpha(x, y)).to_picture())
        })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let image = known.wire_or_unknown("image");
        Ok(vec![Type::of(Kind::IMAGE).size(image.width, image.height).count(image.count)])
    }
}
