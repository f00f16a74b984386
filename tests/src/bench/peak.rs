//! What this machine can do at most: arithmetic on registers alone, and copies in memory.
//!
//! A share of the roofline is worth only what its denominator is worth, so the peak is measured in the same run as what
//! is held against it. Sixteen sums that do not wait for each other keep two units of a latency of four or five busy.
//! The best of several tries counts: a try that something disturbed can only read low, and would flatter a kernel.

use std::{hint::black_box, time::Instant};

use serde_json::{Value, json};

/// Tries of each measurement.
const TRIES: usize = 9;

/// The most that a machine reaches, in units of 10⁹ a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peak {
    /// Threads that worked.
    pub threads: usize,
    /// f32, the widest vectors there are: a multiply and an add are two operations.
    pub f32: Option<f64>,
    /// f32 in vectors of 256 bits.
    pub f32_avx2: Option<f64>,
    /// Products of bf16 summed in f32.
    pub bf16: Option<f64>,
    /// Products of bytes summed in i32.
    pub int8: Option<f64>,
    /// Bytes read plus bytes written by a copy of more than the caches hold.
    pub copy: f64,
}

impl Peak {
    /// Measures the machine; takes some seconds and half a gigabyte.
    #[must_use]
    pub fn measure(threads: usize) -> Self {
        let mut peak = Self { threads, copy: copy(threads), ..Self::default() };
        registers(&mut peak);
        peak
    }

    /// Returns the figures by name; null where the machine lacks the instruction.
    #[must_use]
    pub fn to_json(self) -> Value {
        json!({
            "threads": self.threads,
            "f32": self.f32,
            "f32_avx2": self.f32_avx2,
            "bf16": self.bf16,
            "int8": self.int8,
            "copy_gb": self.copy,
        })
    }
}

/// Returns the best rate of `work`, which does `amount` on each thread at a time.
fn best(threads: usize, amount: f64, mut work: impl FnMut()) -> f64 {
    let rate = |_| {
        let start = Instant::now();
        work();
        amount * threads as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..TRIES).map(rate).fold(0.0, f64::max)
}

/// Copies 256 MiB from one place to another.
fn copy(threads: usize) -> f64 {
    let share = (64 << 20) / threads;
    let from = vec![1f32; share * threads];
    let mut to = vec![0f32; share * threads];
    best(threads, (share * 8) as f64, || {
        std::thread::scope(|scope| {
            for (to, from) in to.chunks_mut(share).zip(from.chunks(share)) {
                scope.spawn(|| black_box(to).copy_from_slice(from));
            }
        });
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn registers(_: &mut Peak) {}

#[cfg(target_arch = "x86_64")]
fn registers(peak: &mut Peak) {
    use std::arch::is_x86_feature_detected as has;

    let rate = |loop_: &(dyn Fn(u64) + Sync), operations: u64| {
        let amount = (operations * x86::TURNS) as f64;
        best(peak.threads, amount, || {
            std::thread::scope(|scope| {
                for _ in 0..peak.threads {
                    scope.spawn(|| loop_(black_box(x86::TURNS)));
                }
            });
        })
    };
    let f32_avx2 = (has!("avx2") && has!("fma")).then(|| {
        // SAFETY: the features that the loop is compiled for were just found.
        rate(&|turns| _ = black_box(unsafe { x86::f32_256(turns) }), 12 * 8 * 2)
    });
    let f32_512 = has!("avx512f").then(|| {
        // SAFETY: as above.
        rate(&|turns| _ = black_box(unsafe { x86::f32_512(turns) }), 16 * 16 * 2)
    });
    let bf16 = (has!("avx512f") && has!("avx512bf16")).then(|| {
        // SAFETY: as above.
        rate(&|turns| _ = black_box(unsafe { x86::bf16_512(turns) }), 16 * 32 * 2)
    });
    let int8 = (has!("avx512f") && has!("avx512vnni")).then(|| {
        // SAFETY: as above.
        rate(&|turns| _ = black_box(unsafe { x86::int8_512(turns) }), 16 * 64 * 2)
    });
    *peak = Peak { f32: f32_512.or(f32_avx2), f32_avx2, bf16, int8, ..*peak };
}

/// The loops. Each sum starts from another value, or a compiler would make them one.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{arch::x86_64::*, hint::black_box};

    /// Turns of a loop in one try: some 50 to 100 ms.
    pub const TURNS: u64 = 20_000_000;

    #[target_feature(enable = "avx2,fma")]
    pub fn f32_256(turns: u64) -> f32 {
        let (x, y) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(1e-3)));
        // Twelve: there are sixteen registers, and two hold the factors.
        let mut sums = [_mm256_setzero_ps(); 12];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm256_set1_ps(i as f32);
        }
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, x, y);
            }
        }
        sums.iter().map(|sum| _mm256_cvtss_f32(*sum)).sum()
    }

    #[target_feature(enable = "avx512f")]
    pub fn f32_512(turns: u64) -> f32 {
        let (x, y) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(1e-3)));
        let mut sums = [_mm512_setzero_ps(); 16];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_set1_ps(i as f32);
        }
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, x, y);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn bf16_512(turns: u64) -> f32 {
        let x = _mm512_set1_ps(black_box(1e-3));
        let pairs = _mm512_cvtne2ps_pbh(x, x);
        let mut sums = [_mm512_setzero_ps(); 16];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_set1_ps(i as f32);
        }
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, pairs, pairs);
            }
        }
        sums.iter().map(|sum| _mm512_reduce_add_ps(*sum)).sum()
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn int8_512(turns: u64) -> i32 {
        let (x, y) = (_mm512_set1_epi8(black_box(3)), _mm512_set1_epi8(black_box(1)));
        let mut sums = [_mm512_setzero_si512(); 16];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_set1_epi32(i as i32);
        }
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, x, y);
            }
        }
        sums.iter().fold(0, |all, sum| all ^ _mm512_reduce_add_epi32(*sum))
    }
}
