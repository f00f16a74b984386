//! Who may sit in memory: weights that come and go, under a budget that is kept.
//!
//! A [`Handle`] is a promise of weights and travels on wires. Touching weights needs a [`Pinned`], which the [`Ledger`]
//! gives out: it makes room first, by letting go of what nobody holds and what is needed latest (the plan tells), then
//! loads. What is pinned is never let go. The sum of what is loaded and reserved never exceeds the budget.

use std::any::Any;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::fault::Fault;
use crate::fingerprint::Fingerprint;
use crate::observe::Cancel;

/// The name of weights: of their files' content and of all that changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(pub Fingerprint);

/// The device that weights sit on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Device {
    /// The processor and its memory.
    #[default]
    Cpu,
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
        })
    }
}

/// Where weights sit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// The device.
    pub device: Device,
}

/// Weights that can come and go: loading rebuilds them from the mapped file, leaving is a drop.
pub trait Resident: Send + Sync + 'static {
    /// The network, ready to work.
    type Loaded: Send + Sync + 'static;
    /// Returns the name of the weights.
    fn part(&self) -> PartId;
    /// Returns what a person calls them, as `unet`.
    fn title(&self) -> String;
    /// Returns the bytes they take at a place.
    fn bytes(&self, place: Place) -> u64;
    /// Loads them.
    ///
    /// # Errors
    /// A fault of the file, or [`Fault::cancelled`].
    fn load(&self, place: Place, cancel: &Cancel) -> Result<Self::Loaded, Fault>;
    /// Gives back what they only need at work: called each time that somebody who held them is done. They stay loaded.
    fn rest(&self) {}
}

/// A promise of weights: what travels on wires. Clones share.
pub struct Handle<R>(Arc<R>);

impl<R> Handle<R> {
    /// Makes a handle.
    pub fn new(resident: R) -> Self {
        Self(Arc::new(resident))
    }
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> Deref for Handle<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.0
    }
}

/// Weights in use; they stay while this lives.
pub struct Pinned<R: Resident> {
    loaded: Arc<R::Loaded>,
    handle: Handle<R>,
    _hold: Hold,
}

impl<R: Resident> Drop for Pinned<R> {
    fn drop(&mut self) {
        self.handle.rest();
    }
}

impl<R: Resident> Deref for Pinned<R> {
    type Target = R::Loaded;

    fn deref(&self) -> &R::Loaded {
        &self.loaded
    }
}

/// Scratch memory that is accounted for; given back when dropped.
pub struct Reservation {
    ledger: Arc<Ledger>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.ledger.books().reserved -= self.bytes;
    }
}

/// The account of memory: a budget, and who uses how much of it.
pub struct Ledger {
    budget: u64,
    books: Mutex<Books>,
    changed: Condvar,
}

#[derive(Default)]
struct Books {
    parts: HashMap<PartId, Part>,
    reserved: u64,
    peak: u64,
    /// The number of the step that runs; uses at later steps count as "next".
    now: usize,
    /// The steps of the plan at which each part is used, ascending.
    uses: HashMap<PartId, Vec<usize>>,
    /// Counts pins, so that of two parts without a next use the older goes first.
    clock: u64,
}

struct Part {
    title: String,
    bytes: u64,
    pins: usize,
    pinned_at: u64,
    /// `None` while somebody loads it.
    loaded: Option<Arc<dyn Any + Send + Sync>>,
}

/// What sits in memory, for a person to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sitting {
    /// The name of the weights.
    pub part: PartId,
    /// What it is called.
    pub title: String,
    /// Its bytes.
    pub bytes: u64,
    /// Whether somebody is using it.
    pub pinned: bool,
}

impl Ledger {
    /// Opens an account with a budget in bytes.
    pub fn new(budget: u64) -> Arc<Self> {
        Arc::new(Self { budget, books: Mutex::default(), changed: Condvar::new() })
    }

    /// Returns the budget in bytes.
    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// Returns the bytes in use: loaded weights and reservations.
    pub fn used(&self) -> u64 {
        self.books().used()
    }

    /// Returns the most bytes that were ever in use.
    pub fn peak(&self) -> u64 {
        self.books().peak
    }

    /// Lists what sits in memory, largest first.
    pub fn sitting(&self) -> Vec<Sitting> {
        let books = self.books();
        let sitting = |(id, part): (&PartId, &Part)| Sitting {
            part: *id,
            title: part.title.clone(),
            bytes: part.bytes,
            pinned: part.pins > 0,
        };
        let mut all: Vec<_> = books.parts.iter().map(sitting).collect();
        all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.title.cmp(&b.title)));
        all
    }

    /// Tells the steps of a plan at which parts will be used, so that the part needed latest goes first.
    pub fn expect(&self, uses: HashMap<PartId, Vec<usize>>) {
        let mut books = self.books();
        (books.uses, books.now) = (uses, 0);
    }

    /// Adds uses that became known when a model was opened; two handles may stand for one part.
    pub fn expect_also(&self, part: PartId, steps: impl IntoIterator<Item = usize>) {
        let mut books = self.books();
        let uses = books.uses.entry(part).or_default();
        uses.extend(steps);
        uses.sort_unstable();
    }

    /// Tells which step of the plan runs.
    pub fn reach(&self, step: usize) {
        self.books().now = step;
    }

    /// Lets go of one part, unless somebody holds it; tells whether it is gone.
    pub fn release(&self, part: PartId) -> bool {
        let mut books = self.books();
        if books.parts.get(&part).is_some_and(|part| part.pins > 0) {
            return false;
        }
        books.parts.remove(&part);
        true
    }

    /// Lets go of everything that nobody holds.
    pub fn release_all(&self) {
        self.books().parts.retain(|_, part| part.pins > 0);
    }

    /// Loads weights if they are not there, making room first, and holds them.
    ///
    /// # Errors
    /// A fault of the file, of memory (who holds it), or [`Fault::cancelled`].
    pub fn pin<R: Resident>(ledger: &Arc<Self>, handle: &Handle<R>, cancel: &Cancel) -> Result<Pinned<R>, Fault> {
        let id = handle.part();
        if let Some(loaded) = ledger.claim(id, handle.title(), || handle.bytes(Place::default()))? {
            let hold = Hold { ledger: Arc::clone(ledger), id };
            let loaded = loaded.downcast().map_err(|_| Fault::bug("two kinds of weights share one name"))?;
            return Ok(Pinned { loaded, handle: handle.clone(), _hold: hold });
        }
        let claim = Claim { ledger, id };
        let loaded = Arc::new(handle.load(Place::default(), cancel)?);
        let hold = claim.fulfil(Arc::clone(&loaded) as _);
        Ok(Pinned { loaded, handle: handle.clone(), _hold: hold })
    }

    /// Accounts for scratch memory, making room first.
    ///
    /// # Errors
    /// A fault of memory: who holds it.
    pub fn reserve(ledger: &Arc<Self>, bytes: u64) -> Result<Reservation, Fault> {
        let mut books = ledger.books();
        ledger.make_room(&mut books, bytes, "scratch memory")?;
        books.reserved += bytes;
        books.note_peak();
        Ok(Reservation { ledger: Arc::clone(ledger), bytes })
    }

    /// Takes a pin on a part that is there, or claims its place (`None`) so that the caller loads it. Waits while
    /// another thread is loading it.
    fn claim(
        &self,
        id: PartId,
        title: String,
        bytes: impl FnOnce() -> u64,
    ) -> Result<Option<Arc<dyn Any + Send + Sync>>, Fault> {
        let mut books = self.books();
        while books.parts.get(&id).is_some_and(|part| part.loaded.is_none()) {
            books = self.changed.wait(books).expect("no thread panics while it holds the books");
        }
        books.clock += 1;
        let clock = books.clock;
        if let Some(part) = books.parts.get_mut(&id) {
            part.pins += 1;
            part.pinned_at = clock;
            return Ok(part.loaded.clone());
        }
        let bytes = bytes();
        self.make_room(&mut books, bytes, &title)?;
        books.parts.insert(id, Part { title, bytes, pins: 1, pinned_at: clock, loaded: None });
        books.note_peak();
        Ok(None)
    }

    fn give_up(&self, id: PartId) {
        self.books().parts.remove(&id);
        self.changed.notify_all();
    }

    fn make_room(&self, books: &mut Books, bytes: u64, title: &str) -> Result<(), Fault> {
        while books.used().saturating_add(bytes) > self.budget {
            let Some(id) = books.least_needed() else {
                return Err(self.too_much(books, bytes, title));
            };
            books.parts.remove(&id);
        }
        Ok(())
    }

    fn too_much(&self, books: &Books, bytes: u64, title: &str) -> Fault {
        let mut holders: Vec<_> = books.parts.values().map(|part| (part.bytes, part.title.as_str())).collect();
        holders.extend(Some((books.reserved, "scratch memory")).filter(|(bytes, _)| *bytes > 0));
        holders.sort_by(|a, b| b.cmp(a));
        let holders: Vec<_> = holders.iter().map(|(bytes, title)| format!("{title} {}", gibibytes(*bytes))).collect();
        let held = if holders.is_empty() { String::new() } else { format!("; in use: {}", holders.join(", ")) };
        Fault::memory(format!(
            "{title} needs {} and {} of {} are free{held}",
            gibibytes(bytes),
            gibibytes(self.budget.saturating_sub(books.used())),
            gibibytes(self.budget)
        ))
        .hint("raise the budget with --ram, or make the picture smaller")
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no thread panics while it holds the books")
    }
}

impl Books {
    fn used(&self) -> u64 {
        self.reserved + self.parts.values().map(|part| part.bytes).sum::<u64>()
    }

    fn note_peak(&mut self) {
        self.peak = self.peak.max(self.used());
    }

    /// The unpinned part whose next use lies farthest ahead (Belady); of equals, the one pinned longest ago.
    fn least_needed(&self) -> Option<PartId> {
        let idle = self.parts.iter().filter(|(_, part)| part.pins == 0);
        idle.max_by_key(|(id, part)| (self.next_use(**id), std::cmp::Reverse(part.pinned_at))).map(|(id, _)| *id)
    }

    fn next_use(&self, id: PartId) -> usize {
        let uses = self.uses.get(&id).map_or(&[][..], Vec::as_slice);
        uses.iter().copied().find(|step| *step > self.now).unwrap_or(usize::MAX)
    }
}

/// A place kept for weights that somebody loads. Dropped before they are there, as after a fault or a panic, it gives
/// the place back, so that whoever waits for them tries to load them.
struct Claim<'a> {
    ledger: &'a Arc<Ledger>,
    id: PartId,
}

impl Claim<'_> {
    /// Puts the weights into their place. The pin that the claim was becomes the caller's.
    fn fulfil(self, loaded: Arc<dyn Any + Send + Sync>) -> Hold {
        let hold = Hold { ledger: Arc::clone(self.ledger), id: self.id };
        self.ledger.books().parts.get_mut(&self.id).expect("a claimed place is pinned").loaded = Some(loaded);
        self.ledger.changed.notify_all();
        std::mem::forget(self);
        hold
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.ledger.give_up(self.id);
    }
}

/// One pin, given back when dropped.
struct Hold {
    ledger: Arc<Ledger>,
    id: PartId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(part) = self.ledger.books().parts.get_mut(&self.id) {
            part.pins -= 1;
        }
    }
}

/// Writes bytes for a person: "1.5 GiB", "12.0 MiB".
pub fn gibibytes(bytes: u64) -> String {
    const STEPS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match STEPS.iter().find(|(_, step)| bytes >= *step) {
        Some((unit, step)) => format!("{:.1} {unit}", bytes as f64 / *step as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests;
