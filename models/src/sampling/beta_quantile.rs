//! The inverse of the beta distribution's cumulative function with both shapes 0.6: dense at both ends.
//!
//! Schedules spread by it follow Lee et al., arXiv 2407.12173.

/// Both shape parameters.
const SHAPE: f64 = 0.6;
/// The beta function at (0.6, 0.6): gamma(0.6)² / gamma(1.2).
const BETA: f64 = 2.415_344_208_002_472_3;

/// Returns the value below which a share (0 to 1) of the distribution lies.
pub(super) fn quantile(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return share.clamp(0.0, 1.0);
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    while high - low > 1e-15 * high {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if cumulative(middle) < share { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The share below `x`, by the continued fraction of the incomplete beta function (DLMF 8.17.22), which converges
/// fast below the mean; above it the distribution's symmetry helps.
fn cumulative(x: f64) -> f64 {
    if x > 0.5 {
        return 1.0 - cumulative(1.0 - x);
    }
    (x * (1.0 - x)).powf(SHAPE) / (SHAPE * BETA) / fraction(x)
}

/// 1 + d1·x/(1 + d2·x/(1 + …)), from a depth at which nothing changes any more.
fn fraction(x: f64) -> f64 {
    (1..=60).rev().fold(1.0, |below, depth| {
        let m = f64::from(depth / 2);
        let base = SHAPE + f64::from(depth);
        let factor = if depth % 2 == 0 {
            m * (SHAPE - m) / ((base - 1.0) * base)
        } else {
            -(SHAPE + m) * (2.0 * SHAPE + m) / ((base - 1.0) * base)
        };
        1.0 + factor * x / below
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles_are_met() {
        // scipy.stats.beta.ppf(share, 0.6, 0.6)
        let known = [(0.05, 0.012_554_456_874), (0.25, 0.175_680_378_653), (0.5, 0.5), (0.9, 0.960_415_594_411)];
        for (share, wanted) in known {
            assert!((quantile(share) - wanted).abs() < 1e-9, "{share}: {} is not {wanted}", quantile(share));
        }
        assert_eq!((quantile(0.0), quantile(1.0)), (0.0, 1.0));
    }
}
