//! The engine over texts in memory: every stage in its order.

use crate::buckets::Buckets;
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::exact;
use crate::keep;
use crate::options::{DedupOptions, Keep, Verify};
use crate::report::{Clusters, Report, Seconds};
use crate::select::{self, Removal};
use crate::sketch::Sketches;
use crate::threads::Threads;
use crate::verify::Verifier;
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Removes near-duplicates from a column of texts.
///
/// ```
/// use arrow::array::{ArrayRef, StringArray};
/// use mithril_dedup::{Control, DedupOptions, Deduplicator, Documents};
/// use std::sync::Arc;
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec![
///     "It was the best of times, it was the worst of times",
///     "Call me Ishmael. Some years ago, never mind how long precisely",
///     "IT WAS THE BEST OF TIMES, it was the worst of times!",
/// ]));
/// let documents = Documents::try_from_chunks([column])?;
/// let result = Deduplicator::try_new(DedupOptions::default())?
///     .deduplicate(&documents, None, Control::default())?;
/// assert_eq!(result.keep, [true, true, false]);
/// assert_eq!(result.duplicates[0].kept_row, 0);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
#[derive(Debug)]
pub struct Deduplicator {
    options: DedupOptions,
    banding: crate::Banding,
    threads: Threads,
}

/// One removed row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duplicate {
    /// The row that was removed, counted from zero over the whole input.
    pub row: u64,
    /// The row that is kept for it.
    pub kept_row: u64,
    /// The similarity of the two: of their shingle sets, or estimated when signatures verified;
    /// `None` when nothing was verified.
    pub jaccard: Option<f64>,
    /// Whether the two texts are the same byte for byte.
    pub exact_copy: bool,
}

/// The outcome of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Deduplication {
    /// For each row whether it is kept.
    pub keep: Vec<bool>,
    /// The removed rows, ascending.
    pub duplicates: Vec<Duplicate>,
    /// The account of the run.
    pub report: Report,
}

impl Deduplication {
    /// The removed rows as an Arrow table: `row` and `kept_row` (int64), `jaccard` (float64, null
    /// where nothing was verified), `exact_copy` (bool).
    ///
    /// # Errors
    ///
    /// None in practice: the columns have equal lengths.
    pub fn duplicates_batch(&self) -> Result<RecordBatch> {
        let duplicates = &self.duplicates;
        let row: Int64Array = duplicates.iter().map(|one| Some(one.row as i64)).collect();
        let kept_row: Int64Array = duplicates.iter().map(|one| Some(one.kept_row as i64)).collect();
        let jaccard: Float64Array = duplicates.iter().map(|one| one.jaccard).collect();
        let exact: BooleanArray = duplicates.iter().map(|one| Some(one.exact_copy)).collect();
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("row", Arc::new(row) as ArrayRef, false),
            ("kept_row", Arc::new(kept_row) as ArrayRef, false),
            ("jaccard", Arc::new(jaccard) as ArrayRef, true),
            ("exact_copy", Arc::new(exact) as ArrayRef, false),
        ])?)
    }
}

impl Deduplicator {
    /// Checks the options and starts the threads, which live as long as this does.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for an option out of range, [`DedupError::Threads`] when
    /// the system gives no threads.
    pub fn try_new(options: DedupOptions) -> Result<Self> {
        let banding = options.banding()?;
        let threads = Threads::try_new(options.threads)?;
        Ok(Self { options, banding, threads })
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &DedupOptions {
        &self.options
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Decides for every document whether it is kept.
    ///
    /// `by` has one value a document and is needed for [`Keep::Max`](crate::Keep::Max) and
    /// [`Keep::Min`](crate::Keep::Min). The same documents and options give the same outcome
    /// whatever the number of threads and the chunks.
    ///
    /// # Errors
    ///
    /// [`DedupError::Interrupted`] when the control says so, and those of a `by` that does not fit.
    pub fn deduplicate(
        &self,
        documents: &Documents,
        by: Option<&ArrayRef>,
        control: Control,
    ) -> Result<Deduplication> {
        self.threads.install(|| self.run(documents, by, control))
    }

    fn run(
        &self,
        documents: &Documents,
        by: Option<&ArrayRef>,
        control: Control,
    ) -> Result<Deduplication> {
        let options = &self.options;
        if by.is_some() && !matches!(options.keep, Keep::Max | Keep::Min) {
            return Err(DedupError::InvalidArgument(
                "values to keep rows by are for keeping the largest or the smallest (max, min)"
                    .to_owned(),
            ));
        }
        let start = Instant::now();
        let order = keep::order(documents, options.keep, by)?;
        let exact = exact::find(documents, &order, control)?;
        let after_exact = Instant::now();
        let sketches = Sketches::make(documents, &exact.distinct, options, self.banding, control)?;
        let after_sketch = Instant::now();
        let buckets = Buckets::build(&sketches);
        let verifier = Verifier::new(documents, &exact.distinct, options, &sketches.signatures);
        let selection = select::select(&buckets, &verifier, control)?;
        let end = Instant::now();

        let duplicates = self.duplicates(documents, &exact, &selection.removed);
        let mut keep = vec![true; documents.len()];
        for duplicate in &duplicates {
            if let Some(keep) = keep.get_mut(duplicate.row as usize) {
                *keep = false;
            }
        }
        let mut report = self.report(documents, &duplicates);
        report.candidate_pairs = selection.candidate_pairs;
        report.verified_pairs = selection.verified_pairs;
        report.seconds = Seconds {
            exact: (after_exact - start).as_secs_f64(),
            sketch: (after_sketch - after_exact).as_secs_f64(),
            matching: (end - after_sketch).as_secs_f64(),
            total: start.elapsed().as_secs_f64(),
            ..Seconds::default()
        };
        Ok(Deduplication { keep, duplicates, report })
    }

    /// The removed rows: those of the selection, and every exact copy with what became of the
    /// first of its text.
    fn duplicates(
        &self,
        documents: &Documents,
        exact: &exact::ExactCopies,
        removed: &[Removal],
    ) -> Vec<Duplicate> {
        let row_at =
            |position: u32| exact.distinct.get(position as usize).copied().unwrap_or(u32::MAX);
        let duplicate = |row: u32, kept_row: u32, similarity: f64| {
            let exact_copy = documents.bytes(row as usize) == documents.bytes(kept_row as usize);
            let verified = exact_copy || self.options.verify != Verify::None;
            Duplicate {
                row: row.into(),
                kept_row: kept_row.into(),
                jaccard: verified.then_some(similarity),
                exact_copy,
            }
        };
        let mut duplicates = Vec::with_capacity(removed.len() + exact.copies.len());
        duplicates.extend(removed.iter().map(|removal| {
            duplicate(row_at(removal.position), row_at(removal.kept), removal.similarity)
        }));
        for &(row, position) in &exact.copies {
            let removal = removed.binary_search_by_key(&position, |removal| removal.position);
            let removal = removal.ok().and_then(|at| removed.get(at));
            let (kept, similarity) =
                removal.map_or((position, 1.0), |removal| (removal.kept, removal.similarity));
            duplicates.push(duplicate(row, row_at(kept), similarity));
        }
        duplicates.sort_unstable_by_key(|duplicate| duplicate.row);
        duplicates
    }

    fn report(&self, documents: &Documents, duplicates: &[Duplicate]) -> Report {
        let (mut bytes, mut null_texts, mut empty_texts) = (0, 0, 0);
        for row in 0..documents.len() {
            match documents.text(row) {
                None => null_texts += 1,
                Some("") => empty_texts += 1,
                Some(text) => bytes += text.len() as u64,
            }
        }
        let mut sizes: HashMap<u64, u64> = HashMap::new();
        for duplicate in duplicates {
            *sizes.entry(duplicate.kept_row).or_insert(1) += 1;
        }
        let mut clusters = Clusters { count: sizes.len() as u64, ..Clusters::default() };
        for size in sizes.into_values() {
            clusters.largest = clusters.largest.max(size);
            *clusters.sizes.entry(size).or_insert(0) += 1;
        }
        let removed = duplicates.len() as u64;
        let exact_duplicates = duplicates.iter().filter(|one| one.exact_copy).count() as u64;
        Report {
            version: env!("CARGO_PKG_VERSION"),
            documents: documents.len() as u64,
            bytes,
            null_texts,
            empty_texts,
            kept: documents.len() as u64 - removed,
            removed,
            exact_duplicates,
            near_duplicates: removed - exact_duplicates,
            clusters,
            banding: self.banding,
            promised_recall: (self.options.verify != Verify::Signature)
                .then(|| self.banding.candidate_probability(self.options.threshold)),
            candidate_pairs: 0,
            verified_pairs: 0,
            seconds: Seconds::default(),
            options: self.options.clone(),
            files: None,
        }
    }
}
