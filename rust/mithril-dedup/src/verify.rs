//! From candidate pairs to verified pairs.

use crate::documents::Documents;
use crate::error::Result;
use crate::options::{DedupOptions, Verify};
use crate::shingle::Shingler;
use mithril_core::MinHasher;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Shingle sets are made again when they are not among the most recent of this many bytes.
const CACHE_BYTES: usize = 256 << 20;
/// So that threads seldom wait for each other.
const SHARDS: usize = 64;

/// Decides whether two documents, named by their position in keep order, are duplicates.
pub(crate) struct Verifier<'a> {
    documents: &'a Documents,
    /// The row of each position.
    rows: &'a [u32],
    options: &'a DedupOptions,
    signatures: &'a [u64],
    sets: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    sets: HashMap<u32, Arc<[u64]>>,
    bytes: usize,
}

impl<'a> Verifier<'a> {
    /// A verifier as the options say; `signatures` are needed for [`Verify::Signature`] alone.
    pub(crate) fn new(
        documents: &'a Documents,
        rows: &'a [u32],
        options: &'a DedupOptions,
        signatures: &'a [u64],
    ) -> Self {
        let sets = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { documents, rows, options, signatures, sets }
    }

    /// The similarity of two documents when it reaches the threshold.
    ///
    /// Without verification every candidate has similarity 1.
    pub(crate) fn verify(
        &self,
        shingler: &mut Shingler,
        one: u32,
        two: u32,
    ) -> Result<Option<f64>> {
        let similarity = match self.options.verify {
            Verify::Exact => {
                let one = self.shingle_set(shingler, one);
                jaccard(&one, &self.shingle_set(shingler, two))
            }
            Verify::Signature => {
                MinHasher::try_similarity(self.signature(one), self.signature(two))?
            }
            Verify::None => 1.0,
        };
        Ok((similarity >= self.options.threshold).then_some(similarity))
    }

    fn signature(&self, position: u32) -> &[u64] {
        let start = position as usize * self.options.permutations;
        self.signatures.get(start..start + self.options.permutations).unwrap_or_default()
    }

    fn shingle_set(&self, shingler: &mut Shingler, position: u32) -> Arc<[u64]> {
        let shard = self.sets.get(position as usize % SHARDS);
        let held = shard.map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(set) = held.and_then(|held| held.sets.get(&position).cloned()) {
            return set;
        }
        let row = self.rows.get(position as usize).copied().unwrap_or(u32::MAX);
        let text = self.documents.text(row as usize).unwrap_or_default();
        let set: Arc<[u64]> = shingler.set(text).into();
        if let Some(shard) = shard {
            let mut held = shard.lock().unwrap_or_else(PoisonError::into_inner);
            if held.bytes > CACHE_BYTES / SHARDS {
                *held = Shard::default();
            }
            held.bytes += size_of_val(&*set);
            held.sets.insert(position, Arc::clone(&set));
        }
        set
    }
}

/// The Jaccard similarity of two sets, given as sorted slices; 0 when both are empty.
///
/// One division of two integers, so that a threshold of 0.8 is reached by 4 of 5 exactly.
fn jaccard(one: &[u64], two: &[u64]) -> f64 {
    let (mut rest, mut shared) = (two, 0_usize);
    for &value in one {
        while let Some((&first, tail)) = rest.split_first() {
            if first > value {
                break;
            }
            rest = tail;
            if first == value {
                shared += 1;
                break;
            }
        }
    }
    let union = one.len() + two.len() - shared;
    if union == 0 { 0.0 } else { shared as f64 / union as f64 }
}
