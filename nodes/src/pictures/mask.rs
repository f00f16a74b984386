//! Masks: pictures of which only the brightness counts. White is what is meant: what to draw anew, what to blend in.

use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};

use crate::pictures::resample::{Filter, resize};

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
            // Most lines of most masks are black.
            for y in (0..self.height).filter(|y| self.row(*y).iter().any(|value| *value > 0.0)) {
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

    /// Fades the edges over `pixels` to either side and leaves what is farther off exactly as it was; what lies beyond
    /// the picture is like its edge.
    #[must_use]
    pub fn feathered(&self, pixels: u32) -> Self {
        if pixels == 0 {
            return self.clone();
        }
        let radius = pixels as usize;
        // Three boxes one after another are nearly a bell, at a cost that does not grow with its size.
        let boxes = [radius.div_ceil(3), (radius + 1) / 3, radius / 3];
        let mut grid: Vec<u32> =
            self.values.iter().map(|value| (value.clamp(0.0, 1.0) * WHITE as f32) as u32).collect();
        for edge in [self.width, self.height] {
            grid.chunks_exact_mut(edge).for_each(|line| boxes.iter().for_each(|radius| average(line, *radius)));
            grid = transposed(&grid, edge);
        }
        Self { values: grid.into_iter().map(|value| value as f32 / WHITE as f32).collect(), ..*self }
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

/// White in whole numbers, of which sums are exact: what is all black or all white stays so.
const WHITE: u32 = 1 << 24;

/// Takes for each value the average of it and `radius` neighbours on either side.
fn average(line: &mut [u32], radius: usize) {
    let (last, size) = (line.len() - 1, 2 * radius as u64 + 1);
    let before = line.to_vec();
    let at = |i: usize| u64::from(before[i.saturating_sub(radius).min(last)]);
    let mut sum: u64 = (0..2 * radius).map(at).sum();
    for (i, value) in line.iter_mut().enumerate() {
        sum += at(i + 2 * radius);
        *value = ((sum + size / 2) / size) as u32;
        sum -= at(i);
    }
}

/// Makes columns of the lines.
fn transposed(grid: &[u32], width: usize) -> Vec<u32> {
    let height = grid.len() / width;
    (0..grid.len()).map(|i| grid[i % height * width + i / height]).collect()
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
        assert!(soft.values[3 * 9 + 4] < 0.5 && soft.values[3 * 9 + 6] > 0.0);
        assert_eq!([soft.values[3 * 9 + 1], soft.values[3 * 9 + 7], soft.values[4]], [0.0; 3]);
        let white = Mask::draw(5, 4, |_, _| 1.0);
        assert_eq!(white.feathered(7), white);
        assert_eq!(dot().feathered(0), dot());
    }

    #[test]
    fn white_is_bright_whatever_its_colour() {
        let picture = Picture::new(2, 1, 4, vec![1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]).expect("two pixels");
        let mask = Mask::of(&picture);
        assert!((mask.values[0] - 1.0).abs() < 1e-6 && (mask.values[1] - 0.587).abs() < 1e-6);
        assert_eq!(mask.inverted().binarised().values, [0.0, 0.0]);
    }
}
