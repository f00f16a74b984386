//! A feature map in another size, by the rules of torch's `interpolate` without aligned corners and without antialias.

use candle_core::Tensor;

use super::FeatureMap;
use crate::Result;

/// How values between places are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Repeats the nearest: index `floor(i · from / to)`.
    Nearest,
    /// Evenly between the two neighbours on each axis.
    Bilinear,
    /// Cubic convolution over four neighbours on each axis, a = -0.75: Keys, 1981.
    Bicubic,
}

impl FeatureMap {
    /// Returns the map in another size above zero.
    pub fn interpolate(&self, height: usize, width: usize, how: Interpolation) -> Result<FeatureMap> {
        let weigh: fn(f32) -> Vec<(isize, f32)> = match how {
            Interpolation::Nearest => return self.resize_nearest(height, width),
            Interpolation::Bilinear => |ahead| vec![(0, 1.0 - ahead), (1, ahead)],
            Interpolation::Bicubic => |ahead| (-1..=2).map(|at| (at, cubic((ahead - at as f32).abs()))).collect(),
        };
        let dims = self.dims();
        let across = taps(dims.width, width, how, weigh);
        let down = taps(dims.height, height, how, weigh);
        let x = self.to_tensor()?.flatten_all()?.to_vec1::<f32>()?;
        let mut out = Vec::with_capacity(dims.batch * dims.channels * height * width);
        for plane in x.chunks_exact(dims.height * dims.width) {
            let along = |line: &[f32]| across.iter().map(|tap| weighed(tap, |x| line[x])).collect::<Vec<_>>();
            let lines: Vec<f32> = plane.chunks_exact(dims.width).flat_map(along).collect();
            for tap in &down {
                out.extend((0..width).map(|x| weighed(tap, |y| lines[y * width + x])));
            }
        }
        let shape = (dims.batch, dims.channels, height, width);
        FeatureMap::from_tensor(&Tensor::from_vec(out, shape, &candle_core::Device::Cpu)?)
    }
}

/// The sources of one place, with their weights.
type Tap = Vec<(usize, f32)>;

fn weighed(tap: &Tap, value: impl Fn(usize) -> f32) -> f32 {
    tap.iter().map(|(i, weight)| weight * value(*i)).sum()
}

fn taps(from: usize, to: usize, how: Interpolation, weigh: fn(f32) -> Vec<(isize, f32)>) -> Vec<Tap> {
    let scale = from as f32 / to as f32;
    let last = from.saturating_sub(1) as isize;
    let tap = |i: usize| {
        let place = (i as f32 + 0.5) * scale - 0.5;
        // The reference holds places before the first for bilinear alone.
        let place = if how == Interpolation::Bilinear { place.max(0.0) } else { place };
        let floor = place.floor();
        let sources = weigh(place - floor);
        sources.into_iter().map(|(at, weight)| ((floor as isize + at).clamp(0, last) as usize, weight)).collect()
    };
    (0..to).map(tap).collect()
}

/// The cubic kernel at a distance up to 2.
fn cubic(x: f32) -> f32 {
    const A: f32 = -0.75;
    if x <= 1.0 { ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0 } else { ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// One line and its sizes as `torch.nn.functional.interpolate` (2.15) gives them.
    fn resized(how: Interpolation, to: usize) -> Vec<f32> {
        let x = Tensor::new(&[[[[0.0_f32, 1.0, 4.0, -2.0, 3.0]]]], &Device::Cpu).unwrap();
        let x = FeatureMap::from_tensor(&x).unwrap().interpolate(1, to, how).unwrap();
        x.to_tensor().unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn assert_near(got: &[f32], wanted: &[f32]) {
        let near = got.len() == wanted.len() && got.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near, "{got:?} {wanted:?}");
    }

    #[test]
    fn a_line_is_what_torch_makes_of_it() {
        assert_near(&resized(Interpolation::Nearest, 8), &[0.0, 0.0, 1.0, 1.0, 4.0, -2.0, -2.0, 3.0]);
        assert_near(&resized(Interpolation::Bilinear, 8), &[0.0, 0.4375, 1.1875, 3.0625, 2.125, -1.625, 0.8125, 3.0]);
        assert_near(&resized(Interpolation::Bilinear, 3), &[0.333_333, 4.0, 1.333_333]);
        let bicubic = [-0.092_834, 0.187_561, 1.206_726, 3.837_952, 2.326_416, -1.899_658, 0.366_455, 3.464_172];
        assert_near(&resized(Interpolation::Bicubic, 8), &bicubic);
        assert_near(&resized(Interpolation::Bicubic, 3), &[0.148_149, 4.0, 1.092_59]);
    }

    #[test]
    fn both_axes_are_what_torch_makes_of_them() {
        let squares: Vec<f32> = (0..12_u8).map(|i| f32::from(i).powi(2)).collect();
        let x = Tensor::from_vec(squares, (1, 1, 3, 4), &Device::Cpu).unwrap();
        let x = FeatureMap::from_tensor(&x).unwrap().interpolate(4, 6, Interpolation::Bicubic).unwrap();
        let got: Vec<f32> = x.to_tensor().unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_near(&got[..6], &[-1.185_398, -1.162_964, -0.414_389, 0.978_19, 4.143_433, 6.513_089]);
        let last = [65.919_78, 74.397_34, 88.979_79, 100.216_83, 117.215_94, 128.040_73];
        assert!(got[18..].iter().zip(last).all(|(a, b)| (a - b).abs() < 1e-4), "{got:?}");
    }
}
