//! The noise a network was trained with: betas, their cumulative product, and the sigma of every timestep.
//!
//! The reference computes these in single precision; so do we, at the same places, because the tables then agree to
//! the last bits and so do the pictures.

use serde::{Deserialize, Serialize};

use super::spec::BetaCurve;
use super::{Betas, Unsupported};

/// Most timesteps a configuration may name.
const MOST: usize = 1_000_000;

/// What is left of the picture at the end of a schedule that ends in pure noise: not 0, or sigma would be infinite.
/// diffusers takes the smallest f16. Its DDIM needs none and takes 0, which sigma cannot express.
const FLOOR: f32 = 1.0 / 16_777_216.0;
/// ComfyUI's, in comfy/model_sampling.py.
const COMFYUI_FLOOR: f64 = 4.897_345_189_085_343_5e-8;

impl Betas {
    /// Refuses what no network can have been trained with.
    pub(super) fn check(&self) -> Result<(), Unsupported> {
        let least = if self.zero_snr { 2 } else { 1 };
        if !(least..=MOST).contains(&self.count) {
            let range = format!("{least} to {MOST}");
            return Err(Unsupported::number("num_train_timesteps", self.count as f64, range));
        }
        for (field, beta) in [("beta_start", self.start), ("beta_end", self.end)] {
            if !(beta > 0.0 && beta < 1.0) {
                return Err(Unsupported::number(field, beta, "above 0 and below 1"));
            }
        }
        Ok(())
    }

    /// Returns how much of the picture is left in the squared latent, for every timestep.
    #[must_use]
    pub fn alphas_cumprod(&self) -> Vec<f32> {
        let mut alphas: Vec<f32> = self.values().into_iter().map(|beta| 1.0 - beta).collect();
        if self.zero_snr {
            alphas = without_signal_at_the_end(&alphas);
        }
        let mut product = cumulative_product(&alphas);
        if let (true, Some(last)) = (self.zero_snr, product.last_mut()) {
            *last = FLOOR;
        }
        product
    }

    /// Returns the same as ComfyUI computes it: in double precision, and to another floor.
    fn comfyui_alphas_cumprod(&self) -> Vec<f64> {
        let bent = |beta: f64| {
            if self.curve == BetaCurve::Linear { beta } else { beta.sqrt() }
        };
        let (start, end) = (bent(self.start), bent(self.end));
        let step = (end - start) / (self.count.max(2) - 1) as f64;
        let betas = (0..self.count).map(|i| start + step * i as f64);
        let betas = betas.map(|beta| if self.curve == BetaCurve::Linear { beta } else { beta * beta });
        let product = betas.scan(1.0, |product, beta| {
            *product *= 1.0 - beta;
            Some(*product)
        });
        let mut product: Vec<f64> = product.collect();
        if self.zero_snr {
            let (first, last) = (product[0].sqrt(), product[self.count - 1].sqrt());
            let stretched = |alpha: &f64| ((alpha.sqrt() - last) * first / (first - last)).powi(2);
            product = product.iter().map(stretched).collect();
            product[self.count - 1] = COMFYUI_FLOOR;
        }
        product
    }

    fn values(&self) -> Vec<f32> {
        match self.curve {
            BetaCurve::Linear => linspace(self.start, self.end, self.count),
            BetaCurve::ScaledLinear => {
                let roots = linspace(self.start.sqrt(), self.end.sqrt(), self.count);
                roots.into_iter().map(|root| root * root).collect()
            }
        }
    }
}

/// The sigma of every trained timestep, rising, and its logarithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SigmaTable {
    sigmas: Vec<f32>,
    logs: Vec<f32>,
}

impl SigmaTable {
    /// The table of diffusers.
    pub(super) fn new(betas: &Betas) -> Self {
        let alphas = betas.alphas_cumprod().into_iter();
        Self::of(alphas.map(|alpha| ((1.0 - alpha) / alpha).sqrt()).collect())
    }

    /// The table of ComfyUI, whose smallest sigma is another in the fifth digit.
    pub(super) fn comfyui(betas: &Betas) -> Self {
        let alphas = betas.comfyui_alphas_cumprod().into_iter();
        Self::of(alphas.map(|alpha| ((1.0 - alpha) / alpha).sqrt() as f32).collect())
    }

    fn of(sigmas: Vec<f32>) -> Self {
        let logs = sigmas.iter().map(|sigma| f64::from(*sigma).ln() as f32).collect();
        Self { sigmas, logs }
    }

    /// How many sigmas there are.
    pub(super) fn len(&self) -> usize {
        self.sigmas.len()
    }

    /// The smallest sigma.
    pub(super) fn min(&self) -> f64 {
        f64::from(self.sigmas[0])
    }

    /// The largest sigma.
    pub(super) fn max(&self) -> f64 {
        f64::from(self.sigmas[self.sigmas.len() - 1])
    }

    /// The sigma at a timestep, on a line between its neighbours.
    pub(super) fn linear_at(&self, timestep: f64) -> f64 {
        let (low, share) = self.place(timestep);
        let (a, b) = between(&self.sigmas, low);
        (b - a) * share + a
    }

    /// The sigma at a timestep, on a line between its neighbours' logarithms.
    pub(super) fn log_linear_at(&self, timestep: f64) -> f64 {
        let (low, share) = self.place(timestep);
        let (a, b) = between(&self.logs, low);
        ((1.0 - share) * a + share * b).exp()
    }

    /// The fractional timestep of a sigma, clamped to the table.
    pub(super) fn timestep_of(&self, sigma: f64) -> f64 {
        let log = sigma.max(1e-10).ln();
        let above = self.logs.partition_point(|known| f64::from(*known) <= log);
        let low = above.saturating_sub(1).min(self.logs.len().saturating_sub(2));
        let (a, b) = between(&self.logs, low);
        if a == b {
            return low as f64;
        }
        low as f64 + ((log - a) / (b - a)).clamp(0.0, 1.0)
    }

    /// The whole timestep whose sigma is nearest, by ratio.
    pub(super) fn nearest_timestep_of(&self, sigma: f64) -> f64 {
        self.timestep_of(sigma).round()
    }

    fn place(&self, timestep: f64) -> (usize, f64) {
        let last = (self.sigmas.len() - 1) as f64;
        let timestep = timestep.clamp(0.0, last);
        (timestep as usize, timestep.fract())
    }
}

/// The values at an index and behind it, or twice the last.
fn between(values: &[f32], low: usize) -> (f64, f64) {
    let high = (low + 1).min(values.len() - 1);
    (f64::from(values[low]), f64::from(values[high]))
}

/// Evenly spaced values as torch makes them: from both ends to the middle, rounded once each.
fn linspace(start: f64, end: f64, count: usize) -> Vec<f32> {
    let (start, end) = (start as f32, end as f32);
    let step = (end - start) / (count.max(2) - 1) as f32;
    let from_start = |i: usize| step.mul_add(i as f32, start);
    let from_end = |i: usize| step.mul_add(-((count - 1 - i) as f32), end);
    let half = (count / 2).max(usize::from(count == 1));
    (0..half).map(from_start).chain((half..count).map(from_end)).collect()
}

/// Products from the front, kept in double precision and rounded one by one, as torch does on a CPU.
fn cumulative_product(values: &[f32]) -> Vec<f32> {
    let products = values.iter().scan(1.0_f64, |product, value| {
        *product *= f64::from(*value);
        Some(*product as f32)
    });
    products.collect()
}

/// Rescales so that the last timestep holds no picture: Lin et al., arXiv 2305.08891, algorithm 1.
fn without_signal_at_the_end(alphas: &[f32]) -> Vec<f32> {
    let roots: Vec<_> = cumulative_product(alphas).into_iter().map(f32::sqrt).collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let stretch = first / (first - last);
    let bars: Vec<_> = roots.iter().map(|root| ((root - last) * stretch).powi(2)).collect();
    let ratios = bars.windows(2).map(|pair| pair[1] / pair[0]);
    // The reference goes by way of betas, which rounds once more.
    std::iter::once(bars[0]).chain(ratios).map(|alpha| 1.0 - (1.0 - alpha)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdxl() -> Betas {
        Betas { curve: BetaCurve::ScaledLinear, start: 0.00085, end: 0.012, count: 1000, zero_snr: false }
    }

    #[test]
    fn the_table_ends_where_sdxl_is_known_to() {
        let table = SigmaTable::new(&sdxl());
        assert!((table.max() - 14.614_641).abs() < 1e-5 && (table.min() - 0.029_167).abs() < 1e-6);
    }

    #[test]
    fn sigma_and_timestep_are_each_others_inverse() {
        let table = SigmaTable::new(&sdxl());
        for timestep in [0.0, 1.0, 480.25, 998.9, 999.0] {
            assert!((table.timestep_of(table.log_linear_at(timestep)) - timestep).abs() < 1e-3);
            let whole = table.linear_at(timestep.floor());
            assert_eq!(table.nearest_timestep_of(whole), timestep.floor());
        }
        assert_eq!((table.timestep_of(0.0), table.timestep_of(1e9)), (0.0, 999.0));
        assert_eq!((table.linear_at(1e9), table.linear_at(-1.0)), (table.max(), table.min()));
    }

    #[test]
    fn a_table_of_one_timestep_does_not_fall_over() {
        let table = SigmaTable::new(&Betas { count: 1, ..sdxl() });
        assert_eq!((table.timestep_of(5.0), table.linear_at(0.0)), (0.0, table.min()));
    }

    #[test]
    fn impossible_betas_are_refused() {
        let refused = |betas: Betas| betas.check().unwrap_err().to_string();
        assert!(refused(Betas { end: 0.0, ..sdxl() }).contains("`beta_end` is 0, but must be above 0"));
        assert!(refused(Betas { end: -1.0, ..sdxl() }).contains("beta_end"));
        assert!(refused(Betas { start: f64::NAN, ..sdxl() }).contains("beta_start"));
        assert!(refused(Betas { end: 1.5, ..sdxl() }).contains("beta_end"));
        assert!(refused(Betas { count: 0, ..sdxl() }).contains("num_train_timesteps"));
        assert!(refused(Betas { count: 1_000_001, ..sdxl() }).contains("1 to 1000000"));
        assert!(refused(Betas { count: 1, zero_snr: true, ..sdxl() }).contains("num_train_timesteps"));
        assert_eq!(sdxl().check(), Ok(()));
    }
}
