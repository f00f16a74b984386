//! The account of memory: a budget, who uses how much of it, and the pins that it gives out.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::room::{Ask, Idle, make_room, may_stay};
use super::{Device, Handle, PartId, Place, Resident, gibibytes};
use crate::fault::{Fault, Shortage};
use crate::observe::Cancel;
use crate::peak::{Peak, Watchers};

/// Weights in use; they stay while this lives.
pub struct Pinned<R: Resident> {
    loaded: Arc<R::Loaded>,
    handle: Handle<R>,
    bytes: u64,
    wants: u64,
    _hold: Hold,
}

impl<R: Resident> Pinned<R> {
    /// Returns the bytes that they keep in memory.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the bytes that all of them would take: above [`Pinned::bytes`], the rest is read from its file.
    pub fn wants(&self) -> u64 {
        self.wants
    }
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

impl Reservation {
    /// Returns how many bytes it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
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
    /// The number of the step that runs; a use at it, or at a later one, counts as "next".
    now: usize,
    /// The steps of the plan at which each part is used, ascending.
    uses: HashMap<PartId, Vec<usize>>,
    /// Counts pins, so that of two parts without a next use the older goes first.
    clock: u64,
    /// The parts of which was told that they are kept only in part.
    told: HashSet<PartId>,
    watchers: Watchers,
}

struct Part {
    title: String,
    /// What was granted.
    bytes: u64,
    /// What all of it would take.
    wants: u64,
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
    /// The bytes of it that are in memory.
    pub bytes: u64,
    /// The bytes that all of it would take.
    pub wants: u64,
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

    /// Begins to watch how many bytes are in use.
    pub fn watch(&self) -> Peak {
        let mut books = self.books();
        let used = books.used();
        books.watchers.watch(used)
    }

    /// Lists what sits in memory, largest first.
    pub fn sitting(&self) -> Vec<Sitting> {
        let books = self.books();
        let sitting = |(id, part): (&PartId, &Part)| Sitting {
            part: *id,
            title: part.title.clone(),
            bytes: part.bytes,
            wants: part.wants,
            pinned: part.pins > 0,
        };
        let mut all: Vec<_> = books.parts.iter().map(sitting).collect();
        all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.title.cmp(&b.title)));
        all
    }

    /// Begins a run: tells the steps of its plan at which parts will be used, so that the part needed latest goes first.
    pub fn expect(&self, uses: HashMap<PartId, Vec<usize>>) {
        let mut books = self.books();
        (books.uses, books.now) = (uses, 0);
        books.told.clear();
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

    /// Loads weights if they are not there and their file bears it, making room first, and holds them. They are granted all of their bytes
    /// where that fits once idle parts have gone, else what is then left; those that are there, whole or in part, are
    /// used as they are. `spare` bytes should be left for what the same step pins next.
    ///
    /// # Errors
    /// A fault of the file, of memory (who holds it), or [`Fault::cancelled`].
    pub fn pin<R: Resident>(
        ledger: &Arc<Self>,
        handle: &Handle<R>,
        spare: u64,
        cancel: &Cancel,
    ) -> Result<Pinned<R>, Fault> {
        let id = handle.part();
        if !ledger.books().parts.contains_key(&id) {
            handle.check()?;
        }
        let wanted = || {
            let whole = handle.bytes();
            Ask { whole, least: handle.least_bytes().min(whole), spare }
        };
        let Claimed { bytes, wants, loaded } = ledger.claim(id, handle.title(), wanted)?;
        let pinned = |loaded, hold| Pinned { loaded, handle: handle.clone(), bytes, wants, _hold: hold };
        if let Some(loaded) = loaded {
            let hold = Hold { ledger: Arc::clone(ledger), id };
            let loaded = loaded.downcast().map_err(|_| Fault::bug("two kinds of weights share one name"))?;
            return Ok(pinned(loaded, hold));
        }
        let claim = Claim { ledger, id };
        let loaded = Arc::new(handle.load(Place { device: Device::Cpu, bytes }, cancel)?);
        let hold = claim.fulfil(Arc::clone(&loaded) as _);
        Ok(pinned(loaded, hold))
    }

    /// Accounts for scratch memory, making room first.
    ///
    /// # Errors
    /// A fault of memory: who holds it.
    pub fn reserve(ledger: &Arc<Self>, bytes: u64) -> Result<Reservation, Fault> {
        let mut books = ledger.books();
        ledger.make_room(&mut books, Ask::exactly(bytes), "scratch memory")?;
        books.reserved += bytes;
        books.note_peak();
        Ok(Reservation { ledger: Arc::clone(ledger), bytes })
    }

    /// Accounts for as much scratch memory as there is room for, up to `most`, making room first; maybe for none.
    pub fn reserve_up_to(ledger: &Arc<Self>, most: u64) -> Reservation {
        let mut books = ledger.books();
        let ask = Ask { whole: most, least: 0, spare: 0 };
        let bytes = ledger.make_room(&mut books, ask, "scratch memory").unwrap_or(0);
        books.reserved += bytes;
        books.note_peak();
        Reservation { ledger: Arc::clone(ledger), bytes }
    }

    /// Tells whether this is the first time in a run that somebody would tell that a part is kept only in part.
    pub(crate) fn is_news(&self, part: PartId) -> bool {
        self.books().told.insert(part)
    }

    /// Takes a pin on a part that is there, or claims its place so that the caller loads it. Waits while another thread
    /// is loading it.
    fn claim(&self, id: PartId, title: String, ask: impl FnOnce() -> Ask) -> Result<Claimed, Fault> {
        let mut books = self.books();
        while books.parts.get(&id).is_some_and(|part| part.loaded.is_none()) {
            books = self.changed.wait(books).expect("no thread panics while it holds the books");
        }
        books.clock += 1;
        let (clock, ask) = (books.clock, ask());
        if books.parts.get(&id).is_some_and(|part| part.pins == 0 && !self.may_stay(&books, ask, id, part.bytes)) {
            books.parts.remove(&id);
        }
        if let Some(part) = books.parts.get_mut(&id) {
            part.pins += 1;
            part.pinned_at = clock;
            return Ok(Claimed { bytes: part.bytes, wants: part.wants, loaded: part.loaded.clone() });
        }
        let (bytes, wants) = (self.make_room(&mut books, ask, &title)?, ask.whole);
        books.parts.insert(id, Part { title, bytes, wants, pins: 1, pinned_at: clock, loaded: None });
        books.note_peak();
        Ok(Claimed { bytes, wants, loaded: None })
    }

    fn may_stay(&self, books: &Books, ask: Ask, id: PartId, bytes: u64) -> bool {
        let others = books.idle().iter().filter(|part| part.key != id).map(|part| part.bytes).sum();
        may_stay(ask, bytes, self.budget.saturating_sub(books.used()), others)
    }

    fn give_up(&self, id: PartId) {
        self.books().parts.remove(&id);
        self.changed.notify_all();
    }

    /// Makes room; returns the bytes that are granted.
    fn make_room(&self, books: &mut Books, ask: Ask, title: &str) -> Result<u64, Fault> {
        let free = self.budget.saturating_sub(books.used());
        let grant = make_room(ask, free, books.now, books.idle()).ok_or_else(|| self.too_much(books, ask, title))?;
        // What goes is gone before the room is given to anybody: the books stay closed meanwhile.
        grant.goes.iter().for_each(|id| drop(books.parts.remove(id)));
        Ok(grant.bytes)
    }

    /// Idle parts are not named: they would have gone.
    fn too_much(&self, books: &Books, ask: Ask, title: &str) -> Fault {
        let held = books.parts.values().filter(|part| part.pins > 0);
        let mut holders: Vec<_> = held.map(|part| (part.bytes, part.title.as_str())).collect();
        holders.extend(Some((books.reserved, "scratch memory")).filter(|(bytes, _)| *bytes > 0));
        holders.sort_by(|a, b| b.cmp(a));
        let used: u64 = holders.iter().map(|(bytes, _)| bytes).sum();
        let holders: Vec<_> = holders.iter().map(|(bytes, title)| format!("{title} {}", gibibytes(*bytes))).collect();
        let held = if holders.is_empty() { String::new() } else { format!("; in use: {}", holders.join(", ")) };
        let least = if ask.least < ask.whole { "at least " } else { "" };
        let short = Shortage { needs: ask.least, free: self.budget.saturating_sub(used), of: self.budget };
        Fault::memory(format!(
            "{title} needs {least}{} and {} of {} are free{held}",
            gibibytes(short.needs),
            gibibytes(short.free),
            gibibytes(short.of)
        ))
        .short_of(short)
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
        let used = self.used();
        self.peak = self.peak.max(used);
        self.watchers.see(used);
    }

    fn idle(&self) -> Vec<Idle<PartId>> {
        let idle = |(id, part): (&PartId, &Part)| Idle {
            key: *id,
            bytes: part.bytes,
            next_use: self.next_use(*id),
            used_at: part.pinned_at,
        };
        self.parts.iter().filter(|(_, part)| part.pins == 0).map(idle).collect()
    }

    fn next_use(&self, id: PartId) -> usize {
        let uses = self.uses.get(&id).map_or(&[][..], Vec::as_slice);
        uses.iter().copied().find(|step| *step >= self.now).unwrap_or(usize::MAX)
    }
}

/// What somebody who pins a part finds.
struct Claimed {
    bytes: u64,
    wants: u64,
    /// `None` if it is to be loaded.
    loaded: Option<Arc<dyn Any + Send + Sync>>,
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
