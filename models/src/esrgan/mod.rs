//! Upscalers of the ESRGAN line: pictures of pixels in, the same pictures larger out.
//!
//! The layout is RRDBNet (Wang et al., *ESRGAN*, arXiv 1809.00219; *Real-ESRGAN*, arXiv 2107.10833). No configuration
//! travels with the weights: [`Layout`] reads depth, widths and factor off the names and shapes of the tensors.
//! Pictures are RGB from 0 to 1; the network clamps nothing.

mod layout;
mod network;
mod tiles;

pub use layout::Layout;
pub use tiles::Tiling;

use candle_core::{DType, Device, Tensor};

use crate::{Error, Progress, Result, Weights, nn::FeatureMap};
use network::Network;

/// A network that makes pictures larger by a whole factor.
#[derive(Debug)]
pub struct Upscaler {
    layout: Layout,
    network: Network,
}

impl Upscaler {
    /// Loads an upscaler; fails with everything that is wrong with its weights at once.
    ///
    /// # Errors
    /// An error of the file: it holds another network, or tensors that this one has no place for.
    pub fn load(w: &Weights) -> Result<Self> {
        let layout = Layout::read(w)?;
        let w = layout.scope(w);
        let network = Network::load(&layout, &w)?;
        let report = w.finish()?;
        match report.unexpected.first() {
            None => Ok(Self { layout, network }),
            // Variants of the network add layers under names of their own; without them the picture would be wrong.
            Some(name) => {
                let count = report.unexpected.len();
                Err(Error::format(w.path(), format!("{count} tensors have no place in this upscaler, as `{name}`"))
                    .with_hint("ESRGAN and Real-ESRGAN are built, their variants are not"))
            }
        }
    }

    /// Returns what the file says of itself.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Makes pictures (batch, 3, height, width) larger in one piece; ticks once per block.
    ///
    /// # Errors
    /// An error of the picture: empty, or not of three channels; [`Error::Stopped`].
    pub fn upscale(&self, x: &FeatureMap, progress: &mut dyn Progress) -> Result<FeatureMap> {
        check(x)?;
        let dims = x.dims();
        let even = x.pad_reflected(self.layout.shuffle)?;
        let large = self.network.forward(&even, progress)?;
        large.crop((0, 0), (dims.height * self.layout.scale, dims.width * self.layout.scale))
    }

    /// Makes pictures larger tile by tile, in bounded memory; ticks once per block of each tile.
    ///
    /// Near the seams not quite the same as in one piece: a tile knows nothing of the picture beyond its edge. The wider
    /// the overlap, the smaller the difference; from four times [`Layout::reach`] on there is none but rounding.
    ///
    /// # Errors
    /// As in one piece, and a [`Tiling`] whose tiles are not wider than their overlap.
    pub fn upscale_tiled(&self, x: &FeatureMap, tiling: Tiling, progress: &mut dyn Progress) -> Result<FeatureMap> {
        check(x)?;
        let dims = x.dims();
        let even = x.pad_reflected(self.layout.shuffle)?;
        let scale = self.layout.scale;
        let steps = self.network.steps();
        let large = tiles::run(&even, tiling, scale, |tile, done, of| {
            let mut within = |step: usize, _: usize| progress.tick(done * steps + step, of * steps);
            self.network.forward(tile, &mut within)
        })?;
        large.crop((0, 0), (dims.height * scale, dims.width * scale))
    }

    /// Returns the bytes that making a picture or tile of this size larger takes at most: a network without weights is
    /// walked, and what it would take is counted.
    ///
    /// # Errors
    /// An error if no upscaler can be built of `w`.
    pub fn room(w: &Weights, (mut height, mut width): (usize, usize)) -> Result<u64> {
        /// The most pixels that a walk goes over; what is larger grows with its pixels.
        const PIXELS: usize = 256 * 256;
        let mut factor = 1_u64;
        while height * width > PIXELS {
            (height, width) = (height.div_ceil(2), width.div_ceil(2));
            factor *= 4;
        }
        let w = w.hollow().with_compute(w.compute().hollow());
        let upscaler = Self::load(&w)?;
        let x = FeatureMap::from_tensor(&Tensor::zeros((1, 3, height, width), DType::F32, &Device::Cpu)?)?;
        Ok(w.compute().count(|| upscaler.upscale(&x, &mut ()).map(drop))?.saturating_mul(factor))
    }
}

fn check(x: &FeatureMap) -> Result<()> {
    let dims = x.dims();
    if dims.channels != 3 || dims.batch * dims.height * dims.width == 0 {
        return Err(Error::Shape(format!("an upscaler reads pictures of three channels, this is {dims:?}")));
    }
    Ok(())
}
