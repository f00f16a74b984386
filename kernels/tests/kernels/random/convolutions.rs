//! [`convolve`] and [`Doubled`] on random maps under random windows.

use darkroom_kernels::{Arith, Doubled, Kept, Window, convolve};
use proptest::prelude::*;

use super::sums::{Way, way};
use super::{EPS, EPS_BF16, cases, size};

/// The scale of bytes is that of a picture here, and not that of a row.
fn places_way() -> impl Strategy<Value = Way> {
    way(2, (14, 40)).prop_map(|way| match way.arith {
        Arith::Bytes => Way { arith: Arith::Bf16, kept: Kept::Bf16, ..way },
        _ => way,
    })
}

fn window() -> impl Strategy<Value = Window> {
    (1_usize..=5, 1_usize..=3, 0_usize..=3, 0_usize..=3).prop_map(|(kernel, stride, before, after)| Window {
        kernel,
        stride,
        before,
        after,
    })
}

proptest! {
    #![proptest_config(cases(150))]
    #[test]
    fn convolutions_of_any_shape_are_near(
        way in places_way(),
        window in window(),
        pictures in 1_usize..=3,
        (more_lines, more_across) in (size(6, 20), size(6, 20)),
    ) {
        let least = window.kernel.saturating_sub(window.before + window.after).max(1);
        let (height, width) = (least + more_lines - 1, least + more_across - 1);
        let (lines, across) = (window.places(height).expect("it fits"), window.places(width).expect("it fits"));
        let (k, places) = (window.kernel, height * width);
        let reads: Vec<Vec<Option<usize>>> = (0..pictures * lines * across)
            .map(|result| {
                let (picture, line, x) = (result / across / lines, result / across % lines, result % across);
                let inside = |at: usize, edge: usize| at.checked_sub(window.before).filter(|at| *at < edge);
                let row = |tap: usize| {
                    let y = inside(line * window.stride + tap / k, height)?;
                    Some((picture * height + y) * width + inside(x * window.stride + tap % k, width)?)
                };
                (0..k * k).map(row).collect()
            })
            .collect();
        let numbers = way.draw((pictures * places, k * k, pictures, reads.len()));
        let sums = way.sums(&way.sides(&numbers, places, k * k), &reads, 0.0);
        let want = way.finish(&numbers, &sums, lines * across);
        way.try_all(&numbers, places, &want, |cpu, source, pack, weight, finish, target| {
            convolve(cpu, source, (height, width), (&pack(weight, k * k), window), finish, target);
        })?;
    }

    #[test]
    fn doublings_of_any_shape_are_near(
        way in places_way(),
        pictures in 1_usize..=3,
        (height, width) in (size(6, 20), size(6, 20)),
    ) {
        // Taps are added up, of which the bytes of a file know nothing; their sum is what is rounded.
        let kept = if matches!(way.kept, Kept::E4M3 | Kept::E5M2) { Kept::Late } else { way.kept };
        let slack = match (way.arith, kept) {
            (Arith::F32, Kept::F32 | Kept::Late) => 4.0 * EPS,
            (_, Kept::F16) => EPS_BF16 / 8.0,
            _ => EPS_BF16,
        };
        let way = Way { kept, ..way };
        let reads: Vec<Vec<Option<usize>>> = (0..pictures * 4 * height * width)
            .map(|result| {
                let (line, x) = (result / (2 * width) % (2 * height), result % (2 * width));
                let picture = result / (4 * width * height);
                let inside = |at: usize, edge: usize| at.checked_sub(1).filter(|at| *at < 2 * edge).map(|at| at / 2);
                let row = |tap: usize| {
                    Some((picture * height + inside(line + tap / 3, height)?) * width + inside(x + tap % 3, width)?)
                };
                (0..9).map(row).collect()
            })
            .collect();
        let numbers = way.draw((pictures * height * width, 9, pictures, reads.len()));
        let exact = way.sides_of_whole_weights(&numbers, height * width);
        let want = way.finish(&numbers, &way.sums(&exact, &reads, slack), 4 * height * width);
        way.try_all(&numbers, height * width, &want, |cpu, source, pack, weight, finish, target| {
            Doubled::new(weight, |rows| pack(&rows, 4)).convolve(cpu, source, (height, width), finish, target);
        })?;
    }
}
