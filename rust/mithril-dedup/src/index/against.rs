//! Rows that are like a document of an index.

use super::MinHashIndex;
use crate::control::Control;
use crate::deduplicator::{Deduplication, Deduplicator, Duplicate};
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::options::Method;
use arrow::array::ArrayRef;

/// A row, and the document that is most like it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MostSimilar {
    pub(crate) row: usize,
    pub(crate) id: u64,
    /// The estimate of the index, which has no texts.
    pub(crate) similarity: f64,
}

impl MinHashIndex {
    /// The rows that are like a document, each with the most similar of them. `name` is what errors call the index.
    pub(crate) fn most_similar(
        &self,
        name: &str,
        rows: &Documents,
        threshold: f64,
        control: Control,
    ) -> Result<Vec<MostSimilar>> {
        let chosen_for = self.options().threshold;
        if threshold < chosen_for {
            return Err(DedupError::InvalidArgument(format!(
                "the bands of {name} were chosen for a threshold of {chosen_for}: below it, at {threshold}, it finds \
                 too little"
            )));
        }
        let found = self.query_batch(rows, Some(threshold), control)?;
        let mut best = Vec::new();
        for (row, bounds) in found.offsets.windows(2).enumerate() {
            let &[start, end] = bounds else { continue };
            let first = (found.similarities.get(start), found.ids.get(start));
            let (Some(&similarity), Some(&id)) = first else { continue };
            if start == end {
                continue;
            }
            if i64::try_from(id).is_err() {
                return Err(DedupError::InvalidArgument(format!(
                    "a row is like document {id} of {name}, and the table has ids up to {}",
                    i64::MAX
                )));
            }
            best.push(MostSimilar { row, id, similarity });
        }
        Ok(best)
    }
}

impl Deduplicator {
    /// As [`deduplicate`](Self::deduplicate), and rows that are like a document of the index go too, each for the most
    /// similar one: `kept_row` is its id then, `jaccard` the estimate of the index. They are compared with no
    /// other row.
    ///
    /// # Errors
    ///
    /// As [`deduplicate`](Self::deduplicate), and [`DedupError::InvalidArgument`] for documents with references, for
    /// another method than [`Method::MinHash`], and for a threshold below that of the index.
    pub fn deduplicate_against(
        &self,
        documents: &Documents,
        index: &MinHashIndex,
        by: Option<&ArrayRef>,
        control: Control,
    ) -> Result<Deduplication> {
        let wrong = |text: &str| Err(DedupError::InvalidArgument(text.to_owned()));
        if self.options().method != Method::MinHash {
            return wrong(
                "an index knows MinHash signatures alone: against it, method must be minhash",
            );
        }
        if documents.references() > 0 {
            return wrong("against an index, documents have no references");
        }
        let threshold = self.options().threshold;
        let found = self
            .threads()
            .install(|| index.most_similar("the index", documents, threshold, control))?;
        let mut documents = documents.clone();
        documents.set_aside(found.iter().map(|found| found.row));
        let mut outcome = self.deduplicate(&documents, by, control)?;
        let duplicate = |found: MostSimilar| Duplicate {
            row: found.row as u64,
            kept_row: found.id,
            jaccard: Some(found.similarity),
            exact_copy: false,
            against: true,
        };
        outcome.remove(found.into_iter().map(duplicate).collect(), index.len() as u64);
        Ok(outcome)
    }
}
