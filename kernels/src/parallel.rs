//! Work in pieces, on the threads of rayon's pool.
//!
//! What a piece is follows from the shapes alone and no piece adds to what another one made, so that neither the number
//! of threads nor their order changes a bit. Pieces are claimed one after the other and not dealt out beforehand:
//! cores of unequal speed, or one that is busy elsewhere, then cost no more than a piece.

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f` without doing any work that comes in pieces: memory is asked for as ever and nothing is written to it, so
/// that what a network would take is known, to the byte, in the time that the asking takes.
pub fn counted<R>(f: impl FnOnce() -> R) -> R {
    /// Sets back what was before, also after a panic.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            COUNTED.set(self.0);
        }
    }
    let _before = Before(COUNTED.replace(true));
    f()
}

/// Calls `work` for each of the pieces `0..count`.
pub fn each(count: usize, work: impl Fn(usize) + Sync) {
    each_with(count, || (), |(), piece| work(piece));
}

/// Calls `work` for each of the pieces `0..count`, with something that is made once for each worker.
///
/// It is made beforehand, for the workers that come too late as well: how much memory is asked for is then the same
/// every time.
pub fn each_with<W: Send>(count: usize, mut make: impl FnMut() -> W, work: impl Fn(&mut W, usize) + Sync) {
    let threads = rayon::current_num_threads().min(count);
    let next = AtomicUsize::new(0);
    let claim = |mut own: W| {
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= count {
                return;
            }
            work(&mut own, piece);
        }
    };
    if count == 0 {
        return;
    }
    let others: Vec<W> = (1..threads).map(|_| make()).collect();
    if COUNTED.get() {
        drop((others, make()));
        return;
    }
    if others.is_empty() {
        return claim(make());
    }
    let (own, claim) = (make(), &claim);
    // In place: the caller is one of the workers, whether it belongs to the pool or not.
    rayon::in_place_scope(|scope| {
        for other in others {
            scope.spawn(move |_| claim(other));
        }
        claim(own);
    });
}

/// Calls `work` for ranges that make up `0..count`, each at least `grain` long but for the last.
pub fn ranges(count: usize, grain: usize, work: impl Fn(Range<usize>) + Sync) {
    ranges_with(count, grain, || (), |(), range| work(range));
}

/// Calls `work` for ranges as [`ranges`] does, with something that is made once for each worker.
pub fn ranges_with<W: Send>(
    count: usize,
    grain: usize,
    make: impl FnMut() -> W,
    work: impl Fn(&mut W, Range<usize>) + Sync,
) {
    let length = share(count).max(grain);
    each_with(count.div_ceil(length), make, |own, i| work(own, i * length..((i + 1) * length).min(count)));
}

/// Returns how many neighbours of `count` make a piece: few enough to even out, not so few that claiming is felt.
pub fn share(count: usize) -> usize {
    const PIECES: usize = 32;
    (count / (rayon::current_num_threads() * PIECES)).max(1)
}

/// A slice that pieces write to, each to places of its own.
pub struct Shared<T> {
    start: *mut T,
    length: usize,
}

// SAFETY: places are handed out by unsafe calls alone, whose callers answer for it that no two overlap.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Takes a slice.
    pub fn new(all: &mut [T]) -> Self {
        Self { start: all.as_mut_ptr(), length: all.len() }
    }

    /// Returns some of the places.
    ///
    /// # Safety
    /// Nobody else may hold any of them, and the slice must be alive.
    #[expect(clippy::mut_from_ref, reason = "that is what it is for; the caller answers for it")]
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.length, "{range:?} of {}", self.length);
        // SAFETY: within the slice by the line above, and alone by the caller's word.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once() {
        for (count, grain) in [(0, 1), (1, 1), (7, 3), (1000, 1), (1000, 300)] {
            let mut seen = vec![0; count];
            let shared = Shared::new(&mut seen);
            ranges(count, grain, |range| {
                // SAFETY: ranges do not overlap.
                unsafe { shared.part(range) }.iter_mut().for_each(|n| *n += 1);
            });
            assert!(seen.iter().all(|n| *n == 1), "{count} {grain}");
        }
    }
}
