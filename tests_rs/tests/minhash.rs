//! `MinHasher` against a naive sketch, and the statistics that it promises.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use mithril_core::minhash::Kernel;
use mithril_core::minhash::ngram::{ngram_hashes, scalar_hash, token_hash, token_hash_within};
use mithril_core::{MinHashSignature, MinHasher};
use proptest::prelude::*;

/// Tokens that no one would call random: consecutive integers.
fn consecutive(from: u64, count: u64) -> Vec<u64> {
    (from..from + count).collect()
}

/// Tokens that look random, the same at every run.
fn random(count: usize) -> Vec<u64> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        state.rotate_left(23) ^ state
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn values_are_those_written_down() {
    let values = |k, seed, tokens: &[u64]| MinHasher::with_seed(k, seed).hash_tokens(tokens).values;
    // Stored signatures stay of use only as long as these do not change.
    assert_eq!(values(4, 42, &[1, 2, 3]), KNOWN_TOKENS);
    assert_eq!(MinHasher::new(4).hash_text("hello world", 3).values, KNOWN_TEXT);
    assert_eq!(MinHasher::new(8).hash_tokens(&[7]).bands(2), KNOWN_BANDS);
    assert_eq!(values(5, 7, &consecutive(0, 40)), KNOWN_MANY);
    assert_eq!(values(1, 0, &[5]), [0x0001_672e_c000_0000]);
    assert_eq!(values(4, 42, &[]), [u64::MAX; 4]);
}

// Computed by an independent implementation, written from the definition in Python.
const KNOWN_TOKENS: [u64; 4] =
    [0x0002_90b0_0000_0000, 0x0001_3558_8000_0000, 0x0001_873b_c000_0000, 0x0000_3558_819a_f2c8];
const KNOWN_TEXT: [u64; 4] =
    [0x0000_bbae_85f0_a267, 0x0001_bb4c_4000_0000, 0x0000_f15a_9a81_1175, 0x0000_104c_ce40_9d61];
const KNOWN_BANDS: [u64; 2] = [0xac6a_298c_dd07_2010, 0xce11_5e6b_eac9_4f64];
const KNOWN_MANY: [u64; 5] = [
    0x0000_05ae_bbf2_105b,
    0x0000_21a8_26ef_bc96,
    0x0000_0f67_d556_b50a,
    0x0000_3896_ce84_b999,
    0x0000_19bc_27bf_ce04,
];

/// The definition, read aloud.
fn naive(k: usize, seed: u64, tokens: &[u64]) -> Vec<u64> {
    fn mix(mut x: u64) -> u64 {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
    let prime = (k.max(2) as u64..=4099).find(|p| (2..*p).all(|d| p % d != 0)).unwrap();
    let seed = mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
    let mut values = vec![u64::MAX; k];
    for token in tokens {
        let hash = mix(token ^ seed);
        let first = ((hash >> 32) * prime) >> 32;
        let step = 1 + (((hash & 0xffff_ffff) * (prime - 1)) >> 32);
        let fraction = hash & 0xffff_ffff_ffff;
        for round in 0..prime {
            let slot = ((first + round * step) % prime) as usize;
            let value = if round == 0 { fraction } else { (round << 48) | (fraction >> 30 << 30) };
            if slot < k {
                values[slot] = values[slot].min(value);
            }
        }
    }
    values
}

#[test]
fn every_kernel_gives_the_values_of_the_definition() {
    let kernels = Kernel::available();
    println!("{kernels:?}");
    for k in
        [1, 2, 3, 4, 5, 7, 15, 16, 17, 63, 64, 65, 100, 127, 128, 129, 250, 251, 256, 1024, 4096]
    {
        for count in [0, 1, 2, 7, 8, 9, 63, 64, 65, 71, 72, 255, 256, 257, 264, 300, 513, 1000] {
            if k * count > 600_000 {
                continue;
            }
            for tokens in [consecutive(count as u64 * 1000, count as u64), random(count)] {
                let expected = naive(k, 7, &tokens);
                for &kernel in &kernels {
                    let hasher = MinHasher::with_seed(k, 7).force_kernel(kernel).unwrap();
                    let values = hasher.hash_tokens(&tokens).values;
                    assert_eq!(values, expected, "{kernel:?}, {k} values of {count} tokens");
                }
            }
        }
    }
}

#[test]
fn tokens_that_come_too_late_are_dropped_without_a_trace() {
    // More than 64 a slot, in every kind of order that the smallest could come in.
    for k in [1, 4, 20] {
        let mut tokens = random(20_000);
        for _ in 0..3 {
            let expected = naive(k, 42, &tokens);
            for kernel in Kernel::available() {
                let hasher = MinHasher::new(k).force_kernel(kernel).unwrap();
                assert_eq!(hasher.hash_tokens(&tokens).values, expected, "{kernel:?}, {k}");
            }
            tokens.rotate_left(13_377);
            tokens.reverse();
        }
    }
}

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

/// The definition over integers of 128 bits.
fn naive_ngrams(tokens: &[u64], n: usize) -> Vec<u64> {
    let prime = (1_u128 << 61) - 1;
    let base = 0x9e37_79b9_7f4a_7c15 % prime;
    let mix = |mut x: u64| {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let sum = |run: &[u64]| {
        run.iter().fold(0, |sum, &token| (sum * base + u128::from(token)) % prime) as u64
    };
    tokens.windows(n.clamp(1, tokens.len().max(1))).map(|run| mix(sum(run))).collect()
}

#[test]
fn ngrams_have_the_hashes_of_the_definition() {
    let largest = u64::MAX;
    let prime = (1 << 61) - 1;
    let mut tokens = random(200);
    tokens.extend([0, 1, largest, prime, prime - 1, prime + 1, 2 * prime, 8 * prime, largest]);
    tokens.extend([0; 70]);
    tokens.extend([largest; 70]);
    for n in (0..140).chain([348, 349, 350, 1000]) {
        let mut hashes = vec![7];
        ngram_hashes(&tokens, n, &mut hashes);
        assert_eq!(hashes[1..], naive_ngrams(&tokens, n), "n = {n}");
    }
    for length in 0..9 {
        let mut hashes = Vec::new();
        ngram_hashes(&tokens[..length], 5, &mut hashes);
        assert_eq!(hashes, naive_ngrams(&tokens[..length], 5), "{length} tokens");
    }
}

#[test]
fn a_token_has_one_hash_wherever_it_stands() {
    let text = "a word, and words of 16, 17 and more bytes: internationalize, internationalized! "
        .repeat(3);
    let bytes = text.as_bytes();
    let mut seen = std::collections::HashMap::new();
    for start in 0..bytes.len() {
        for end in start..=bytes.len().min(start + 40) {
            let hash = token_hash(&bytes[start..end]);
            assert_eq!(hash, token_hash_within(bytes, start, end));
            assert_eq!(*seen.entry(hash).or_insert(&bytes[start..end]), &bytes[start..end]);
        }
    }
    // Zeros at the end count, and no range is out of bounds.
    assert_eq!(scalar_hash('字'), token_hash("字".as_bytes()));
    assert_ne!(token_hash(b"a"), token_hash(b"a\0"));
    assert_ne!(token_hash(b""), token_hash(b"\0"));
    assert_eq!(token_hash_within(b"abc", 2, 1), token_hash(b""));
    assert_eq!(token_hash_within(b"abc", 1, 9), token_hash(b""));
    // Two random numbers of 64 bits are equal with a probability of 2⁻⁶⁴; three million make one in 10⁷.
    let mut hashes: Vec<u64> =
        (0..3_000_000_u32).map(|n| token_hash(n.to_string().as_bytes())).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 3_000_000);
}

#[test]
fn a_character_has_the_hash_of_its_bytes() {
    for scalar in '\0'..=char::MAX {
        let mut bytes = [0; 4];
        assert_eq!(scalar_hash(scalar), token_hash(scalar.encode_utf8(&mut bytes).as_bytes()));
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
