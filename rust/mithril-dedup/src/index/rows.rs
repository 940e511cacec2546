//! What an index keeps of documents, one after the other.

use super::options::Shape;
use crate::column::{Places, sketch, sketch_text, zeros};
use crate::control::{Control, Done};
use crate::documents::Documents;
use crate::error::Result;
use crate::shingle::Shingler;
use crate::threads::on_a_pool;
use mithril_core::{MinHashSignature, MinHasher};
use std::fmt;

/// Documents whose signatures are in memory at a time.
const BLOCK: usize = 1 << 15;
/// So few documents, of so many bytes together, are not worth a thread.
const QUICK_DOCUMENTS: usize = 64;
const QUICK_BYTES: usize = 64 << 10;

/// Documents that have been sketched for an index, and are in none yet.
///
/// [`MinHashIndex::sketch`](crate::MinHashIndex::sketch) makes it.
#[derive(Clone)]
pub struct Batch {
    pub(super) shape: Shape,
    /// `bands` fingerprints for each document.
    fingerprints: Vec<u32>,
    codes: Vec<u8>,
    /// Whether a document is in the buckets: one without a shingle is not.
    filled: Vec<bool>,
}

/// What is kept of a document that is in the buckets.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) fingerprints: &'a [u32],
    pub(super) code: &'a [u8],
}

/// What stands for a band hash in an index: its upper half.
pub(super) fn fingerprint(band_hash: u64) -> u32 {
    (band_hash >> 32) as u32
}

impl Batch {
    /// No document.
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, fingerprints: Vec::new(), codes: Vec::new(), filled: Vec::new() }
    }

    /// The number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.filled.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }

    /// Whether documents are so few and so short that they are sketched on the calling thread: starting
    /// others would take longer.
    ///
    /// ```
    /// use mithril_dedup::{Batch, Documents, TextBuilder};
    /// let mut texts = TextBuilder::default();
    /// texts.append_str("one text");
    /// let mut documents = Documents::new();
    /// documents.push_texts(texts)?;
    /// assert!(Batch::is_quick(&documents));
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    #[must_use]
    pub fn is_quick(documents: &Documents) -> bool {
        let bytes = || (0..documents.len()).filter_map(|row| documents.text(row)).map(str::len);
        documents.len() <= QUICK_DOCUMENTS && bytes().sum::<usize>() <= QUICK_BYTES
    }

    /// Sketches few documents.
    fn sketch_here(
        mut self,
        hasher: &MinHasher,
        documents: &Documents,
        control: Control,
    ) -> Result<Self> {
        let Shape { options, banding, code } = self.shape;
        let mut shingler = Shingler::new(options.shingling);
        let mut values = zeros(1, options.permutations)?;
        let mut bands = zeros(1, banding.bands)?;
        for row in 0..documents.len() {
            let text = documents.text(row).unwrap_or_default();
            if sketch_text(hasher, &mut shingler, text, &mut values, control)? {
                MinHashSignature::band_hashes(&values, banding.rows, &mut bands);
            } else {
                bands.fill(MinHashSignature::EMPTY);
            }
            let signature = if code.is_some() { &values[..] } else { &[] };
            self.push(signature, &bands);
            control.advance(1)?;
        }
        Ok(self)
    }

    /// Sketches the texts of `documents` on the threads that it is called on.
    pub(super) fn sketch(
        shape: Shape,
        hasher: &MinHasher,
        documents: &Documents,
        control: Control,
    ) -> Result<Self> {
        let mut batch = Self::new(shape);
        control.begin("sketching", documents.len() as u64);
        if Self::is_quick(documents) {
            return batch.sketch_here(hasher, documents, control);
        }
        let rows: Vec<u32> = (0..documents.len() as u32).collect();
        let width = hasher.num_permutations();
        let progress = Done(control.progress);
        let control = Control { progress: &progress, ..control };
        on_a_pool(|| {
            for rows in rows.chunks(BLOCK) {
                let mut signatures =
                    zeros(if shape.code.is_some() { rows.len() } else { 0 }, width)?;
                let mut bands = zeros(rows.len(), shape.banding.bands)?;
                let places = Places {
                    signatures: shape.code.is_some().then_some(&mut signatures),
                    bands: Some((shape.banding, &mut bands)),
                };
                sketch(hasher, documents, rows, shape.options.shingling, places, control)?;
                batch.push(&signatures, &bands);
            }
            Ok(())
        })?;
        Ok(batch)
    }

    /// Appends documents by their signatures and band hashes, row after row.
    pub(super) fn push(&mut self, signatures: &[u64], hashes: &[u64]) {
        let (shape, old) = (self.shape, self.len());
        self.fingerprints.extend(hashes.iter().map(|&hash| fingerprint(hash)));
        self.filled.extend(
            hashes
                .chunks_exact(shape.banding.bands)
                .map(|row| row.iter().any(|&hash| hash != MinHashSignature::EMPTY)),
        );
        let Some(code) = shape.code else { return };
        let bytes = code.bytes();
        self.codes.resize(self.len() * bytes, 0);
        let places = self.codes.chunks_exact_mut(bytes).skip(old);
        let signatures = signatures.chunks_exact(shape.options.permutations);
        let filled = self.filled.iter().skip(old);
        for ((place, signature), _) in
            places.zip(signatures).zip(filled).filter(|(_, filled)| **filled)
        {
            code.write(signature, place);
        }
    }

    /// Appends what another batch holds.
    pub(super) fn append(&mut self, other: &Self) {
        self.fingerprints.extend_from_slice(&other.fingerprints);
        self.codes.extend_from_slice(&other.codes);
        self.filled.extend_from_slice(&other.filled);
    }

    /// A document; none if it is in no bucket.
    pub(super) fn row(&self, row: usize) -> Option<Row<'_>> {
        let is_filled = self.filled.get(row).is_some_and(|&filled| filled);
        is_filled.then(|| Row {
            fingerprints: nth(&self.fingerprints, self.shape.banding.bands, row),
            code: self.code(row),
        })
    }

    /// The code of a document.
    pub(super) fn code(&self, row: usize) -> &[u8] {
        nth(&self.codes, self.shape.code_bytes(), row)
    }

    /// The bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        4 * self.fingerprints.capacity() + self.codes.capacity() + self.filled.capacity()
    }
}

/// The `at`th run of so many values.
pub(super) fn nth<T>(values: &[T], width: usize, at: usize) -> &[T] {
    values.get(at * width..(at + 1) * width).unwrap_or_default()
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("documents", &self.len()).finish_non_exhaustive()
    }
}
