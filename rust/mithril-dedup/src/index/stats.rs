//! What an index tells of itself.

use super::MinHashIndex;
use super::segment::split;
use crate::error::Result;
use crate::threads::on_a_pool;
use rayon::prelude::*;
use serde::Serialize;
use std::iter::Peekable;

/// What [`MinHashIndex::stats`] tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IndexStats {
    /// The documents.
    pub documents: usize,
    /// Documents that have been removed, and still take their bytes: until their segments are merged.
    pub removed: usize,
    /// The bytes that it takes, in memory or mapped from files.
    pub bytes: usize,
    /// Those of them that are mapped from files.
    pub mapped_bytes: usize,
    /// The bytes for each document; 0 without one.
    pub bytes_per_document: f64,
    /// The number of segments; a query looks at each.
    pub segments: usize,
    /// The number of bands of a signature.
    pub bands: usize,
    /// The number of values in a band.
    pub rows: usize,
    /// The bytes of a document's code; 0 if there are none.
    pub code_bytes: usize,
    /// The most documents that share a band.
    pub largest_bucket: usize,
}

impl MinHashIndex {
    /// What the index holds; it looks at every bucket, on the threads that it is called on.
    ///
    /// # Errors
    ///
    /// [`DedupError::Threads`](crate::DedupError::Threads) when the system gives no threads.
    ///
    /// ```
    /// use mithril_dedup::{IndexOptions, MinHashIndex};
    /// let stats = MinHashIndex::try_new(IndexOptions::default())?.stats()?;
    /// assert_eq!((stats.documents, stats.bands, stats.rows, stats.code_bytes), (0, 16, 6, 64));
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn stats(&self) -> Result<IndexStats> {
        let documents = self.len();
        let segments = || self.parts.iter().map(|part| &part.segment);
        let held: usize = segments().map(|segment| segment.data.len()).sum();
        let beside: usize = self.parts.iter().map(|part| part.removed.bytes()).sum();
        let bytes = held + beside + self.fresh.bytes();
        let bands = self.shape.banding.bands;
        let largest_bucket = on_a_pool(|| {
            Ok((0..bands).into_par_iter().map(|band| self.largest_bucket(band)).max())
        })?;
        Ok(IndexStats {
            documents,
            removed: self.parts.iter().map(|part| part.removed.count).sum::<usize>()
                + self.fresh.rows()
                - self.fresh.len(),
            bytes,
            mapped_bytes: segments()
                .filter(|segment| segment.is_mapped)
                .map(|segment| segment.data.len())
                .sum(),
            bytes_per_document: if documents == 0 { 0.0 } else { bytes as f64 / documents as f64 },
            segments: self.parts.len(),
            bands,
            rows: self.shape.banding.rows,
            code_bytes: self.shape.code_bytes(),
            largest_bucket: largest_bucket.unwrap_or_default(),
        })
    }

    /// The most documents that share a fingerprint of this band, over all segments.
    fn largest_bucket(&self, band: usize) -> usize {
        let fresh = self.fresh.band(band);
        let mut sources: Vec<Peekable<Box<dyn Iterator<Item = u32> + '_>>> = Vec::new();
        for part in &self.parts {
            let entries = part.segment.band(band).iter();
            let entries = entries.map(|&bytes| split(u64::from_le_bytes(bytes)));
            let live = entries.filter(|&(_, number)| !part.removed.contains(number));
            let live: Box<dyn Iterator<Item = u32>> = Box::new(live.map(|(one, _)| one));
            sources.push(live.peekable());
        }
        let fresh: Box<dyn Iterator<Item = u32>> = Box::new(fresh.into_iter());
        sources.push(fresh.peekable());
        let mut largest = 0;
        loop {
            let next = sources.iter_mut().filter_map(|source| source.peek().copied()).min();
            let Some(next) = next else { return largest };
            let of_one =
                |source: &mut Peekable<_>| std::iter::from_fn(|| source.next_if_eq(&next)).count();
            largest = sources.iter_mut().map(of_one).sum::<usize>().max(largest);
        }
    }
}
