//! How many threads there are changes no bit.

use darkroom_kernels::{Cpu, Pool};

use crate::everything::{Made, everything};
use crate::reference::cpus;

/// The edge of maps of some ten pieces.
pub const EDGE: usize = if cfg!(miri) { 2 } else { 15 };

/// Runs everything on so many threads.
pub fn on(threads: usize, cpu: &Cpu) -> Vec<Made> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads to be had");
    pool.install(|| everything(cpu, EDGE))
}

#[track_caller]
pub fn assert_same(what: &str, first: &[Made], second: &[Made]) {
    assert_eq!(first.len(), second.len());
    for ((name, first), (_, second)) in first.iter().zip(second) {
        let differ = first.iter().zip(second).filter(|(a, b)| a != b).count();
        assert_eq!((differ, first.len()), (0, second.len()), "{what}: {name}");
    }
}

#[test]
fn any_number_of_threads_makes_the_same_bits() {
    for cpu in cpus() {
        let alone = on(1, &cpu);
        for threads in [2, 3, 5] {
            let cpu = Cpu { pool: Pool::default(), ..cpu.clone() };
            assert_same(&format!("{} on {threads} threads", cpu.tier), &alone, &on(threads, &cpu));
        }
    }
}
