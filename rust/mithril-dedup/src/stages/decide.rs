//! From edges to the rows that are kept and those that go.

use super::rows::{Rows, block_of};
use super::tables::{batch, booleans, ids, of_ids, values};
use crate::error::{DedupError, Result};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::datatypes::Float64Type;
use std::sync::Arc;

/// What is decided so far: a bit for each row that is kept, and one for each that goes.
#[derive(Debug, Clone)]
pub struct State {
    rows: Rows,
    kept: BooleanArray,
    removed: BooleanArray,
}

impl State {
    /// The state of rows from its table.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for a table that is none, or is of another number of rows.
    pub fn try_new(rows: Rows, table: &RecordBatch) -> Result<Self> {
        if table.num_rows() != rows.len() {
            return Err(DedupError::InvalidArgument(format!(
                "a state of {} rows, and there are {}",
                table.num_rows(),
                rows.len()
            )));
        }
        let (kept, removed) = (booleans(table, "kept")?, booleans(table, "removed")?);
        Ok(Self { rows, kept: kept.clone(), removed: removed.clone() })
    }

    /// The state as a table.
    ///
    /// # Errors
    ///
    /// None in practice: the columns have equal lengths.
    pub fn table(&self) -> Result<RecordBatch> {
        batch([
            ("kept", Arc::new(self.kept.clone()) as ArrayRef),
            ("removed", Arc::new(self.removed.clone())),
        ])
    }

    pub(super) fn is_kept(&self, id: i64) -> Result<bool> {
        Ok(self.kept.value(self.rows.place(id)?))
    }

    pub(super) fn is_removed(&self, id: i64) -> Result<bool> {
        Ok(self.removed.value(self.rows.place(id)?))
    }

    pub(super) fn is_open(&self, id: i64) -> Result<bool> {
        let place = self.rows.place(id)?;
        Ok(!self.kept.value(place) && !self.removed.value(place))
    }
}

/// The decisions about all rows, three bits each.
///
/// ```
/// use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
/// use mithril_dedup::stages::{Decisions, Rows, assign};
/// use std::sync::Arc;
///
/// // 1 is like 0, and 2 like 1.
/// let ids = |ids: Vec<i64>| Arc::new(Int64Array::from(ids)) as ArrayRef;
/// let jaccard: ArrayRef = Arc::new(Float64Array::from(vec![0.9, 0.9]));
/// let edges = RecordBatch::try_from_iter([
///     ("later", ids(vec![1, 2])),
///     ("earlier", ids(vec![0, 1])),
///     ("jaccard", jaccard),
/// ])?;
/// let mut decisions = Decisions::new(Rows::new([3]));
/// decisions.settle(&edges, 0..1, true)?;
/// assert_eq!(decisions.open(), 0);
/// assert_eq!(assign(&edges, &decisions.state()?)?.num_rows(), 1);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decisions {
    rows: Rows,
    kept: Bits,
    removed: Bits,
    waiting: Bits,
}

impl Decisions {
    /// Nothing is decided.
    #[must_use]
    pub fn new(rows: Rows) -> Self {
        let bits = Bits::new(rows.len());
        Self { rows, kept: bits.clone(), removed: bits.clone(), waiting: bits }
    }

    /// Notes that the rows of a table of ids go.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for a table without ids, and for ids of no row.
    pub fn remove(&mut self, table: &RecordBatch) -> Result<()> {
        for &id in ids(table, "id")? {
            self.removed.set(self.rows.place(id)?);
        }
        Ok(())
    }

    /// Notes that the rows of a table of ids have to wait, besides those that have already.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    pub fn wait(&mut self, table: &RecordBatch) -> Result<()> {
        for &id in ids(table, "id")? {
            self.waiting.set(self.rows.place(id)?);
        }
        Ok(())
    }

    /// Lets nobody wait any more.
    pub fn wait_no_more(&mut self) {
        self.waiting = Bits::new(self.rows.len());
    }

    /// Decides what can be decided of the rows of some blocks, the blocks before them being as far as they are.
    /// `edges` has those of which the later is in these blocks, in the order of [`gather_edges`].
    ///
    /// A row goes that has an edge to an earlier kept one. One that has none to an undecided one either, and need
    /// not wait, is kept, if `may_keep` says so.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for a table that is none of edges, and for ids of no row.
    pub fn settle(
        &mut self,
        edges: &RecordBatch,
        blocks: std::ops::Range<u32>,
        may_keep: bool,
    ) -> Result<()> {
        let range = self.rows.start(blocks.start)..self.rows.start(blocks.end);
        let (later, earlier) = (ids(edges, "later")?, ids(edges, "earlier")?);
        let mut at = range.start;
        let mut done = 0;
        for of_row in later.chunk_by(|one, two| one == two) {
            let earlier = earlier.get(done..done + of_row.len()).unwrap_or_default();
            done += of_row.len();
            let Some(&id) = of_row.first() else { continue };
            let place = self.rows.place(id)?;
            if !range.contains(&place) || place < at {
                return Err(DedupError::InvalidArgument(format!(
                    "the edges of row {id} are out of order, or not among those of blocks {blocks:?}"
                )));
            }
            if may_keep {
                self.keep(at..place);
            }
            at = place + 1;
            if self.kept.get(place) || self.removed.get(place) {
                continue;
            }
            let mut is_clear = !self.waiting.get(place) && may_keep;
            let mut goes = false;
            for &other in earlier {
                let other = self.rows.place(other)?;
                goes |= self.kept.get(other);
                is_clear &= self.removed.get(other);
            }
            if goes {
                self.removed.set(place);
            } else if is_clear {
                self.kept.set(place);
            }
        }
        if may_keep {
            self.keep(at..range.end);
        }
        Ok(())
    }

    /// Keeps the rows that neither go nor have to wait.
    fn keep(&mut self, places: std::ops::Range<usize>) {
        for place in places {
            if !self.removed.get(place) && !self.waiting.get(place) {
                self.kept.set(place);
            }
        }
    }

    /// The number of rows that are not decided.
    #[must_use]
    pub fn open(&self) -> usize {
        self.rows.len() - self.kept.count() - self.removed.count()
    }

    /// What is decided so far.
    ///
    /// # Errors
    ///
    /// None in practice: the columns have equal lengths.
    pub fn state(&self) -> Result<State> {
        let table = batch([
            ("kept", Arc::new(self.kept.to_array()) as ArrayRef),
            ("removed", Arc::new(self.removed.to_array())),
        ])?;
        State::try_new(self.rows.clone(), &table)
    }
}

/// A bit for each of many places.
#[derive(Debug, Clone)]
struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    fn get(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    fn set(&mut self, at: usize) {
        if let Some(word) = self.words.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    fn to_array(&self) -> BooleanArray {
        // Arrow's order of bits, on machines whose lowest byte comes first.
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        BooleanArray::new(BooleanBuffer::new(Buffer::from_vec(bytes), 0, self.len), None)
    }
}

/// Collects edges, each once, in the order of the later and then of the earlier.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for a table that is none of edges.
pub fn gather_edges(edges: &[RecordBatch]) -> Result<RecordBatch> {
    let mut all = Vec::new();
    for table in edges {
        let jaccard = values::<Float64Type>(table, "jaccard")?;
        let rows = ids(table, "later")?.iter().zip(ids(table, "earlier")?).zip(jaccard);
        all.extend(rows.map(|((&later, &earlier), &jaccard)| (later, earlier, jaccard)));
    }
    all.sort_unstable_by_key(|&(later, earlier, _)| (later, earlier));
    all.dedup_by_key(|&mut (later, earlier, _)| (later, earlier));
    let jaccard: Float64Array = all.iter().map(|edge| Some(edge.2)).collect();
    batch([
        ("later", of_ids(all.iter().map(|edge| edge.0).collect())),
        ("earlier", of_ids(all.iter().map(|edge| edge.1).collect())),
        ("jaccard", Arc::new(jaccard) as ArrayRef),
    ])
}

/// The rows of edges that go, as duplicates: each for the kept row before it that it is most like, the first among
/// equals. `edges` are in the order of [`gather_edges`].
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for a table that is none of edges, for ids of no row, and for a row that goes
/// without a kept one: not all is decided.
pub fn assign(edges: &RecordBatch, state: &State) -> Result<RecordBatch> {
    let jaccard = values::<Float64Type>(edges, "jaccard")?;
    let (later, earlier) = (ids(edges, "later")?, ids(edges, "earlier")?);
    let (mut removed, mut kept, mut similarities) = (Vec::new(), Vec::new(), Vec::new());
    let mut done = 0;
    for of_row in later.chunk_by(|one, two| one == two) {
        let range = done..done + of_row.len();
        done = range.end;
        let Some(&id) = of_row.first() else { continue };
        if state.is_kept(id)? {
            continue;
        }
        let mut best: Option<(f64, i64)> = None;
        let others = earlier.get(range.clone()).unwrap_or_default();
        for (&other, &similarity) in others.iter().zip(jaccard.get(range).unwrap_or_default()) {
            // Ascending, so that the first of the most similar stays.
            if state.is_kept(other)? && best.is_none_or(|(best, _)| similarity > best) {
                best = Some((similarity, other));
            }
        }
        let Some((similarity, other)) = best else {
            return Err(DedupError::InvalidArgument(format!(
                "row {id} of block {} is not kept, and no kept row is like it: not all is decided",
                block_of(id)
            )));
        };
        removed.push(id);
        kept.push(other);
        similarities.push(similarity);
    }
    let exact: BooleanArray = removed.iter().map(|_| Some(false)).collect();
    batch([
        ("id", of_ids(removed)),
        ("kept_id", of_ids(kept)),
        ("jaccard", Arc::new(Float64Array::from(similarities)) as ArrayRef),
        ("exact_copy", Arc::new(exact)),
    ])
}
