//! Masks: pictures of which only the brightness counts. White is what is meant: what to draw anew, what to blend in.

use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};

use crate::resample::{Filter, resize};

/// A mask in numbers: 1 is white.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    /// Pixels in a line.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// Brightness from 0 to 1, line by line.
    pub values: Vec<f32>,
}

/// How much red, green and blue count for brightness: ITU-R BT.601, as Pillow's `L`.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

impl Mask {
    /// Reads the brightness of a picture; its alpha does not count.
    pub fn of(picture: &Picture) -> Self {
        let bright = |pixel: &[f32]| pixel.iter().zip(LUMA).map(|(sample, weight)| sample * weight).sum::<f32>();
        let values = picture.samples().chunks_exact(picture.channels() as usize).map(bright).collect();
        Self { width: picture.width() as usize, height: picture.height() as usize, values }
    }

    /// Reads the brightness of a picture stretched to a size.
    ///
    /// # Errors
    /// A bug: every size above zero is possible.
    pub fn stretched(picture: &Picture, width: u32, height: u32) -> Result<Self, Fault> {
        if (picture.width(), picture.height()) == (width, height) {
            return Ok(Self::of(picture));
        }
        Ok(Self::of(&resize(picture, width, height, Filter::Pillow)?))
    }

    /// Makes a mask of what a function says of every pixel, by column and line.
    pub fn draw(width: usize, height: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let values = (0..width * height).map(|i| value(i % width, i / width)).collect();
        Self { width, height, values }
    }

    /// Returns the mask as a grey picture.
    pub fn to_picture(&self) -> Picture {
        let samples: Vec<f32> = self.values.iter().flat_map(|value| [value.clamp(0.0, 1.0); 3]).collect();
        Picture::new(self.width as u32, self.height as u32, 3, samples).expect("three samples a pixel")
    }

    /// Returns black and white: white from the middle up.
    #[must_use]
    pub fn binarised(&self) -> Self {
        self.map(|value| if value < 0.5 { 0.0 } else { 1.0 })
    }

    /// Returns black for white.
    #[must_use]
    pub fn inverted(&self) -> Self {
        self.map(|value| 1.0 - value)
    }

    /// Changes every value.
    #[must_use]
    pub fn map(&self, change: impl Fn(f32) -> f32) -> Self {
        Self { values: self.values.iter().map(|value| change(*value)).collect(), ..*self }
    }

    /// Grows what is white by a disk of `pixels`; below zero shrinks it. Beyond the edge nothing is known.
    #[must_use]
    pub fn grown(&self, pixels: i64) -> Self {
        match pixels {
            0 => self.clone(),
            1.. => self.dilated(pixels.unsigned_abs() as usize),
            _ => self.inverted().dilated(pixels.unsigned_abs() as usize).inverted(),
        }
    }

    fn dilated(&self, radius: usize) -> Self {
        let mut values = vec![0.0_f32; self.values.len()];
        for away in 0..=radius.min(self.height.saturating_sub(1)) {
            let reach = ((radius * radius - away * away) as f32).sqrt() as usize;
            for y in 0..self.height {
                let widened = largest_around(self.row(y), reach);
                for target in [y.checked_sub(away), Some(y + away).filter(|_| away > 0)].into_iter().flatten() {
                    if target < self.height {
                        let line = &mut values[target * self.width..][..self.width];
                        line.iter_mut().zip(&widened).for_each(|(value, wide)| *value = value.max(*wide));
                    }
                }
            }
        }
        Self { values, ..*self }
    }

    /// Blurs the edges over about `pixels` to either side; what lies beyond the picture is like its edge.
    #[must_use]
    pub fn feathered(&self, pixels: u32) -> Self {
        if pixels == 0 {
            return self.clone();
        }
        let kernel = gaussian(pixels as usize);
        let across: Vec<f32> = (0..self.height).flat_map(|y| blurred(self.row(y), &kernel)).collect();
        let mut values = vec![0.0; across.len()];
        for x in 0..self.width {
            let column: Vec<f32> = across.iter().skip(x).step_by(self.width).copied().collect();
            for (y, value) in blurred(&column, &kernel).into_iter().enumerate() {
                values[y * self.width + x] = value;
            }
        }
        Self { values, ..*self }
    }

    fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..][..self.width]
    }
}

/// The largest of each value and `reach` neighbours on either side, in one sweep over a queue of candidates.
fn largest_around(values: &[f32], reach: usize) -> Vec<f32> {
    let mut queue: std::collections::VecDeque<usize> = std::collections::VecDeque::new();
    let mut out = Vec::with_capacity(values.len());
    let mut next = 0;
    for i in 0..values.len() {
        while next < values.len() && next <= i + reach {
            while queue.back().is_some_and(|last| values[*last] <= values[next]) {
                queue.pop_back();
            }
            queue.push_back(next);
            next += 1;
        }
        while queue.front().is_some_and(|first| first + reach < i) {
            queue.pop_front();
        }
        out.push(values[queue[0]]);
    }
    out
}

/// A bell of `2 · radius + 1` weights that sum to 1, falling to nothing at its ends.
fn gaussian(radius: usize) -> Vec<f32> {
    let sigma = radius as f64 / 2.0;
    let weight = |i: usize| (-0.5 * ((i as f64 - radius as f64) / sigma).powi(2)).exp();
    let weights: Vec<f64> = (0..=2 * radius).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum) as f32).collect()
}

fn blurred(values: &[f32], kernel: &[f32]) -> Vec<f32> {
    let (radius, last) = (kernel.len() / 2, values.len() - 1);
    let at = |i: usize| values[i.saturating_sub(radius).min(last)];
    let sum = |x: usize| kernel.iter().enumerate().map(|(k, weight)| weight * at(x + k)).sum();
    (0..values.len()).map(sum).collect()
}

/// Hands every picture a mask: its own, or the one that all share.
///
/// # Errors
/// A fault if the two batches do not fit.
pub fn paired<'a>(
    pictures: &'a Pictures,
    masks: &'a Pictures,
) -> Result<impl Iterator<Item = (&'a Picture, &'a Picture)>, Fault> {
    let (count, given) = (pictures.len(), masks.len());
    if given != 1 && given != count {
        return Err(Fault::graph(format!("{given} masks do not fit {count} pictures"))
            .hint("give one mask for all, or one for each picture"));
    }
    Ok(pictures.iter().zip(masks.iter().cycle()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot() -> Mask {
        Mask::draw(9, 7, |x, y| if (x, y) == (4, 3) { 1.0 } else { 0.0 })
    }

    #[test]
    fn a_dot_grows_to_a_disk_and_shrinks_back() {
        let disk = dot().grown(2);
        assert_eq!(disk.values.iter().filter(|value| **value == 1.0).count(), 13);
        assert_eq!(disk.grown(-2), dot());
        assert_eq!(dot().grown(0), dot());
        assert!(dot().grown(100).values.iter().all(|value| *value == 1.0));
    }

    #[test]
    fn feathering_keeps_the_amount_of_white_and_flat_masks() {
        let soft = dot().feathered(2);
        assert!((soft.values.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(soft.values[3 * 9 + 4] < 0.5);
        let white = Mask::draw(5, 4, |_, _| 1.0);
        assert!(white.feathered(3).values.iter().all(|value| (value - 1.0).abs() < 1e-5));
    }

    #[test]
    fn white_is_bright_whatever_its_colour() {
        let picture = Picture::new(2, 1, 4, vec![1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]).expect("two pixels");
        let mask = Mask::of(&picture);
        assert!((mask.values[0] - 1.0).abs() < 1e-6 && (mask.values[1] - 0.587).abs() < 1e-6);
        assert_eq!(mask.inverted().binarised().values, [0.0, 0.0]);
    }
}
