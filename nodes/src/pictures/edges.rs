//! Edges in pictures, as the preprocessors find them whose drawings ControlNets were trained on.
//!
//! [`canny`] gives OpenCV's answer to the pixel: whole numbers, its way round ties and borders (OpenCV
//! `modules/imgproc/src/canny.cpp`, aperture 3, `L2gradient` false). [`scribble`] is the difference of two blurs (XDoG, as
//! in `controlnet_aux`). Both look at colours, not at brightness: two colours that are equally bright have an edge too.
//!
//! Canny of the crate `imageproc` (0.27) is another function: it always blurs by 1.4 pixels, measures slopes otherwise and
//! goes on from an edge to six of eight neighbours. At one and the same thresholds it finds a quarter of these lines.

use darkroom_core::image::Picture;

use crate::pictures::mask::Mask;

/// How steep an edge must be: the slopes across and down added up, in levels of 255, each over a window of weight four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Above it a pixel belongs to an edge that it touches.
    pub low: u32,
    /// Above it a pixel is an edge by itself.
    pub high: u32,
}

/// Draws thin white lines where a picture changes quickly. Its alpha does not count.
pub fn canny(picture: &Picture, thresholds: Thresholds) -> Mask {
    let slopes = Slopes::of(picture);
    let (width, height) = (slopes.width, slopes.height);
    let mut states = vec![State::Plain; width * height];
    let mut strong = Vec::new();
    for (i, state) in states.iter_mut().enumerate() {
        let steepness = slopes.each[i].steepness();
        if steepness > thresholds.low as i32 && slopes.is_crest(i % width, i / width) {
            *state = State::Weak;
            if steepness > thresholds.high as i32 {
                strong.push(i);
            }
        }
    }
    while let Some(i) = strong.pop() {
        states[i] = State::Edge;
        let (x, y) = (i % width, i / width);
        for y in y.saturating_sub(1)..(y + 2).min(height) {
            let line = y * width + x.saturating_sub(1)..y * width + (x + 2).min(width);
            strong.extend(line.filter(|near| states[*near] == State::Weak));
        }
    }
    Mask::draw(width, height, |x, y| f32::from(u8::from(states[y * width + x] == State::Edge)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Weak,
    Edge,
}

/// How quickly levels rise to the right and downwards at a pixel, in the channel where they do so most.
#[derive(Clone, Copy, Default)]
struct Slope {
    across: i32,
    down: i32,
}

impl Slope {
    fn steepness(self) -> i32 {
        self.across.abs() + self.down.abs()
    }
}

struct Slopes {
    width: usize,
    height: usize,
    each: Vec<Slope>,
}

impl Slopes {
    /// Sobel's window of three; beyond the picture its edge goes on.
    fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let (channels, bytes) = (picture.channels() as usize, picture.to_bytes());
        let mut each = Vec::with_capacity(width * height);
        for y in 0..height {
            let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)];
            for x in 0..width {
                let columns = [x.saturating_sub(1), x, (x + 1).min(width - 1)];
                let mut steepest = Slope::default();
                for channel in 0..3 {
                    let at = |row: usize, column: usize| {
                        i32::from(bytes[(rows[row] * width + columns[column]) * channels + channel])
                    };
                    let across = at(0, 2) - at(0, 0) + 2 * (at(1, 2) - at(1, 0)) + at(2, 2) - at(2, 0);
                    let down = at(2, 0) - at(0, 0) + 2 * (at(2, 1) - at(0, 1)) + at(2, 2) - at(0, 2);
                    let slope = Slope { across, down };
                    if slope.steepness() > steepest.steepness() {
                        steepest = slope;
                    }
                }
                each.push(steepest);
            }
        }
        Self { width, height, each }
    }

    /// Tells whether a pixel is steeper than its two neighbours uphill and downhill.
    fn is_crest(&self, x: usize, y: usize) -> bool {
        /// The tangent of 22.5° in parts of 2^15.
        const TANGENT: i64 = 13573;
        let Slope { across, down } = self.each[y * self.width + x];
        let own = across.abs() + down.abs();
        let (run, rise) = (i64::from(across.abs()), i64::from(down.abs()) << 15);
        if rise < run * TANGENT {
            own > self.steepness(x, y, -1, 0) && own >= self.steepness(x, y, 1, 0)
        } else if rise > run * TANGENT + (run << 16) {
            own > self.steepness(x, y, 0, -1) && own >= self.steepness(x, y, 0, 1)
        } else {
            let lean = if (across < 0) == (down < 0) { 1 } else { -1 };
            own > self.steepness(x, y, -lean, -1) && own > self.steepness(x, y, lean, 1)
        }
    }

    /// The steepness of a neighbour; beyond the picture all is flat.
    fn steepness(&self, x: usize, y: usize, right: isize, below: isize) -> i32 {
        let place = x.checked_add_signed(right).zip(y.checked_add_signed(below));
        let place = place.filter(|(x, y)| *x < self.width && *y < self.height);
        place.map_or(0, |(x, y)| self.each[y * self.width + x].steepness())
    }
}

/// Deviation of the blur that takes away only grain, in pixels.
const FINE_PX: f64 = 0.5;

/// Draws thick white lines where a picture is darker than its surroundings in all colours: by more than `levels` of 255
/// than the blur of deviation `width_px`. Its alpha does not count.
pub fn scribble(picture: &Picture, levels: f32, width_px: f64) -> Mask {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (bytes, mut least) = (picture.to_bytes(), vec![f32::INFINITY; width * height]);
    for channel in 0..3 {
        let plane: Vec<f32> =
            bytes.iter().skip(channel).step_by(picture.channels() as usize).map(|byte| f32::from(*byte)).collect();
        let (fine, wide) = (blurred(&plane, width, FINE_PX), blurred(&plane, width, width_px));
        for (least, (fine, wide)) in least.iter_mut().zip(fine.iter().zip(&wide)) {
            *least = least.min(wide - fine);
        }
    }
    Mask::draw(width, height, |x, y| f32::from(u8::from(least[y * width + x] > levels)))
}

/// Blurs by a bell of deviation `sigma`, cut at four of them; beyond the picture it is as in a mirror, as OpenCV has it.
fn blurred(plane: &[f32], width: usize, sigma: f64) -> Vec<f32> {
    let reach = (4.0 * sigma).round() as isize;
    let bell: Vec<f64> = (-reach..=reach).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = bell.iter().sum();
    let bell: Vec<f32> = bell.iter().map(|weight| (weight / sum) as f32).collect();
    let across = smoothed(plane, width, &bell);
    let height = plane.len() / width;
    transposed(&smoothed(&transposed(&across, width), height, &bell), height)
}

/// Weighs each value with its neighbours in the line.
fn smoothed(plane: &[f32], width: usize, bell: &[f32]) -> Vec<f32> {
    let (reach, turn) = ((bell.len() / 2) as isize, 2 * (width as isize - 1).max(1));
    let mirrored = |i: isize| {
        let i = i.rem_euclid(turn);
        i.min(turn - i).min(width as isize - 1) as usize
    };
    let mut out = Vec::with_capacity(plane.len());
    for line in plane.chunks_exact(width) {
        let padded: Vec<f32> = (-reach..width as isize + reach).map(|i| line[mirrored(i)]).collect();
        out.extend(
            padded.windows(bell.len()).map(|near| near.iter().zip(bell).map(|(x, weight)| x * weight).sum::<f32>()),
        );
    }
    out
}

/// Makes columns of the lines.
fn transposed(plane: &[f32], width: usize) -> Vec<f32> {
    let height = plane.len() / width;
    (0..plane.len()).map(|i| plane[i % height * width + i / height]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Thresholds = Thresholds { low: 100, high: 200 };

    fn grey(width: u32, height: u32, level: impl Fn(u32, u32) -> f32) -> Picture {
        let pixels = (0..width * height).flat_map(|i| [level(i % width, i / width); 3]);
        Picture::new(width, height, 3, pixels.collect::<Vec<_>>()).expect("three samples a pixel")
    }

    fn white(mask: &Mask) -> usize {
        mask.values.iter().filter(|value| **value == 1.0).count()
    }

    #[test]
    fn a_step_is_one_line_of_one_pixel() {
        let step = grey(9, 7, |x, _| if x < 4 { 0.2 } else { 0.8 });
        let edges = canny(&step, USUAL);
        assert_eq!(white(&edges), 7);
        assert!((0..7).all(|y| edges.values[y * 9 + 3] == 1.0), "at the first of the two equally steep columns");
        // Four columns weigh 153 levels each.
        assert_eq!(white(&canny(&step, Thresholds { low: 100, high: 612 })), 0);
        assert_eq!(white(&canny(&step, Thresholds { low: 100, high: 611 })), 7);
    }

    #[test]
    fn a_faint_edge_shows_only_where_it_touches_a_clear_one() {
        let fading = |height| grey(9, height, |x, y| if x < 4 { 0.0 } else { (26 + 4 * y) as f32 / 255.0 });
        let thresholds = Thresholds { low: 60, high: 180 };
        assert_eq!(white(&canny(&fading(4), thresholds)), 0);
        assert_eq!(white(&canny(&fading(8), thresholds)), 8);
    }

    #[test]
    fn equally_bright_colours_have_an_edge() {
        let pixel = |i: usize| if i % 8 < 4 { [0.8, 0.1, 0.3, 1.0] } else { [0.1, 0.456, 0.3, 0.0] };
        let picture = Picture::new(8, 4, 4, (0..32).flat_map(pixel).collect::<Vec<_>>()).expect("four samples");
        assert_eq!(white(&canny(&picture, USUAL)), 4);
    }

    #[test]
    fn flat_and_tiny_pictures_are_black() {
        for (width, height) in [(1, 1), (1, 5), (6, 1), (5, 3)] {
            let flat = grey(width, height, |_, _| 0.7);
            for mask in [canny(&flat, Thresholds { low: 0, high: 0 }), scribble(&flat, 0.5, 5.0)] {
                assert_eq!((mask.width, mask.height), (width as usize, height as usize));
                assert_eq!(white(&mask), 0);
            }
        }
    }

    #[test]
    fn a_scribble_follows_what_is_dark_and_is_thick() {
        let line = grey(41, 21, |x, _| if (18..=22).contains(&x) { 0.1 } else { 0.9 });
        let drawn = scribble(&line, 16.0, 5.0);
        assert!((0..21).all(|y| (18..=22).all(|x| drawn.values[y * 41 + x] == 1.0)), "all of the line");
        assert_eq!(white(&drawn), 5 * 21, "and nothing beside it");
        let bright = grey(41, 21, |x, _| if (18..=22).contains(&x) { 0.9 } else { 0.1 });
        assert!((0..21).all(|y| scribble(&bright, 16.0, 5.0).values[y * 41 + 20] == 0.0));
    }
}
