//! `draw_mask`: a mask of a simple shape.

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};
use darkroom_core::{Choice, Node};

use crate::pictures::mask::Mask;
use crate::wires::sizes::SIZES;

/// The shape of a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Shape {
    /// The whole box.
    Rectangle,
    /// The ellipse that fills the box.
    Ellipse,
}

/// Draws a white shape on black. Distances count from the top left; what lies beyond the edge is cut off.
#[derive(Node)]
#[node(id = "draw_mask", version = 1, category = "Mask", lane = "light")]
pub struct DrawMask {
    /// Width of the mask: that of the picture it is for.
    #[param(default = 1024, range = 1..=8192, unit = "px", pair = "height", sizes = SIZES)]
    width: u32,
    /// Height of the mask.
    #[param(default = 1024, range = 1..=8192, unit = "px", pair = "width")]
    height: u32,
    /// The shape.
    #[param(default = Shape::Rectangle)]
    shape: Shape,
    /// Where its box begins.
    #[param(default = 256, range = -8192..=8192, unit = "px")]
    left: i64,
    /// Where its box begins.
    #[param(default = 256, range = -8192..=8192, unit = "px")]
    top: i64,
    /// Width of its box.
    #[param(default = 512, range = 0..=16384, unit = "px")]
    box_width: u32,
    /// Height of its box.
    #[param(default = 512, range = 0..=16384, unit = "px")]
    box_height: u32,
}

impl Node for DrawMask {
    type Output = Pictures;

    fn run(self, _: &mut Context<'_>) -> Result<Pictures, Fault> {
        let (half_w, half_h) = (f64::from(self.box_width) / 2.0, f64::from(self.box_height) / 2.0);
        let middle = (self.left as f64 + half_w, self.top as f64 + half_h);
        let inside = |x: usize, y: usize| {
            // From -1 to 1 over the box, at the middle of the pixel.
            let across = (x as f64 + 0.5 - middle.0) / half_w;
            let down = (y as f64 + 0.5 - middle.1) / half_h;
            match self.shape {
                Shape::Rectangle => across.abs() < 1.0 && down.abs() < 1.0,
                Shape::Ellipse => across * across + down * down < 1.0,
            }
        };
        let mask = Mask::draw(self.width as usize, self.height as usize, |x, y| f32::from(u8::from(inside(x, y))));
        Ok(Pictures::new(vec![mask.to_picture()]))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        Ok(vec![Type::of(Kind::IMAGE).size(known.param("width")?, known.param("height")?).count(Some(1))])
    }
}
