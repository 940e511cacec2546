//! What the sketch promises about its error, measured over thousands of seeds.
//!
//! Seeds are fixed: a run measures the same sets and gives the same figures as the last.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::fmt::Write;

use mithril_core::minhash::ngram::token_hash;
use mithril_core::{MinHashSignature, MinHasher, par_compute};

const PERMUTATIONS: usize = 128;
const SIZES: [u64; 10] = [1, 2, 4, 8, 16, 64, 256, 1024, 4096, 65536];
const SIMILARITIES: [f64; 6] = [0.0, 0.2, 0.5, 0.8, 0.95, 1.0];

/// The `index`-th token of a kind; no kind repeats itself below 2³².
#[derive(Debug, Clone, Copy)]
enum Tokens {
    Consecutive,
    /// Only the upper half differs.
    Shifted,
    /// The hashes of texts with a long prefix in common.
    Prefixed,
    /// As a good hash function would give them.
    Scattered,
}

impl Tokens {
    fn get(self, index: u64) -> u64 {
        match self {
            Self::Consecutive => index,
            Self::Shifted => index << 32,
            Self::Prefixed => {
                token_hash(format!("/usr/share/doc/package/copyright-{index}").as_bytes())
            }
            Self::Scattered => index.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29),
        }
    }
}

/// Two sets of `size` tokens that share `shared`, other ones for every seed.
fn pair(tokens: Tokens, seed: u64, size: u64, shared: u64) -> [Vec<u64>; 2] {
    let first = seed.wrapping_mul(2 * size);
    let set = |start: u64| {
        let own = (0..size - shared).map(move |index| first + start + index);
        (0..shared).map(move |index| first + index).chain(own)
    };
    [shared, size].map(|start| set(start).map(|index| tokens.get(index)).collect())
}

/// The variance of the original method over that of independent permutations, by the size of the
/// union, for 128 values: measured by others, and at most 1 everywhere.
fn variance_of_the_original(union: u64) -> f64 {
    let known = [(64.0, 0.51), (256.0, 0.62), (1024.0, 0.88), (4096.0, 0.97), (16384.0, 1.0)];
    let union = union as f64;
    let (mut before, mut below) = known[0];
    for (at, ratio) in known {
        if union <= at {
            let share = ((union / before).ln() / (at / before).ln()).clamp(0.0, 1.0);
            return if at > before { below + share * (ratio - below) } else { ratio };
        }
        (before, below) = (at, ratio);
    }
    1.0
}

/// Mean and mean square of the error of the estimate.
fn errors(tokens: Tokens, seeds: u64, size: u64, shared: u64) -> (f64, f64) {
    let exact = shared as f64 / (2 * size - shared) as f64;
    let errors = par_compute((0..seeds).collect(), |seed| {
        let hasher = MinHasher::with_seed(PERMUTATIONS, seed);
        let [one, two] = pair(tokens, seed, size, shared).map(|set| hasher.hash_tokens(&set));
        MinHasher::similarity(&one, &two) - exact
    });
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / seeds as f64;
    (mean(&mut errors.iter().copied()), mean(&mut errors.iter().map(|error| error * error)))
}

#[test]
fn the_estimate_is_unbiased_and_its_error_is_at_most_that_of_the_original() {
    let kinds = [Tokens::Consecutive, Tokens::Shifted, Tokens::Prefixed, Tokens::Scattered];
    for (tokens, size) in kinds.into_iter().flat_map(|kind| SIZES.map(|size| (kind, size))) {
        // One kind is enough for the largest, which take the longest.
        if size > 4096 && !matches!(tokens, Tokens::Consecutive) {
            continue;
        }
        let seeds = if size <= 256 { 8000 } else { 2000 };
        let mut line = format!("{tokens:?}, {size} tokens:");
        for similarity in SIMILARITIES {
            let shared = (2.0 * size as f64 * similarity / (1.0 + similarity)).round() as u64;
            let union = 2 * size - shared;
            let exact = shared as f64 / union as f64;
            let (bias, mean_square) = errors(tokens, seeds, size, shared);
            if shared == 0 || shared == union {
                // Nothing is left to chance, but for fractions that are equal.
                assert!(mean_square < 1e-7, "{line} error {mean_square} at {exact}");
                continue;
            }
            let standard_error = (mean_square / seeds as f64).sqrt();
            assert!(bias.abs() < 4.0 * standard_error, "{line} bias {bias} at {exact}");
            let ratio = mean_square / (exact * (1.0 - exact) / PERMUTATIONS as f64);
            write!(line, " {ratio:.2} at {exact:.2}").unwrap();
            // The mean square of as many errors is itself known to so much.
            let known_to = 1.0 + 4.0 * (2.0 / seeds as f64).sqrt();
            let allowed = (1.05 * variance_of_the_original(union)).min(1.0) * known_to;
            assert!(ratio < allowed, "{line}, of {allowed:.2}");
        }
        println!("{line}");
    }
}

#[test]
fn a_band_collides_as_often_as_the_similarity_says() {
    // 21 bands of 6 values, so that none is left over but two.
    let (bands, rows, seeds) = (21, 6, 4000);
    for (size, shared) in [(2, 1), (9, 8), (18, 16), (90, 80), (900, 800), (9000, 8000)] {
        let exact = shared as f64 / (2 * size - shared) as f64;
        let collisions: u64 = par_compute((0..seeds).collect(), |seed| {
            let hasher = MinHasher::with_seed(PERMUTATIONS, seed);
            let [one, two] = pair(Tokens::Consecutive, seed, size, shared).map(|set| {
                let mut found = vec![0; bands];
                MinHashSignature::band_hashes(&hasher.hash_tokens(&set).values, rows, &mut found);
                found
            });
            one.iter().zip(&two).filter(|(one, two)| one == two).count() as u64
        })
        .iter()
        .sum();
        let measured = collisions as f64 / (seeds * bands as u64) as f64;
        let expected = exact.powi(rows as i32);
        println!(
            "{size} tokens, {exact:.3}: {measured:.4} of bands collide, {expected:.4} expected"
        );
        // Balanced slots repel each other: of k slots about 1/3k a pair, which takes from a band what
        // it gives to the next. It is 3 % of a band of six at most; what counts is the test below.
        let deviation = (expected * (1.0 - expected) / (seeds * bands as u64) as f64).sqrt();
        assert!(measured > 0.97 * expected - 4.0 * deviation, "{measured} of {expected}");
        assert!(measured < expected + 4.0 * deviation, "{measured} of {expected}");
    }
}

#[test]
fn a_pair_at_the_threshold_becomes_a_candidate_as_often_as_promised() {
    for (threshold, recall) in [(0.8, 0.99), (0.5, 0.9), (0.95, 0.999)] {
        let banding = mithril_dedup::Banding::for_recall(threshold, recall, PERMUTATIONS).unwrap();
        let seeds = 20_000;
        // Down to the smallest sets of that similarity: their slots are the least independent.
        let smallest: u64 = if threshold > 0.9 { 39 } else { 3 };
        for size in [smallest, 3 * smallest, 9 * smallest, 27 * smallest, 300 * smallest] {
            // For sets of 3: 2 of 4 shared at one half, 8 of 10 at four fifths of sets of 9.
            let size = if (threshold - 0.8_f64).abs() < 0.01 { 3 * size } else { size };
            let shared = (2.0 * size as f64 * threshold / (1.0 + threshold)).round() as u64;
            let exact = shared as f64 / (2 * size - shared) as f64;
            assert!((exact - threshold).abs() < 1e-9, "{size} and {shared} give {exact}");
            let found: usize = par_compute((0..seeds).collect(), |seed| {
                let hasher = MinHasher::with_seed(PERMUTATIONS, seed);
                let [one, two] = pair(Tokens::Consecutive, seed, size, shared).map(|set| {
                    let mut found = vec![0; banding.bands];
                    let values = hasher.hash_tokens(&set).values;
                    MinHashSignature::band_hashes(&values, banding.rows, &mut found);
                    found
                });
                usize::from(one.iter().zip(&two).any(|(one, two)| one == two))
            })
            .iter()
            .sum();
            let measured = found as f64 / seeds as f64;
            println!("{threshold}, {size} tokens: recall {measured:.4} of {recall}");
            let deviation = (recall * (1.0 - recall) / seeds as f64).sqrt();
            assert!(measured > recall - 4.0 * deviation, "recall {measured} at {size} tokens");
        }
    }
}
