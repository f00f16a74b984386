//! `pad_image`: room around a picture, to be drawn into.

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};
use darkroom_core::{Choice, Node, Outputs};

use crate::crop_to_mask::one_size;
use crate::pictures::mask::Mask;

/// What stands in the new room before it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Fill {
    /// The picture as in a mirror.
    Mirror,
    /// Its edge, continued.
    Edge,
    /// Middle grey.
    Grey,
}

/// Adds room around pictures, and makes the mask that `inpaint` needs to draw into it.
///
/// Width and height of the result must be multiples of 8 for a model to draw it.
#[derive(Node)]
#[node(id = "pad_image", version = 1, category = "Image", lane = "light")]
pub struct PadImage {
    /// The pictures, all of one size.
    #[input]
    image: Pictures,
    /// Room on the left.
    #[param(default = 0, range = 0..=8192, unit = "px")]
    left: u32,
    /// Room above.
    #[param(default = 0, range = 0..=8192, unit = "px")]
    top: u32,
    /// Room on the right.
    #[param(default = 0, range = 0..=8192, unit = "px")]
    right: u32,
    /// Room below.
    #[param(default = 0, range = 0..=8192, unit = "px")]
    bottom: u32,
    /// How far the mask fades into the picture, so that the seam is drawn anew too.
    #[param(default = 16, range = 0..=1024, unit = "px", advanced)]
    feather: u32,
    /// What stands in the room. It shows through where less than everything is drawn anew.
    #[param(default = Fill::Mirror, advanced)]
    fill: Fill,
}

/// A picture with room around it.
#[derive(Outputs)]
pub struct Padded {
    /// The pictures.
    pub image: Pictures,
    /// White where there is room, fading into the picture.
    pub mask: Pictures,
}

/// Most pixels along an edge of the result.
const MAX_EDGE: u32 = 16_384;

impl Node for PadImage {
    type Output = Padded;

    fn run(self, _: &mut Context<'_>) -> Result<Padded, Fault> {
        let (width, height) = one_size(&self.image)?;
        let image = self.image.map(|picture| self.pad(picture))?;
        Ok(Padded { image, mask: Pictures::new(vec![self.mask(width, height).to_picture()]) })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let image = known.wire_or_unknown("image");
        let more = |one, other| Ok::<_, Fault>(known.param::<u32>(one)?.zip(known.param::<u32>(other)?));
        let edge = |edge: Option<u32>, more| edge.zip(more).map(|(edge, more)| padded(edge, more)).transpose();
        let width = edge(image.width, more("left", "right")?)?;
        let height = edge(image.height, more("top", "bottom")?)?;
        let ty = Type::of(Kind::IMAGE).size(width, height);
        Ok(vec![ty.clone().count(image.count), ty.count(Some(1))])
    }
}

fn padded(edge: u32, (before, behind): (u32, u32)) -> Result<u32, Fault> {
    let edge = edge.saturating_add(before).saturating_add(behind);
    if edge > MAX_EDGE {
        return Err(Fault::graph(format!("the result would have an edge of {edge} pixels"))
            .hint(format!("edges may have up to {MAX_EDGE} pixels")));
    }
    Ok(edge)
}

impl PadImage {
    fn pad(&self, picture: &Picture) -> Result<Picture, Fault> {
        let width = padded(picture.width(), (self.left, self.right))? as usize;
        let height = padded(picture.height(), (self.top, self.bottom))? as usize;
        let (inner_w, inner_h) = (picture.width() as usize, picture.height() as usize);
        let channels = picture.channels() as usize;
        let mut samples = Vec::with_capacity(width * height * channels);
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) =
                    (self.place(x, self.left as usize, inner_w), self.place(y, self.top as usize, inner_h));
                match from_x.zip(from_y) {
                    Some((x, y)) => samples.extend(&picture.samples()[(y * inner_w + x) * channels..][..channels]),
                    None => samples.extend(&[0.5, 0.5, 0.5, 1.0][..channels]),
                }
            }
        }
        Picture::new(width as u32, height as u32, picture.channels(), samples)
            .ok_or_else(|| Fault::bug("a padded picture lost samples"))
    }

    /// The place in a line of `length` that stands at `i`, `before` pixels on; `None` for grey.
    fn place(&self, i: usize, before: usize, length: usize) -> Option<usize> {
        let (at, last) = (i as i64 - before as i64, length as i64 - 1);
        let within = (0..=last).contains(&at);
        let place = match self.fill {
            Fill::Grey if !within => return None,
            Fill::Mirror if last > 0 => {
                let turned = at.rem_euclid(2 * last);
                turned.min(2 * last - turned)
            }
            _ => at.clamp(0, last),
        };
        Some(place as usize)
    }

    fn mask(&self, inner_w: usize, inner_h: usize) -> Mask {
        let [left, top, right, bottom] = [self.left, self.top, self.right, self.bottom].map(|edge| edge as usize);
        let feather = self.feather as f32;
        // How far a pixel lies within the picture, from an edge that has room beyond it.
        let within = |i: usize, (before, behind): (usize, usize), length: usize| {
            let from_start = if before > 0 { i as f32 + 0.5 - before as f32 } else { f32::INFINITY };
            let from_end = if behind > 0 { (before + length) as f32 - 0.5 - i as f32 } else { f32::INFINITY };
            from_start.min(from_end)
        };
        Mask::draw(left + inner_w + right, top + inner_h + bottom, |x, y| {
            let inside = within(x, (left, right), inner_w).min(within(y, (top, bottom), inner_h));
            if inside < 0.0 { 1.0 } else { (1.0 - inside / feather.max(f32::MIN_POSITIVE)).max(0.0) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(fill: Fill, feather: u32) -> PadImage {
        let image =
            Pictures::new(vec![Picture::new(3, 1, 3, [0.1, 0.2, 0.3].map(|v| [v; 3]).concat()).expect("three pixels")]);
        PadImage { image, left: 2, top: 0, right: 4, bottom: 0, feather, fill }
    }

    fn line(fill: Fill) -> Vec<f32> {
        let node = node(fill, 0);
        let picture = node.image.iter().next().cloned().expect("one");
        node.pad(&picture).expect("small").samples().iter().step_by(3).copied().collect()
    }

    #[test]
    fn the_room_is_filled_as_asked() {
        assert_eq!(line(Fill::Mirror), [0.3, 0.2, 0.1, 0.2, 0.3, 0.2, 0.1, 0.2, 0.3]);
        assert_eq!(line(Fill::Edge), [0.1, 0.1, 0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3]);
        assert_eq!(line(Fill::Grey), [0.5, 0.5, 0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn the_mask_is_white_where_there_is_room_and_fades_into_the_picture() {
        assert_eq!(node(Fill::Edge, 0).mask(3, 1).values, [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(node(Fill::Edge, 1).mask(3, 1).values, [1.0, 1.0, 0.5, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0]);
    }
}
