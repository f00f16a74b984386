//! Tiles in plain code, one row at a time: what every other tier is checked against, and what runs where there is none.

use super::{Shape, Tile};

/// Few enough sums for the sixteen registers of SSE2, or the thirty-two of NEON.
pub const SHAPE: Shape = Shape { rows: 4, columns: 16 };

/// f32.
///
/// # Safety
/// As of [`super::Kernel`].
pub unsafe fn f32<const COLUMNS: usize>(tile: &Tile<'_>) {
    // SAFETY: as of the function.
    unsafe {
        sums::<COLUMNS>(tile, 0f32.to_bits(), |sum, row, panel| {
            (f32::from_bits(row) * f32::from_bits(panel) + f32::from_bits(sum)).to_bits()
        });
    }
}

/// Pairs of bf16.
///
/// # Safety
/// As of [`super::Kernel`].
pub unsafe fn bf16<const COLUMNS: usize>(tile: &Tile<'_>) {
    let low = |word: u32| f32::from_bits(word << 16);
    let high = |word: u32| f32::from_bits(word & 0xFFFF_0000);
    // SAFETY: as of the function.
    unsafe {
        sums::<COLUMNS>(tile, 0f32.to_bits(), |sum, row, panel| {
            (low(row) * low(panel) + (high(row) * high(panel) + f32::from_bits(sum))).to_bits()
        });
    }
}

/// Fours of bytes.
///
/// # Safety
/// As of [`super::Kernel`].
pub unsafe fn bytes<const COLUMNS: usize>(tile: &Tile<'_>) {
    // SAFETY: as of the function.
    unsafe {
        sums::<COLUMNS>(tile, 0, |sum, row, panel| {
            let (row, panel) = (row.to_le_bytes(), panel.to_le_bytes());
            let products = row.iter().zip(panel).map(|(a, b)| i32::from(*a) * i32::from(b.cast_signed()));
            sum.cast_signed().wrapping_add(products.sum::<i32>()).cast_unsigned()
        });
    }
}

#[inline(always)]
unsafe fn sums<const COLUMNS: usize>(tile: &Tile<'_>, zero: u32, step: impl Fn(u32, u32, u32) -> u32) {
    for (i, row) in tile.rows.iter().enumerate() {
        // SAFETY: the caller of the kernel answers for rows, segments, panel and sums.
        unsafe {
            let out = std::slice::from_raw_parts_mut(tile.sums.add(i * COLUMNS), COLUMNS);
            let mut sums = [zero; COLUMNS];
            if tile.more {
                sums.copy_from_slice(out);
            }
            let mut panel = tile.panel;
            for segment in tile.segments {
                for word in 0..segment.words {
                    let row = row.add(segment.offset + word).read();
                    let wide = std::slice::from_raw_parts(panel, COLUMNS);
                    for (sum, panel) in sums.iter_mut().zip(wide) {
                        *sum = step(*sum, row, *panel);
                    }
                    panel = panel.add(COLUMNS);
                }
            }
            out.copy_from_slice(&sums);
        }
    }
}
