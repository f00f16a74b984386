//! `crop_to_mask`: the part of a picture around a mask, to be worked on by itself.

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};
use darkroom_core::{Node, Outputs};

use crate::pictures::mask::Mask;
use crate::pictures::region::Region;
use crate::wires::REDUCTION;

/// Cuts out the part of a picture around what a mask means, with some of its surroundings, in a size that a model can
/// draw well. `stitch` puts what was drawn back in its place; the rest of the picture stays as it is, bit for bit.
#[derive(Node)]
#[node(id = "crop_to_mask", version = 1, category = "Mask", lane = "light")]
pub struct CropToMask {
    /// The pictures, all of one size.
    #[input]
    image: Pictures,
    /// What is meant: all that is not black. A mask of another size is stretched over the picture.
    #[input]
    mask: Pictures,
    /// How much of the surroundings comes along on every side.
    #[param(default = 32, range = 0..=4096, unit = "px")]
    padding: u32,
    /// Width to work at, as 1024; left out, the part keeps its pixels and grows to a multiple of 8.
    #[param(range = Some(8)..=Some(8192), multiple_of = 8, unit = "px", advanced)]
    width: Option<u32>,
    /// Height to work at, as 1024; left out, the part keeps its pixels and grows to a multiple of 8.
    #[param(range = Some(8)..=Some(8192), multiple_of = 8, unit = "px", advanced)]
    height: Option<u32>,
}

/// A part of a picture.
#[derive(Outputs)]
pub struct Cropped {
    /// The part.
    pub image: Pictures,
    /// The mask of the part.
    pub mask: Pictures,
    /// Where the part belongs.
    pub region: Region,
}

impl Node for CropToMask {
    type Output = Cropped;

    fn run(self, _: &mut Context<'_>) -> Result<Cropped, Fault> {
        let size = one_size(&self.image)?;
        let masks = self.mask.iter().map(|mask| Mask::stretched(mask, size.0 as u32, size.1 as u32));
        let masks = masks.collect::<Result<Vec<_>, Fault>>()?;
        let boxes = masks.iter().filter_map(Region::around);
        let found = boxes.reduce(union).ok_or_else(|| {
            Fault::graph("the mask is black: it means no part of the picture").hint("paint white what is meant")
        })?;
        let (region, work) = self.frame(found.padded(self.padding as usize, size), size)?;
        let cut = |picture: &Picture| {
            region.cut(picture, work).ok_or_else(|| Fault::bug("the part of a picture has no pixels"))
        };
        let masks = masks.iter().map(|mask| cut(&mask.to_picture())).collect::<Result<Vec<_>, Fault>>()?;
        Ok(Cropped { image: self.image.map(cut)?, mask: Pictures::new(masks), region })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let edge = |name: &str| known.param::<Option<u32>>(name).map(Option::flatten);
        let part = Type::of(Kind::IMAGE).size(edge("width")?, edge("height")?);
        let count = |name: &str| known.wire_or_unknown(name).count;
        Ok(vec![part.clone().count(count("image")), part.count(count("mask")), Type::of(Kind("region"))])
    }
}

impl CropToMask {
    /// The part to cut out, and the size to work at.
    fn frame(&self, found: Region, picture: (usize, usize)) -> Result<(Region, (usize, usize)), Fault> {
        match (self.width, self.height) {
            (Some(width), Some(height)) => {
                let work = (width as usize, height as usize);
                Ok((found.shaped(work, picture), work))
            }
            (None, None) => {
                let whole = |edge: usize| edge.next_multiple_of(REDUCTION as usize);
                let work = (whole(found.width), whole(found.height));
                Ok((found.grown_to(work, picture), work))
            }
            _ => Err(Fault::graph("`width` and `height` belong together").hint("give both, or none")),
        }
    }
}

fn union(a: Region, b: Region) -> Region {
    let (left, top) = (a.left.min(b.left), a.top.min(b.top));
    let right = (a.left + a.width).max(b.left + b.width);
    let bottom = (a.top + a.height).max(b.top + b.height);
    Region { left, top, width: right - left, height: bottom - top }
}

/// Returns the size that all pictures have.
///
/// # Errors
/// A fault if there are several.
pub fn one_size(pictures: &Pictures) -> Result<(usize, usize), Fault> {
    let mut sizes = pictures.iter().map(|picture| (picture.width() as usize, picture.height() as usize));
    let first = sizes.next().unwrap_or((1, 1));
    if sizes.any(|size| size != first) {
        return Err(
            Fault::graph("the pictures of this batch have several sizes").hint("bring them to one size with `upscale`")
        );
    }
    Ok(first)
}
