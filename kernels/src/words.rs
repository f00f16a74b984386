//! The same memory read as words of 32 bits and as the numbers that they hold.

use half::bf16;

const _: () = assert!(size_of::<bf16>() == 2);

/// Reads words as f32.
pub fn floats(words: &mut [u32]) -> &mut [f32] {
    // SAFETY: of one size, and any bits are a number.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len()) }
}

/// Reads words as halves, the lower one first.
pub fn halves(words: &mut [u32]) -> &mut [u16] {
    // SAFETY: a word is two halves, and any bits are a number.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 2) }
}

/// Reads words as bytes, the lowest one first.
pub fn bytes(words: &mut [u32]) -> &mut [u8] {
    // SAFETY: a word is four bytes, and any bits are a number.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 4) }
}

/// Reads f32 as words.
pub fn of_floats(x: &[f32]) -> &[u32] {
    // SAFETY: of one size, and any bits are a number.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
}

/// Reads pairs of bf16 as words, where they lie as words must.
pub fn of_pairs(x: &[bf16]) -> Option<&[u32]> {
    let start = x.as_ptr().cast::<u32>();
    // SAFETY: two halves are a word, aligned as asked, and any bits are one.
    start.is_aligned().then(|| unsafe { std::slice::from_raw_parts(start, x.len() / 2) })
}
