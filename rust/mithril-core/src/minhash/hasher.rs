//! The sketch: from a set of tokens to its signature.

use super::{GOLDEN, MinHashSignature, mix, ngram};
use crate::{MithrilError, Result};

/// The most values that a signature can have.
pub const MAX_PERMUTATIONS: usize = 4096;

/// The bits of a value that hold a hash; the ones above hold the round.
const HASH_BITS: u32 = 48;
const HASH_MASK: u64 = (1 << HASH_BITS) - 1;

/// Makes `MinHash` signatures of `num_permutations` values.
///
/// The method is fast similarity sketching: in each of the first `k` rounds every token throws one
/// hash into one of the `k` slots, chosen by that hash; in round `k + i` every token throws into
/// slot `i`. A slot keeps its smallest value, and a value begins with its round, so the sketch can
/// stop after the first round that leaves no slot empty. A set of n tokens costs about
/// `n + k·ln k` hashes instead of `n·k`, and the variance of the estimate is at or below that of k
/// independent permutations.
///
/// Equal `num_permutations` and `seed` give equal signatures on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinHasher {
    num_permutations: usize,
    seed: u64,
}

impl MinHasher {
    /// A hasher of `num_permutations` values with seed 42.
    ///
    /// # Panics
    ///
    /// When `num_permutations` is not in 1..=4096; [`try_with_seed`](Self::try_with_seed) is the
    /// form for numbers that come from outside.
    #[must_use]
    pub fn new(num_permutations: usize) -> Self {
        Self::with_seed(num_permutations, 42)
    }

    /// A hasher of `num_permutations` values; another seed is another, independent family.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "the contract's constructor returns Self; documented, with a fallible twin"
    )]
    pub fn with_seed(num_permutations: usize, seed: u64) -> Self {
        match Self::try_with_seed(num_permutations, seed) {
            Ok(hasher) => hasher,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`with_seed`](Self::with_seed), for a number that may be out of range.
    ///
    /// # Errors
    ///
    /// [`MithrilError::InvalidArgument`] when `num_permutations` is not in 1..=4096.
    pub fn try_with_seed(num_permutations: usize, seed: u64) -> Result<Self> {
        if (1..=MAX_PERMUTATIONS).contains(&num_permutations) {
            return Ok(Self { num_permutations, seed });
        }
        Err(MithrilError::InvalidArgument(format!(
            "num_permutations must be between 1 and {MAX_PERMUTATIONS}, not {num_permutations}"
        )))
    }

    /// The number of values in a signature.
    #[must_use]
    pub fn num_permutations(&self) -> usize {
        self.num_permutations
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The signature of a set of tokens; order and repetition change nothing.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// let hasher = MinHasher::new(128);
    /// assert_eq!(hasher.hash_tokens(&[1, 2, 3]), hasher.hash_tokens(&[3, 2, 1, 2]));
    /// ```
    #[must_use]
    pub fn hash_tokens(&self, tokens: &[u64]) -> MinHashSignature {
        let mut values = vec![MinHashSignature::EMPTY; self.num_permutations];
        self.sketch(tokens, &mut values);
        MinHashSignature { values }
    }

    /// The signature of the n-grams of the Unicode scalar values of `text`.
    ///
    /// A text shorter than `ngram_size` is one n-gram; the empty text has the empty signature.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// let hasher = MinHasher::new(128);
    /// let one = hasher.hash_text("hello world", 3);
    /// let two = hasher.hash_text("hello there world", 3);
    /// let similarity = MinHasher::similarity(&one, &two);
    /// assert!(similarity > 0.2 && similarity < 0.8);
    /// ```
    #[must_use]
    pub fn hash_text(&self, text: &str, ngram_size: usize) -> MinHashSignature {
        let (mut tokens, mut hashes) = (Vec::new(), Vec::new());
        ngram::char_ngram_hashes(text, ngram_size, &mut tokens, &mut hashes);
        self.hash_tokens(&hashes)
    }

    /// Sketches `tokens` into `values`, of which there must be `num_permutations`.
    ///
    /// What `values` held is overwritten. This is [`hash_tokens`](Self::hash_tokens) without the
    /// allocation; with a slice of another length the result is that of a hasher of that length.
    pub fn sketch(&self, tokens: &[u64], values: &mut [u64]) {
        values.fill(MinHashSignature::EMPTY);
        let slots = values.len() as u64;
        if tokens.is_empty() || slots == 0 {
            return;
        }
        let seed = mix(self.seed.wrapping_add(GOLDEN));
        let mut empty = values.len();
        for round in 0..2 * slots {
            let offset = seed.wrapping_add(round.wrapping_mul(GOLDEN));
            for &token in tokens {
                // Token and round go through two mixers: one alone leaves the rounds of
                // consecutive integers correlated, as both then only add a constant.
                let hash = mix(mix(token ^ seed).wrapping_add(offset));
                let slot = if round < slots {
                    // The upper half scaled to the number of slots (Lemire, *Fast random integer
                    // generation in an interval*, 2019): no division.
                    ((hash >> 32) * slots) >> 32
                } else {
                    round - slots
                };
                let value = (round << HASH_BITS) | (hash & HASH_MASK);
                if let Some(kept) = values.get_mut(slot as usize) {
                    empty -= usize::from(*kept == MinHashSignature::EMPTY);
                    *kept = value.min(*kept);
                }
            }
            if empty == 0 {
                return;
            }
        }
    }

    /// The estimated Jaccard similarity of two sets: the fraction of values that agree.
    ///
    /// The estimate is unbiased with variance at most J(1−J)/k. The empty set is similar to
    /// nothing, itself included.
    ///
    /// # Panics
    ///
    /// When the signatures have different lengths; [`try_similarity`](Self::try_similarity) is the
    /// form for signatures that come from outside.
    #[must_use]
    #[expect(clippy::panic, reason = "the contract returns f64; documented, with a fallible twin")]
    pub fn similarity(sig1: &MinHashSignature, sig2: &MinHashSignature) -> f64 {
        match Self::try_similarity(&sig1.values, &sig2.values) {
            Ok(similarity) => similarity,
            Err(error) => panic!("{error}"),
        }
    }

    /// As [`similarity`](Self::similarity), over the values and for lengths that may differ.
    ///
    /// # Errors
    ///
    /// [`MithrilError::InvalidArgument`] when the two have different lengths.
    pub fn try_similarity(one: &[u64], two: &[u64]) -> Result<f64> {
        Self::check_lengths(one, two)?;
        let agree =
            one.iter().zip(two).filter(|(a, b)| a == b && **a != MinHashSignature::EMPTY).count();
        Ok(agree as f64 / one.len().max(1) as f64)
    }

    pub(super) fn check_lengths(one: &[u64], two: &[u64]) -> Result<()> {
        if one.len() == two.len() {
            return Ok(());
        }
        Err(MithrilError::InvalidArgument(format!(
            "signatures of {} and of {} values cannot be compared",
            one.len(),
            two.len()
        )))
    }
}
