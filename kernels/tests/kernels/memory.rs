//! Memory that is used again: nothing depends on what lies in it, and nothing new is asked for.

use darkroom_kernels::Pool;

use crate::reference::cpus;
use crate::threads::{assert_same, on};

/// Fills what waits to be used again with what is not a number, whatever it is read as.
fn poison(pool: &Pool) {
    let (mut held, mut fresh) = (Vec::new(), Vec::new());
    // The largest first: a wish is granted by a piece of its own size or a little more.
    for step in (8 * 6..8 * 24).rev() {
        let bytes = (1_usize << (step / 8)) * (8 + step % 8) / 8;
        loop {
            let again = pool.figures().again;
            let piece = pool.take::<u8>(bytes);
            if pool.figures().again == again {
                fresh.push(piece);
                break;
            }
            held.push(piece);
        }
    }
    assert!(pool.figures().idle_bytes == 0 && !held.is_empty());
    held.iter_mut().for_each(|piece| piece.fill(0xFF));
    // What was filled is handed out first: it is the last that is let go.
    drop((fresh, held));
}

#[test]
fn what_lies_in_used_memory_changes_nothing() {
    for (cpu, threads) in cpus().flat_map(|cpu| [1, 2].map(|threads| (cpu.clone(), threads))) {
        let fresh = on(threads, &cpu);
        poison(&cpu.pool);
        assert_same(&format!("{} on {threads} threads", cpu.tier), &fresh, &on(threads, &cpu));
    }
}

#[test]
fn a_second_round_asks_for_no_memory() {
    for (cpu, threads) in cpus().flat_map(|cpu| [1, 3].map(|threads| (cpu.clone(), threads))) {
        on(threads, &cpu);
        let first = cpu.pool.figures();
        assert_eq!(first.used_bytes, 0, "all was given back");
        for round in 2..4 {
            on(threads, &cpu);
            assert_eq!(cpu.pool.figures().fresh, first.fresh, "{} on {threads} threads: round {round}", cpu.tier);
        }
    }
}
