//! Pictures in another size, by resampling.

use darkroom_core::Choice;
use darkroom_core::fault::Fault;
use darkroom_core::image::Picture;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{F32x3, F32x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::pictures::pillow;

/// How samples between pixels are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Filter {
    /// Sharp; the usual choice.
    Lanczos,
    /// Nearly as sharp, with fewer rings.
    Bicubic,
    /// Between sharp and soft.
    Mitchell,
    /// Soft.
    Bilinear,
    /// Averages; for making smaller.
    Box,
    /// Repeats pixels.
    Nearest,
    /// Lanczos on 256 levels, as Pillow does it: what diffusers feeds its pipelines.
    Pillow,
}

/// Brings a picture to a size above zero.
///
/// # Errors
/// A bug: every size above zero is possible.
pub fn resize(picture: &Picture, width: u32, height: u32, filter: Filter) -> Result<Picture, Fault> {
    let (from, to) = ((picture.width(), picture.height()), (width, height));
    if filter == Filter::Pillow {
        let sizes = [from, to].map(|(width, height)| (width as usize, height as usize));
        let bytes = pillow::lanczos(&picture.to_bytes(), picture.channels() as usize, sizes[0], sizes[1]);
        let resized = Picture::from_bytes(width, height, picture.channels(), &bytes);
        return resized.ok_or_else(|| Fault::bug("resampling gave a wrong number of samples"));
    }
    let samples = match picture.channels() {
        4 => typed(picture.samples(), from, to, filter, F32x4::new, |pixel| pixel.0),
        _ => typed(picture.samples(), from, to, filter, F32x3::new, |pixel| pixel.0),
    };
    let bug = |what: &dyn std::fmt::Display| Fault::bug(format!("resampling failed: {what}"));
    let samples = samples.map_err(|error| bug(&error))?;
    Picture::new(width, height, picture.channels(), samples).ok_or_else(|| bug(&"wrong number of samples"))
}

/// Resamples one type of pixel: the crate's own switch over all types would compile each of them.
fn typed<P: PixelTrait, const N: usize>(
    samples: &[f32],
    from: (u32, u32),
    to: (u32, u32),
    filter: Filter,
    pixel: impl Fn([f32; N]) -> P,
    parts: impl Fn(&P) -> [f32; N],
) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let algorithm = match filter {
        Filter::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
        Filter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        Filter::Mitchell => ResizeAlg::Convolution(FilterType::Mitchell),
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Box => ResizeAlg::Convolution(FilterType::Box),
        Filter::Nearest | Filter::Pillow => ResizeAlg::Nearest,
    };
    let pixels: Vec<P> = samples.as_chunks::<N>().0.iter().map(|parts| pixel(*parts)).collect();
    let source = TypedImageRef::new(from.0, from.1, &pixels)?;
    let mut target = TypedImage::new(to.0, to.1);
    Resizer::new().resize_typed(&source, &mut target, &ResizeOptions::new().resize_alg(algorithm))?;
    // Sharp filters overshoot at edges.
    Ok(target.pixels().iter().flat_map(parts).map(|sample| sample.clamp(0.0, 1.0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat() {
        let grey = Picture::new(5, 4, 3, vec![0.25; 60]).expect("sixty samples");
        for filter in
            [Filter::Lanczos, Filter::Bicubic, Filter::Mitchell, Filter::Bilinear, Filter::Box, Filter::Nearest]
        {
            let big = resize(&grey, 13, 9, filter).expect("a size above zero");
            assert!(big.samples().iter().all(|sample| (sample - 0.25).abs() < 1e-5), "{filter:?}");
        }
    }
}
