//! Near-duplicates of a stream, dropped as they come by, in memory that does not grow.

mod bloom;
mod recent;
mod state;

use crate::banding::Banding;
use crate::column::{self, Places, zeros};
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::index::Code;
use crate::options::{DedupOptions, Shingling};
use bloom::Bloom;
use mithril_core::{MinHashSignature, MinHasher};
use recent::Recent;
use serde::{Deserialize, Serialize};

/// Rows that are sketched at a time: their signatures have a megabyte or two.
const BATCH: usize = 2048;

/// What becomes of a document when more are remembered than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// The oldest is forgotten.
    Forget,
    /// The bands of the oldest go into a Bloom filter for each band. A text that shares one with them is dropped
    /// without verification, and a few texts that share none, ever more as the filters fill up.
    Bloom,
}

/// The options of a [`DedupFilter`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterOptions {
    /// The least similarity of duplicates, in (0, 1].
    pub threshold: f64,
    /// The least probability, in (0, 1), that a pair at the threshold shares a band.
    pub recall: f64,
    /// The number of values in a signature, 1 to 4096.
    pub permutations: usize,
    /// The seed of the sketch.
    pub seed: u64,
    /// How a text becomes shingles.
    #[serde(flatten)]
    pub shingling: Shingling,
    /// Whether a text is dropped only where the similarity that is estimated from 64 bytes of each document
    /// reaches the threshold, and not for sharing a band alone.
    pub verify: bool,
    /// The most documents that are remembered.
    pub max_documents: usize,
    /// What becomes of the oldest when there are more.
    pub when_full: WhenFull,
    /// The bytes of all Bloom filters.
    pub bloom_bytes: usize,
}

impl Default for FilterOptions {
    fn default() -> Self {
        let DedupOptions { threshold, recall, permutations, seed, shingling, .. } =
            DedupOptions::default();
        Self {
            threshold,
            recall,
            permutations,
            seed,
            shingling,
            verify: true,
            max_documents: 1_000_000,
            when_full: WhenFull::Forget,
            bloom_bytes: 64 << 20,
        }
    }
}

impl FilterOptions {
    /// Checks every field and chooses bands and rows.
    fn banding(&self) -> Result<Banding> {
        let &Self { threshold, recall, permutations, seed, shingling, .. } = self;
        let options = DedupOptions {
            threshold,
            recall,
            permutations,
            seed,
            shingling,
            ..DedupOptions::default()
        };
        let wrong = |text: String| Err(DedupError::InvalidArgument(text));
        if !(1..=MOST_DOCUMENTS).contains(&self.max_documents) {
            return wrong(format!(
                "max_documents must be between 1 and {MOST_DOCUMENTS}, not {}",
                self.max_documents
            ));
        }
        let banding = options.banding()?;
        if self.when_full == WhenFull::Bloom && self.bloom_bytes < 8 * banding.bands {
            return wrong(format!(
                "bloom_bytes must be at least {} for {} bands, not {}",
                8 * banding.bands,
                banding.bands,
                self.bloom_bytes
            ));
        }
        Ok(banding)
    }
}

/// Documents are numbered with 32 bits, of which ages take half.
const MOST_DOCUMENTS: usize = 1 << 31;

/// What a filter has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FilterStats {
    /// The documents that came by.
    pub seen: u64,
    /// Those that were dropped.
    pub dropped: u64,
    /// Those that are remembered.
    pub remembered: u64,
    /// Candidates that were passed over, since a bucket had too many of them.
    pub passed_over: u64,
}

/// Tells the first of several documents that are alike from the others, in the order in which they come.
///
/// A document is dropped when one that stayed shares a band with it and, with [`FilterOptions::verify`], is
/// estimated to be at least as similar as the threshold: the error of that is 0.037 at 0.8. Nulls, empty texts and
/// such without a shingle stay.
///
/// Memory: 12 bytes for each band, 64 for the estimate and about 4 more a band of each document that may be
/// remembered, some 320 at threshold 0.8 and recall 0.99, and the Bloom filters.
///
/// ```
/// use arrow::array::{ArrayRef, StringArray};
/// use mithril_dedup::{Control, DedupFilter, Documents, FilterOptions, Threads};
/// use std::sync::Arc;
///
/// let mut filter = DedupFilter::try_new(FilterOptions::default())?;
/// let column: ArrayRef = Arc::new(StringArray::from(vec!["a text", "another", "A text!"]));
/// let documents = Documents::try_from_chunks([column])?;
/// let threads = Threads::try_new(Some(1))?;
/// let stays = threads.install(|| filter.check(&documents, Control::default()))?;
/// assert_eq!(stays, [true, true, false]);
/// let stays = threads.install(|| filter.check(&documents, Control::default()))?;
/// assert_eq!(stays, [false, false, false]);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
#[derive(Debug)]
pub struct DedupFilter {
    options: FilterOptions,
    banding: Banding,
    hasher: MinHasher,
    code: Option<Code>,
    recent: Recent,
    bloom: Option<Bloom>,
    stats: FilterStats,
}

impl DedupFilter {
    /// A filter that has seen nothing.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for an option out of range, or when there is no such memory.
    pub fn try_new(options: FilterOptions) -> Result<Self> {
        let banding = options.banding()?;
        let hasher = MinHasher::try_with_seed(options.permutations, options.seed)?;
        let code = options.verify.then(|| Code::of(options.permutations));
        let bytes = code.map_or(0, Code::bytes);
        let recent = Recent::try_new(options.max_documents, banding.bands, bytes)?;
        let bloom = (options.when_full == WhenFull::Bloom)
            .then(|| Bloom::try_new(banding.bands, options.bloom_bytes))
            .transpose()?;
        Ok(Self { options, banding, hasher, code, recent, bloom, stats: FilterStats::default() })
    }

    /// The options.
    #[must_use]
    pub fn options(&self) -> &FilterOptions {
        &self.options
    }

    /// What it has seen.
    #[must_use]
    pub fn stats(&self) -> FilterStats {
        FilterStats { remembered: self.recent.len() as u64, ..self.stats }
    }

    /// For each document, in their order, whether it stays; what stays is remembered.
    ///
    /// Sketches are made on the threads that it is called on, those of [`Threads`](crate::Threads); the outcome
    /// is the same whatever their number, and however a stream is cut into columns.
    ///
    /// # Errors
    ///
    /// [`DedupError::Interrupted`] when the control says so: documents up to any may have been seen then.
    pub fn check(&mut self, documents: &Documents, control: Control) -> Result<Vec<bool>> {
        let (bands, width) = (self.banding.bands, self.options.permutations);
        let mut stays = Vec::with_capacity(documents.len());
        let rows: Vec<u32> = (0..documents.len() as u32).collect();
        let mut hashes = zeros(rows.len().min(BATCH), bands)?;
        let mut signatures =
            zeros(rows.len().min(BATCH), if self.code.is_some() { width } else { 0 })?;
        let mut code = vec![0; self.code.map_or(0, Code::bytes)];
        for rows in rows.chunks(BATCH) {
            let hashes = hashes.get_mut(..rows.len() * bands).unwrap_or_default();
            let values = if self.code.is_some() { rows.len() * width } else { 0 };
            let signatures = signatures.get_mut(..values).unwrap_or_default();
            let places = Places {
                signatures: self.code.is_some().then_some(&mut *signatures),
                bands: Some((self.banding, &mut *hashes)),
            };
            let shingling = self.options.shingling;
            column::sketch(&self.hasher, documents, rows, shingling, places, control)?;
            let mut signatures = signatures.chunks_exact(width);
            for hashes in hashes.chunks_exact(bands) {
                let signature = signatures.next().unwrap_or_default();
                if let Some(kind) = self.code {
                    kind.write(signature, &mut code);
                }
                stays.push(self.see(hashes, &code));
            }
        }
        Ok(stays)
    }

    /// Whether a document stays, by its bands and its code.
    fn see(&mut self, hashes: &[u64], code: &[u8]) -> bool {
        self.stats.seen += 1;
        if hashes.iter().all(|&hash| hash == MinHashSignature::EMPTY) {
            return true;
        }
        let threshold = self.options.threshold;
        let is_alike =
            |other: &[u8]| self.code.is_none_or(|kind| kind.similarity(code, other) >= threshold);
        let is_known = self.bloom.as_ref().is_some_and(|bloom| bloom.has(hashes));
        let known = self.recent.find(hashes, is_alike, &mut self.stats.passed_over);
        if is_known || known {
            self.stats.dropped += 1;
            return false;
        }
        if let (Some(bloom), Some(oldest)) = (&mut self.bloom, self.recent.oldest_if_full()) {
            bloom.add(oldest);
        }
        self.recent.add(hashes, code);
        true
    }
}
