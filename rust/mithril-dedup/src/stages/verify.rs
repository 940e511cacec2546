//! From pairs and texts to edges.

use super::tables::{batch, documents as of_table, ids, of_ids};
use crate::control::Control;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::options::DedupOptions;
use crate::sketch::Signatures;
use crate::verify::Verifier;
use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use std::collections::HashMap;
use std::sync::Arc;

/// The pairs that are duplicates, with their similarity; `texts` has the texts of all rows in pairs.
///
/// Shingle sets are made once for each text, as far as 256 MB hold them.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`] for options that stages do not know, for tables that are none of pairs and
/// texts, and for a text that is missing; [`DedupError::Interrupted`] when the control says so.
///
/// ```
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use mithril_dedup::{Control, DedupOptions, stages};
/// use std::sync::Arc;
///
/// let ids = |ids: Vec<i64>| Arc::new(Int64Array::from(ids)) as ArrayRef;
/// let text: ArrayRef = Arc::new(StringArray::from(vec!["One text!", "one text", "another"]));
/// let texts = RecordBatch::try_from_iter([("id", ids(vec![0, 1, 2])), ("text", text)])?;
/// let pairs =
///     RecordBatch::try_from_iter([("later", ids(vec![1, 2])), ("earlier", ids(vec![0, 0]))])?;
/// let edges = stages::verify(&pairs, &[texts], &DedupOptions::default(), Control::default())?;
/// assert_eq!(edges.num_rows(), 1);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
pub fn verify(
    pairs: &RecordBatch,
    texts: &[RecordBatch],
    options: &DedupOptions,
    control: Control,
) -> Result<RecordBatch> {
    super::check(options)?;
    let mut documents = Documents::new();
    let mut positions: HashMap<i64, u32> = HashMap::new();
    for table in texts {
        let start = documents.len() as u32;
        documents.append(of_table(table)?)?;
        positions.extend(ids(table, "id")?.iter().copied().zip(start..));
    }
    let position = |id: i64| {
        let missing = || DedupError::InvalidArgument(format!("the text of row {id} is missing"));
        positions.get(&id).copied().ok_or_else(missing)
    };
    let rows: Vec<u32> = (0..documents.len() as u32).collect();
    let signatures = Signatures::none();
    let verifier = Verifier::new(&documents, &rows, options, &signatures, None);
    let mut comparer = verifier.comparer();
    let (mut laters, mut earliers, mut similarities) = (Vec::new(), Vec::new(), Vec::new());
    for (&later, &earlier) in ids(pairs, "later")?.iter().zip(ids(pairs, "earlier")?) {
        control.check()?;
        if let Some(similarity) = comparer.verify(position(later)?, position(earlier)?)? {
            laters.push(later);
            earliers.push(earlier);
            similarities.push(similarity);
        }
    }
    batch([
        ("later", of_ids(laters)),
        ("earlier", of_ids(earliers)),
        ("jaccard", Arc::new(Float64Array::from(similarities)) as ArrayRef),
    ])
}
