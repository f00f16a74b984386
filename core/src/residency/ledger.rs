//! The accounts of memory, one for each device: a budget, who uses how much of it, and the pins that are given out.

use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use super::account::{Account, Part, Uses, no_account};
use super::room::Ask;
use super::{Device, Handle, PartId, Place, Resident};
use crate::fault::Fault;
use crate::observe::Cancel;
use crate::peak::Peak;

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
    device: Device,
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
        // The account of a device that is gone is gone as well.
        if let Some(account) = self.ledger.books().accounts.get_mut(&self.device) {
            account.reserved -= self.bytes;
        }
    }
}

/// The accounts of memory: for each device a budget, and who uses how much of it.
pub struct Ledger {
    books: Mutex<Books>,
    changed: Condvar,
}

#[derive(Default)]
struct Books {
    accounts: BTreeMap<Device, Account>,
    /// When parts are used, by the plan.
    uses: Uses,
    /// Counts pins, so that of two parts without a next use the older goes first.
    clock: u64,
    /// The parts of which was told that they are kept only in part.
    told: HashSet<PartId>,
}

/// What sits in memory, for a person to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sitting {
    /// The name of the weights.
    pub part: PartId,
    /// The device that they sit on.
    pub device: Device,
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
    /// Opens the account of the processor, with a budget in bytes.
    pub fn new(budget: u64) -> Arc<Self> {
        Self::of([(Device::Cpu, budget)])
    }

    /// Opens accounts, each with its budget in bytes. On other devices there is nothing to be had.
    pub fn of(budgets: impl IntoIterator<Item = (Device, u64)>) -> Arc<Self> {
        let account = |(device, budget)| (device, Account { budget, ..Account::default() });
        let books = Books { accounts: budgets.into_iter().map(account).collect(), ..Books::default() };
        Arc::new(Self { books: Mutex::new(books), changed: Condvar::new() })
    }

    /// Returns the budget of the processor in bytes.
    pub fn budget(&self) -> u64 {
        self.budget_on(Device::Cpu)
    }

    /// Returns the budget of a device in bytes.
    pub fn budget_on(&self, device: Device) -> u64 {
        self.books().accounts.get(&device).map_or(0, |account| account.budget)
    }

    /// Returns the budget of each device that has an account.
    pub fn budgets(&self) -> BTreeMap<Device, u64> {
        self.books().accounts.iter().map(|(device, account)| (*device, account.budget)).collect()
    }

    /// Returns the bytes of the processor's memory that are in use: loaded weights and reservations.
    pub fn used(&self) -> u64 {
        self.used_on(Device::Cpu)
    }

    /// Returns the bytes of a device's memory that are in use.
    pub fn used_on(&self, device: Device) -> u64 {
        self.books().accounts.get(&device).map_or(0, Account::used)
    }

    /// Returns the most bytes of the processor's memory that were ever in use.
    pub fn peak(&self) -> u64 {
        self.peak_on(Device::Cpu)
    }

    /// Returns the most bytes of a device's memory that were ever in use.
    pub fn peak_on(&self, device: Device) -> u64 {
        self.books().accounts.get(&device).map_or(0, |account| account.peak)
    }

    /// Begins to watch how many bytes of each device are in use.
    pub fn watch(&self) -> BTreeMap<Device, Peak> {
        let watch = |(device, account): (&Device, &mut Account)| (*device, account.watchers.watch(account.used()));
        self.books().accounts.iter_mut().map(watch).collect()
    }

    /// Lists what sits in memory, largest first.
    pub fn sitting(&self) -> Vec<Sitting> {
        let sitting = |device: Device, id: &PartId, part: &Part| Sitting {
            part: *id,
            device,
            title: part.title.clone(),
            bytes: part.bytes,
            wants: part.wants,
            pinned: part.pins > 0,
        };
        let books = self.books();
        let accounts = books.accounts.iter();
        let mut all: Vec<_> = accounts
            .flat_map(|(device, account)| account.parts.iter().map(|(id, part)| sitting(*device, id, part)))
            .collect();
        all.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.title.cmp(&b.title)));
        all
    }

    /// Begins a run: tells the steps of its plan at which parts will be used, so that the part needed latest goes first.
    pub fn expect(&self, uses: HashMap<PartId, Vec<usize>>) {
        let mut books = self.books();
        books.uses = Uses { now: 0, of: uses };
        books.told.clear();
    }

    /// Adds uses that became known when a model was opened; two handles may stand for one part.
    pub fn expect_also(&self, part: PartId, steps: impl IntoIterator<Item = usize>) {
        let mut books = self.books();
        let uses = books.uses.of.entry(part).or_default();
        uses.extend(steps);
        uses.sort_unstable();
    }

    /// Tells which step of the plan runs.
    pub fn reach(&self, step: usize) {
        self.books().uses.now = step;
    }

    /// Lets go of one part, unless somebody holds it; tells whether it is gone.
    pub fn release(&self, part: PartId) -> bool {
        let mut books = self.books();
        let is_held = |account: &Account| account.parts.get(&part).is_some_and(|part| part.pins > 0);
        if books.accounts.values().any(is_held) {
            return false;
        }
        books.accounts.values_mut().for_each(|account| drop(account.parts.remove(&part)));
        true
    }

    /// Lets go of everything that nobody holds.
    pub fn release_all(&self) {
        self.books().accounts.values_mut().for_each(Account::release_all);
    }

    /// Lets go of everything on a device that nobody holds.
    pub fn release_all_on(&self, device: Device) {
        self.books().accounts.get_mut(&device).into_iter().for_each(Account::release_all);
    }

    /// Closes the account of a device that is gone: whatever sat there is let go of, and nothing is given out any more.
    pub fn close(&self, device: Device) {
        self.books().accounts.remove(&device);
        // Whoever waits for a part that another one loads there must hear of it.
        self.changed.notify_all();
    }

    /// Loads weights if they are not there and their file bears it, making room first on their device, and holds them.
    /// They are granted all of their bytes where that fits once idle parts have gone, else what is then left; those that
    /// are there, whole or in part, are used as they are. `spare` bytes should be left for what the same step pins next on that device.
    ///
    /// # Errors
    /// A fault of the file, of memory (who holds it), or [`Fault::cancelled`]; that the device has no account.
    pub fn pin<R: Resident>(
        ledger: &Arc<Self>,
        handle: &Handle<R>,
        spare: u64,
        cancel: &Cancel,
    ) -> Result<Pinned<R>, Fault> {
        let (device, id) = (handle.device(), handle.part());
        if ledger.books().part(device, id).is_none() {
            handle.check()?;
        }
        let wanted = || {
            let whole = handle.bytes();
            Ask { whole, least: handle.least_bytes().min(whole), spare }
        };
        let Claimed { bytes, wants, loaded } = ledger.claim((device, id), handle.title(), wanted)?;
        let pinned = |loaded, hold| Pinned { loaded, handle: handle.clone(), bytes, wants, _hold: hold };
        if let Some(loaded) = loaded {
            let hold = Hold { ledger: Arc::clone(ledger), device, id };
            let loaded = loaded.downcast().map_err(|_| Fault::bug("two kinds of weights share one name"))?;
            return Ok(pinned(loaded, hold));
        }
        let claim = Claim { ledger, device, id };
        let loaded = Arc::new(handle.load(Place { device, bytes }, cancel)?);
        let hold = claim.fulfil(Arc::clone(&loaded) as _);
        Ok(pinned(loaded, hold))
    }

    /// Accounts for scratch memory on a device, making room first.
    ///
    /// # Errors
    /// A fault of memory: who holds it; that the device has no account.
    pub fn reserve(ledger: &Arc<Self>, device: Device, bytes: u64) -> Result<Reservation, Fault> {
        let bytes = ledger.books().reserve(device, Ask::exactly(bytes))?;
        Ok(Reservation { ledger: Arc::clone(ledger), device, bytes })
    }

    /// Accounts for as much scratch memory as there is room for on a device, up to `most`, making room first; maybe for
    /// none.
    pub fn reserve_up_to(ledger: &Arc<Self>, device: Device, most: u64) -> Reservation {
        let ask = Ask { whole: most, least: 0, spare: 0 };
        let bytes = ledger.books().reserve(device, ask).unwrap_or(0);
        Reservation { ledger: Arc::clone(ledger), device, bytes }
    }

    /// Tells whether this is the first time in a run that somebody would tell that a part is kept only in part.
    pub(crate) fn is_news(&self, part: PartId) -> bool {
        self.books().told.insert(part)
    }

    /// Takes a pin on a part that is there, or claims its place so that the caller loads it. Waits while another thread
    /// is loading it.
    fn claim(
        &self,
        (device, id): (Device, PartId),
        title: String,
        ask: impl FnOnce() -> Ask,
    ) -> Result<Claimed, Fault> {
        let mut books = self.books();
        while books.loads(device, id) {
            books = self.changed.wait(books).expect("no thread panics while it holds the books");
        }
        books.clock += 1;
        let (clock, ask) = (books.clock, ask());
        let Books { accounts, uses, .. } = &mut *books;
        let account = accounts.get_mut(&device).ok_or_else(|| no_account(device, &title))?;
        if account.parts.get(&id).is_some_and(|part| part.pins == 0 && !account.may_stay(uses, ask, id, part.bytes)) {
            account.parts.remove(&id);
        }
        if let Some(part) = account.parts.get_mut(&id) {
            part.pins += 1;
            part.pinned_at = clock;
            return Ok(Claimed { bytes: part.bytes, wants: part.wants, loaded: part.loaded.clone() });
        }
        let (bytes, wants) =
            (account.make_room(uses, ask).ok_or_else(|| account.too_much(device, ask, &title))?, ask.whole);
        account.parts.insert(id, Part { title, bytes, wants, pins: 1, pinned_at: clock, loaded: None });
        account.note_peak();
        Ok(Claimed { bytes, wants, loaded: None })
    }

    fn give_up(&self, device: Device, id: PartId) {
        if let Some(account) = self.books().accounts.get_mut(&device) {
            account.parts.remove(&id);
        }
        self.changed.notify_all();
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no thread panics while it holds the books")
    }
}

impl Books {
    /// Tells whether somebody is loading a part.
    fn loads(&self, device: Device, id: PartId) -> bool {
        let part = self.accounts.get(&device).and_then(|account| account.parts.get(&id));
        part.is_some_and(|part| part.loaded.is_none())
    }

    fn part(&mut self, device: Device, id: PartId) -> Option<&mut Part> {
        self.accounts.get_mut(&device)?.parts.get_mut(&id)
    }

    fn reserve(&mut self, device: Device, ask: Ask) -> Result<u64, Fault> {
        const TITLE: &str = "scratch memory";
        let account = self.accounts.get_mut(&device).ok_or_else(|| no_account(device, TITLE))?;
        let bytes = account.make_room(&self.uses, ask).ok_or_else(|| account.too_much(device, ask, TITLE))?;
        account.reserved += bytes;
        account.note_peak();
        Ok(bytes)
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
    device: Device,
    id: PartId,
}

impl Claim<'_> {
    /// Puts the weights into their place, unless it went with its device meanwhile. The pin that the claim was becomes
    /// the caller's.
    fn fulfil(self, loaded: Arc<dyn Any + Send + Sync>) -> Hold {
        let hold = Hold { ledger: Arc::clone(self.ledger), device: self.device, id: self.id };
        if let Some(part) = self.ledger.books().part(self.device, self.id) {
            part.loaded = Some(loaded);
        }
        self.ledger.changed.notify_all();
        std::mem::forget(self);
        hold
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.ledger.give_up(self.device, self.id);
    }
}

/// One pin, given back when dropped.
struct Hold {
    ledger: Arc<Ledger>,
    device: Device,
    id: PartId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(part) = self.ledger.books().part(self.device, self.id) {
            part.pins -= 1;
        }
    }
}
