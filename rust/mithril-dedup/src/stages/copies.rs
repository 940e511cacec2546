//! Copies of texts: which they are, and what becomes of them.

use super::tables::{batch, ids, missing, of_ids, values};
use crate::error::Result;
use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use std::collections::HashMap;
use std::sync::Arc;

/// The table of copies of a part of the digests of all blocks: every row but the first of each digest, with the
/// first.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`](crate::DedupError::InvalidArgument) for a table that is none of digests.
///
/// ```
/// use arrow::array::{ArrayRef, StringArray};
/// use mithril_dedup::{Control, DedupOptions, Documents, stages};
/// use std::sync::Arc;
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec!["one text"]));
/// let documents = Documents::try_from_chunks([column])?;
/// let sign = |block| {
///     stages::sign(&documents, block, 1, &DedupOptions::default(), Control::default())
/// };
/// let digests = [sign(0)?.digests, sign(1)?.digests].concat();
/// assert_eq!(stages::find_copies(&digests)?.num_rows(), 1);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
pub fn find_copies(digests: &[RecordBatch]) -> Result<RecordBatch> {
    let mut rows: Vec<([u8; 16], i64)> = Vec::new();
    for table in digests {
        let column = table
            .column_by_name("digest")
            .and_then(|column| column.as_fixed_size_binary_opt())
            .ok_or_else(|| missing("digest", "FixedSizeBinary(16)"))?;
        let digest = |bytes: Option<&[u8]>| {
            let digest = bytes.and_then(|bytes| bytes.try_into().ok());
            digest.ok_or_else(|| missing("digest", "FixedSizeBinary(16)"))
        };
        for (bytes, &id) in column.iter().zip(ids(table, "id")?) {
            rows.push((digest(bytes)?, id));
        }
    }
    rows.sort_unstable();
    let (mut copies, mut firsts) = (Vec::new(), Vec::new());
    for same in rows.chunk_by(|one, two| one.0 == two.0) {
        let Some((first, others)) = same.split_first() else { continue };
        copies.extend(others.iter().map(|other| other.1));
        firsts.extend(others.iter().map(|_| first.1));
    }
    batch([("id", of_ids(copies)), ("first", of_ids(firsts))])
}

/// One row of the table of duplicates without its id.
#[derive(Clone, Copy)]
struct Fate {
    kept: i64,
    jaccard: f64,
    exact_copy: bool,
}

/// What becomes of rows, by id.
#[derive(Default)]
struct Fates(HashMap<i64, Fate>);

impl Fates {
    /// Adds the rows of a table of duplicates.
    fn extend(&mut self, table: &RecordBatch) -> Result<()> {
        let jaccard = values::<Float64Type>(table, "jaccard")?;
        let exact = super::tables::booleans(table, "exact_copy")?;
        let rows = ids(table, "id")?.iter().zip(ids(table, "kept_id")?).zip(jaccard);
        for (((&id, &kept), &jaccard), exact_copy) in rows.zip(exact.values()) {
            self.0.insert(id, Fate { kept, jaccard, exact_copy });
        }
        Ok(())
    }

    /// What becomes of a copy of this text.
    fn of_copy(&self, first: i64) -> Fate {
        let of_kept = Fate { kept: first, jaccard: 1.0, exact_copy: true };
        self.0.get(&first).copied().unwrap_or(of_kept)
    }
}

/// The rows of `copies` as duplicates, `removed` being the duplicates among the firsts of their texts.
///
/// # Errors
///
/// [`DedupError::InvalidArgument`](crate::DedupError::InvalidArgument) for tables that are none of copies and
/// duplicates.
pub fn resolve(copies: &[RecordBatch], removed: &RecordBatch) -> Result<RecordBatch> {
    let mut fates = Fates::default();
    fates.extend(removed)?;
    let mut rows = Vec::new();
    for table in copies {
        let copies = ids(table, "id")?.iter().zip(ids(table, "first")?);
        rows.extend(copies.map(|(&id, &first)| (id, fates.of_copy(first))));
    }
    of_fates(rows)
}

/// The table of duplicates of some blocks in the order of ids: of `removed`, those that go for a row like them; of
/// `resolved`, the copies of texts in whatever block, as [`resolve`] makes them; and of the copies in each block.
///
/// # Errors
///
/// As [`resolve`].
pub fn finish(
    removed: &RecordBatch,
    resolved: &[RecordBatch],
    copies: &[RecordBatch],
) -> Result<RecordBatch> {
    let mut fates = Fates::default();
    fates.extend(removed)?;
    for table in resolved {
        fates.extend(table)?;
    }
    let mut rows = Vec::new();
    for table in copies {
        let copies = ids(table, "id")?.iter().zip(ids(table, "first")?);
        rows.extend(copies.map(|(&id, &first)| (id, fates.of_copy(first))));
    }
    rows.extend(fates.0);
    of_fates(rows)
}

fn of_fates(mut rows: Vec<(i64, Fate)>) -> Result<RecordBatch> {
    rows.sort_unstable_by_key(|row| row.0);
    let jaccard: Float64Array = rows.iter().map(|row| Some(row.1.jaccard)).collect();
    let exact: BooleanArray = rows.iter().map(|row| Some(row.1.exact_copy)).collect();
    batch([
        ("id", of_ids(rows.iter().map(|row| row.0).collect())),
        ("kept_id", of_ids(rows.iter().map(|row| row.1.kept).collect())),
        ("jaccard", Arc::new(jaccard) as ArrayRef),
        ("exact_copy", Arc::new(exact)),
    ])
}
