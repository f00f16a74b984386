//! `upscale`: pictures in another size, by resampling.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Kind, Type};

use crate::pictures::resample::{Filter, resize};

/// Brings pictures to another size.
#[derive(Node)]
#[node(id = "upscale", version = 1, category = "Image", lane = "light")]
pub struct Upscale {
    /// The pictures.
    #[input]
    image: Pictures,
    /// Factor on width and height, where these are not given.
    #[param(default = 2.0, range = 0.01..=16.0)]
    factor: f64,
    /// The new width.
    #[param(range = Some(1)..=Some(16384), unit = "px")]
    width: Option<u32>,
    /// The new height.
    #[param(range = Some(1)..=Some(16384), unit = "px")]
    height: Option<u32>,
    /// How samples between pixels are made.
    #[param(default = Filter::Lanczos)]
    filter: Filter,
}

/// Most pixels along an edge of the result.
const MAX_EDGE: f64 = 16_384.0;

impl Node for Upscale {
    type Output = Pictures;

    fn run(self, cx: &mut Context<'_>) -> Result<Pictures, Fault> {
        let (count, mut done) = (self.image.len(), 0);
        self.image.map(|picture| {
            let wanted = Wanted { factor: self.factor, width: self.width, height: self.height };
            let (width, height) = wanted.size(picture.width(), picture.height())?;
            let resized = resize(picture, width, height, self.filter)?;
            done += 1;
            cx.tick(done, count)?;
            Ok(resized)
        })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let image = known.wire_or_unknown("image");
        let wanted = Wanted {
            factor: known.param("factor")?.unwrap_or(1.0),
            width: known.param::<Option<u32>>("width")?.flatten(),
            height: known.param::<Option<u32>>("height")?.flatten(),
        };
        let ty = Type::of(Kind::IMAGE).count(image.count);
        let (Some(width), Some(height)) = (image.width, image.height) else { return Ok(vec![ty]) };
        let (width, height) = wanted.size(width, height)?;
        Ok(vec![ty.size(Some(width), Some(height))])
    }

    fn cost(known: &Known<'_>) -> Cost {
        let pixels = |ty: &Type| u64::from(ty.width.unwrap_or(0)) * u64::from(ty.height.unwrap_or(0));
        let output = Self::infer(known).ok().and_then(|types| types.first().map(&pixels)).unwrap_or(0);
        Cost { output: output * 12, ..Cost::default() }
    }
}

/// A size that is asked for.
pub struct Wanted {
    /// Factor on width and height, where these are not given.
    pub factor: f64,
    /// The new width.
    pub width: Option<u32>,
    /// The new height.
    pub height: Option<u32>,
}

impl Wanted {
    /// The new size: as given; one edge given keeps the shape; none given takes the factor.
    ///
    /// # Errors
    /// A fault with the size, if it is too large.
    pub fn size(&self, width: u32, height: u32) -> Result<(u32, u32), Fault> {
        let (w, h) = (f64::from(width), f64::from(height));
        let (new_w, new_h) = match (self.width.map(f64::from), self.height.map(f64::from)) {
            (Some(new_w), Some(new_h)) => (new_w, new_h),
            (Some(new_w), None) => (new_w, h * new_w / w),
            (None, Some(new_h)) => (w * new_h / h, new_h),
            (None, None) => (w * self.factor, h * self.factor),
        };
        if new_w.max(new_h) > MAX_EDGE {
            return Err(Fault::graph(format!("the result would be {new_w:.0}×{new_h:.0}"))
                .hint(format!("edges may have up to {MAX_EDGE} pixels")));
        }
        Ok((new_w.round().max(1.0) as u32, new_h.round().max(1.0) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_edge_keeps_the_shape() {
        let wanted = |width, height| Wanted { factor: 2.0, width, height };
        assert_eq!(wanted(None, None).size(30, 20), Ok((60, 40)));
        assert_eq!(wanted(Some(15), None).size(30, 20), Ok((15, 10)));
        assert_eq!(wanted(None, Some(40)).size(30, 20), Ok((60, 40)));
        assert_eq!(wanted(Some(7), Some(9)).size(30, 20), Ok((7, 9)));
        assert!(wanted(Some(16384), None).size(1, 20).is_err());
    }
}
