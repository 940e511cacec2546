//! From band hashes to candidates: the documents that share a bucket.

use crate::sketch::Sketches;
use rayon::prelude::*;

/// The buckets that hold two documents or more, and for each document those it is in.
///
/// Most documents are in none: they are kept without another look.
pub(crate) struct Buckets {
    count: usize,
    /// The documents that are in a bucket, ascending.
    documents: Vec<u32>,
    /// Where the buckets of each of `documents` begin in `memberships`, and one end.
    starts: Vec<usize>,
    memberships: Vec<u32>,
}

impl Buckets {
    /// Sorts each band; equal neighbours are a bucket.
    pub(crate) fn build(sketches: &Sketches) -> Self {
        // (document, bucket within the band), in the order of buckets.
        let bands: Vec<Vec<(u32, u32)>> = (0..sketches.bands())
            .into_par_iter()
            .map(|band| {
                let mut entries: Vec<(u64, u32)> = sketches.band(band).collect();
                entries.sort_unstable();
                let shared = entries.chunk_by(|a, b| a.0 == b.0).filter(|bucket| bucket.len() > 1);
                let numbered = shared.zip(0_u32..);
                numbered
                    .flat_map(|(bucket, id)| {
                        bucket.iter().map(move |&(_, document)| (document, id))
                    })
                    .collect()
            })
            .collect();

        let mut count = 0;
        let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(bands.iter().map(Vec::len).sum());
        for band in bands {
            let buckets = band.last().map_or(0, |&(_, id)| id + 1);
            pairs.extend(band.into_iter().map(|(document, id)| (document, count + id)));
            count += buckets;
        }
        pairs.par_sort_unstable();

        let mut built = Self {
            count: count as usize,
            documents: Vec::new(),
            starts: vec![0],
            memberships: Vec::with_capacity(pairs.len()),
        };
        for of_one in pairs.chunk_by(|a, b| a.0 == b.0) {
            built.documents.extend(of_one.first().map(|&(document, _)| document));
            built.memberships.extend(of_one.iter().map(|&(_, bucket)| bucket));
            built.starts.push(built.memberships.len());
        }
        built
    }

    /// The number of buckets.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The number of documents that are in a bucket.
    pub(crate) fn len(&self) -> usize {
        self.documents.len()
    }

    /// The `index`-th document that is in a bucket, and its buckets.
    pub(crate) fn get(&self, index: usize) -> Option<(u32, &[u32])> {
        let range = *self.starts.get(index)?..*self.starts.get(index + 1)?;
        Some((*self.documents.get(index)?, self.memberships.get(range)?))
    }
}
