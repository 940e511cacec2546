//! What tells that two texts cannot be alike, without the texts.
//!
//! A fingerprint has a bit for each place that a shingle of the text falls into. A bit that only one of two has stands
//! for a shingle at least that only one of them has, which bounds what they share from above: what is ruled out is not
//! alike, whatever else may be. Where two thirds of all texts are one template, nearly all pairs are ruled out, in some
//! nanoseconds each.

use super::tables::{batch, each_set, ids, missing, of_ids, values};
use crate::error::Result;
use crate::options::DedupOptions;
use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, UInt32Array};
use arrow::datatypes::UInt32Type;
use std::collections::HashMap;
use std::sync::Arc;

const WORDS: usize = 16;
const BYTES: usize = 8 * WORDS;

/// The table of fingerprints of a table of texts: `id`, `bits` (128 bytes), and `size`, the number of shingles.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`](crate::DedupError::InvalidArgument) for a table that is none of texts.
pub fn fingerprints(texts: &RecordBatch, options: &DedupOptions) -> Result<RecordBatch> {
    let (mut rows, mut sizes, mut prints) = (Vec::new(), Vec::new(), Vec::new());
    each_set(texts, options.shingling, |id, set| {
        let mut bits = [0_u64; WORDS];
        for hash in set {
            if let Some(word) = bits.get_mut((hash >> 6) as usize % WORDS) {
                *word |= 1 << (hash & 63);
            }
        }
        rows.push(id);
        sizes.push(set.len() as u32);
        prints.push(bits.map(u64::to_le_bytes).concat());
    })?;
    let prints = prints.iter().map(Some);
    let prints = FixedSizeBinaryArray::try_from_sparse_iter_with_size(prints, BYTES as i32)?;
    batch([
        ("id", of_ids(rows)),
        ("bits", Arc::new(prints) as ArrayRef),
        ("size", Arc::new(UInt32Array::from(sizes))),
    ])
}

/// A fingerprint.
pub(super) struct Fingerprint {
    bits: [u64; WORDS],
    /// How many of them are set.
    set: u32,
    size: u32,
}

/// Fingerprints by id; what has none is ruled out by nothing.
#[derive(Default)]
pub struct Fingerprints {
    threshold: f64,
    by_id: HashMap<i64, Fingerprint>,
}

impl Fingerprints {
    /// Those of tables, for a threshold of similarity.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`](crate::DedupError::InvalidArgument) for a table that is none of fingerprints.
    pub fn try_new(tables: &[RecordBatch], threshold: f64) -> Result<Self> {
        let mut by_id = HashMap::new();
        for table in tables {
            let bits = table.column_by_name("bits");
            let bits = bits.and_then(|bits| bits.as_fixed_size_binary_opt());
            let bits = bits
                .filter(|bits| bits.value_length() == BYTES as i32)
                .ok_or_else(|| missing("bits", "FixedSizeBinary(128)"))?;
            let sizes = values::<UInt32Type>(table, "size")?;
            for ((&id, bytes), &size) in ids(table, "id")?.iter().zip(bits).zip(sizes) {
                let mut bits = [0; WORDS];
                let bytes = bytes.unwrap_or_default().chunks_exact(8);
                for (word, bytes) in bits.iter_mut().zip(bytes) {
                    *word = bytes.first_chunk().copied().map_or(0, u64::from_le_bytes);
                }
                let set = bits.iter().map(|word| word.count_ones()).sum();
                by_id.insert(id, Fingerprint { bits, set, size });
            }
        }
        Ok(Self { threshold, by_id })
    }

    pub(super) fn of(&self, id: i64) -> Option<&Fingerprint> {
        self.by_id.get(&id)
    }

    /// Whether two texts may be as similar as the threshold.
    pub(super) fn may_match(&self, one: Option<&Fingerprint>, two: Option<&Fingerprint>) -> bool {
        let (Some(one), Some(two)) = (one, two) else { return true };
        let words = one.bits.iter().zip(&two.bits);
        let common: u32 = words.map(|(first, second)| (first & second).count_ones()).sum();
        // Each bit of one alone is a shingle of it alone, at least.
        let most = |print: &Fingerprint| print.size.saturating_sub(print.set - common);
        let shared = most(one).min(most(two));
        let union = one.size + two.size - shared;
        // As the similarity itself is computed, which grows with what is shared, rounding included.
        union == 0 || f64::from(shared) / f64::from(union) >= self.threshold
    }
}
