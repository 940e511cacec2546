//! What a token costs on its way to a signature of 128 values, by kernel and by size of the set.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use mithril_core::MinHasher;
use mithril_core::minhash::Kernel;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

const SIZES: [usize; 12] = [1, 3, 10, 30, 64, 100, 300, 600, 1000, 3000, 10_000, 100_000];
/// Tokens in one measurement: in memory, but not in the first two levels of cache.
const TOKENS: usize = 1_000_000;
const REPETITIONS: usize = 15;

fn main() {
    let mut state = 1_u64;
    let tokens: Vec<u64> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        state.rotate_left(23) ^ state
    })
    .take(TOKENS)
    .collect();
    let kernels = Kernel::available();
    println!("ns a token, one thread, median of {REPETITIONS}: {kernels:?}");
    for size in SIZES {
        // Fewer of the smallest, which take the longest.
        let sets = (TOKENS / size).min(20_000);
        let mut line = format!("{size:>7}");
        for &kernel in &kernels {
            let hasher = MinHasher::new(128).force_kernel(kernel).expect("it is available");
            let mut values = [0; 128];
            let mut times: Vec<f64> = (0..REPETITIONS)
                .map(|_| {
                    let start = Instant::now();
                    for set in tokens.chunks_exact(size).take(sets) {
                        hasher.sketch(black_box(set), &mut values).expect("there is room");
                        black_box(&values);
                    }
                    start.elapsed().as_secs_f64() * 1e9 / (sets * size) as f64
                })
                .collect();
            times.sort_by(f64::total_cmp);
            let median = times.get(REPETITIONS / 2).copied().unwrap_or_default();
            write!(line, " {median:>8.2}").expect("strings take all");
        }
        println!("{line}");
    }
}
