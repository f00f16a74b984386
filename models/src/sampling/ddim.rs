//! DDIM: Song, Meng and Ermon, arXiv 2010.02502.
//!
//! In its own scale the method has its own formulas; in ours (x / sqrt(alpha)) the deterministic step is Euler's and
//! the noise of equation 16 is the ancestral one: eta² · next² · (now² − next²) / now².

use super::euler_ancestral::with_usual_share;
use super::{Given, Result, State};

/// Walks in DDIM steps; without an eta no noise is drawn, at 1 it is DDPM on the same points.
pub fn ddim(given: Given<'_>, state: State) -> Result<State> {
    with_usual_share(0.0, given, state)
}
