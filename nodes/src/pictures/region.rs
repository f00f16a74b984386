//! A region: the part of a picture that is worked on by itself, and how it fits into another size.
//!
//! Rules, so that a region is the one that diffusers takes for `padding_mask_crop`: its `image_processor.py`,
//! `get_crop_region`, `_resize_and_fill` and `_resize_and_crop`.

use darkroom_core::image::Picture;
use darkroom_core::types::{Kind, Type};
use darkroom_core::value::{Codec, Datum, Made, Record};

use crate::pictures::mask::Mask;
use crate::pictures::pillow;

/// A box in a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Where it begins.
    pub left: usize,
    /// Where it begins.
    pub top: usize,
    /// Pixels in a line of it.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

impl Region {
    /// Returns the box around all that is not black; `None` if nothing is.
    pub fn around(mask: &Mask) -> Option<Self> {
        let white = |i: &usize| mask.values[*i] * 255.0 >= 0.5;
        let places = || (0..mask.values.len()).filter(white);
        let (left, right) = ends(places().map(|i| i % mask.width))?;
        let (top, bottom) = ends(places().map(|i| i / mask.width))?;
        Some(Self { left, top, width: right - left + 1, height: bottom - top + 1 })
    }

    /// Widens the box by so many pixels on every side, as far as the picture goes.
    #[must_use]
    pub fn padded(self, pixels: usize, (width, height): (usize, usize)) -> Self {
        let (left, top) = (self.left.saturating_sub(pixels), self.top.saturating_sub(pixels));
        let right = (self.left + self.width + pixels).min(width);
        let bottom = (self.top + self.height + pixels).min(height);
        Self { left, top, width: right - left, height: bottom - top }
    }

    /// Grows the box to the shape of `target`, as far as the picture goes.
    #[must_use]
    pub fn shaped(self, target: (usize, usize), (width, height): (usize, usize)) -> Self {
        let wanted = target.0 as f64 / target.1 as f64;
        if self.width as f64 / self.height as f64 > wanted {
            let more = (self.width as f64 / wanted - self.height as f64) as usize;
            let (top, height) = grown(self.top, self.height, more, height);
            Self { top, height, ..self }
        } else {
            let more = (self.height as f64 * wanted - self.width as f64) as usize;
            let (left, width) = grown(self.left, self.width, more, width);
            Self { left, width, ..self }
        }
    }

    /// Grows the box to a size, as far as the picture goes.
    #[must_use]
    pub fn grown_to(self, target: (usize, usize), (width, height): (usize, usize)) -> Self {
        let (left, width) = grown(self.left, self.width, target.0.saturating_sub(self.width), width);
        let (top, height) = grown(self.top, self.height, target.1.saturating_sub(self.height), height);
        Self { left, top, width, height }
    }

    /// Cuts the box out of a picture and fits it into a size: as large as goes, in the middle, the edges continued.
    pub fn cut(self, picture: &Picture, (width, height): (usize, usize)) -> Option<Picture> {
        let channels = picture.channels() as usize;
        let line = picture.width() as usize * channels;
        let cut: Vec<f32> = (self.top..self.top + self.height)
            .flat_map(|y| &picture.samples()[y * line + self.left * channels..][..self.width * channels])
            .copied()
            .collect();
        if (self.width, self.height) == (width, height) {
            return Picture::new(width as u32, height as u32, picture.channels(), cut);
        }
        let cut = Picture::new(self.width as u32, self.height as u32, picture.channels(), cut)?.to_bytes();
        let inner = fitting((self.width, self.height), (width, height));
        let resized = pillow::lanczos(&cut, channels, (self.width, self.height), inner);
        let filled = fill(&resized, channels, inner, (width, height));
        Picture::from_bytes(width as u32, height as u32, picture.channels(), &filled)
    }
}

fn ends(places: impl Iterator<Item = usize>) -> Option<(usize, usize)> {
    places.fold(None, |ends: Option<(usize, usize)>, place| match ends {
        Some((low, high)) => Some((low.min(place), high.max(place))),
        None => Some((place, place)),
    })
}

/// Grows a span by so much on both sides together, moving it where the picture ends.
fn grown(start: usize, length: usize, more: usize, edge: usize) -> (usize, usize) {
    let length = (length + more).min(edge);
    (start.saturating_sub(more / 2).min(edge - length), length)
}

/// The largest size of a shape that goes into another.
pub fn fitting(from: (usize, usize), into: (usize, usize)) -> (usize, usize) {
    if (into.0 * from.1) < from.0 * into.1 {
        (into.0, (from.1 * into.0 / from.0).max(1))
    } else {
        ((from.0 * into.1 / from.1).max(1), into.1)
    }
}

/// The smallest size of a shape that covers another.
pub fn covering(from: (usize, usize), over: (usize, usize)) -> (usize, usize) {
    if (over.0 * from.1) > from.0 * over.1 {
        (over.0, from.1 * over.0 / from.0)
    } else {
        (from.0 * over.1 / from.1, over.1)
    }
}

/// Lays bytes in the middle of a size and continues their edges.
fn fill(bytes: &[u8], channels: usize, inner: (usize, usize), outer: (usize, usize)) -> Vec<u8> {
    let (left, top) = (outer.0 / 2 - inner.0 / 2, outer.1 / 2 - inner.1 / 2);
    let at = |x: usize, y: usize, channel: usize| bytes[(y * inner.0 + x) * channels + channel];
    let value = |i: usize| {
        let (channel, pixel) = (i % channels, i / channels);
        let (x, edge_x, before_x) = held(pixel % outer.0, left, inner.0);
        let (y, edge_y, before_y) = held(pixel / outer.0, top, inner.1);
        match (edge_x, edge_y) {
            (false, false) => at(x, y, channel),
            _ => pillow::beyond_edge(at(x, y, channel), at(before_x, before_y, channel)),
        }
    };
    (0..outer.0 * outer.1 * channels).map(value).collect()
}

/// The nearest place within a span, whether it is the edge for one beyond, and the place before that edge.
fn held(place: usize, start: usize, length: usize) -> (usize, bool, usize) {
    let last = length - 1;
    if place < start {
        (0, true, 1.min(last))
    } else if place - start > last {
        (last, true, last.saturating_sub(1))
    } else {
        (place - start, false, place - start)
    }
}

impl Datum for Region {
    const KIND: Kind = Kind("region");

    fn bytes(&self) -> u64 {
        32
    }

    fn codec() -> Option<Codec> {
        Some(Codec::new(
            |value| {
                let Self { left, top, width, height } = *value.downcast::<Self>()?;
                let numbers = [("left", left), ("top", top), ("width", width), ("height", height)];
                let words = numbers.map(|(name, number)| (name.to_owned(), number.to_string())).into();
                Some(Record { words, ..Record::default() })
            },
            |record| {
                let number = |name: &str| record.words.get(name)?.parse().ok();
                Some(Made::new(Self {
                    left: number("left")?,
                    top: number("top")?,
                    width: number("width")?,
                    height: number("height")?,
                }))
            },
        ))
    }

    fn describe(&self) -> Type {
        Type::of(Self::KIND).size(u32::try_from(self.width).ok(), u32::try_from(self.height).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: (usize, usize) = (70, 50);

    #[test]
    fn a_region_grows_around_its_middle_and_stays_in_the_picture() {
        let mask = Mask::draw(70, 50, |x, y| f32::from(u8::from((60..68).contains(&x) && (20..24).contains(&y))));
        let region = Region::around(&mask).expect("something is white");
        assert_eq!(region, Region { left: 60, top: 20, width: 8, height: 4 });
        assert_eq!(region.padded(4, PICTURE), Region { left: 56, top: 16, width: 14, height: 12 });
        assert_eq!(region.shaped((64, 64), PICTURE), Region { left: 60, top: 18, width: 8, height: 8 });
        assert_eq!(region.grown_to((16, 8), PICTURE), Region { left: 54, top: 18, width: 16, height: 8 });
        assert_eq!(region.grown_to((100, 100), PICTURE), Region { left: 0, top: 0, width: 70, height: 50 });
        assert_eq!(Region::around(&mask.map(|_| 0.0)), None);
    }

    #[test]
    fn a_cut_of_the_right_size_is_cut_exactly() {
        let samples: Vec<f32> = (0..70 * 50 * 3).map(|i| (i % 977) as f32 / 977.0).collect();
        let picture = Picture::new(70, 50, 3, samples).expect("three samples a pixel");
        let region = Region { left: 10, top: 20, width: 16, height: 8 };
        let cut = region.cut(&picture, (16, 8)).expect("a size above zero");
        assert_eq!(cut.samples()[..3], picture.samples()[(20 * 70 + 10) * 3..][..3]);
        assert_eq!((fitting((43, 50), (64, 96)), covering((64, 96), (43, 50))), ((64, 74), (43, 64)));
    }
}
