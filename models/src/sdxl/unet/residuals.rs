//! What steers a UNet: maps that are added to what it kept on its way down, and to what stands in its middle.

use super::encoder::Encoded;
use crate::{Error, Result, nn::FeatureMap};

/// Maps to add to a UNet's skips and to its middle.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// One for each skip, from the finest to the coarsest.
    pub skips: Vec<FeatureMap>,
    /// For the middle.
    pub bottom: FeatureMap,
}

impl Residuals {
    /// Adds those of another network.
    ///
    /// # Errors
    /// [`Error::Shape`], where they differ in number or size.
    pub fn add(&self, other: &Residuals) -> Result<Residuals> {
        let mut sum = Encoded { skips: self.skips.clone(), bottom: self.bottom.clone() };
        other.steer(&mut sum)?;
        Ok(Residuals { skips: sum.skips, bottom: sum.bottom })
    }

    /// Adds them to what a way down left.
    ///
    /// # Errors
    /// [`Error::Shape`], where they differ in number or size.
    pub(super) fn steer(&self, encoded: &mut Encoded) -> Result<()> {
        if self.skips.len() != encoded.skips.len() {
            let (ours, theirs) = (self.skips.len(), encoded.skips.len());
            return Err(Error::Shape(format!(
                "the control has {ours} residuals, the network takes {theirs}: they are of two kinds"
            )));
        }
        let places = self.skips.iter().zip(&mut encoded.skips);
        for (residual, map) in places.chain([(&self.bottom, &mut encoded.bottom)]) {
            if residual.dims() != map.dims() {
                let (ours, theirs) = (residual.dims(), map.dims());
                return Err(Error::Shape(format!("a residual of the control is {ours:?}, its place is {theirs:?}")));
            }
            *map = map.add(residual)?;
        }
        Ok(())
    }
}
