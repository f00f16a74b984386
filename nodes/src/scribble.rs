//! `scribble`: pictures as if drawn by hand, for a ControlNet to draw along.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};

use crate::pictures::edges::scribble;

/// Draws what is darker than its surroundings as thick white strokes on black (XDoG).
///
/// The strokes are those of the scribble preprocessor in `controlnet_aux`, whose threshold is twice this one. Alpha does
/// not count.
#[derive(Node)]
#[node(id = "scribble", version = 1, category = "Image", lane = "light")]
pub struct Scribble {
    /// The pictures.
    #[input]
    image: Pictures,
    /// By how many of 255 levels a place must be darker than its surroundings in every colour.
    #[param(default = 16.0, range = 0.0..=255.0)]
    threshold: f64,
    /// How wide the surroundings are: wider ones make thicker strokes.
    #[param(default = 5.0, range = 0.5..=64.0, unit = "px")]
    width: f64,
}

impl Node for Scribble {
    type Output = Pictures;

    fn run(self, cx: &mut Context<'_>) -> Result<Pictures, Fault> {
        let (count, mut done) = (self.image.len(), 0);
        self.image.map(|picture| {
            let strokes = scribble(picture, self.threshold as f32, self.width).to_picture();
            done += 1;
            cx.tick(done, count)?;
            Ok(strokes)
        })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let image = known.wire_or_unknown("image");
        Ok(vec![Type::of(Kind::IMAGE).size(image.width, image.height).count(image.count)])
    }
}
