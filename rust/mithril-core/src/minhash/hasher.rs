//! The sketch: from a set of tokens to its signature.

use super::datasketch::{self, DatasketchScheme, Permutations};
use super::sketch::{Family, Kernel};
use super::{MinHashSignature, ngram};
use crate::{MithrilError, Result};
use std::fmt;
use std::sync::Arc;

/// The most values that a signature can have.
pub const MAX_PERMUTATIONS: usize = 4096;

/// How the values of a signature are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// Fast similarity sketching: the fastest, and the one with the smallest error.
    #[default]
    Similarity,
    /// The values of the Python package datasketch, for those who have stored some.
    Datasketch(DatasketchScheme),
}

/// Makes `MinHash` signatures of `num_permutations` values.
///
/// The method is fast similarity sketching (Dahlgaard, Knudsen and Thorup, FOCS 2017) with balanced
/// rounds: each token has an order of its own in which it throws into the slots, one in each round; a
/// slot keeps the smallest value of the earliest round. A set of n tokens costs about `n + k·ln k`
/// operations instead of `n·k`, and the variance of the estimate is at or below that of k
/// independent permutations.
///
/// Equal `num_permutations` and `seed` give equal signatures on every machine. Making a hasher fills
/// a table for `num_permutations`; a clone shares it.
#[derive(Clone)]
pub struct MinHasher {
    num_permutations: usize,
    seed: u64,
    scheme: Scheme,
    tables: Tables,
    kernel: Kernel,
}

/// What the scheme computes with.
#[derive(Clone)]
enum Tables {
    Similarity(Arc<Family>),
    Datasketch(Arc<Permutations>),
}

impl PartialEq for MinHasher {
    /// Whether the two give the same signatures.
    fn eq(&self, other: &Self) -> bool {
        let what = |hasher: &Self| (hasher.num_permutations, hasher.seed, hasher.scheme);
        what(self) == what(other)
    }
}

impl Eq for MinHasher {}

impl fmt::Debug for MinHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MinHasher")
            .field("num_permutations", &self.num_permutations)
            .field("seed", &self.seed)
            .field("scheme", &self.scheme)
            .field("kernel", &self.kernel)
            .finish_non_exhaustive()
    }
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
        Self::try_with_scheme(num_permutations, seed, Scheme::Similarity)
    }

    /// A hasher of another [`Scheme`].
    ///
    /// # Errors
    ///
    /// [`MithrilError::InvalidArgument`] when `num_permutations` is not in 1..=4096, or the scheme has
    /// no such seed: those of datasketch have 32 bits.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// use mithril_core::minhash::{DatasketchScheme, Scheme, datasketch::token_hash};
    ///
    /// // MinHash(num_perm=2, seed=1); update(b"word")
    /// let affine32 = DatasketchScheme::Affine32;
    /// let hasher = MinHasher::try_with_scheme(2, 1, Scheme::Datasketch(affine32))?;
    /// let signature = hasher.hash_tokens(&[token_hash(affine32, b"word")]);
    /// assert_eq!(signature.values.len(), 2);
    /// # Ok::<(), mithril_core::MithrilError>(())
    /// ```
    pub fn try_with_scheme(num_permutations: usize, seed: u64, scheme: Scheme) -> Result<Self> {
        if !(1..=MAX_PERMUTATIONS).contains(&num_permutations) {
            return Err(MithrilError::InvalidArgument(format!(
                "num_permutations must be between 1 and {MAX_PERMUTATIONS}, not {num_permutations}"
            )));
        }
        let tables = match scheme {
            Scheme::Similarity => Tables::Similarity(Arc::new(Family::new(num_permutations, seed))),
            Scheme::Datasketch(scheme) => {
                let permutations = Permutations::new(num_permutations, seed, scheme)?;
                Tables::Datasketch(Arc::new(permutations))
            }
        };
        Ok(Self { num_permutations, seed, scheme, tables, kernel: Kernel::best() })
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

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The same hasher on a kernel that may not be the fastest, for tests and benchmarks: the values
    /// are the same on all.
    ///
    /// # Errors
    ///
    /// [`MithrilError::InvalidArgument`] when this machine cannot run it.
    pub fn force_kernel(self, kernel: Kernel) -> Result<Self> {
        if Kernel::available().contains(&kernel) {
            return Ok(Self { kernel, ..self });
        }
        Err(MithrilError::InvalidArgument(format!("this machine cannot run {kernel:?}")))
    }

    /// The kernel in use.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The signature of a set of tokens; order and repetition change nothing.
    ///
    /// Tokens are hashes, of any quality, as [`ngram`] makes them from text. For datasketch's
    /// values they are what its `hashfunc` gives, as [`datasketch::token_hash`] does.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// let hasher = MinHasher::new(128);
    /// assert_eq!(hasher.hash_tokens(&[1, 2, 3]), hasher.hash_tokens(&[3, 2, 1, 2]));
    /// ```
    #[must_use]
    pub fn hash_tokens(&self, tokens: &[u64]) -> MinHashSignature {
        let mut values = vec![MinHashSignature::EMPTY; self.num_permutations];
        self.fill(tokens, &mut values);
        MinHashSignature { values }
    }

    /// The signature of the n-grams of the Unicode scalar values of `text`.
    ///
    /// A text shorter than `ngram_size` is one n-gram; the empty text has the empty signature. The
    /// token of an n-gram is its [`ngram`] hash, and for datasketch's values that of its UTF-8 bytes.
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
        match self.scheme {
            Scheme::Similarity => {
                ngram::char_ngram_hashes(text, ngram_size, &mut tokens, &mut hashes);
            }
            Scheme::Datasketch(scheme) => {
                let ngrams = ngram::char_ngrams(text, ngram_size);
                hashes.extend(ngrams.map(|gram| datasketch::token_hash(scheme, gram.as_bytes())));
            }
        }
        self.hash_tokens(&hashes)
    }

    /// Sketches `tokens` into `values`, which are overwritten: [`hash_tokens`](Self::hash_tokens)
    /// without the allocation.
    ///
    /// # Errors
    ///
    /// [`MithrilError::InvalidArgument`] when `values` does not have `num_permutations` places.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// let hasher = MinHasher::new(64);
    /// let mut values = [0; 64];
    /// hasher.sketch(&[1, 2, 3], &mut values)?;
    /// assert_eq!(values[..], hasher.hash_tokens(&[1, 2, 3]).values);
    /// assert!(hasher.sketch(&[1, 2, 3], &mut values[1..]).is_err());
    /// # Ok::<(), mithril_core::MithrilError>(())
    /// ```
    pub fn sketch(&self, tokens: &[u64], values: &mut [u64]) -> Result<()> {
        if values.len() != self.num_permutations {
            return Err(MithrilError::InvalidArgument(format!(
                "a signature has {} values, and there is room for {}",
                self.num_permutations,
                values.len()
            )));
        }
        self.fill(tokens, values);
        Ok(())
    }

    /// Sketches many sets into `values`, one signature after the other.
    ///
    /// The tokens of row `r` are `tokens[offsets[r]..offsets[r + 1]]`, as in the rows of a sparse matrix
    /// or the lists of an Arrow column. What is before the first offset and after the last belongs to
    /// no row. A row without tokens has the signature of the empty set.
    ///
    /// # Errors
    ///
    /// Those of [`check_offsets`](Self::check_offsets), and [`MithrilError::InvalidArgument`] when `values`
    /// does not have `num_permutations` places for each row. Nothing is written then.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// let hasher = MinHasher::new(4);
    /// let mut values = [0; 12];
    /// hasher.hash_rows(&[7, 8, 9], &[0, 2, 2, 3], &mut values)?;
    /// assert_eq!(values[..4], hasher.hash_tokens(&[7, 8]).values);
    /// assert_eq!(values[4..8], hasher.hash_tokens(&[]).values);
    /// assert_eq!(values[8..], hasher.hash_tokens(&[9]).values);
    /// # Ok::<(), mithril_core::MithrilError>(())
    /// ```
    pub fn hash_rows(&self, tokens: &[u64], offsets: &[usize], values: &mut [u64]) -> Result<()> {
        let rows = Self::check_offsets(offsets, tokens.len())?;
        if rows.checked_mul(self.num_permutations) != Some(values.len()) {
            return Err(MithrilError::InvalidArgument(format!(
                "{rows} signatures of {} values each do not fill the {} places there are",
                self.num_permutations,
                values.len()
            )));
        }
        let ends = offsets.iter().skip(1);
        let places = values.chunks_exact_mut(self.num_permutations);
        for ((&start, &end), values) in offsets.iter().zip(ends).zip(places) {
            self.fill(tokens.get(start..end).unwrap_or_default(), values);
        }
        Ok(())
    }

    /// The number of rows that `offsets` cut `tokens` tokens into, as [`hash_rows`](Self::hash_rows)
    /// takes them: one less than there are offsets.
    ///
    /// # Errors
    ///
    /// [`MithrilError::InvalidArgument`] when there is no offset, and when a row ends before it begins or
    /// after the last token; the text names the row.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// assert_eq!(MinHasher::check_offsets(&[0, 2, 2, 3], 3)?, 3);
    /// let error = MinHasher::check_offsets(&[0, 2, 1], 3).unwrap_err();
    /// assert!(error.to_string().contains("row 1"));
    /// # Ok::<(), mithril_core::MithrilError>(())
    /// ```
    pub fn check_offsets(offsets: &[usize], tokens: usize) -> Result<usize> {
        let wrong = |text: String| Err(MithrilError::InvalidArgument(text));
        let Some(rows) = offsets.len().checked_sub(1) else {
            return wrong("offsets must be one more than there are rows, not none".to_owned());
        };
        for (row, (&start, &end)) in offsets.iter().zip(offsets.iter().skip(1)).enumerate() {
            if end < start {
                return wrong(format!(
                    "offsets must not decrease: row {row} begins at {start} and ends at {end}"
                ));
            }
        }
        // They do not decrease: when the last is in range, all are.
        if offsets.last().is_some_and(|&last| last > tokens) {
            let row = offsets.partition_point(|&offset| offset <= tokens).saturating_sub(1);
            return wrong(format!(
                "offsets must be at most {tokens}, the number of tokens: row {row} goes on to {}",
                offsets.get(row + 1).or(offsets.last()).copied().unwrap_or_default()
            ));
        }
        Ok(rows)
    }

    fn fill(&self, tokens: &[u64], values: &mut [u64]) {
        match &self.tables {
            Tables::Similarity(family) => self.kernel.sketch(family, tokens, values),
            Tables::Datasketch(permutations) => permutations.sketch(tokens, values),
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
        if MinHashSignature::are_of_nothing(one) {
            return Ok(0.0);
        }
        let agree = one.iter().zip(two).filter(|(one, two)| one == two).count();
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
