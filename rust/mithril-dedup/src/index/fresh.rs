//! What was added last, in hash maps until there is enough of it for a segment.

use super::part::Removed;
use super::rows::{Batch, Row};
use super::segment::Segment;
use crate::error::Result;
use std::collections::HashMap;

/// The documents that were added last.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    batch: Batch,
    ids: Vec<u64>,
    /// The rows that have not been removed, by their ids.
    rows: HashMap<u64, u32>,
    removed: Removed,
    /// The last row of each bucket, by band and fingerprint.
    last: HashMap<(u32, u32), u32>,
    /// For each band of each row the row before it in its bucket.
    before: Vec<u32>,
}

/// Where a bucket begins.
const NONE: u32 = u32::MAX;

impl Fresh {
    pub(super) fn new(empty: Batch) -> Self {
        Self {
            batch: empty,
            ids: Vec::new(),
            rows: HashMap::new(),
            removed: Removed::default(),
            last: HashMap::new(),
            before: Vec::new(),
        }
    }

    /// The documents that are there, removed ones included.
    pub(super) fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The documents that have not been removed.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.rows.contains_key(&id)
    }

    /// The ids that have not been removed, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.rows.keys().copied()
    }

    /// Adds documents under ids that are not there.
    pub(super) fn append(&mut self, batch: &Batch, ids: &[u64]) {
        let start = self.rows();
        self.batch.append(batch);
        self.ids.extend_from_slice(ids);
        for (row, &id) in (start as u32..).zip(ids) {
            self.rows.insert(id, row);
            let found = self.batch.row(row as usize);
            let fingerprints = found.map(|row| row.fingerprints).unwrap_or_default();
            for (band, &fingerprint) in (0..).zip(fingerprints) {
                let before = self.last.insert((band, fingerprint), row);
                self.before.push(before.unwrap_or(NONE));
            }
            // A row that is in no bucket has its places too.
            self.before.resize((row as usize + 1) * self.batch.shape.banding.bands, NONE);
        }
    }

    /// Removes a document; false if it is not there.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        let Some(row) = self.rows.remove(&id) else { return false };
        self.removed.insert(row, self.ids.len());
        true
    }

    /// Appends the row of every document that shares a band with `row`, once for each of these.
    pub(super) fn candidates(&self, row: Row, found: &mut Vec<u32>) {
        let bands = self.batch.shape.banding.bands;
        for (band, &fingerprint) in (0..).zip(row.fingerprints) {
            let mut next = self.last.get(&(band, fingerprint)).copied();
            while let Some(row) = next {
                found.push(row);
                let before = self.before.get(row as usize * bands + band as usize);
                next = before.copied().filter(|&before| before != NONE);
            }
        }
    }

    /// The id and the code of a row that has not been removed.
    pub(super) fn get(&self, row: u32) -> Option<(u64, &[u8])> {
        let id = self.ids.get(row as usize).filter(|_| !self.removed.contains(row))?;
        Some((*id, self.batch.code(row as usize)))
    }

    /// The fingerprints of one band of all that has not been removed, in ascending order.
    pub(super) fn band(&self, band: usize) -> Vec<u32> {
        let rows = self.rows.values().filter_map(|&row| self.batch.row(row as usize));
        let mut sorted: Vec<u32> =
            rows.filter_map(|row| row.fingerprints.get(band).copied()).collect();
        sorted.sort_unstable();
        sorted
    }

    /// The segment of all that has not been removed.
    pub(super) fn freeze(&self) -> Result<Segment> {
        Segment::build(&self.batch, &self.ids, self.rows.values().copied().collect())
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Self::new(Batch::new(self.batch.shape));
    }

    /// About how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        // A byte of each place says whether it is taken.
        let rows = self.rows.capacity() * (size_of::<(u64, u32)>() + 1);
        let last = self.last.capacity() * (size_of::<((u32, u32), u32)>() + 1);
        let arrays = 8 * self.ids.capacity() + 4 * self.before.capacity() + self.removed.bytes();
        self.batch.bytes() + rows + last + arrays
    }
}
