//! The kept documents of each bucket.

use crate::crowded::{CROWD, SOON};

/// The count of a bucket that is crowded: its documents are in the index of the crowd.
const CROWDED: u32 = u32::MAX;

/// The documents of each bucket that are kept, ascending.
pub(crate) struct Kept {
    /// Where each bucket begins in `documents`, which has room for all of it.
    starts: Vec<usize>,
    counts: Vec<u32>,
    documents: Vec<u32>,
}

impl Kept {
    pub(crate) fn new(sizes: &[u32]) -> Self {
        let mut end = 0;
        let start_of = |&size: &u32| {
            let start = end;
            end += size as usize;
            start
        };
        let starts = sizes.iter().map(start_of).collect();
        Self { starts, counts: vec![0; sizes.len()], documents: vec![0; end] }
    }

    /// Adds a document to its buckets, but for crowded ones; whether one of them is to become that.
    pub(crate) fn add(&mut self, document: u32, buckets: &[u32]) -> bool {
        let mut is_crowding = false;
        for &bucket in buckets {
            let bucket = bucket as usize;
            if let (Some(start), Some(count)) =
                (self.starts.get(bucket), self.counts.get_mut(bucket))
                && *count != CROWDED
                && let Some(place) = self.documents.get_mut(start + *count as usize)
            {
                *place = document;
                *count += 1;
                is_crowding |= *count as usize > CROWD;
            }
        }
        is_crowding
    }

    /// The kept documents from `first` on that are in one of the buckets, but for crowded ones; some of them
    /// more than once.
    pub(crate) fn members(&self, buckets: &[u32], first: u32) -> impl Iterator<Item = u32> {
        buckets.iter().flat_map(move |&bucket| {
            self.of(bucket).iter().rev().copied().take_while(move |&document| document >= first)
        })
    }

    fn of(&self, bucket: u32) -> &[u32] {
        let start = self.starts.get(bucket as usize).copied().unwrap_or_default();
        let count = self.counts.get(bucket as usize).copied().unwrap_or_default();
        if count == CROWDED {
            return &[];
        }
        self.documents.get(start..start + count as usize).unwrap_or_default()
    }

    /// Makes a bucket crowded if it has become that, or soon will; its documents are appended to `newcomers`.
    pub(crate) fn crowd(&mut self, bucket: u32, newcomers: &mut Vec<u32>) {
        let kept = self.of(bucket);
        if kept.len() > SOON {
            newcomers.extend_from_slice(kept);
            if let Some(count) = self.counts.get_mut(bucket as usize) {
                *count = CROWDED;
            }
        }
    }

    /// Makes every bucket crowded before there is anything in it.
    pub(crate) fn crowd_all(&mut self) {
        self.counts.fill(CROWDED);
    }

    pub(crate) fn is_crowded(&self, bucket: u32) -> bool {
        self.counts.get(bucket as usize) == Some(&CROWDED)
    }
}
