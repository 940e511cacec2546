//! A segment as an index has it: with what has been removed from it.

use super::segment::Segment;
use std::sync::Arc;

/// A segment, and which of its documents have been removed.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) segment: Arc<Segment>,
    pub(super) removed: Removed,
}

impl Part {
    pub(super) fn new(segment: Segment) -> Self {
        Self { segment: Arc::new(segment), removed: Removed::default() }
    }

    /// The documents that have not been removed.
    pub(super) fn len(&self) -> usize {
        self.segment.documents - self.removed.count
    }

    /// The number of the document with this id, unless it has been removed.
    pub(super) fn find(&self, id: u64) -> Option<u32> {
        self.segment.find(id).filter(|&number| !self.removed.contains(number))
    }

    /// The ids that have not been removed, in ascending order.
    pub(super) fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        let ids = self.segment.ids().iter().zip(0..);
        let live = ids.filter(|&(_, number)| !self.removed.contains(number));
        live.map(|(&id, _)| u64::from_le_bytes(id))
    }
}

/// Documents by their numbers: a bit for each, and no bits as long as there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Removed {
    bits: Vec<u64>,
    pub(super) count: usize,
}

impl Removed {
    pub(super) fn contains(&self, number: u32) -> bool {
        let word = self.bits.get(number as usize / 64).copied().unwrap_or_default();
        word >> (number % 64) & 1 == 1
    }

    /// Adds a document of a segment of so many.
    pub(super) fn insert(&mut self, number: u32, documents: usize) {
        self.bits.resize(documents.div_ceil(64), 0);
        if let Some(word) = self.bits.get_mut(number as usize / 64) {
            let bit = 1 << (number % 64);
            self.count += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// The bits as they are saved: none if there is no document.
    pub(super) fn to_bytes(&self) -> impl Iterator<Item = u8> + '_ {
        let bits = if self.count == 0 { &[][..] } else { &self.bits };
        bits.iter().flat_map(|word| word.to_le_bytes())
    }

    /// The bits for a segment of so many documents; none if some are past the last.
    pub(super) fn from_bytes(bytes: &[u8], documents: usize) -> Option<Self> {
        let (words, rest) = bytes.as_chunks();
        let bits: Vec<u64> = words.iter().map(|&word| u64::from_le_bytes(word)).collect();
        let count = bits.iter().map(|word| word.count_ones() as usize).sum();
        let last = bits.last().copied().unwrap_or_default();
        let beyond = !documents.is_multiple_of(64) && last >> (documents % 64) != 0;
        let fits = rest.is_empty() && bits.len() == documents.div_ceil(64) && !beyond;
        fits.then_some(Self { bits, count })
    }

    /// The bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        8 * self.bits.capacity()
    }
}
