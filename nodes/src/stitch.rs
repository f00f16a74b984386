//! `stitch`: what was drawn, put back in its place.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};

use crate::pictures::mask::{Mask, paired};
use crate::pictures::region::{Region, covering};
use crate::pictures::resample::{Filter, resize};

/// Puts a picture over another where a mask is white. What is black stays as it was, bit for bit.
///
/// With a `region` of `crop_to_mask` it goes back where it was cut out; without one it covers the whole picture.
#[derive(Node)]
#[node(id = "stitch", version = 1, category = "Mask", lane = "light")]
pub struct Stitch {
    /// The whole picture: one, or one for each that comes in.
    #[input]
    image: Pictures,
    /// What was drawn; stretched to the region where it has another size.
    #[input]
    patch: Pictures,
    /// What of it to take, in the size of the whole picture; a mask of another size is stretched. One for all, or one
    /// for each picture.
    #[input]
    mask: Pictures,
    /// Where it belongs.
    #[input]
    region: Option<Region>,
    /// How far the two fade into each other on either side of the mask's edge.
    #[param(default = 8, range = 0..=256, unit = "px")]
    feather: u32,
}

impl Node for Stitch {
    type Output = Pictures;

    fn run(self, cx: &mut Context<'_>) -> Result<Pictures, Fault> {
        let (wholes, patches) = (self.image.len(), self.patch.len());
        if wholes != 1 && wholes != patches {
            return Err(Fault::graph(format!("{patches} pictures do not fit over {wholes}"))
                .hint("give one whole picture for all, or one for each"));
        }
        let pairs = paired(&self.patch, &self.mask)?.zip(self.image.iter().cycle());
        let mut done = Vec::with_capacity(patches);
        for ((patch, mask), whole) in pairs {
            cx.check_cancel()?;
            done.push(self.lay(whole, patch, mask)?);
        }
        Ok(Pictures::new(done))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let image = known.wire_or_unknown("image");
        let count = known.wire_or_unknown("patch").count;
        Ok(vec![Type::of(Kind::IMAGE).size(image.width, image.height).count(count)])
    }
}

impl Stitch {
    fn lay(&self, whole: &Picture, patch: &Picture, mask: &Picture) -> Result<Picture, Fault> {
        let (width, height) = (whole.width() as usize, whole.height() as usize);
        let region = self.region.unwrap_or(Region { left: 0, top: 0, width, height });
        if region.left + region.width > width || region.top + region.height > height {
            return Err(Fault::graph(format!("the region does not lie in this picture of {width}×{height}"))
                .hint("connect the picture that `crop_to_mask` cut it out of"));
        }
        let mask = Mask::stretched(mask, whole.width(), whole.height())?.feathered(self.feather);
        let from = (patch.width() as usize, patch.height() as usize);
        let size = covering(from, (region.width, region.height));
        let patch = match size == from {
            true => patch.clone(),
            false => resize(patch, size.0 as u32, size.1 as u32, Filter::Lanczos)?,
        };
        // What was filled in at the edges to reach the size is cut off again.
        let (beyond_x, beyond_y) = (size.0 / 2 - region.width / 2, size.1 / 2 - region.height / 2);
        let (channels, patch_channels) = (whole.channels() as usize, patch.channels() as usize);
        let mut samples = whole.samples().to_vec();
        for y in 0..region.height {
            for x in 0..region.width {
                let at = (region.top + y) * width + region.left + x;
                let share = mask.values[at];
                let from = &patch.samples()[((beyond_y + y) * size.0 + beyond_x + x) * patch_channels..];
                for (sample, new) in samples[at * channels..].iter_mut().zip(from).take(3) {
                    if share > 0.0 {
                        *sample = share * new + (1.0 - share) * *sample;
                    }
                }
            }
        }
        Picture::new(whole.width(), whole.height(), whole.channels(), samples)
            .ok_or_else(|| Fault::bug("a stitched picture lost samples"))
    }
}
