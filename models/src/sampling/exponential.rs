//! Exponential integrators: steps in half the logarithm of the signal-to-noise ratio, lambda.
//!
//! With h the step in lambda, exp(−h) of the latent is kept and the rest comes from clean latents; the functions here
//! are the integrals that weigh them (Hochbruck and Ostermann, Acta Numerica 2010, section 2).

/// (exp(−h) − 1) / h + 1: the weight of a slope of the clean latents.
pub(super) fn phi_2(h: f64) -> f64 {
    if h.is_infinite() { 1.0 } else { (-h).exp_m1() / h + 1.0 }
}

/// phi_2 / h − 1/2: the weight of their curvature.
pub(super) fn phi_3(h: f64) -> f64 {
    phi_2(h) / h - 0.5
}
