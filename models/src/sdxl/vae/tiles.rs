//! Large pictures in tiles: each is run alone, neighbours overlap and are blended linearly.
//!
//! The arithmetic is that of diffusers' `tiled_decode` and `_tiled_encode`, so that a picture is the same there.

use candle_core::{Device, Tensor};

use crate::{Error, Progress, Result, nn::FeatureMap};

/// How a picture is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tiling {
    /// Edge of a tile in latent pixels.
    pub latent_edge: usize,
    /// The share of a tile that it has in common with its neighbour, 0 to below 1.
    pub overlap: f64,
}

impl Tiling {
    /// Tiles of `latent_edge` latent pixels that overlap by a quarter.
    pub fn of(latent_edge: usize) -> Self {
        Self { latent_edge, overlap: 0.25 }
    }

    /// The walk over latents that makes pixels, `reduction` to a latent pixel along an edge.
    pub(super) fn decoding(self, reduction: usize) -> Result<Walk> {
        self.walk(self.latent_edge, self.latent_edge * reduction)
    }

    /// The walk over pixels that makes latents.
    pub(super) fn encoding(self, reduction: usize) -> Result<Walk> {
        self.walk(self.latent_edge * reduction, self.latent_edge)
    }

    fn walk(self, from: usize, to: usize) -> Result<Walk> {
        let step = (from as f64 * (1.0 - self.overlap)) as usize;
        let blend = (to as f64 * self.overlap) as usize;
        if step == 0 || step > from {
            return Err(Error::Shape(format!(
                "tiles of {} latent pixels cannot overlap by {}, take 0 to below 1, 0.25 is usual",
                self.latent_edge, self.overlap
            )));
        }
        Ok(Walk { edge: from, step, blend, keep: to - blend })
    }
}

/// The numbers of a walk over tiles.
pub(super) struct Walk {
    /// Edge of a tile in what is read.
    edge: usize,
    /// From one tile to the next, there.
    step: usize,
    /// Width of the blend in what is written.
    blend: usize,
    /// How much of each tile is kept, there.
    keep: usize,
}

impl Walk {
    /// Runs `piece` on every tile and joins the results.
    pub fn run(
        &self,
        x: &FeatureMap,
        piece: impl Fn(&FeatureMap) -> Result<FeatureMap>,
        progress: &mut dyn Progress,
    ) -> Result<FeatureMap> {
        let dims = x.dims();
        let tops: Vec<usize> = (0..dims.height).step_by(self.step).collect();
        let lefts: Vec<usize> = (0..dims.width).step_by(self.step).collect();
        let of = tops.len() * lefts.len();
        let mut above: Vec<Tile> = Vec::new();
        let mut rows = Vec::new();
        for (i, top) in tops.iter().enumerate() {
            let mut row: Vec<Tile> = Vec::new();
            for (j, left) in lefts.iter().enumerate() {
                let cut = x.crop((*top, *left), (self.edge, self.edge))?;
                let mut tile = Tile::new(&piece(&cut)?)?;
                // Neighbours are blended ones themselves: above first, then on the left, as in the reference.
                if let Some(above) = above.get(j) {
                    tile.blend_below(above, self.blend);
                }
                if let Some(left) = row.last() {
                    tile.blend_right_of(left, self.blend);
                }
                row.push(tile);
                progress.tick(i * lefts.len() + j + 1, of)?;
            }
            let kept = row.iter().map(|tile| tile.kept(self.keep));
            rows.push(Tensor::cat(&kept.collect::<Result<Vec<_>>>()?, 3)?);
            above = row;
        }
        FeatureMap::from_tensor(&Tensor::cat(&rows, 2)?)
    }
}

/// The result of a tile.
struct Tile {
    /// Planes of a picture times pictures.
    planes: usize,
    shape: (usize, usize, usize, usize),
    values: Vec<f32>,
}

impl Tile {
    fn new(x: &FeatureMap) -> Result<Self> {
        let x = x.to_tensor()?;
        let shape = x.dims4()?;
        Ok(Self { planes: shape.0 * shape.1, shape, values: x.flatten_all()?.to_vec1()? })
    }

    /// Where line `y` of plane `p` begins.
    fn line(&self, p: usize, y: usize) -> usize {
        (p * self.shape.2 + y) * self.shape.3
    }

    /// Fades from the lowest lines of `above` into the first of this.
    fn blend_below(&mut self, above: &Tile, extent: usize) {
        let extent = extent.min(self.shape.2).min(above.shape.2);
        let width = self.shape.3.min(above.shape.3);
        for p in 0..self.planes {
            for y in 0..extent {
                let (theirs, ours) = shares(y, extent);
                let from = above.line(p, above.shape.2 - extent + y);
                let to = self.line(p, y);
                for x in 0..width {
                    let mixed = above.values[from + x] * theirs + self.values[to + x] * ours;
                    self.values[to + x] = mixed;
                }
            }
        }
    }

    /// Fades from the rightmost columns of `left` into the first of this.
    fn blend_right_of(&mut self, left: &Tile, extent: usize) {
        let extent = extent.min(self.shape.3).min(left.shape.3);
        for p in 0..self.planes {
            for y in 0..self.shape.2.min(left.shape.2) {
                let from = left.line(p, y) + left.shape.3 - extent;
                let to = self.line(p, y);
                for x in 0..extent {
                    let (theirs, ours) = shares(x, extent);
                    let mixed = left.values[from + x] * theirs + self.values[to + x] * ours;
                    self.values[to + x] = mixed;
                }
            }
        }
    }

    /// Returns the first `keep` lines and columns.
    fn kept(&self, keep: usize) -> Result<Tensor> {
        let x = Tensor::from_slice(&self.values, self.shape, &Device::Cpu)?;
        let (height, width) = (keep.min(self.shape.2), keep.min(self.shape.3));
        Ok(x.narrow(2, 0, height)?.narrow(3, 0, width)?)
    }
}

/// How much of a neighbour and how much of the tile itself is taken, `i` places into a blend of `extent`.
fn shares(i: usize, extent: usize) -> (f32, f32) {
    let own = i as f64 / extent as f64;
    ((1.0 - own) as f32, own as f32)
}
