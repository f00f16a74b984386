//! `upscale_latent`: latents in another size, to be drawn on further.

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::Type;
use darkroom_core::{Choice, Node};
use darkroom_models::nn::{FeatureMap, Interpolation};

use crate::fault::fault;
use crate::wires::REDUCTION;
use crate::wires::latent::Latent;
use crate::wires::repaint::Repaint;

/// How latents between places are made, by PyTorch's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum LatentFilter {
    /// Repeats the nearest; leaves edges that a second pass turns into detail.
    Nearest,
    /// Soft; the usual choice.
    Bilinear,
    /// Sharper.
    Bicubic,
}

/// Brings latents to another size, without a way over pixels.
///
/// The result is soft or blocky by itself: put a `denoise` with a `strength` of 0.5 to 0.7 behind it, which draws the
/// detail of the new size.
#[derive(Node)]
#[node(id = "upscale_latent", version = 1, category = "Latent", lane = "light")]
pub struct UpscaleLatent {
    /// The latents.
    #[input]
    latent: Latent,
    /// Factor on width and height, where these are not given; to the nearest multiple of 8 pixels.
    #[param(default = 1.5, range = 0.1..=8.0)]
    factor: f64,
    /// The new width; left out, the shape is kept.
    #[param(range = Some(8)..=Some(8192), multiple_of = 8, unit = "px")]
    width: Option<u32>,
    /// The new height; left out, the shape is kept.
    #[param(range = Some(8)..=Some(8192), multiple_of = 8, unit = "px")]
    height: Option<u32>,
    /// How latents between places are made.
    #[param(default = LatentFilter::Bilinear)]
    filter: LatentFilter,
}

/// Most pixels along an edge of the result.
const MAX_EDGE: u32 = 8192;

impl Node for UpscaleLatent {
    type Output = Latent;

    fn run(self, _: &mut Context<'_>) -> Result<Latent, Fault> {
        let Latent { width, height, .. } = self.latent;
        let (width, height) =
            Wanted { factor: self.factor, width: self.width, height: self.height }.size(width, height)?;
        let how = match self.filter {
            LatentFilter::Nearest => Interpolation::Nearest,
            LatentFilter::Bilinear => Interpolation::Bilinear,
            LatentFilter::Bicubic => Interpolation::Bicubic,
        };
        let (lines, columns) = ((height / REDUCTION) as usize, (width / REDUCTION) as usize);
        let grow = |x: &candle_core::Tensor, how| {
            FeatureMap::from_tensor(x)?.interpolate(lines, columns, how).and_then(|x| x.to_tensor())
        };
        let Latent { x, repaint, drawn, .. } = &self.latent;
        let x = x.as_ref().map(|x| grow(x, how)).transpose().map_err(fault)?;
        let repaint = repaint.as_ref().map(|repaint| {
            Ok(Repaint {
                // A mask stays black and white.
                mask: grow(&repaint.mask, Interpolation::Nearest)?,
                picture: grow(&repaint.picture, how)?,
                masked: grow(&repaint.masked, how)?,
                masked_spread: repaint.masked_spread.as_ref().map(|spread| grow(spread, how)).transpose()?,
            })
        });
        let repaint = repaint.transpose().map_err(fault)?;
        Ok(Latent { width, height, x, repaint, drawn: *drawn, ..self.latent.clone() })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let latent = known.wire_or_unknown("latent");
        let wanted = Wanted {
            factor: known.param("factor")?.unwrap_or(1.0),
            width: known.param::<Option<u32>>("width")?.flatten(),
            height: known.param::<Option<u32>>("height")?.flatten(),
        };
        let (Some(width), Some(height)) = (latent.width, latent.height) else { return Ok(vec![latent]) };
        let (width, height) = wanted.size(width, height)?;
        Ok(vec![latent.size(Some(width), Some(height))])
    }
}

struct Wanted {
    factor: f64,
    width: Option<u32>,
    height: Option<u32>,
}

impl Wanted {
    /// The new size in whole latent pixels: as given; one edge given keeps the shape; none given takes the factor.
    fn size(&self, width: u32, height: u32) -> Result<(u32, u32), Fault> {
        let (w, h) = (f64::from(width), f64::from(height));
        let (new_w, new_h) = match (self.width.map(f64::from), self.height.map(f64::from)) {
            (Some(new_w), Some(new_h)) => (new_w, new_h),
            (Some(new_w), None) => (new_w, h * new_w / w),
            (None, Some(new_h)) => (w * new_h / h, new_h),
            (None, None) => (w * self.factor, h * self.factor),
        };
        let whole = |edge: f64| ((edge / f64::from(REDUCTION)).round() as u32).max(1).saturating_mul(REDUCTION);
        let (new_w, new_h) = (whole(new_w), whole(new_h));
        if new_w.max(new_h) > MAX_EDGE {
            return Err(Fault::graph(format!("the result would be {new_w}×{new_h}"))
                .hint(format!("edges may have up to {MAX_EDGE} pixels")));
        }
        Ok((new_w, new_h))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_latent_pixels() {
        let wanted = |factor, width, height| Wanted { factor, width, height };
        assert_eq!(wanted(1.5, None, None).size(256, 200), Ok((384, 304)));
        assert_eq!(wanted(1.5, Some(512), None).size(256, 200), Ok((512, 400)));
        assert_eq!(wanted(0.1, None, None).size(8, 8), Ok((8, 8)));
        assert!(wanted(8.0, None, None).size(2048, 8).is_err());
    }
}
