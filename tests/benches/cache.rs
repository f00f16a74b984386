//! What the cache costs: writing and reading large results, and looking for them.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use darkroom_core::cache::Cache;
use darkroom_tests::cached::{outputs, recipe, values};

fn large(criterion: &mut Criterion) {
    let home = tempfile::tempdir().expect("a folder");
    let mut group = criterion.benchmark_group("cache/disk");
    group.sample_size(10);
    for mebibytes in [1, 16, 128] {
        let bytes = mebibytes << 20;
        let cache = Cache::in_memory(0).with_disk(home.path(), 1 << 40).expect("writable");
        let made = values(1, bytes);
        cache.store(recipe(1), "toy", &made, 1.0);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new("write", format!("{mebibytes} MiB")), |bencher| {
            bencher.iter(|| assert!(cache.store(recipe(1), "toy", &made, 1.0).is_empty()));
        });
        group.bench_function(BenchmarkId::new("read", format!("{mebibytes} MiB")), |bencher| {
            bencher.iter(|| cache.load(recipe(1), &outputs()).expect("just written"));
        });
    }
}

fn small(criterion: &mut Criterion) {
    let home = tempfile::tempdir().expect("a folder");
    let mut group = criterion.benchmark_group("cache/small");
    let cache = Cache::in_memory(0).with_disk(home.path(), 1 << 40).expect("writable");
    let made = values(1, 300);
    cache.store(recipe(1), "toy", &made, 1.0);
    let mut number = 0;
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            number += 1;
            cache.store(recipe(number), "toy", &made, 1.0)
        });
    });
    group.bench_function("read", |bencher| bencher.iter(|| cache.load(recipe(1), &outputs()).expect("just written")));
    group.bench_function("find, hit on disk", |bencher| bencher.iter(|| cache.find(black_box(recipe(1)))));
    group.bench_function("find, miss", |bencher| bencher.iter(|| cache.find(black_box(recipe(u64::MAX)))));
    let mut unknown = u64::MAX / 2;
    group.bench_function("find, first miss", |bencher| {
        bencher.iter(|| {
            unknown += 1;
            cache.find(black_box(recipe(unknown)))
        });
    });
    let cache = Cache::in_memory(1 << 20).with_disk(home.path(), 1 << 40).expect("writable");
    cache.store(recipe(1), "toy", &made, 1.0);
    group.bench_function("find, hit in memory", |bencher| bencher.iter(|| cache.find(black_box(recipe(1)))));
    group.bench_function("read from memory", |bencher| bencher.iter(|| cache.load(recipe(1), &outputs())));
}

criterion_group!(benches, large, small);
criterion_main!(benches);
