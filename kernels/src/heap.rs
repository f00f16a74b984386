//! The heap of the C library, held to giving back what is let go.
//!
//! Large arrays never lie there (see `pool`); what does are tensors on their way, headers and tokenizers. Left alone, glibc
//! opens a heap for nearly every thread and keeps in each what was freed below something that still lives: a process of
//! many runs grew by a hundred megabytes that nobody used. Other allocators (mimalloc, jemalloc) give back more by
//! themselves, at the price of C code in the build; two settings of the one at hand were found to be enough.

/// From this size on memory comes in pages of its own, which go back to the system when they are let go. As a rule glibc
/// raises this bound to the largest piece that was ever freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const PAGES_FROM: std::ffi::c_int = 1 << 20;

/// The heaps that threads share. Whoever computes takes memory from a pool, so that few wait for each other.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: std::ffi::c_int = 2;

/// Sets the heap up, once, before other threads begin; where the C library is not glibc, does nothing.
pub fn set_up() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: both calls change settings of the allocator under its own lock, and take plain numbers. A setting that is
    // refused stays what it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, PAGES_FROM);
    }
}

/// Gives pages of the heap that nobody uses back to the system; where the C library is not glibc, does nothing.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: the allocator looks for free pages under its own locks; what is in use is not touched.
    unsafe {
        libc::malloc_trim(0);
    }
}
