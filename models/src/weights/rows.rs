//! Big weights row by row, read from their file when they are asked for.
//!
//! A weight is packed from here once, or at each use, where memory is short: then nothing of it stays, and what is read
//! next is asked for ahead, so that a disk works while the processor does. Bytes are read and not mapped: a file that is
//! cut short in the middle of a run is an error, and no memory counts as this program's that is the system's to take.

use std::{
    cell::RefCell,
    ops::Range,
    sync::{Arc, Mutex, OnceLock},
};

use bytemuck::cast_slice_mut;
use darkroom_kernels::{Rows, Tier, narrow};
use half::slice::HalfBitsSliceExt as _;

use super::{EightBits, header::Stored, source::Source};
use crate::{Error, Result};

thread_local! {
    /// Where bytes are read to: words, so that they lie as any number must.
    static ROOM: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// The rows of a weight in its file, and what multiplies them.
pub struct FileRows {
    place: Place,
    stored: Stored,
    scale: f32,
    /// Where it stands among those that are read one after the other.
    turn: OnceLock<(Arc<Ahead>, usize)>,
    fault: OnceLock<String>,
}

/// Where bytes lie.
#[derive(Clone)]
struct Place {
    source: Arc<Source>,
    offset: u64,
    length: usize,
}

impl FileRows {
    /// Takes bytes of numbers of one of the kinds in which weights are kept, which `scale` multiplies; `None` for others.
    pub(super) fn new((source, offset, length): (Arc<Source>, u64, usize), stored: Stored, scale: f32) -> Option<Self> {
        let is_known = matches!(stored, Stored::F32 | Stored::F16 | Stored::BF16 | Stored::F8_E4M3 | Stored::F8_E5M2);
        let place = Place { source, offset, length };
        is_known.then(|| Self { place, stored, scale, turn: OnceLock::new(), fault: OnceLock::new() })
    }

    /// Returns in what numbers the file has it.
    pub fn stored(&self) -> Numbers {
        match self.stored {
            Stored::F16 => Numbers::F16,
            Stored::BF16 => Numbers::Bf16,
            Stored::F8_E4M3 => Numbers::Eight(EightBits::E4M3(self.scale)),
            Stored::F8_E5M2 => Numbers::Eight(EightBits::E5M2(self.scale)),
            _ => Numbers::F32,
        }
    }

    /// Returns the same rows without what multiplies them, and that.
    pub fn unscaled(&self) -> (Self, f32) {
        let (place, turn) = (self.place.clone(), self.turn.clone());
        (Self { place, stored: self.stored, scale: 1.0, turn, fault: OnceLock::new() }, self.scale)
    }

    /// Says that it will be read at each use, behind those that said so before.
    pub fn stays_behind(&self, ahead: &Arc<Ahead>) {
        let _ = self.turn.set((Arc::clone(ahead), ahead.join(&self.place)));
    }

    /// Shows `length` bytes from byte `first` on to `take`, or notes why they cannot be read.
    fn read(&self, first: usize, length: usize, take: impl FnOnce(Option<&mut [u32]>)) {
        ROOM.with_borrow_mut(|room| {
            room.resize(length.div_ceil(size_of::<u32>()), 0);
            let bytes: &mut [u8] = &mut cast_slice_mut(room)[..length];
            let read = match self.fault.get() {
                None => self.place.source.read_into(self.place.offset + first as u64, bytes),
                Some(_) => return take(None),
            };
            match read {
                Ok(()) => take(Some(room)),
                Err(error) => {
                    let _ = self.fault.set(error.to_string());
                    take(None);
                }
            }
        });
    }
}

/// In what numbers a file has a weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Numbers {
    F32,
    F16,
    Bf16,
    Eight(EightBits),
}

impl Rows for FileRows {
    fn row(&self, output: usize, to: &mut [f32]) {
        self.rows(output..output + 1, to);
    }

    fn rows(&self, outputs: Range<usize>, to: &mut [f32]) {
        let size = self.stored.size();
        let first = to.len() / outputs.len().max(1) * outputs.start * size;
        let tier = Tier::chosen();
        self.read(first, to.len() * size, |words| {
            let Some(words) = words else { return to.fill(f32::NAN) };
            match self.stored {
                Stored::F16 => {
                    let halves: &mut [u16] = cast_slice_mut(words);
                    narrow::widen_f16(tier, halves[..to.len()].reinterpret_cast(), to);
                }
                Stored::BF16 => {
                    let halves: &mut [u16] = cast_slice_mut(words);
                    narrow::widen_bf16(tier, halves[..to.len()].reinterpret_cast(), to);
                }
                Stored::F8_E4M3 => narrow::widen_e4m3(tier, &cast_slice_mut(words)[..to.len()], to),
                Stored::F8_E5M2 => narrow::widen_e5m2(tier, &cast_slice_mut(words)[..to.len()], to),
                _ => to.copy_from_slice(&cast_slice_mut(words)[..to.len()]),
            }
            if self.scale != 1.0 {
                to.iter_mut().for_each(|x| *x *= self.scale);
            }
        });
    }

    /// Called before each use: makes sure that the file is still whole, and asks for what will be read next.
    fn at_hand(&self) -> Option<Arc<dyn Rows>> {
        if let Err(error) = self.place.source.check_length() {
            let _ = self.fault.set(error.to_string());
        }
        if let Some((ahead, turn)) = self.turn.get() {
            ahead.reach(*turn);
        }
        None
    }

    fn bytes(&self, output: usize, to: &mut [u8]) {
        self.read(output * to.len(), to.len(), |words| match words {
            Some(words) => to.copy_from_slice(&cast_slice_mut(words)[..to.len()]),
            // Not a number in both of the kinds.
            None => to.fill(0x7F),
        });
    }

    fn fault(&self) -> Option<String> {
        self.fault.get().cloned()
    }
}

/// Weights that are read at each use, in the order in which they were loaded: that of their use, but for a few.
#[derive(Default)]
pub struct Ahead(Mutex<Vec<Place>>);

impl Ahead {
    /// Bytes that are asked for ahead: a fifth of a second of a slow disk's work.
    const WINDOW: usize = 64 << 20;

    fn join(&self, place: &Place) -> usize {
        let mut places = self.0.lock().expect("no code panics while it holds the order");
        places.push(place.clone());
        places.len() - 1
    }

    /// Asks for what is read after number `turn`; after the last comes the first.
    fn reach(&self, turn: usize) {
        let next: Vec<Place> = {
            let places = self.0.lock().expect("no code panics while it holds the order");
            let following = places[turn + 1..].iter().chain(&places[..turn]);
            let mut wanted = 0;
            let within = following.take_while(|place| {
                let before = wanted;
                wanted += place.length;
                before < Self::WINDOW
            });
            within.cloned().collect()
        };
        next.iter().for_each(|place| place.source.want(place.offset, place.length));
    }
}

/// How many bytes of a network's big weights may stay in memory; what goes beyond is read from its file at each use.
#[derive(Default)]
pub struct Allowance {
    left: Mutex<u64>,
    /// What does not stay.
    pub ahead: Arc<Ahead>,
}

impl Allowance {
    pub(super) fn new(bytes: u64) -> Self {
        Self { left: Mutex::new(bytes), ahead: Arc::default() }
    }

    /// Takes some, if they are left.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let mut left = self.left.lock().expect("no code panics while it holds the rest");
        match left.checked_sub(bytes) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }
}

/// Fails with what went wrong while rows were read, if anything did.
pub(crate) fn check(fault: Option<String>) -> Result<()> {
    match fault {
        Some(what) => Err(Error::Reading { what }),
        None => Ok(()),
    }
}
