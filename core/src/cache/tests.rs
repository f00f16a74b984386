//! What the two tiers promise together, with lumps of numbers for values.

use super::*;
use crate::types::Kind;
use crate::value::{Array, Codec, Datum, Made, Record};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;

/// So many numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lump(pub Vec<f32>);

impl Datum for Lump {
    const KIND: Kind = Kind("lump");

    fn bytes(&self) -> u64 {
        4 * self.0.len() as u64
    }

    fn codec() -> Option<Codec> {
        let encode = |value: &Value| {
            let lump = value.downcast::<Lump>()?;
            let arrays = BTreeMap::from([("lump".to_owned(), Array::f32(vec![lump.0.len()], &lump.0))]);
            Some(Record { arrays, ..Record::default() })
        };
        Some(Codec::new(encode, |record| Some(Made::new(Lump(record.arrays.get("lump")?.to_f32()?)))))
    }
}

/// A thing that is never kept on disk.
#[derive(Clone)]
struct Model;

impl Datum for Model {
    const KIND: Kind = Kind("model");

    fn bytes(&self) -> u64 {
        8
    }
}

fn name(id: u8) -> Fingerprint {
    Fingerprint::of_bytes(&[id])
}

fn lump(id: u8, bytes: usize) -> Vec<Value> {
    vec![Made::new(Lump(vec![f32::from(id); bytes / 4])).named(name(id).output(0))]
}

fn outputs() -> [Output; 1] {
    [Output::of::<Lump>("lump", "")]
}

fn on_disk(folder: &Path, budget: u64) -> Cache {
    Cache::in_memory(0).with_disk(folder, budget).expect("writable")
}

/// Stores a lump that takes 656 bytes in memory and about 750 on disk.
fn store(cache: &Cache, id: u8, seconds: f64) {
    assert_eq!(cache.store(name(id), "toy", &lump(id, 400), seconds), Vec::<String>::new());
}

fn bytes_below(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .map(|file| {
            if file.path().is_dir() {
                bytes_below(&file.path())
            } else {
                file.metadata().map_or(0, |about| about.len())
            }
        })
        .sum()
}

#[test]
fn a_result_survives_the_process() {
    let home = tempfile::tempdir().expect("a folder");
    store(&on_disk(home.path(), 1 << 20), 1, 2.5);
    let cache = Cache::in_memory(1 << 20).with_disk(home.path(), 1 << 20).expect("writable");
    assert_eq!(cache.find(name(1)), Some(Tier::Disk));
    assert_eq!((cache.list()[0].label.as_str(), cache.list()[0].seconds), ("toy", 2.5));
    let values = cache.load(name(1), &outputs()).expect("there");
    assert_eq!(values[0].get::<Lump>(), Ok(&Lump(vec![1.0; 100])));
    assert_eq!(values[0].name(), name(1).output(0));
    assert_eq!(cache.find(name(1)), Some(Tier::Memory), "a result that was wanted is at hand");
    assert_eq!(cache.list().len(), 1);
}

#[test]
fn a_model_stays_in_memory() {
    let home = tempfile::tempdir().expect("a folder");
    let cache = Cache::in_memory(1 << 20).with_disk(home.path(), 1 << 20).expect("writable");
    cache.store(name(1), "toy", &[lump(1, 8)[0].clone(), Made::new(Model).named(name(2))], 1.0);
    assert_eq!((cache.find(name(1)), cache.usage().disk_entries), (Some(Tier::Memory), 0));
}

#[test]
fn an_evicted_result_says_why_it_went() {
    let home = tempfile::tempdir().expect("a folder");
    let cache = on_disk(home.path(), 4000);
    for (id, seconds) in [(1, 1.0), (2, 0.001), (3, 1.0), (4, 1.0), (5, 1.0), (6, 1.0)] {
        store(&cache, id, seconds);
    }
    assert_eq!((cache.find(name(2)), cache.why_gone(name(2))), (None, Gone::EvictedForRoom));
    assert_eq!(cache.find(name(6)), Some(Tier::Disk));
    let later = on_disk(home.path(), 4000);
    assert_eq!((later.why_gone(name(2)), later.why_gone(name(99))), (Gone::EvictedForRoom, Gone::Never));
    assert!(later.clear().is_ok_and(|cleared| cleared.entries >= 2 && cleared.leased == 0));
    assert_eq!((later.find(name(6)), later.why_gone(name(6))), (None, Gone::Cleared));
}

#[test]
fn memory_alone_says_why_too() {
    let cache = Cache::in_memory(1000);
    store(&cache, 1, 1.0);
    store(&cache, 2, 1.0);
    assert_eq!((cache.find(name(1)), cache.why_gone(name(1))), (None, Gone::EvictedForRoom));
    assert!(cache.checkpoints().is_none() && cache.clear().is_ok_and(|cleared| cleared.entries == 1));
    assert_eq!(cache.why_gone(name(2)), Gone::Cleared);
}

#[test]
fn a_use_in_memory_counts_on_disk() {
    let home = tempfile::tempdir().expect("a folder");
    let cache = Cache::in_memory(1 << 20).with_disk(home.path(), 2500).expect("writable");
    store(&cache, 1, 1.0);
    store(&cache, 2, 1.0);
    assert!(cache.load(name(1), &outputs()).is_some());
    drop(cache);
    let cache = on_disk(home.path(), 2500);
    store(&cache, 3, 1.0);
    store(&cache, 4, 1.0);
    assert_eq!(cache.find(name(2)), None);
}

#[test]
fn a_leased_result_stays() {
    let home = tempfile::tempdir().expect("a folder");
    let cache = on_disk(home.path(), 2500);
    store(&cache, 1, 0.0);
    let lease = cache.lease(name(1)).expect("there");
    (2..8).for_each(|id| store(&cache, id, 9.0));
    assert_eq!(cache.find(name(1)), Some(Tier::Disk));
    assert!(cache.clear().is_ok_and(|cleared| cleared.leased == 1));
    assert!(cache.load(name(1), &outputs()).is_some());
    drop(lease);
    assert!(cache.clear().is_ok_and(|cleared| cleared.leased == 0));
    assert!(cache.lease(name(1)).is_none());
}

#[test]
fn many_leases_do_not_take_all_files() {
    let home = tempfile::tempdir().expect("a folder");
    let cache = on_disk(home.path(), 1 << 20);
    store(&cache, 1, 1.0);
    let leases: Vec<_> = (0..300).map(|_| cache.lease(name(1)).expect("there")).collect();
    drop(leases);
    assert!(cache.clear().is_ok_and(|cleared| cleared.leased == 0));
}

#[test]
fn a_checkpoint_is_kept_until_it_is_forgotten() {
    let home = tempfile::tempdir().expect("a folder");
    let record = lump(7, 400)[0].record().expect("lumps are kept");
    let cache = on_disk(home.path(), 1 << 20);
    let checkpoints = cache.checkpoints().expect("there is a disk");
    checkpoints.save(name(1), &record);
    assert_eq!(cache.find(name(1)), None, "half a result is none");
    let later = on_disk(home.path(), 1 << 20);
    let checkpoints = later.checkpoints().expect("there is a disk");
    assert_eq!(checkpoints.load(name(1)), Some(record));
    assert!(later.usage().disk_bytes > 400);
    checkpoints.forget(name(1));
    assert_eq!((checkpoints.load(name(1)), later.usage().disk_bytes), (None, 0));
}

#[test]
fn a_torn_checkpoint_is_none() {
    let home = tempfile::tempdir().expect("a folder");
    let cache = on_disk(home.path(), 1 << 20);
    let checkpoints = cache.checkpoints().expect("there is a disk");
    checkpoints.save(name(1), &lump(7, 400)[0].record().expect("lumps are kept"));
    let path = home.path().join(format!("v1/checkpoints/{}.safetensors", name(1)));
    fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(500)).expect("there");
    assert_eq!(checkpoints.load(name(1)), None);
    assert!(!path.exists());
}

#[test]
fn checkpoints_keep_to_their_share() {
    let home = tempfile::tempdir().expect("a folder");
    let cache = on_disk(home.path(), 20_000);
    let checkpoints = cache.checkpoints().expect("there is a disk");
    for id in 0..30 {
        store(&cache, id, 1.0);
        checkpoints.save(name(id), &lump(7, 200)[0].record().expect("lumps are kept"));
        assert!(bytes_below(&home.path().join("v1/checkpoints")) <= 20_000 / 8);
        assert!(cache.usage().disk_bytes <= 20_000);
    }
    assert!(checkpoints.load(name(29)).is_some() && checkpoints.load(name(0)).is_none());
}

#[test]
fn one_entry_is_removed_from_its_tier_and_never_from_under_a_lease() {
    let home = tempfile::tempdir().expect("a folder");
    let cache = Cache::in_memory(1 << 20).with_disk(home.path(), 1 << 20).expect("writable");
    [1, 2].into_iter().for_each(|id| store(&cache, id, 1.0));
    assert_eq!(cache.remove(name(1), Tier::Memory), Ok(true));
    assert_eq!((cache.find(name(1)), cache.why_gone(name(1))), (Some(Tier::Disk), Gone::Never));
    let lease = cache.lease(name(1)).expect("it is there");
    assert_eq!(cache.remove(name(1), Tier::Disk), Ok(false));
    assert_eq!(cache.find(name(1)), Some(Tier::Disk));
    drop(lease);
    assert_eq!(cache.remove(name(1), Tier::Disk), Ok(true));
    assert_eq!((cache.find(name(1)), cache.why_gone(name(1))), (None, Gone::Cleared));
    assert_eq!(cache.find(name(2)), Some(Tier::Memory));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn both_budgets_are_kept(
        (memory, disk) in (0_u64..4000, 0_u64..12_000),
        uses in prop::collection::vec((0_u8..16, 0_usize..1500, 0.0_f64..10.0, 0_u8..4), 1..50),
    ) {
        let home = tempfile::tempdir().expect("a folder");
        let cache = Cache::in_memory(memory).with_disk(home.path(), disk).expect("writable");
        for (id, bytes, seconds, what) in uses {
            match what {
                0 => drop(cache.load(name(id), &outputs())),
                1 => cache.checkpoints().expect("there is a disk").save(name(id), &Record::default()),
                _ => prop_assert!(cache.store(name(id), "toy", &lump(id, bytes), seconds).is_empty()),
            }
            let usage = cache.usage();
            prop_assert!(usage.memory_bytes <= memory && usage.disk_bytes <= disk, "{:?}", usage);
            let kept = ["entries", "checkpoints", "quarantine"].map(|name| bytes_below(&home.path().join("v1").join(name)));
            prop_assert_eq!(kept.iter().sum::<u64>(), usage.disk_bytes);
        }
        prop_assert!(cache.verify().damaged.is_empty());
    }
}
