//! What must hold of the account of memory.

use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Toy {
    id: u8,
    bytes: u64,
    loads: Arc<AtomicUsize>,
}

impl Resident for Toy {
    type Loaded = u8;

    fn part(&self) -> PartId {
        PartId(Fingerprint::of_bytes(&[self.id]))
    }
    fn title(&self) -> String {
        format!("toy {}", self.id)
    }
    fn bytes(&self, _: Place) -> u64 {
        self.bytes
    }
    fn load(&self, _: Place, _: &Cancel) -> Result<u8, Fault> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        Ok(self.id)
    }
}

fn toy(id: u8, bytes: u64) -> (Handle<Toy>, Arc<AtomicUsize>) {
    let loads = Arc::new(AtomicUsize::new(0));
    (Handle::new(Toy { id, bytes, loads: Arc::clone(&loads) }), loads)
}

fn pin(ledger: &Arc<Ledger>, handle: &Handle<Toy>) -> Result<Pinned<Toy>, Fault> {
    Ledger::pin(ledger, handle, &Cancel::new())
}

#[test]
fn weights_stay_until_the_room_is_needed() {
    let ledger = Ledger::new(10);
    let ((a, a_loads), (b, _)) = (toy(1, 6), toy(2, 6));
    drop(pin(&ledger, &a).expect("fits"));
    drop(pin(&ledger, &a).expect("is there"));
    assert_eq!(a_loads.load(Ordering::Relaxed), 1);
    drop(pin(&ledger, &b).expect("makes room"));
    assert_eq!(ledger.used(), 6);
    drop(pin(&ledger, &a).expect("comes back"));
    assert_eq!(a_loads.load(Ordering::Relaxed), 2);
}

#[test]
fn a_pinned_part_is_never_evicted() {
    let ledger = Ledger::new(10);
    let ((a, _), (b, _)) = (toy(1, 6), toy(2, 6));
    let held = pin(&ledger, &a).expect("fits");
    let fault = pin(&ledger, &b).err().expect("there is no room");
    assert!(fault.message.contains("toy 2 needs 6 B and 4 B of 10 B are free; in use: toy 1 6 B"), "{fault}");
    drop(held);
    pin(&ledger, &b).expect("now there is");
}

#[test]
fn a_part_is_released_by_its_name_unless_somebody_holds_it() {
    let ledger = Ledger::new(10);
    let ((a, a_loads), (b, _)) = (toy(1, 4), toy(2, 4));
    let held = pin(&ledger, &a).expect("fits");
    drop(pin(&ledger, &b).expect("fits"));
    assert!(!ledger.release(a.part()) && ledger.release(b.part()));
    assert_eq!(ledger.sitting().iter().map(|part| part.part).collect::<Vec<_>>(), [a.part()]);
    drop(held);
    assert!(ledger.release(a.part()) && ledger.used() == 0);
    drop(pin(&ledger, &a).expect("comes back"));
    assert_eq!(a_loads.load(Ordering::Relaxed), 2);
}

#[test]
fn the_part_needed_latest_goes_first() {
    let ledger = Ledger::new(10);
    let ((a, a_loads), (b, b_loads), (c, _)) = (toy(1, 4), toy(2, 4), toy(3, 4));
    drop((pin(&ledger, &a), pin(&ledger, &b)));
    ledger.expect(HashMap::from([(a.part(), vec![5]), (b.part(), vec![9])]));
    ledger.reach(3);
    drop(pin(&ledger, &c).expect("b goes"));
    drop(pin(&ledger, &a));
    drop(pin(&ledger, &b));
    assert_eq!((a_loads.load(Ordering::Relaxed), b_loads.load(Ordering::Relaxed)), (1, 2));
}

#[test]
fn two_handles_of_one_part_add_their_uses() {
    let ledger = Ledger::new(10);
    let ((a, a_loads), (b, b_loads), (c, _)) = (toy(1, 4), toy(2, 4), toy(3, 4));
    drop((pin(&ledger, &a), pin(&ledger, &b)));
    ledger.expect_also(a.part(), [5]);
    ledger.expect_also(b.part(), [7]);
    ledger.expect_also(a.part(), [9]);
    ledger.reach(3);
    drop(pin(&ledger, &c).expect("b goes: a is needed first"));
    drop((pin(&ledger, &a), pin(&ledger, &b)));
    assert_eq!((a_loads.load(Ordering::Relaxed), b_loads.load(Ordering::Relaxed)), (1, 2));
}

struct Worker(Arc<AtomicUsize>);

impl Resident for Worker {
    type Loaded = ();

    fn part(&self) -> PartId {
        PartId(Fingerprint::of_bytes(b"worker"))
    }
    fn title(&self) -> String {
        "worker".to_owned()
    }
    fn bytes(&self, _: Place) -> u64 {
        4
    }
    fn load(&self, _: Place, _: &Cancel) -> Result<(), Fault> {
        Ok(())
    }
    fn rest(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_part_rests_when_its_work_is_done_and_stays() {
    let (ledger, rests) = (Ledger::new(10), Arc::new(AtomicUsize::new(0)));
    let handle = Handle::new(Worker(Arc::clone(&rests)));
    for work in 1..3 {
        let held = Ledger::pin(&ledger, &handle, &Cancel::new()).expect("fits");
        assert_eq!(rests.load(Ordering::Relaxed), work - 1);
        drop(held);
        assert_eq!((rests.load(Ordering::Relaxed), ledger.used()), (work, 4));
    }
}

struct Brittle(AtomicUsize);

impl Resident for Brittle {
    type Loaded = ();

    fn part(&self) -> PartId {
        PartId(Fingerprint::of_bytes(b"brittle"))
    }
    fn title(&self) -> String {
        "brittle".to_owned()
    }
    fn bytes(&self, _: Place) -> u64 {
        4
    }
    fn load(&self, _: Place, _: &Cancel) -> Result<(), Fault> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("it broke"),
            1 => Err(Fault::file("it is gone")),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_panic_while_loading_leaves_the_place_free() {
    let ledger = Ledger::new(10);
    let handle = Handle::new(Brittle(AtomicUsize::new(0)));
    let pin = || Ledger::pin(&ledger, &handle, &Cancel::new());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(pin)).is_err());
    assert_eq!(ledger.used(), 0);
    assert!(pin().is_err());
    assert_eq!(ledger.used(), 0);
    let held = pin().expect("the third time it loads");
    assert!(ledger.sitting()[0].pinned);
    drop(held);
    assert!(!ledger.sitting()[0].pinned);
}

proptest! {
    #[test]
    fn the_budget_is_kept(budget in 1_u64..40, asks in prop::collection::vec((0_u8..6, 1_u64..20, any::<bool>()), 1..40)) {
        let ledger = Ledger::new(budget);
        let mut held = Vec::new();
        for (id, bytes, keep) in asks {
            // One name always has one size, as one file does.
            let (handle, _) = toy(id, 1 + (bytes + u64::from(id)) / (1 + u64::from(id)) * u64::from(id) % 20);
            let pinned = pin(&ledger, &handle);
            prop_assert!(ledger.used() <= budget);
            if keep { held.extend(pinned.ok()); } else { held.pop(); }
        }
        prop_assert!(ledger.peak() <= budget);
    }
}
