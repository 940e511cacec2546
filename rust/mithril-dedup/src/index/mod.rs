//! An index of documents by their `MinHash` bands, which grows, shrinks, merges and is saved.
//!
//! It is log-structured. What was added last is in hash maps ([`fresh`]); a few thousand documents
//! become a [`segment`], which is never changed: the bytes that it is saved as, in memory or mapped
//! from a file. Segments of like size that are in no store yet are merged. What is removed is a bit
//! beside its segment ([`part`]), until segments are merged.

mod against;
mod code;
mod fresh;
mod ids;
mod manifest;
mod map;
mod merge;
mod name;
mod object;
mod options;
mod part;
mod rows;
mod search;
mod segment;
mod stats;
mod store;

pub use ids::ids_of_column;
pub use options::IndexOptions;
pub use rows::Batch;
pub use search::{IndexMatch, IndexMatches};
pub use stats::IndexStats;
pub use store::Snapshot;

use crate::banding::Banding;
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
pub(crate) use against::MostSimilar;
pub(crate) use code::Code;
use fresh::Fresh;
use mithril_core::MinHasher;
use options::Shape;
use part::Part;
use segment::Segment;
use std::collections::HashSet;
use std::fmt;

/// So many documents that were added one by one become a segment.
const FREEZE: usize = 4096;

/// Documents by their `MinHash` bands: finds those that are like a text, and keeps no text.
///
/// A document has an id of the caller's choice, or the next free number. Two documents are candidates
/// when they share a band of their signatures, which those at the threshold do with the probability
/// [`recall`](IndexOptions::recall). Bands are kept as fingerprints of 32 bits: with n documents, a
/// document that is like no other shares one with about `bands · n / 2³²` of them by chance.
///
/// A match is a candidate whose similarity is estimated at or above the threshold. With codes, which is
/// the default, the estimate is unbiased with a standard error of 0.037 at a similarity of 0.8 (0.030 from 256
/// permutations on, 0.027 from 512). Without codes it is `(m / bands) ^ (1 / rows)` for m equal bands, with a
/// standard error of 0.06 there, and worse below. So about half of the documents that are exactly
/// at the threshold are estimated below it: to have all that the recall promises, ask with a lower
/// threshold, and compare the texts.
///
/// For the default options a document takes 200 bytes: 8 for each of 16 bands, 8 for its id and 64 for its
/// code. One with a null or empty text, or with no shingle, is in no bucket: it counts, and is
/// like nothing.
///
/// A clone shares the segments.
///
/// ```
/// use arrow::array::{ArrayRef, StringArray};
/// use mithril_dedup::{Control, Documents, IndexOptions, MinHashIndex};
/// use std::sync::Arc;
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec![
///     Some("the quick brown fox jumps over the lazy dog"),
///     Some("a text of its own that is like no other here"),
///     None,
/// ]));
/// let documents = Documents::try_from_chunks([column])?;
/// let mut index = MinHashIndex::try_new(IndexOptions::default())?;
/// assert_eq!(index.add(&documents, None, Control::default())?, [0, 1, 2]);
///
/// let found = index.query("The quick brown fox jumps over the lazy dog!", None)?;
/// assert_eq!((found[0].id, found[0].similarity), (0, 1.0));
///
/// index.remove(&[0])?;
/// assert_eq!(index.query("the quick brown fox jumps over the lazy dog", None)?, []);
/// assert_eq!(index.len(), 2);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
#[derive(Clone)]
pub struct MinHashIndex {
    shape: Shape,
    hasher: MinHasher,
    parts: Vec<Part>,
    fresh: Fresh,
    /// The next free number; none after the largest that there is.
    next_id: Option<u64>,
    /// The manifests that it goes on from: that which it was opened from, and those that it wrote.
    revisions: Vec<u128>,
}

impl MinHashIndex {
    /// An index of no documents.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`], which names the option that makes no sense.
    pub fn try_new(options: IndexOptions) -> Result<Self> {
        Self::of(Shape::new(options)?)
    }

    fn of(shape: Shape) -> Result<Self> {
        let IndexOptions { permutations, seed, .. } = shape.options;
        Ok(Self {
            shape,
            hasher: MinHasher::try_with_seed(permutations, seed)?,
            parts: Vec::new(),
            fresh: Fresh::new(Batch::new(shape)),
            next_id: Some(0),
            revisions: Vec::new(),
        })
    }

    /// The options that it was made with.
    #[must_use]
    pub fn options(&self) -> IndexOptions {
        self.shape.options
    }

    /// How signatures are cut.
    #[must_use]
    pub fn banding(&self) -> Banding {
        self.shape.banding
    }

    /// What tells it from what it was before and will be.
    pub(crate) fn revision(&self) -> Option<u128> {
        self.revisions.last().copied()
    }

    /// The number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fresh.len() + self.parts.iter().map(Part::len).sum::<usize>()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a document with this id.
    #[must_use]
    pub fn contains(&self, id: u64) -> bool {
        self.fresh.contains(id) || self.parts.iter().any(|part| part.find(id).is_some())
    }

    /// The ids of all documents, in ascending order.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> =
            self.parts.iter().flat_map(Part::ids).chain(self.fresh.ids()).collect();
        ids.sort_unstable();
        ids
    }

    /// Adds documents, and returns their ids: those given, or the next free numbers. A number is free when no
    /// document has ever had it or a larger one.
    ///
    /// It runs on the threads that it is called on, as [`HashColumn`](crate::HashColumn) does.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] when an id is there already or given twice, which the text names, or
    /// when `ids` has another length than `documents`; [`DedupError::Interrupted`] when the control says so.
    /// Nothing is added then.
    pub fn add(
        &mut self,
        documents: &Documents,
        ids: Option<&[u64]>,
        control: Control,
    ) -> Result<Vec<u64>> {
        self.check_ids(documents.len(), ids)?;
        let batch = self.sketch(documents, control)?;
        self.insert(&batch, ids)
    }

    /// Sketches documents for [`insert`](Self::insert): the part of [`add`](Self::add) that takes long, and
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`DedupError::Interrupted`] when the control says so, [`DedupError::InvalidArgument`] when the memory is
    /// not there.
    pub fn sketch(&self, documents: &Documents, control: Control) -> Result<Batch> {
        Batch::sketch(self.shape, &self.hasher, documents, control)
    }

    /// Adds documents that have been sketched by an index with the same options; see [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), and [`DedupError::InvalidArgument`] when the options differ.
    ///
    /// ```
    /// use mithril_dedup::{Control, Documents, IndexOptions, MinHashIndex, TextBuilder};
    /// let mut texts = TextBuilder::default();
    /// texts.append_str("one text");
    /// let mut documents = Documents::new();
    /// documents.push_texts(texts)?;
    ///
    /// let mut index = MinHashIndex::try_new(IndexOptions::default())?;
    /// let batch = index.sketch(&documents, Control::default())?;
    /// assert_eq!(index.insert(&batch, Some(&[7]))?, [7]);
    /// let error = index.insert(&batch, Some(&[7])).unwrap_err();
    /// assert!(error.to_string().contains("id 7"));
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn insert(&mut self, batch: &Batch, ids: Option<&[u64]>) -> Result<Vec<u64>> {
        self.check_shape(&batch.shape)?;
        let ids = self.new_ids(batch.len(), ids)?;
        if batch.len() >= FREEZE {
            let segment = Segment::build(batch, &ids, (0..batch.len() as u32).collect())?;
            self.parts.push(Part::new(segment));
        } else {
            self.fresh.append(batch, &ids);
        }
        if let (Some(next), Some(&largest)) = (self.next_id, ids.iter().max())
            && largest >= next
        {
            self.next_id = largest.checked_add(1);
        }
        self.settle();
        Ok(ids)
    }

    /// Whether [`insert`](Self::insert) of so many documents is quick: no segment comes of it.
    #[must_use]
    pub fn has_room(&self, documents: usize) -> bool {
        self.fresh.rows() + documents < FREEZE
    }

    /// Removes documents.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] when there is no document with one of the ids, or one is given
    /// twice; the text names it. Nothing is removed then.
    pub fn remove(&mut self, ids: &[u64]) -> Result<()> {
        let mut seen = HashSet::with_capacity(ids.len());
        for &id in ids {
            let problem = match (seen.insert(id), self.contains(id)) {
                (false, _) => "is given twice",
                (_, false) => "is not in the index",
                _ => continue,
            };
            return Err(DedupError::InvalidArgument(format!(
                "id {id} {problem}; nothing was removed"
            )));
        }
        for &id in ids {
            if self.fresh.remove(id) {
                continue;
            }
            let found = self.parts.iter_mut().find_map(|part| Some((part.find(id)?, part)));
            if let Some((number, part)) = found {
                part.removed.insert(number, part.segment.documents);
            }
        }
        self.parts.retain(|part| part.len() > 0);
        if self.fresh.len() == 0 {
            self.fresh.clear();
        }
        Ok(())
    }

    /// Whether so many documents can be added under these ids; see [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), for wrong ids.
    pub fn check_ids(&self, documents: usize, ids: Option<&[u64]>) -> Result<()> {
        self.new_ids(documents, ids).map(drop)
    }

    /// The ids of so many new documents.
    fn new_ids(&self, documents: usize, ids: Option<&[u64]>) -> Result<Vec<u64>> {
        let wrong = |text: String| Err(DedupError::InvalidArgument(text));
        let Some(ids) = ids else {
            let last = (documents as u64).checked_sub(1);
            let Some(last) = last else { return Ok(Vec::new()) };
            let range = self.next_id.and_then(|first| Some(first..=first.checked_add(last)?));
            let Some(range) = range else {
                return wrong("no number above the largest id is free; give ids".to_owned());
            };
            return Ok(range.collect());
        };
        if ids.len() != documents {
            return wrong(format!("{} ids do not fit {documents} documents", ids.len()));
        }
        let mut seen = HashSet::new();
        let are_ascending = ids.is_sorted_by(|one, two| one < two);
        for (row, &id) in ids.iter().enumerate() {
            if self.next_id.is_none_or(|next| id < next) && self.contains(id) {
                return wrong(format!("row {row}: id {id} is in the index already"));
            }
            if !are_ascending && !seen.insert(id) {
                return wrong(format!("row {row}: id {id} is given twice"));
            }
        }
        Ok(ids.to_vec())
    }

    fn check_shape(&self, other: &Shape) -> Result<()> {
        if self.shape == *other {
            return Ok(());
        }
        let shown = |shape: &Shape| format!("{:?} in {:?}", shape.options, shape.banding);
        Err(DedupError::InvalidArgument(format!(
            "indexes of different options cannot be merged: {} and {}",
            shown(&self.shape),
            shown(other)
        )))
    }
}

impl fmt::Debug for MinHashIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MinHashIndex")
            .field("options", &self.shape.options)
            .field("banding", &self.shape.banding)
            .field("documents", &self.len())
            .finish_non_exhaustive()
    }
}
