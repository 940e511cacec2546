//! The engine over texts in memory: every stage in its order.

use crate::audit;
use crate::buckets::Buckets;
use crate::components;
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::exact::{self, ExactCopies};
use crate::keep;
use crate::options::{Cluster, DedupOptions, Keep, Method, Verify};
use crate::repeats::{self, Repeat, Spooled, Unit};
use crate::report::{Clusters, Report, Seconds};
use crate::select::{self, Removal, Rule};
use crate::sketch::{Signatures, Sketches};
use crate::spill::Spill;
use crate::threads::Threads;
use crate::verify::Verifier;
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch};
use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
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
    /// Where what does not fit into memory goes, if memory is limited.
    spill: Option<Spill>,
    /// Whether it is known not to fit.
    is_much: bool,
}

/// What the decisions about some documents come from: exact copies, and which of the others share a band.
///
/// It decides for the threshold that it was made for, and for any above it.
#[derive(Debug)]
pub struct Candidates {
    /// The number of documents that it was made of.
    documents: usize,
    exact: ExactCopies,
    buckets: Buckets,
    signatures: Signatures,
    seconds: Seconds,
}

/// One removed row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duplicate {
    /// The row that was removed, counted from zero over the whole input, without references.
    pub row: u64,
    /// The row that is kept for it.
    pub kept_row: u64,
    /// The similarity of the two: of their shingle sets, or estimated when signatures verified;
    /// `None` when nothing was verified.
    pub jaccard: Option<f64>,
    /// Whether the two texts are the same byte for byte.
    pub exact_copy: bool,
    /// Whether the row that is kept is a reference ([`Documents::become_references`]): `kept_row` counts
    /// these then.
    pub against: bool,
}

/// The outcome of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Deduplication {
    /// For each row that is no reference whether it is kept.
    pub keep: Vec<bool>,
    /// The removed rows, ascending; none for [`Method::Lines`] and [`Method::Paragraphs`].
    pub duplicates: Vec<Duplicate>,
    /// What these two methods have removed within rows, ascending by row and part.
    pub repeats: Vec<Repeat>,
    /// The same, in a temporary file.
    pub(crate) spooled: Option<Arc<Spooled>>,
    /// The account of the run.
    pub report: Report,
}

impl Deduplication {
    /// The removed rows as an Arrow table: `row` and `kept_row` (int64), `jaccard` (float64, null
    /// where nothing was verified), `exact_copy` (bool), and where there were references `against` (bool).
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
        let mut columns = vec![
            ("row", Arc::new(row) as ArrayRef, false),
            ("kept_row", Arc::new(kept_row) as ArrayRef, false),
            ("jaccard", Arc::new(jaccard) as ArrayRef, true),
            ("exact_copy", Arc::new(exact) as ArrayRef, false),
        ];
        if self.report.against > 0 {
            let against: BooleanArray = duplicates.iter().map(|one| Some(one.against)).collect();
            columns.push(("against", Arc::new(against), false));
        }
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

impl Deduplication {
    /// Adds rows that were set aside, since they go for one of `against` documents of somewhere else.
    pub(crate) fn remove(&mut self, others: Vec<Duplicate>, against: u64) {
        for other in &others {
            if let Some(keep) = self.keep.get_mut(other.row as usize) {
                *keep = false;
            }
        }
        let count = others.len() as u64;
        self.duplicates.extend(others);
        self.duplicates.sort_unstable_by_key(|duplicate| duplicate.row);
        let report = &mut self.report;
        report.against += against;
        report.kept -= count;
        report.removed += count;
        report.removed_against += count;
        report.near_duplicates += count;
        report.clusters = clusters_of(&self.duplicates);
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
        Ok(Self { options, banding, threads, spill: None, is_much: false })
    }

    /// Makes it put elsewhere what does not fit into memory: where it `is_much`, whatever is made of texts.
    pub(crate) fn set_spill(&mut self, spill: Spill, is_much: bool) {
        self.spill = Some(spill);
        self.is_much = is_much;
    }

    /// Where what is made of texts goes, if it is known not to fit.
    fn spill_of_much(&self) -> Option<&Spill> {
        self.spill.as_ref().filter(|_| self.is_much)
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
        if let Some(unit) = Unit::of(self.options.method) {
            return self.threads.install(|| self.remove_repeats(documents, unit, by, control));
        }
        let candidates = self.candidates(documents, by, control)?;
        self.decide(documents, &candidates, self.options.threshold, control)
    }

    /// The first half of [`deduplicate`](Self::deduplicate): whatever takes the texts one by one.
    ///
    /// # Errors
    ///
    /// As [`deduplicate`](Self::deduplicate), and [`DedupError::InvalidArgument`] for [`Method::Lines`] and
    /// [`Method::Paragraphs`], which compare no rows.
    pub fn candidates(
        &self,
        documents: &Documents,
        by: Option<&ArrayRef>,
        control: Control,
    ) -> Result<Candidates> {
        if Unit::of(self.options.method).is_some() {
            return Err(DedupError::InvalidArgument(
                "methods lines and paragraphs compare no rows, so there are no candidates"
                    .to_owned(),
            ));
        }
        self.threads.install(|| self.find(documents, by, control))
    }

    /// The second half of [`deduplicate`](Self::deduplicate): compares, and decides, at this threshold.
    ///
    /// Candidates are those of the threshold that the bands were chosen for: a pair above it is found more often
    /// than was asked for.
    ///
    /// # Errors
    ///
    /// As [`deduplicate`](Self::deduplicate), and [`DedupError::InvalidArgument`] for a threshold below that of the
    /// options, or above 1, and for another number of documents than the candidates are of.
    ///
    /// ```
    /// use arrow::array::{ArrayRef, StringArray};
    /// use mithril_dedup::{Control, DedupOptions, Deduplicator, Documents, Shingling};
    /// use std::sync::Arc;
    ///
    /// let column: ArrayRef = Arc::new(StringArray::from(vec!["a b c d e", "a b c d f", "a b c d e"]));
    /// let documents = Documents::try_from_chunks([column])?;
    /// let shingling = Shingling { ngram: 1, ..Shingling::default() };
    /// let options = DedupOptions { threshold: 0.5, shingling, ..DedupOptions::default() };
    /// let deduplicator = Deduplicator::try_new(options)?;
    /// let candidates = deduplicator.candidates(&documents, None, Control::default())?;
    /// let kept = |threshold| {
    ///     let decided =
    ///         deduplicator.decide(&documents, &candidates, threshold, Control::default())?;
    ///     Ok::<_, mithril_dedup::DedupError>(decided.keep)
    /// };
    /// assert_eq!(kept(0.5)?, [true, false, false]);
    /// assert_eq!(kept(0.9)?, [true, true, false]);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn decide(
        &self,
        documents: &Documents,
        candidates: &Candidates,
        threshold: f64,
        control: Control,
    ) -> Result<Deduplication> {
        if !(threshold >= self.options.threshold && threshold <= 1.0) {
            return Err(DedupError::InvalidArgument(format!(
                "the threshold must be between {}, for which the bands were chosen, and 1, not {threshold}",
                self.options.threshold
            )));
        }
        if documents.len() != candidates.documents {
            return Err(DedupError::InvalidArgument(format!(
                "candidates of {} documents, and here are {}",
                candidates.documents,
                documents.len()
            )));
        }
        let options = DedupOptions { threshold, ..self.options.clone() };
        self.threads.install(|| self.choose(documents, candidates, &options, control))
    }

    fn find(
        &self,
        documents: &Documents,
        by: Option<&ArrayRef>,
        control: Control,
    ) -> Result<Candidates> {
        let options = &self.options;
        self.check(by)?;
        let start = Instant::now();
        let order = keep::order(documents, options.keep, by)?;
        let prepare = (options.method == Method::Exact).then_some(options.shingling);
        let exact = self.unit("exact", || exact::find(documents, &order, prepare, control))?;
        let after_exact = Instant::now();
        if options.method != Method::MinHash {
            let taken = (after_exact - start).as_secs_f64();
            let buckets = match options.method {
                Method::Containment => Buckets::one_of_all(exact.distinct.len()),
                _ => Buckets::default(),
            };
            let seconds = Seconds { exact: taken, total: taken, ..Seconds::default() };
            let (documents, signatures) = (documents.len(), Signatures::none());
            return Ok(Candidates { documents, exact, buckets, signatures, seconds });
        }
        let (how, spill) = ((options, self.banding), self.spill_of_much());
        let sketches = Sketches::make(documents, &exact.distinct, how, spill, control)?;
        let after_sketch = Instant::now();
        let buckets = self.unit("buckets", || Buckets::build(&sketches))?;
        let seconds = Seconds {
            exact: (after_exact - start).as_secs_f64(),
            sketch: (after_sketch - after_exact).as_secs_f64(),
            matching: after_sketch.elapsed().as_secs_f64(),
            total: start.elapsed().as_secs_f64(),
            ..Seconds::default()
        };
        let (documents, signatures) = (documents.len(), sketches.signatures);
        Ok(Candidates { documents, exact, buckets, signatures, seconds })
    }

    /// What has become of a stage, in an earlier run or now.
    fn unit<T: Serialize + DeserializeOwned>(
        &self,
        stage: &str,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        match self.spill_of_much() {
            Some(spill) => spill.unit((stage, 0), |_| true, make),
            None => make(),
        }
    }

    fn check(&self, by: Option<&ArrayRef>) -> Result<()> {
        if by.is_some() && !matches!(self.options.keep, Keep::Max | Keep::Min) {
            return Err(DedupError::InvalidArgument(
                "values to keep rows by are for keeping the largest or the smallest (max, min)"
                    .to_owned(),
            ));
        }
        self.options.check_method()
    }

    fn remove_repeats(
        &self,
        documents: &Documents,
        unit: Unit,
        by: Option<&ArrayRef>,
        control: Control,
    ) -> Result<Deduplication> {
        self.check(by)?;
        let start = Instant::now();
        let found = repeats::find(documents, unit, &self.options, self.spill_of_much(), control)?;
        let taken = start.elapsed().as_secs_f64();
        let mut report = self.report(documents, &[], &self.options);
        let removed = found.emptied.len() as u64;
        report.kept -= removed;
        report.removed = removed;
        report.near_duplicates = removed;
        report.repeats = Some(found.account);
        report.seconds = Seconds { matching: taken, total: taken, ..Seconds::default() };
        let keep = mask(documents, found.emptied);
        let spooled = found.spooled.map(Arc::new);
        Ok(Deduplication { keep, duplicates: Vec::new(), repeats: found.removed, spooled, report })
    }

    fn choose(
        &self,
        documents: &Documents,
        candidates: &Candidates,
        options: &DedupOptions,
        control: Control,
    ) -> Result<Deduplication> {
        let Candidates { exact, buckets, signatures, seconds, .. } = candidates;
        let start = Instant::now();
        let memory = self.spill.as_ref().map(Spill::memory);
        let verifier = Verifier::new(documents, &exact.distinct, options, signatures, memory);
        let links = options.cluster == Cluster::Components;
        let first_own = documents.references() as u32;
        let rule = Rule {
            references: exact.distinct.partition_point(|&row| row < first_own) as u32,
            within: options.within,
            keep_edges: links,
        };
        let spill = self.spill.as_ref();
        let mut selection = select::select(buckets, &verifier, rule, spill, control)?;
        let mut left_out = 0;
        if links {
            let count = exact.distinct.len();
            let count = (count, rule);
            left_out = components::join(buckets, &verifier, count, &mut selection, control)?;
        }
        let after_matching = Instant::now();
        let audit = (options.audit > 0).then(|| {
            let documents = (documents, exact.distinct.as_slice());
            let options = (options, rule);
            audit::audit(documents, options, buckets, &verifier, &selection.removed, control)
        });
        let audit = audit.transpose()?;
        let audited = after_matching.elapsed().as_secs_f64();

        let duplicates = duplicates(documents, exact, options, &selection.removed);
        let keep = mask(documents, duplicates.iter().map(|duplicate| duplicate.row));
        let mut report = self.report(documents, &duplicates, options);
        report.candidate_pairs = selection.candidate_pairs;
        report.verified_pairs = selection.verified_pairs;
        report.left_out = left_out;
        report.audit = audit;
        report.seconds = Seconds {
            matching: seconds.matching + (after_matching - start).as_secs_f64(),
            audit: audited,
            total: seconds.total + start.elapsed().as_secs_f64(),
            ..*seconds
        };
        Ok(Deduplication { keep, duplicates, repeats: Vec::new(), spooled: None, report })
    }

    fn report(
        &self,
        documents: &Documents,
        duplicates: &[Duplicate],
        options: &DedupOptions,
    ) -> Report {
        let (mut bytes, mut null_texts, mut empty_texts) = (0, 0, 0);
        let references = documents.references();
        for row in references..documents.len() {
            match documents.length(row) {
                None => null_texts += 1,
                Some(0) => empty_texts += 1,
                Some(length) => bytes += length as u64,
            }
        }
        let removed = duplicates.len() as u64;
        let exact_duplicates = duplicates.iter().filter(|one| one.exact_copy).count() as u64;
        Report {
            version: env!("CARGO_PKG_VERSION").into(),
            documents: (documents.len() - references) as u64,
            against: references as u64,
            bytes,
            null_texts,
            empty_texts,
            kept: (documents.len() - references) as u64 - removed,
            removed,
            removed_against: duplicates.iter().filter(|one| one.against).count() as u64,
            exact_duplicates,
            near_duplicates: removed - exact_duplicates,
            clusters: clusters_of(duplicates),
            banding: self.banding,
            promised_recall: match (options.method, options.verify) {
                (Method::MinHash, Verify::Signature) => None,
                (Method::MinHash, _) => Some(self.banding.candidate_probability(options.threshold)),
                _ => Some(1.0),
            },
            candidate_pairs: 0,
            verified_pairs: 0,
            left_out: 0,
            repeats: None,
            audit: None,
            seconds: Seconds::default(),
            options: options.clone(),
            files: None,
        }
    }
}

/// The removed rows: those of the selection, and every exact copy with what became of the
/// first of its text.
fn duplicates(
    documents: &Documents,
    exact: &ExactCopies,
    options: &DedupOptions,
    removed: &[Removal],
) -> Vec<Duplicate> {
    let references = documents.references() as u32;
    let row_at = |position: u32| exact.distinct.get(position as usize).copied().unwrap_or(u32::MAX);
    let duplicate = |row: u32, kept_row: u32, similarity: f64, exact_copy: bool| {
        let verified = exact_copy || options.verify != Verify::None;
        let against = kept_row < references;
        Duplicate {
            row: (row - references).into(),
            kept_row: if against { kept_row } else { kept_row - references }.into(),
            jaccard: verified.then_some(similarity),
            exact_copy,
            against,
        }
    };
    // Texts in temporary files are read only where lengths leave a doubt: to read all took a twelfth of the run.
    let is_copy = |row: u32, kept: u32| {
        let (row, kept) = (row as usize, kept as usize);
        documents.length(row) == documents.length(kept)
            && documents.bytes(row) == documents.bytes(kept)
    };
    let of_distinct = removed.par_iter().map(|removal| {
        let (row, kept) = (row_at(removal.position), row_at(removal.kept));
        duplicate(row, kept, removal.similarity, is_copy(row, kept))
    });
    let copies_are_exact = options.method != Method::Exact;
    let own = exact.copies.par_iter().filter(|copy| copy.0 >= references);
    let of_copies = own.filter_map(|&(row, position)| {
        let removal = removed.binary_search_by_key(&position, |removal| removal.position);
        let removal = removal.ok().and_then(|at| removed.get(at));
        let first = row_at(position);
        let Some(removal) = removal else {
            let is_wanted = first < references || options.within;
            let exact_copy = || copies_are_exact || is_copy(row, first);
            return is_wanted.then(|| duplicate(row, first, 1.0, exact_copy()));
        };
        let kept = row_at(removal.kept);
        Some(duplicate(row, kept, removal.similarity, is_copy(row, kept)))
    });
    let mut duplicates: Vec<Duplicate> = of_distinct.chain(of_copies).collect();
    duplicates.par_sort_unstable_by_key(|duplicate| duplicate.row);
    duplicates
}

/// For each row that is no reference whether it stays, if these go.
fn mask(documents: &Documents, removed: impl IntoIterator<Item = u64>) -> Vec<bool> {
    let mut keep = vec![true; documents.len() - documents.references()];
    for row in removed {
        if let Some(keep) = keep.get_mut(row as usize) {
            *keep = false;
        }
    }
    keep
}

fn clusters_of(duplicates: &[Duplicate]) -> Clusters {
    let mut sizes: HashMap<(bool, u64), u64> = HashMap::new();
    for duplicate in duplicates {
        *sizes.entry((duplicate.against, duplicate.kept_row)).or_insert(1) += 1;
    }
    let mut clusters = Clusters { count: sizes.len() as u64, ..Clusters::default() };
    for size in sizes.into_values() {
        clusters.largest = clusters.largest.max(size);
        *clusters.sizes.entry(size).or_insert(0) += 1;
    }
    clusters
}
