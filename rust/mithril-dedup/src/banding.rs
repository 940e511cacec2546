//! From the recall that was asked for to the bands and rows that give it.

use crate::error::{DedupError, Result};
use serde::{Deserialize, Serialize};

/// How a signature is cut: `bands` bands of `rows` values each.
///
/// A pair with Jaccard similarity J agrees in one band with probability J^rows and becomes a
/// candidate when it agrees in any: 1 − (1 − J^rows)^bands (Broder 1997; Leskovec, Rajaraman and
/// Ullman, *Mining of Massive Datasets*, section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banding {
    /// The number of bands.
    pub bands: usize,
    /// The number of values in a band.
    pub rows: usize,
}

impl Banding {
    /// The bands and rows that make a pair at `threshold` a candidate with probability `recall`.
    ///
    /// Of all that fit into `permutations` values it takes the one with the most rows, which has
    /// the fewest candidates below the threshold, and of those the one with the fewest bands.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] when `permutations` values cannot give that recall at all.
    ///
    /// ```
    /// use mithril_dedup::Banding;
    /// let banding = Banding::for_recall(0.8, 0.99, 128)?;
    /// assert_eq!((banding.bands, banding.rows), (16, 6));
    /// assert!(banding.candidate_probability(0.8) >= 0.99);
    /// assert!(banding.candidate_probability(0.4) < 0.07);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn for_recall(threshold: f64, recall: f64, permutations: usize) -> Result<Self> {
        (1..=permutations)
            .rev()
            .find_map(|rows| {
                let bands = Self::bands_needed(threshold, recall, rows);
                // A float, since at small thresholds the number is past any integer.
                (bands * rows as f64 <= permutations as f64)
                    .then_some(Self { bands: bands as usize, rows })
            })
            .ok_or_else(|| {
                let needed = Self::bands_needed(threshold, recall, 1);
                DedupError::InvalidArgument(format!(
                    "a recall of {recall} at threshold {threshold} needs at least {needed} \
                     permutations, not {permutations}; raise permutations, or lower recall"
                ))
            })
    }

    /// The least number of bands of `rows` rows that reaches `recall` at `threshold`.
    fn bands_needed(threshold: f64, recall: f64, rows: usize) -> f64 {
        let agree = threshold.powf(rows as f64);
        if agree >= 1.0 {
            return 1.0;
        }
        // Logarithms of 1 − x, which keep what 1 − x itself would round away.
        ((-recall).ln_1p() / (-agree).ln_1p()).ceil().max(1.0)
    }

    /// The probability that a pair of the given Jaccard similarity becomes a candidate.
    #[must_use]
    pub fn candidate_probability(self, jaccard: f64) -> f64 {
        1.0 - (1.0 - jaccard.powf(self.rows as f64)).powf(self.bands as f64)
    }
}
