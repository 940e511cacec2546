//! `MinHasher` against a naive sketch, and the statistics that it promises.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use mithril_core::{MinHashSignature, MinHasher};
use proptest::prelude::*;

/// Tokens that no one would call random: consecutive integers.
fn consecutive(from: u64, count: u64) -> Vec<u64> {
    (from..from + count).collect()
}

#[test]
fn values_are_those_written_down() {
    let values = |k, seed, tokens: &[u64]| MinHasher::with_seed(k, seed).hash_tokens(tokens).values;
    // Stored signatures stay of use only as long as these do not change.
    assert_eq!(values(4, 42, &[1, 2, 3]), KNOWN_TOKENS);
    assert_eq!(MinHasher::new(4).hash_text("hello world", 3).values, KNOWN_TEXT);
    assert_eq!(MinHasher::new(8).hash_tokens(&[7]).bands(2), KNOWN_BANDS);
    assert_eq!(values(4, 42, &[]), [u64::MAX; 4]);
}

// Computed by an independent implementation, written from the definition in Python.
const KNOWN_TOKENS: [u64; 4] =
    [0x0001_4cc4_6656_4f77, 0x0000_228d_f2ab_4037, 0x0000_9bba_01fd_fe55, 0x0001_82c0_e447_b0c8];
const KNOWN_TEXT: [u64; 4] =
    [0x0000_5526_bd0c_d3a4, 0x0000_115d_3860_e0b8, 0x0000_bb81_6acc_f45c, 0x0000_09b2_a0d9_0d0e];
const KNOWN_BANDS: [u64; 2] = [0x4905_4262_c4c4_13f0, 0x14f0_31d6_a294_11bb];

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn a_signature_is_that_of_a_set(mut tokens in prop::collection::vec(any::<u64>(), 1..80), k in 1_usize..200) {
        let hasher = MinHasher::new(k);
        let signature = hasher.hash_tokens(&tokens);
        tokens.extend(tokens.clone());
        tokens.reverse();
        prop_assert_eq!(&signature, &hasher.hash_tokens(&tokens));
        prop_assert!(signature.values.iter().all(|&value| value != MinHashSignature::EMPTY));
    }

    #[test]
    fn merging_gives_the_signature_of_the_union(
        one in prop::collection::vec(any::<u64>(), 0..60),
        two in prop::collection::vec(any::<u64>(), 0..60),
        k in 1_usize..200,
    ) {
        let hasher = MinHasher::new(k);
        let union: Vec<u64> = one.iter().chain(&two).copied().collect();
        let merged = hasher.hash_tokens(&one).merge(&hasher.hash_tokens(&two)).unwrap();
        prop_assert_eq!(merged, hasher.hash_tokens(&union));
    }

    #[test]
    fn a_text_is_the_set_of_its_ngrams(text in "\\PC{0,40}", n in 1_usize..6) {
        // Text in another order of the same 1-grams has the same signature.
        let hasher = MinHasher::new(32);
        let reversed: String = text.chars().rev().collect();
        prop_assert_eq!(hasher.hash_text(&text, 1), hasher.hash_text(&reversed, 1));
        prop_assert_eq!(hasher.hash_text(&text, n).is_empty(), text.is_empty());
    }
}

/// Two sets of `union` tokens in all, of which `shared` are in both.
fn pair(first: u64, union: u64, shared: u64) -> (Vec<u64>, Vec<u64>) {
    let only_one = (union - shared) / 2;
    (consecutive(first, shared + only_one), {
        let mut two = consecutive(first, shared);
        two.extend(consecutive(first + shared + only_one, union - shared - only_one));
        two
    })
}

#[test]
fn the_estimate_is_unbiased_and_no_worse_than_independent_permutations() {
    let (k, seeds) = (128, 2000);
    for (union, shared) in [(2, 1), (5, 4), (10, 2), (20, 16), (100, 50), (100, 95), (1000, 800)] {
        let exact = shared as f64 / union as f64;
        let errors: Vec<f64> = (0..seeds)
            .map(|seed| {
                let hasher = MinHasher::with_seed(k, seed);
                let (one, two) = pair(seed * 100_000, union, shared);
                MinHasher::similarity(&hasher.hash_tokens(&one), &hasher.hash_tokens(&two)) - exact
            })
            .collect();
        let count = errors.len() as f64;
        let bias = errors.iter().sum::<f64>() / count;
        let mean_square = errors.iter().map(|error| error * error).sum::<f64>() / count;
        let standard_error = (mean_square / count).sqrt();
        assert!(bias.abs() < 4.0 * standard_error, "bias {bias} at {shared} of {union}");
        let independent = exact * (1.0 - exact) / k as f64;
        // The mean square of 2000 errors is itself known to a few per cent.
        let ratio = mean_square / independent;
        println!(
            "{shared:>4} of {union:>4}: variance {ratio:.2} of that of independent permutations"
        );
        assert!(ratio < 1.1, "variance {ratio} at {shared} of {union}");
    }
}

#[test]
fn a_pair_at_the_threshold_becomes_a_candidate_as_often_as_promised() {
    // Sets of four in five, down to the smallest: their slots are the least independent.
    let banding = mithril_dedup::Banding::for_recall(0.8, 0.99, 128).unwrap();
    let seeds = 20_000;
    for (union, shared) in [(5, 4), (10, 8), (20, 16), (50, 40), (200, 160), (1000, 800)] {
        let mut missed = 0;
        for seed in 0..seeds {
            let hasher = MinHasher::with_seed(128, seed);
            let (one, two) = pair(seed * 100_000, union, shared);
            let bands = |tokens: &[u64]| {
                let mut bands = vec![0; banding.bands];
                MinHashSignature::band_hashes(
                    &hasher.hash_tokens(tokens).values,
                    banding.rows,
                    &mut bands,
                );
                bands
            };
            let found = bands(&one).iter().zip(&bands(&two)).any(|(a, b)| a == b);
            missed += u64::from(!found);
        }
        let recall = 1.0 - missed as f64 / seeds as f64;
        println!("{shared:>4} of {union:>4}: recall {recall:.4}");
        let deviation = (0.99_f64 * 0.01 / seeds as f64).sqrt();
        assert!(recall > 0.99 - 4.0 * deviation, "recall {recall} at {shared} of {union}");
    }
}

#[test]
fn sizes_out_of_range_are_errors() {
    assert!(MinHasher::try_with_seed(0, 1).is_err());
    assert!(MinHasher::try_with_seed(4097, 1).is_err());
    let (short, long) = (MinHasher::new(4).hash_tokens(&[1]), MinHasher::new(8).hash_tokens(&[1]));
    assert!(short.merge(&long).is_err());
    assert!(MinHasher::try_similarity(&short.values, &long.values).is_err());
}

#[test]
fn the_empty_set_is_like_nothing_and_in_no_bucket() {
    let empty = MinHasher::new(16).hash_tokens(&[]);
    assert!(MinHasher::similarity(&empty, &empty).abs() < f64::EPSILON);
    assert!(empty.bands(4).is_empty());
}
