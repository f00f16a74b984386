//! Memory for large arrays: in huge pages where the system gives them, and used again.
//!
//! Fresh memory of the system costs a page fault for each 4 KiB; on tensors of many megabytes that is more than the
//! work. A [`Pool`] keeps what was let go and hands it out again: a network that runs step after step asks the system
//! for memory in its first step alone.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::{fmt, io};

use half::{bf16, f16};
use memmap2::MmapMut;

/// From this size on memory comes in pages of its own, huge ones where there are any.
const LARGE: usize = 1 << 20;

/// A number that any bits are one of.
pub trait Number: Copy + Send + Sync + 'static + private::Sealed {}

mod private {
    pub trait Sealed {}
}

macro_rules! numbers {
    ($($number:ty),*) => { $(impl private::Sealed for $number {} impl Number for $number {})* };
}
numbers!(f32, f64, u32, i32, u16, u8, i8, bf16, f16, usize);

/// Memory that is kept to be used again; clones share it.
#[derive(Clone, Default)]
pub struct Pool(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    free: BTreeMap<usize, Vec<Memory>>,
    figures: Figures,
}

/// What a [`Pool`] did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often the system was asked for memory.
    pub fresh: usize,
    /// How often memory was used again.
    pub again: usize,
    /// Bytes that wait to be used again.
    pub idle_bytes: usize,
    /// Bytes in use.
    pub used_bytes: usize,
    /// The most bytes in use at a time.
    pub peak_bytes: usize,
    /// The most bytes that it had at a time, in use or not: what the system saw.
    pub held_bytes: usize,
}

impl Pool {
    /// Returns an array of `length` numbers; what is in it is left over from others.
    pub fn take<T: Number>(&self, length: usize) -> Buffer<T> {
        let bytes = class(bytes_of::<T>(length));
        let found = {
            let mut shelf = self.shelf();
            let found = shelf.find(bytes);
            let figures = &mut shelf.figures;
            match &found {
                Some(memory) => {
                    figures.again += 1;
                    figures.idle_bytes -= memory.bytes();
                }
                None => figures.fresh += 1,
            }
            figures.use_more(found.as_ref().map_or(bytes, Memory::bytes));
            found
        };
        let memory = found.unwrap_or_else(|| Memory::new(bytes));
        Buffer { memory: Some(memory), length, home: Home::Pool(self.clone()), number: std::marker::PhantomData }
    }

    /// Returns a copy of numbers that is counted here, but whose memory comes from the system and goes back there: for
    /// what outlives many rounds of work.
    pub fn apart<T: Number>(&self, numbers: &[T]) -> Buffer<T> {
        let mut buffer = Buffer::of(numbers);
        let mut shelf = self.shelf();
        shelf.figures.fresh += 1;
        shelf.figures.use_more(buffer.memory().bytes());
        drop(shelf);
        buffer.home = Home::Counted(self.clone());
        buffer
    }

    /// Gives what waits to be used again back to the system.
    pub fn trim(&self) {
        let mut shelf = self.shelf();
        let free = std::mem::take(&mut shelf.free);
        shelf.figures.idle_bytes = 0;
        drop(shelf);
        drop(free);
    }

    /// Returns what it did so far.
    pub fn figures(&self) -> Figures {
        self.shelf().figures
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().expect("no code panics while it holds the shelf")
    }
}

impl Figures {
    fn use_more(&mut self, bytes: usize) {
        self.used_bytes += bytes;
        self.peak_bytes = self.peak_bytes.max(self.used_bytes);
        self.held_bytes = self.held_bytes.max(self.used_bytes + self.idle_bytes);
    }
}

impl Shelf {
    /// Takes the smallest piece that is large enough, unless half of it or more would lie idle.
    fn find(&mut self, bytes: usize) -> Option<Memory> {
        let (key, pieces) = self.free.range_mut(bytes..bytes.saturating_mul(2)).next()?;
        let key = *key;
        let memory = pieces.pop();
        if pieces.is_empty() {
            self.free.remove(&key);
        }
        memory
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.figures()).finish()
    }
}

/// How many bytes an array has; as for any other array, too many are a bug of the caller.
fn bytes_of<T>(length: usize) -> usize {
    let bytes = length.checked_mul(size_of::<T>()).filter(|bytes| *bytes <= isize::MAX as usize / 2);
    bytes.expect("an array fits the address space")
}

/// Rounds a size up to one of eight steps for each doubling, so that nearly equal arrays can take each other's place.
fn class(bytes: usize) -> usize {
    let bytes = bytes.max(64);
    let step = (bytes.next_power_of_two() / 16).max(64);
    bytes.next_multiple_of(step)
}

/// 64 bytes at an address that is a multiple of 64.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "read as numbers of other types")] [u8; 64]);

enum Memory {
    Small(Vec<Line>),
    Large(MmapMut),
}

impl Memory {
    /// Asks the system; as everywhere else, a program ends that gets no memory.
    fn new(bytes: usize) -> Self {
        // Miri knows no pages.
        if bytes < LARGE || cfg!(miri) {
            return Memory::Small(vec![Line([0; 64]); bytes.div_ceil(64)]);
        }
        match Self::pages(bytes) {
            Ok(pages) => Memory::Large(pages),
            Err(_) => Memory::Small(vec![Line([0; 64]); bytes.div_ceil(64)]),
        }
    }

    fn pages(bytes: usize) -> io::Result<MmapMut> {
        let pages = MmapMut::map_anon(bytes)?;
        // A wish: without huge pages everything works, only slower.
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        Ok(pages)
    }

    fn bytes(&self) -> usize {
        match self {
            Memory::Small(lines) => lines.len() * 64,
            Memory::Large(pages) => pages.len(),
        }
    }

    fn start(&self) -> *const u8 {
        match self {
            Memory::Small(lines) => lines.as_ptr().cast(),
            Memory::Large(pages) => pages.as_ptr(),
        }
    }
}

/// An array of numbers at an address that is a multiple of 64; its memory goes back to where it came from.
pub struct Buffer<T> {
    /// There until it is dropped.
    memory: Option<Memory>,
    length: usize,
    home: Home,
    number: std::marker::PhantomData<T>,
}

/// Where memory goes that is let go.
enum Home {
    System,
    /// The system too, and is counted here.
    Counted(Pool),
    Pool(Pool),
}

impl<T: Number> Buffer<T> {
    /// Returns zeros that belong to no pool.
    pub fn zeros(length: usize) -> Self {
        let memory = Memory::new(class(bytes_of::<T>(length)));
        Self { memory: Some(memory), length, home: Home::System, number: std::marker::PhantomData }
    }

    /// Returns a copy of numbers that belongs to no pool.
    pub fn of(numbers: &[T]) -> Self {
        let mut buffer = Self::zeros(numbers.len());
        buffer.copy_from_slice(numbers);
        buffer
    }

    /// Returns the pool that it came from.
    pub fn pool(&self) -> Option<&Pool> {
        match &self.home {
            Home::Pool(pool) => Some(pool),
            Home::System | Home::Counted(_) => None,
        }
    }
}

impl<T> Buffer<T> {
    fn memory(&self) -> &Memory {
        self.memory.as_ref().expect("it is there until the buffer is dropped")
    }
}

impl<T: Number> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the memory is at least that long, is aligned to 64 bytes, was set once, and any bits are a number.
        unsafe { std::slice::from_raw_parts(self.memory().start().cast(), self.length) }
    }
}

impl<T: Number> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let start = match self.memory.as_mut().expect("it is there until the buffer is dropped") {
            Memory::Small(lines) => lines.as_mut_ptr().cast(),
            Memory::Large(pages) => pages.as_mut_ptr().cast(),
        };
        // SAFETY: as above, and borrowed by nobody else.
        unsafe { std::slice::from_raw_parts_mut(start, self.length) }
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        let Some(memory) = self.memory.take() else { return };
        match &self.home {
            Home::System => {}
            Home::Counted(pool) => pool.shelf().figures.used_bytes -= memory.bytes(),
            Home::Pool(pool) => {
                let mut shelf = pool.shelf();
                shelf.figures.used_bytes -= memory.bytes();
                shelf.figures.idle_bytes += memory.bytes();
                shelf.free.entry(memory.bytes()).or_default().push(memory);
            }
        }
    }
}

impl<T: Number + fmt::Debug> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} x {})", self.length, std::any::type_name::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_go_is_handed_out_again() {
        let pool = Pool::default();
        for (round, fresh) in [(0, 2), (1, 2), (2, 2)] {
            let (mut a, b) = (pool.take::<f32>(3 << 20), pool.take::<u8>(100));
            a[(3 << 20) - 1] = 1.0;
            assert_eq!((a.len(), b.len()), (3 << 20, 100));
            assert_eq!(a.as_ptr().addr() % 64, 0);
            assert_eq!(pool.figures().fresh, fresh, "round {round}");
        }
        assert_eq!(pool.figures().used_bytes, 0);
        assert!(pool.figures().idle_bytes >= 12 << 20);
        pool.trim();
        assert_eq!(pool.figures().idle_bytes, 0);
    }

    #[test]
    fn a_large_piece_is_not_spent_on_a_small_wish() {
        let pool = Pool::default();
        drop(pool.take::<u8>(8 << 20));
        let _small = pool.take::<u8>(1 << 20);
        assert_eq!(pool.figures().fresh, 2);
    }

    #[test]
    #[should_panic(expected = "an array fits the address space")]
    fn a_length_whose_bytes_overflow_is_refused() {
        let _ = Pool::default().take::<u32>(usize::MAX / 4 + 2);
    }

    #[test]
    fn sizes_are_rounded_up_by_an_eighth_at_most() {
        for bytes in [1, 64, 65, 1000, 4097, 1 << 20, (1 << 20) + 1] {
            let class = class(bytes);
            assert!(class >= bytes && class.is_multiple_of(64), "{bytes}");
            assert!(bytes < 1024 || class <= bytes + bytes / 8 + 64, "{bytes} {class}");
        }
    }
}
