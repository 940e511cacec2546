//! Segments and indexes that become one.

use super::part::Part;
use super::segment::Segment;
use super::{FREEZE, MinHashIndex};
use crate::control::Control;
use crate::error::{DedupError, Result};
use std::collections::BTreeMap;

/// So many segments of like size become one.
const FANOUT: usize = 4;

impl MinHashIndex {
    /// Adds the documents of another index, whose segments the two then share.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] when the options differ, or when both have a document with the same
    /// id; the text names it. Nothing is added then.
    ///
    /// ```
    /// use mithril_dedup::{Control, Documents, IndexOptions, MinHashIndex, TextBuilder};
    /// let mut texts = TextBuilder::default();
    /// texts.append_str("one text");
    /// let mut documents = Documents::new();
    /// documents.push_texts(texts)?;
    ///
    /// let mut one = MinHashIndex::try_new(IndexOptions::default())?;
    /// let mut two = one.clone();
    /// one.add(&documents, Some(&[1]), Control::default())?;
    /// two.add(&documents, Some(&[2]), Control::default())?;
    /// one.merge(&two)?;
    /// assert_eq!(one.ids(), [1, 2]);
    /// assert!(one.merge(&two).is_err());
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.check_shape(&other.shape)?;
        let (small, large) =
            if self.len() < other.len() { (&*self, other) } else { (other, &*self) };
        let ids = small.parts.iter().flat_map(Part::ids).chain(small.fresh.ids());
        if let Some(id) = ids.filter(|&id| large.contains(id)).min() {
            return Err(DedupError::InvalidArgument(format!(
                "id {id} is in both indexes; remove it from one"
            )));
        }
        let mut parts = other.parts.clone();
        if other.fresh.len() > 0 {
            parts.push(Part::new(other.fresh.freeze()?));
        }
        self.parts.append(&mut parts);
        self.next_id = self.next_id.zip(other.next_id).map(|(one, two)| one.max(two));
        self.settle();
        Ok(())
    }

    /// Makes one segment of all, without what has been removed. The next [`save`](Self::save) writes it, and
    /// deletes those that it replaces.
    ///
    /// It runs on the threads that it is called on.
    ///
    /// # Errors
    ///
    /// [`DedupError::Interrupted`] when the control says so, and [`DedupError::InvalidArgument`] when the memory
    /// is not there, or a segment would have more than 2³² − 1 documents; the index is as it was then.
    pub fn compact(&mut self, control: Control) -> Result<()> {
        let mut parts = self.parts.clone();
        if self.fresh.len() > 0 {
            parts.push(Part::new(self.fresh.freeze()?));
        }
        if parts.len() > 1 || parts.iter().any(|part| part.removed.count > 0) {
            let whole = Segment::merge(&self.shape, &parts.iter().collect::<Vec<_>>(), control)?;
            parts = vec![Part::new(whole)];
        }
        self.parts = parts;
        self.fresh.clear();
        Ok(())
    }

    /// Makes a segment of what was added last.
    pub(super) fn freeze(&mut self) -> Result<()> {
        if self.fresh.len() > 0 {
            self.parts.push(Part::new(self.fresh.freeze()?));
        }
        self.fresh.clear();
        Ok(())
    }

    /// Keeps the hash maps small and the segments few.
    ///
    /// What cannot be done for want of memory or threads is left for the next time: the documents are there
    /// all the same.
    pub(super) fn settle(&mut self) {
        if self.fresh.rows() >= FREEZE && self.freeze().is_err() {
            return;
        }
        while let Some(tier) = self.full_tier() {
            let (old, mut parts): (Vec<_>, Vec<_>) =
                self.parts.iter().cloned().partition(|part| tier_of(part) == Some(tier));
            let old: Vec<&Part> = old.iter().collect();
            let Ok(whole) = Segment::merge(&self.shape, &old, Control::default()) else { return };
            parts.push(Part::new(whole));
            self.parts = parts;
        }
    }

    /// A tier with segments enough to merge.
    fn full_tier(&self) -> Option<u32> {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for tier in self.parts.iter().filter_map(tier_of) {
            *counts.entry(tier).or_default() += 1;
        }
        counts.into_iter().find(|&(_, count)| count >= FANOUT).map(|(tier, _)| tier)
    }
}

/// How often a segment has been merged, by its size; none of one that is in a store.
fn tier_of(part: &Part) -> Option<u32> {
    let units = (part.len() / FREEZE).max(1);
    (!part.segment.is_stored()).then(|| units.ilog(FANOUT))
}
