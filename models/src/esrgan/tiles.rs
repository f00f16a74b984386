//! Large pictures in overlapping tiles that fade into each other.
//!
//! A tile knows nothing beyond its edge, so what it makes there is the worst. Of an overlap the outer quarters are
//! therefore thrown away, and the fade runs over the half between them.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::{Error, Result, nn::FeatureMap};

/// Tiles begin at multiples of this: of every square that a network may take for one place.
const GRID: usize = 4;

/// How a picture is cut into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Edge of a tile in pixels.
    pub edge: usize,
    /// Pixels that neighbours have in common.
    pub overlap: usize,
}

/// Runs `piece` on every tile (with the number of the tile and of all tiles) and joins what is `scale` times as large.
pub fn run(
    x: &FeatureMap,
    tiling: Tiling,
    scale: usize,
    mut piece: impl FnMut(&FeatureMap, usize, usize) -> Result<FeatureMap>,
) -> Result<FeatureMap> {
    let dims = x.dims();
    let (rows, columns) = (tiling.spans(dims.height, scale)?, tiling.spans(dims.width, scale)?);
    let of = rows.len() * columns.len();
    if of == 1 {
        return piece(x, 0, 1);
    }
    let (height, width) = (scale * dims.height, scale * dims.width);
    let mut out = vec![0.0; dims.batch * 3 * height * width];
    for (i, row) in rows.iter().enumerate() {
        for (j, column) in columns.iter().enumerate() {
            let cut = x.crop((row.start, column.start), (row.length, column.length))?;
            let tile = piece(&cut, i * columns.len() + j, of)?.to_tensor()?.flatten_all()?.to_vec1::<f32>()?;
            let planes = tile.par_chunks(row.shares.len() * column.shares.len());
            out.par_chunks_mut(height * width).zip(planes).for_each(|(out, tile)| {
                let lines = tile.chunks(column.shares.len()).zip(&row.shares).enumerate();
                for (y, (line, down)) in lines {
                    let at = (scale * row.start + y) * width + scale * column.start;
                    let values = out[at..].iter_mut().zip(line).zip(&column.shares);
                    values.for_each(|((out, value), across)| *out += value * down * across);
                }
            });
        }
    }
    FeatureMap::from_tensor(&Tensor::from_vec(out, (dims.batch, 3, height, width), &candle_core::Device::Cpu)?)
}

/// A tile along one edge of the picture.
struct Span {
    start: usize,
    length: usize,
    /// How much of the result comes from this tile, at each pixel that it makes.
    shares: Vec<f32>,
}

impl Tiling {
    /// Cuts an edge into tiles whose shares add up to one everywhere.
    fn spans(self, length: usize, scale: usize) -> Result<Vec<Span>> {
        let mut spans = Vec::new();
        for (start, end) in self.cuts(length)? {
            let share = |i: usize| self.share((i as f32 + 0.5) / scale as f32, (start, end), length);
            let shares = (start * scale..end * scale).map(share).collect();
            spans.push(Span { start, length: end - start, shares });
        }
        let mut sums = vec![0.0; length * scale];
        for span in &spans {
            let sums = &mut sums[span.start * scale..];
            sums.iter_mut().zip(&span.shares).for_each(|(sum, share)| *sum += share);
        }
        for span in &mut spans {
            let sums = &sums[span.start * scale..];
            span.shares.iter_mut().zip(sums).for_each(|(share, sum)| *share /= sum);
        }
        Ok(spans)
    }

    /// Returns where tiles begin and end; the last ends with the picture.
    fn cuts(self, length: usize) -> Result<Vec<(usize, usize)>> {
        let Self { edge, overlap } = self;
        let step = edge.saturating_sub(overlap) / GRID * GRID;
        if step == 0 {
            let least = overlap + GRID;
            let what = format!("tiles of {edge} pixels cannot overlap by {overlap}: they must be {least} or wider");
            return Err(Error::Shape(what));
        }
        let last = length.saturating_sub(edge) / GRID * GRID;
        let starts = (0..last).step_by(step);
        Ok(starts.map(|start| (start, start + edge)).chain([(last, length)]).collect())
    }

    /// Returns the share of a tile at a place before all shares are brought to one: it rises from a quarter to three
    /// quarters of the overlap, and does not fall at the edges of the picture.
    fn share(self, at: f32, (start, end): (usize, usize), length: usize) -> f32 {
        let overlap = self.overlap as f32;
        let rise = |inside: f32| match self.overlap {
            0 => 1.0,
            _ => ((inside - overlap / 4.0) / (overlap / 2.0)).clamp(0.0, 1.0),
        };
        let left = if start == 0 { 1.0 } else { rise(at - start as f32) };
        let right = if end == length { 1.0 } else { rise(end as f32 - at) };
        left.min(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_one_and_every_pixel_is_covered() {
        for (length, edge, overlap) in
            [(100, 32, 8), (101, 32, 0), (37, 36, 32), (64, 64, 16), (5, 64, 16), (400, 96, 41)]
        {
            for edge in [edge, edge + 4] {
                let tiling = Tiling { edge, overlap };
                let Ok(spans) = tiling.spans(length, 2) else { panic!("{tiling:?}") };
                let mut sums = vec![0.0_f32; 2 * length];
                for span in &spans {
                    assert!(span.start % GRID == 0 && span.shares.len() == 2 * span.length);
                    sums[2 * span.start..].iter_mut().zip(&span.shares).for_each(|(sum, share)| *sum += share);
                }
                assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{length} {tiling:?}");
                let longest = spans.iter().map(|span| span.length).max();
                assert!(longest <= Some(edge + GRID - 1), "{length} {tiling:?}");
            }
        }
    }

    #[test]
    fn tiles_that_are_all_overlap_are_refused() {
        let fault = Tiling { edge: 32, overlap: 30 }.cuts(100).unwrap_err().to_string();
        assert!(fault.contains("34 or wider"), "{fault}");
    }
}
