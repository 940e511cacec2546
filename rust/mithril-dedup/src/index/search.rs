//! From a text to the documents that are like it.

use super::MinHashIndex;
use super::rows::{Batch, Row};
use crate::column::{LARGE, sketch_text, zeros};
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::shingle::Shingler;
use crate::threads::on_a_pool;
use mithril_core::MinHashSignature;
use rayon::prelude::*;

/// A document that is like the text asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IndexMatch {
    /// Its id.
    pub id: u64,
    /// The estimate of the Jaccard similarity of the two shingle sets, 0 to 1.
    pub similarity: f64,
}

/// The matches of many texts: those of text r are at `offsets[r]..offsets[r + 1]` of the other two, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexMatches {
    /// One more than there are texts; the first is 0.
    pub offsets: Vec<usize>,
    /// The ids of the matches.
    pub ids: Vec<u64>,
    /// Their similarities.
    pub similarities: Vec<f64>,
}

impl MinHashIndex {
    /// The documents whose similarity to `text` is estimated at `threshold` or more (that of the options if
    /// none), best first, and by their ids among equals.
    ///
    /// With a threshold of 0 these are all candidates. Below the threshold of the options the recall is
    /// what [`Banding::candidate_probability`](crate::Banding::candidate_probability) says.
    ///
    /// On an index of a million documents it takes 12 µs for a text of 60 words that four documents are like,
    /// most of which is the signature's (`benches/index.rs`); with many segments, or many matches, more.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] when `threshold` is not in 0..=1.
    ///
    /// ```
    /// use mithril_dedup::{IndexOptions, MinHashIndex};
    /// let index = MinHashIndex::try_new(IndexOptions::default())?;
    /// assert_eq!(index.query("a text", None)?, []);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn query(&self, text: &str, threshold: Option<f64>) -> Result<Vec<IndexMatch>> {
        let threshold = self.threshold(threshold)?;
        let mut values = zeros(1, self.hasher.num_permutations())?;
        let mut hashes = zeros(1, self.shape.banding.bands)?;
        let mut shingler = Shingler::new(self.shape.options.shingling);
        let mut sketch =
            || sketch_text(&self.hasher, &mut shingler, text, &mut values, Control::default());
        let has_shingles = if text.len() < LARGE { sketch() } else { on_a_pool(sketch) };
        if !has_shingles? {
            return Ok(Vec::new());
        }
        MinHashSignature::band_hashes(&values, self.shape.banding.rows, &mut hashes);
        let mut batch = Batch::new(self.shape);
        let signature = if self.shape.code.is_some() { &values[..] } else { &[] };
        batch.push(signature, &hashes);
        Ok(batch.row(0).map(|row| self.search(row, threshold, &mut Vec::new())).unwrap_or_default())
    }

    /// As [`query`](Self::query), for every text of a column: null and empty ones have no match.
    ///
    /// It runs on the threads that it is called on; their number changes nothing.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query), [`DedupError::Interrupted`] when the control says so, and
    /// [`DedupError::InvalidArgument`] when the memory is not there.
    ///
    /// ```
    /// use mithril_dedup::{Control, Documents, IndexOptions, MinHashIndex, TextBuilder};
    /// let mut texts = TextBuilder::default();
    /// texts.append_str("one text");
    /// texts.append_null();
    /// let mut documents = Documents::new();
    /// documents.push_texts(texts)?;
    ///
    /// let mut index = MinHashIndex::try_new(IndexOptions::default())?;
    /// index.add(&documents, None, Control::default())?;
    /// let found = index.query_batch(&documents, None, Control::default())?;
    /// assert_eq!((&found.offsets[..], &found.ids[..]), (&[0, 1, 1][..], &[0][..]));
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn query_batch(
        &self,
        documents: &Documents,
        threshold: Option<f64>,
        control: Control,
    ) -> Result<IndexMatches> {
        let threshold = self.threshold(threshold)?;
        let batch = self.sketch(documents, control)?;
        control.begin("matching", batch.len() as u64);
        let search = |scratch: &mut Vec<u32>, row: usize| {
            let found = batch.row(row).map(|row| self.search(row, threshold, scratch));
            control.advance(1).map(|()| found.unwrap_or_default())
        };
        let found: Vec<Vec<IndexMatch>> = if Batch::is_quick(documents) {
            let mut scratch = Vec::new();
            (0..batch.len()).map(|row| search(&mut scratch, row)).collect::<Result<_>>()?
        } else {
            let rows = (0..batch.len()).into_par_iter();
            on_a_pool(|| rows.map_init(Vec::new, search).collect())?
        };
        let mut offsets = Vec::with_capacity(found.len() + 1);
        offsets.push(0);
        offsets.extend(found.iter().scan(0, |end, found| {
            *end += found.len();
            Some(*end)
        }));
        let ids = found.iter().flatten().map(|found| found.id).collect();
        let similarities = found.iter().flatten().map(|found| found.similarity).collect();
        Ok(IndexMatches { offsets, ids, similarities })
    }

    fn threshold(&self, threshold: Option<f64>) -> Result<f64> {
        let threshold = threshold.unwrap_or(self.shape.options.threshold);
        if (0.0..=1.0).contains(&threshold) {
            return Ok(threshold);
        }
        Err(DedupError::InvalidArgument(format!(
            "threshold must be at least 0 and at most 1, not {threshold}"
        )))
    }

    fn search(&self, row: Row, threshold: f64, scratch: &mut Vec<u32>) -> Vec<IndexMatch> {
        let mut found = Vec::new();
        for part in &self.parts {
            scratch.clear();
            part.segment.candidates(row, scratch);
            for (number, bands) in counted(scratch) {
                if part.removed.contains(number) {
                    continue;
                }
                let similarity = self.similarity(row, part.segment.code(number), bands);
                let Some(id) = part.segment.id(number) else { continue };
                found.push(IndexMatch { id, similarity });
            }
        }
        scratch.clear();
        self.fresh.candidates(row, scratch);
        for (number, bands) in counted(scratch) {
            let Some((id, code)) = self.fresh.get(number) else { continue };
            found.push(IndexMatch { id, similarity: self.similarity(row, code, bands) });
        }
        found.retain(|found| found.similarity >= threshold);
        found.sort_unstable_by(|one, two| {
            two.similarity.total_cmp(&one.similarity).then(one.id.cmp(&two.id))
        });
        found
    }

    /// The estimate from two codes, or from the number of bands that agree.
    fn similarity(&self, row: Row, code: &[u8], bands: usize) -> f64 {
        if let Some(kind) = self.shape.code {
            return kind.similarity(row.code, code);
        }
        let share = bands as f64 / self.shape.banding.bands as f64;
        share.powf(1.0 / self.shape.banding.rows as f64)
    }
}

/// Each number once, with how often it is there.
fn counted(numbers: &mut [u32]) -> impl Iterator<Item = (u32, usize)> + '_ {
    numbers.sort_unstable();
    numbers
        .chunk_by(|one, two| one == two)
        .filter_map(|run| run.first().map(|&number| (number, run.len())))
}
