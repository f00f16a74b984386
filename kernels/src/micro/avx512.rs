//! Tiles of up to 6 rows by 64 columns in AVX-512.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_si512,
    _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};
use std::mem::transmute;

use super::Tile;

/// Columns of a register.
const LANES: usize = 16;
/// Registers of a panel's width.
const WIDE: usize = 4;

macro_rules! tile {
    ($(#[$doc:meta])* $name:ident, $features:literal, |$sum:ident, $row:ident, $panel:ident| $step:expr) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As of [`super::Kernel`].
        pub unsafe fn $name(tile: &Tile<'_>) {
            #[target_feature(enable = $features)]
            unsafe fn rows<const ROWS: usize>(tile: &Tile<'_>) {
                // SAFETY: the caller of the kernel answers for rows, segments, panel and sums.
                unsafe {
                    let mut sums = [[_mm512_setzero_si512(); WIDE]; ROWS];
                    if tile.more {
                        for i in 0..ROWS {
                            for j in 0..WIDE {
                                sums[i][j] = _mm512_loadu_si512(tile.sums.add((i * WIDE + j) * LANES).cast());
                            }
                        }
                    }
                    let mut panel = tile.panel;
                    for segment in tile.segments {
                        let mut starts = [std::ptr::null::<u32>(); ROWS];
                        for i in 0..ROWS {
                            starts[i] = tile.rows[i].add(segment.offset);
                        }
                        for word in 0..segment.words {
                            let mut wide = [_mm512_setzero_si512(); WIDE];
                            for j in 0..WIDE {
                                wide[j] = _mm512_loadu_si512(panel.add(j * LANES).cast());
                            }
                            panel = panel.add(WIDE * LANES);
                            for i in 0..ROWS {
                                let $row = _mm512_set1_epi32(starts[i].add(word).read().cast_signed());
                                for j in 0..WIDE {
                                    let ($sum, $panel) = (sums[i][j], wide[j]);
                                    sums[i][j] = $step;
                                }
                            }
                        }
                    }
                    for i in 0..ROWS {
                        for j in 0..WIDE {
                            _mm512_storeu_si512(tile.sums.add((i * WIDE + j) * LANES).cast(), sums[i][j]);
                        }
                    }
                }
            }
            // SAFETY: as above.
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
    };
}

tile! {
    /// f32.
    f32, "avx512f", |sum, row, panel| transmute::<__m512, __m512i>(_mm512_fmadd_ps(
        transmute::<__m512i, __m512>(row),
        transmute::<__m512i, __m512>(panel),
        transmute::<__m512i, __m512>(sum),
    ))
}

tile! {
    /// Pairs of bf16.
    bf16, "avx512f,avx512bf16", |sum, row, panel| transmute::<__m512, __m512i>(_mm512_dpbf16_ps(
        transmute::<__m512i, __m512>(sum),
        transmute::<__m512i, __m512bh>(row),
        transmute::<__m512i, __m512bh>(panel),
    ))
}

tile! {
    /// Fours of bytes.
    bytes, "avx512f,avx512vnni", |sum, row, panel| _mm512_dpbusd_epi32(sum, row, panel)
}
