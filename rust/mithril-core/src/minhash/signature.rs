//! The signature: what is kept of a set.

use super::{GOLDEN, MIX_TWO, MinHasher, fold};

/// The `k` values that stand for a set; made by [`MinHasher`].
///
/// A value holds the round in which its slot was filled in its upper 16 bits and a hash in the
/// lower 48; a slot that nothing filled, which happens only to the empty set, is [`u64::MAX`]. The
/// values of datasketch's 32-bit schemes are below 2³², and those of the empty set [`u32::MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MinHashSignature {
    /// The values, one for each of the `k` slots.
    pub values: Vec<u64>,
}

impl MinHashSignature {
    /// The value of a slot that nothing filled.
    pub const EMPTY: u64 = u64::MAX;

    /// Whether this is the signature of the empty set.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// assert!(MinHasher::new(16).hash_tokens(&[]).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Self::are_of_nothing(&self.values)
    }

    /// Whether the values are those of the empty set, in whatever scheme.
    pub(super) fn are_of_nothing(values: &[u64]) -> bool {
        let all_are = |empty: u64| values.iter().all(|&value| value == empty);
        all_are(Self::EMPTY) || all_are(u32::MAX.into())
    }

    /// One hash for each of `num_bands` bands of `values.len() / num_bands` values each.
    ///
    /// Two sets with Jaccard similarity J agree in a band of r values with probability J^r. Values
    /// that are left over when `num_bands` does not divide their number belong to no band. More
    /// bands than values are as many bands as values; no band, and any of an empty signature, are
    /// no hash at all: the empty set falls into no bucket.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// let signature = MinHasher::new(128).hash_tokens(&[1, 2, 3]);
    /// assert_eq!(signature.bands(16).len(), 16);
    /// ```
    #[must_use]
    pub fn bands(&self, num_bands: usize) -> Vec<u64> {
        let num_bands = num_bands.min(self.values.len());
        if num_bands == 0 || self.is_empty() {
            return Vec::new();
        }
        let mut hashes = vec![0; num_bands];
        Self::band_hashes(&self.values, self.values.len() / num_bands, &mut hashes);
        hashes
    }

    /// Writes the hash of each band of `rows` values to `hashes`, as many as it has places for.
    ///
    /// Places for which `values` has no full band are left as they are. A hash depends on the
    /// position of its band, so one table can hold all bands.
    ///
    /// Bands take the values in the order of the triangular numbers 0, 1, 3, 6, 10, … modulo the next
    /// power of two, which meets every position once: the values of a small set that stand side by
    /// side, or at equal distances, depend on each other, and those of one band should not.
    pub fn band_hashes(values: &[u64], rows: usize, hashes: &mut [u64]) {
        let rows = rows.max(1);
        let bands = (values.len() / rows).min(hashes.len());
        let mask = values.len().next_power_of_two().wrapping_sub(1);
        let (mut at, mut step) = (0, 0);
        for (hash, position) in hashes.iter_mut().take(bands).zip(1_u64..) {
            *hash = position.wrapping_mul(GOLDEN);
            let mut taken = 0;
            while taken < rows {
                if let Some(value) = values.get(at) {
                    *hash = fold(*hash ^ value, MIX_TWO);
                    taken += 1;
                }
                step += 1;
                at = (at + step) & mask;
            }
        }
    }

    /// The signature of the union of the two sets.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::MithrilError::InvalidArgument) when the two have different
    /// lengths. Signatures made with different seeds cannot be told apart and merge to nonsense.
    ///
    /// ```
    /// use mithril_core::MinHasher;
    /// let hasher = MinHasher::new(64);
    /// let union = hasher.hash_tokens(&[1, 2]).merge(&hasher.hash_tokens(&[2, 3]))?;
    /// assert_eq!(union, hasher.hash_tokens(&[1, 2, 3]));
    /// # Ok::<(), mithril_core::MithrilError>(())
    /// ```
    pub fn merge(&self, other: &Self) -> crate::Result<Self> {
        MinHasher::check_lengths(&self.values, &other.values)?;
        let values = self.values.iter().zip(&other.values).map(|(&a, &b)| a.min(b)).collect();
        Ok(Self { values })
    }
}
