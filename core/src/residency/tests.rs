//! What must hold of the account of memory.

use super::room::{Ask, Idle, make_room};
use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Toy {
    id: u8,
    device: Device,
    bytes: u64,
    least: u64,
    loads: Arc<AtomicUsize>,
}

impl Resident for Toy {
    /// What it was granted.
    type Loaded = u64;

    fn part(&self) -> PartId {
        PartId(Fingerprint::of_bytes(&[self.id]))
    }
    fn title(&self) -> String {
        format!("toy {}", self.id)
    }
    fn device(&self) -> Device {
        self.device
    }
    fn bytes(&self) -> u64 {
        self.bytes
    }
    fn least_bytes(&self) -> u64 {
        self.least
    }
    fn load(&self, place: Place, _: &Cancel) -> Result<u64, Fault> {
        assert_eq!(place.device, self.device);
        self.loads.fetch_add(1, Ordering::Relaxed);
        Ok(place.bytes)
    }
}

fn toy(id: u8, bytes: u64) -> (Handle<Toy>, Arc<AtomicUsize>) {
    thin(id, bytes, bytes)
}

/// A toy that can do with less than all of it.
fn thin(id: u8, bytes: u64, least: u64) -> (Handle<Toy>, Arc<AtomicUsize>) {
    on(Device::Cpu, id, bytes, least)
}

/// A toy that sits on a device.
fn on(device: Device, id: u8, bytes: u64, least: u64) -> (Handle<Toy>, Arc<AtomicUsize>) {
    let loads = Arc::new(AtomicUsize::new(0));
    (Handle::new(Toy { id, device, bytes, least, loads: Arc::clone(&loads) }), loads)
}

fn pin(ledger: &Arc<Ledger>, handle: &Handle<Toy>) -> Result<Pinned<Toy>, Fault> {
    Ledger::pin(ledger, handle, 0, &Cancel::new())
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

/// Weights that know whether others are there while they are loaded.
struct Jealous {
    id: u8,
    sound: bool,
    alive: Arc<AtomicUsize>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Resident for Jealous {
    type Loaded = Alive;

    fn part(&self) -> PartId {
        PartId(Fingerprint::of_bytes(&[self.id]))
    }
    fn title(&self) -> String {
        format!("jealous {}", self.id)
    }
    fn bytes(&self) -> u64 {
        6
    }
    fn check(&self) -> Result<(), Fault> {
        if self.sound { Ok(()) } else { Err(Fault::file("it is torn")) }
    }
    fn load(&self, _: Place, _: &Cancel) -> Result<Alive, Fault> {
        assert_eq!(self.alive.fetch_add(1, Ordering::Relaxed), 0, "what had to go is gone");
        Ok(Alive(Arc::clone(&self.alive)))
    }
}

#[test]
fn what_makes_room_is_gone_before_the_next_is_loaded_and_stays_if_that_is_torn() {
    let (ledger, alive) = (Ledger::new(10), Arc::new(AtomicUsize::new(0)));
    let jealous = |id, sound| Handle::new(Jealous { id, sound, alive: Arc::clone(&alive) });
    let pin = |handle: &Handle<Jealous>| Ledger::pin(&ledger, handle, 0, &Cancel::new()).map(drop);
    for id in [1, 2, 1] {
        pin(&jealous(id, true)).expect("makes room");
    }
    let fault = pin(&jealous(3, false)).expect_err("it is torn");
    assert_eq!(fault.message, "it is torn");
    assert_eq!((alive.load(Ordering::Relaxed), ledger.used()), (1, 6));
    assert_eq!(ledger.sitting()[0].title, "jealous 1");
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
    fn bytes(&self) -> u64 {
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
        let held = Ledger::pin(&ledger, &handle, 0, &Cancel::new()).expect("fits");
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
    fn bytes(&self) -> u64 {
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
    let pin = || Ledger::pin(&ledger, &handle, 0, &Cancel::new());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(pin)).is_err());
    assert_eq!(ledger.used(), 0);
    assert!(pin().is_err());
    assert_eq!(ledger.used(), 0);
    let held = pin().expect("the third time it loads");
    assert!(ledger.sitting()[0].pinned);
    drop(held);
    assert!(!ledger.sitting()[0].pinned);
}

#[test]
fn a_part_that_does_not_fit_whole_is_granted_what_is_left() {
    let ledger = Ledger::new(10);
    let ((a, _), (b, _)) = (thin(1, 12, 3), toy(2, 4));
    drop(pin(&ledger, &b).expect("fits"));
    let scratch = Ledger::reserve(&ledger, Device::Cpu, 2).expect("fits");
    let held = pin(&ledger, &a).expect("most of it fits, once b is gone");
    assert_eq!((*held, held.bytes(), held.wants(), ledger.used()), (8, 8, 12, 10));
    assert_eq!((ledger.sitting()[0].bytes, ledger.sitting()[0].wants), (8, 12));
    drop((held, scratch));
    assert_eq!(ledger.used(), 8);
}

#[test]
fn a_part_that_fits_once_idle_ones_are_gone_is_granted_whole() {
    let ledger = Ledger::new(10);
    let ((a, _), (b, b_loads), (c, _)) = (thin(1, 7, 1), toy(2, 3), toy(3, 3));
    drop((pin(&ledger, &b), pin(&ledger, &c)));
    ledger.expect(HashMap::from([(b.part(), vec![2])]));
    assert_eq!(*pin(&ledger, &a).expect("c goes"), 7);
    drop(pin(&ledger, &b));
    assert_eq!((b_loads.load(Ordering::Relaxed), ledger.used()), (1, 10));
}

#[test]
fn a_part_that_is_there_in_part_is_used_as_it_is() {
    let ledger = Ledger::new(10);
    let (a, loads) = thin(1, 12, 3);
    let scratch = Ledger::reserve(&ledger, Device::Cpu, 6).expect("fits");
    assert_eq!(*pin(&ledger, &a).expect("a third of it fits"), 4);
    drop(scratch);
    assert_eq!(*pin(&ledger, &a).expect("it is there"), 4);
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

#[test]
fn what_a_part_can_not_do_without_is_named() {
    let ledger = Ledger::new(10);
    let ((a, _), (b, b_loads), (c, _)) = (thin(1, 12, 7), toy(2, 2), toy(3, 4));
    drop(pin(&ledger, &b).expect("fits"));
    let held = pin(&ledger, &c).expect("fits");
    let fault = pin(&ledger, &a).err().expect("there is no room");
    assert_eq!(fault.message, "toy 1 needs at least 7 B and 6 B of 10 B are free; in use: toy 3 4 B");
    drop((held, pin(&ledger, &b)));
    assert_eq!(b_loads.load(Ordering::Relaxed), 1, "what had to stay out took nobody's place");
}

#[test]
fn a_part_leaves_room_for_those_that_the_same_step_pins_next() {
    let ledger = Ledger::new(10);
    let ((a, _), (b, _), (c, _)) = (thin(1, 12, 3), toy(2, 4), toy(3, 5));
    let a = Ledger::pin(&ledger, &a, 4, &Cancel::new()).expect("fits in part");
    let b = pin(&ledger, &b).expect("its place was kept");
    assert_eq!((*a, *b), (6, 4));
    drop((a, b));
    // One that is there keeps its own place.
    ledger.release_all();
    ledger.expect(HashMap::from([(c.part(), vec![1])]));
    drop(pin(&ledger, &c));
    ledger.reach(1);
    let (d, _) = thin(4, 5, 1);
    assert_eq!(*Ledger::pin(&ledger, &d, 5, &Cancel::new()).expect("beside c"), 5);
    assert_eq!(ledger.sitting().len(), 2);
}

#[test]
fn a_part_that_would_keep_out_its_neighbour_comes_back_smaller() {
    let ledger = Ledger::new(10);
    let ((a, loads), (b, _)) = (thin(1, 9, 2), toy(2, 4));
    assert_eq!(*pin(&ledger, &a).expect("fits"), 9);
    let a = Ledger::pin(&ledger, &a, 4, &Cancel::new()).expect("fits in part");
    let b = pin(&ledger, &b).expect("its place was kept");
    assert_eq!((*a, *b, loads.load(Ordering::Relaxed)), (6, 4, 2));
}

#[test]
fn a_part_that_the_running_step_uses_goes_after_those_of_later_steps() {
    let ledger = Ledger::new(10);
    let ((a, a_loads), (b, _)) = (toy(1, 4), toy(2, 4));
    drop((pin(&ledger, &a), pin(&ledger, &b)));
    ledger.expect(HashMap::from([(a.part(), vec![3]), (b.part(), vec![4])]));
    ledger.reach(3);
    drop(Ledger::reserve(&ledger, Device::Cpu, 3).expect("b goes"));
    drop(pin(&ledger, &a));
    assert_eq!(a_loads.load(Ordering::Relaxed), 1);
}

#[test]
fn who_watches_knows_the_most_since_then() {
    let ledger = Ledger::new(10);
    drop(Ledger::reserve(&ledger, Device::Cpu, 9).expect("fits"));
    let held = Ledger::reserve(&ledger, Device::Cpu, 2).expect("fits");
    let most = || ledger.watch().remove(&Device::Cpu).expect("there is an account");
    let since = most();
    assert_eq!(since.bytes(), 2);
    drop(Ledger::reserve(&ledger, Device::Cpu, 5).expect("fits"));
    drop(held);
    assert_eq!((since.bytes(), most().bytes(), ledger.peak()), (7, 0, 9));
}

#[test]
fn shares_of_bytes_read_well() {
    assert_eq!(gibibytes_of(9 << 28, 11 << 29), "2.2 of 5.5 GiB");
    assert_eq!(gibibytes_of(1 << 20, 1 << 30), "1.0 MiB of 1.0 GiB");
    assert_eq!(gibibytes_of(6, 12), "6 B of 12 B");
}

const CARD: Device = Device::Cuda(0);
const OTHER: Device = Device::Cuda(1);

#[test]
fn a_pin_on_one_device_evicts_nobody_on_another() {
    let ledger = Ledger::of([(Device::Cpu, 10), (CARD, 10), (OTHER, 8)]);
    let ((a, a_loads), (b, b_loads)) = (toy(1, 6), on(CARD, 2, 6, 6));
    drop((pin(&ledger, &a), pin(&ledger, &b)));
    drop(pin(&ledger, &on(OTHER, 3, 8, 8).0).expect("the other card is empty"));
    drop(pin(&ledger, &on(CARD, 4, 6, 6).0).expect("b goes"));
    assert_eq!((ledger.used(), ledger.used_on(CARD), ledger.used_on(OTHER)), (6, 6, 8));
    drop((pin(&ledger, &a), pin(&ledger, &b)));
    assert_eq!((a_loads.load(Ordering::Relaxed), b_loads.load(Ordering::Relaxed)), (1, 2));
}

#[test]
fn one_part_may_sit_on_two_devices() {
    let ledger = Ledger::of([(Device::Cpu, 10), (CARD, 10)]);
    let held = (pin(&ledger, &toy(1, 6).0).expect("fits"), pin(&ledger, &on(CARD, 1, 6, 2).0).expect("fits"));
    assert_eq!((ledger.used(), ledger.used_on(CARD)), (6, 6));
    assert_eq!(ledger.sitting().iter().map(|part| part.device).collect::<std::collections::BTreeSet<_>>().len(), 2);
    let part = toy(1, 6).0.part();
    drop(held.0);
    assert!(!ledger.release(part), "it is held on the card");
    drop(held.1);
    assert!(ledger.release(part) && ledger.sitting().is_empty());
}

#[test]
fn too_little_memory_on_a_card_names_the_card_and_its_flag() {
    let ledger = Ledger::of([(Device::Cpu, 100), (CARD, 10)]);
    let _held = pin(&ledger, &on(CARD, 1, 6, 6).0).expect("fits");
    let fault = pin(&ledger, &on(CARD, 2, 6, 6).0).err().expect("there is no room");
    assert_eq!(fault.message, "toy 2 needs 6 B and 4 B of 10 B are free on cuda:0; in use: toy 1 6 B");
    assert!(fault.hint.as_deref().is_some_and(|hint| hint.contains("--vram")), "{:?}", fault.hint);
    let fault = Ledger::reserve(&ledger, Device::Cpu, 101).err().expect("there is no room");
    assert!(fault.message.ends_with("100 B of 100 B are free"), "{fault}");
    assert!(fault.hint.as_deref().is_some_and(|hint| hint.contains("--ram")), "{:?}", fault.hint);
}

#[test]
fn row_47_the_account_of_a_device_that_is_gone_is_emptied_and_gives_out_nothing() {
    let ledger = Ledger::of([(Device::Cpu, 10), (CARD, 10)]);
    let (handle, loads) = on(CARD, 1, 6, 6);
    let (held, scratch) = (pin(&ledger, &handle).expect("fits"), Ledger::reserve(&ledger, CARD, 3).expect("fits"));
    drop(pin(&ledger, &toy(2, 6).0).expect("fits"));
    ledger.close(CARD);
    assert_eq!((ledger.used_on(CARD), ledger.budget_on(CARD), ledger.used()), (0, 0, 6));
    drop((held, scratch));
    let fault = pin(&ledger, &handle).err().expect("it is gone");
    assert_eq!((fault.kind, loads.load(Ordering::Relaxed)), (crate::fault::FaultKind::Device, 1));
    assert!(Ledger::reserve(&ledger, CARD, 1).is_err());
    assert_eq!(Ledger::reserve_up_to(&ledger, CARD, 1).bytes(), 0);
    assert_eq!(ledger.budgets().into_keys().collect::<Vec<_>>(), [Device::Cpu]);
}

proptest! {
    #[test]
    fn the_budget_of_each_device_is_kept(
        budgets in prop::array::uniform3(1_u64..40),
        sizes in prop::array::uniform6(1_u64..20),
        asks in prop::collection::vec((0_usize..6, 0_usize..3, 0_u64..8, any::<bool>()), 1..40),
    ) {
        let devices = [Device::Cpu, CARD, OTHER];
        let ledger = Ledger::of(devices.into_iter().zip(budgets));
        let (mut held, mut scratch) = (Vec::new(), Vec::new());
        for (id, device, reserved, keep) in asks {
            let before: Vec<_> = devices.map(|device| ledger.used_on(device)).to_vec();
            let bytes = sizes[id];
            let least = if id % 2 == 0 { bytes } else { bytes / 3 };
            let pinned = pin(&ledger, &on(devices[device], id as u8, bytes, least).0);
            let room = Ledger::reserve(&ledger, devices[device], reserved);
            for (at, (one, budget)) in devices.into_iter().zip(budgets).enumerate() {
                prop_assert!(ledger.used_on(one) <= budget);
                prop_assert!(at == device || ledger.used_on(one) == before[at], "others are left alone");
            }
            if keep { held.extend(pinned.ok()); scratch.extend(room.ok()); } else { held.pop(); scratch.pop(); }
        }
        for (device, budget) in devices.into_iter().zip(budgets) {
            prop_assert!(ledger.peak_on(device) <= budget);
        }
    }

    #[test]
    fn the_budget_is_kept(
        budget in 1_u64..40,
        sizes in prop::array::uniform6(1_u64..20),
        asks in prop::collection::vec((0_usize..6, any::<bool>()), 1..40),
    ) {
        let ledger = Ledger::new(budget);
        let mut held = Vec::new();
        for (id, keep) in asks {
            // Every second can do with a third of it.
            let bytes = sizes[id];
            let least = if id % 2 == 0 { bytes } else { bytes / 3 };
            let (handle, loads) = thin(id as u8, bytes, least);
            let others: u64 = ledger.sitting().iter().filter(|part| part.pinned).map(|part| part.bytes).sum();
            let pinned = pin(&ledger, &handle);
            prop_assert!(ledger.used() <= budget);
            let loaded = loads.load(Ordering::Relaxed) == 1;
            match &pinned {
                Ok(part) => {
                    prop_assert!((least..=bytes).contains(&**part));
                    prop_assert!(!loaded || **part == bytes.min(budget - others), "whole, or all that is left");
                }
                Err(_) => prop_assert!(budget - others < least),
            }
            if keep { held.extend(pinned.ok()); } else { held.pop(); }
        }
        prop_assert!(ledger.peak() <= budget);
    }

    #[test]
    fn room_is_made_by_one_rule(
        (whole, least, spare) in (0_u64..30, 0_u64..30, 0_u64..10),
        free in 0_u64..30,
        now in 0_usize..4,
        idle in prop::collection::vec((1_u64..10, 0_usize..6, 0_u64..9), 0..6),
    ) {
        let idle: Vec<_> = idle
            .iter()
            .enumerate()
            .map(|(key, (bytes, next_use, used_at))| Idle {
                key,
                bytes: *bytes,
                next_use: now + next_use,
                used_at: *used_at,
            })
            .collect();
        let ask = Ask { whole: whole.max(least), least, spare };
        let all = free + idle.iter().map(|part| part.bytes).sum::<u64>();
        match make_room(ask, free, now, idle.clone()) {
            None => prop_assert!(all < least),
            Some(grant) => {
                let gone = |part: &&Idle<usize>| grant.goes.contains(&part.key);
                let freed: u64 = idle.iter().filter(gone).map(|part| part.bytes).sum();
                prop_assert!((least..=ask.whole).contains(&grant.bytes) && grant.bytes <= free + freed);
                prop_assert!(grant.bytes == ask.whole || ask.whole + spare > all);
                let last_gone = idle.iter().filter(gone).map(|part| part.next_use).min();
                let first_kept = idle.iter().filter(|part| !gone(part)).map(|part| part.next_use).max();
                prop_assert!(last_gone.zip(first_kept).is_none_or(|(gone, kept)| gone >= kept));
            }
        }
    }
}

#[test]
fn a_device_is_read_as_it_is_written() {
    for device in [Device::Cpu, Device::Cuda(0), Device::Cuda(12)] {
        assert_eq!(device.to_string().parse(), Ok(device));
    }
    for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:65536", "CPU"] {
        assert_eq!(text.parse::<Device>(), Err(()), "{text}");
    }
}
