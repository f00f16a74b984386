//! Tiles of up to 6 rows by 16 columns in AVX2: 12 sums, two registers of the panel, one repeated word.

use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps};

use super::Tile;

const LANES: usize = 8;
const WIDE: usize = 2;

/// f32.
///
/// # Safety
/// As of [`super::Kernel`].
pub unsafe fn f32(tile: &Tile<'_>) {
    // SAFETY: as of the function.
    unsafe {
        match tile.rows.len() {
            1 => rows::<1>(tile),
            2 => rows::<2>(tile),
            3 => rows::<3>(tile),
            4 => rows::<4>(tile),
            5 => rows::<5>(tile),
            6 => rows::<6>(tile),
            count => unreachable!("a tile of {count} rows"),
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn rows<const ROWS: usize>(tile: &Tile<'_>) {
    // SAFETY: the caller of the kernel answers for rows, segments, panel and sums.
    unsafe {
        let out = tile.sums.cast::<f32>();
        let mut sums = [[_mm256_setzero_ps(); WIDE]; ROWS];
        if tile.more {
            for i in 0..ROWS {
                for j in 0..WIDE {
                    sums[i][j] = _mm256_loadu_ps(out.add((i * WIDE + j) * LANES));
                }
            }
        }
        let mut panel = tile.panel.cast::<f32>();
        for segment in tile.segments {
            let mut starts = [std::ptr::null::<f32>(); ROWS];
            for i in 0..ROWS {
                starts[i] = tile.rows[i].add(segment.offset).cast();
            }
            for word in 0..segment.words {
                let left = _mm256_loadu_ps(panel);
                let right = _mm256_loadu_ps(panel.add(LANES));
                panel = panel.add(WIDE * LANES);
                for i in 0..ROWS {
                    let row = _mm256_set1_ps(starts[i].add(word).read());
                    sums[i][0] = _mm256_fmadd_ps(row, left, sums[i][0]);
                    sums[i][1] = _mm256_fmadd_ps(row, right, sums[i][1]);
                }
            }
        }
        for i in 0..ROWS {
            for j in 0..WIDE {
                _mm256_storeu_ps(out.add((i * WIDE + j) * LANES), sums[i][j]);
            }
        }
    }
}
