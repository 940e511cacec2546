//! Columns of tables, in and out.

use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::options::Shingling;
use crate::shingle::Shingler;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Int64Array, RecordBatch,
    UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use std::sync::Arc;

/// A column of a batch, by its name, if it is of this type and without nulls.
pub(super) fn values<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a [T::Native]> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_primitive_opt::<T>())
        .filter(|column| column.null_count() == 0)
        .map(|column| &**column.values())
        .ok_or_else(|| missing(name, &T::DATA_TYPE.to_string()))
}

pub(super) fn ids<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a [i64]> {
    values::<Int64Type>(batch, name)
}

pub(super) fn booleans<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a BooleanArray> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_boolean_opt())
        .filter(|column| column.null_count() == 0)
        .ok_or_else(|| missing(name, "Boolean"))
}

pub(super) fn missing(name: &str, wanted: &str) -> DedupError {
    DedupError::InvalidArgument(format!("a table of a stage has no column {name:?} of {wanted}"))
}

/// A batch of columns without nulls.
pub(super) fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch> {
    let columns = columns.map(|(name, column)| (name, column, false));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

pub(super) fn of_ids(ids: Vec<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(ids))
}

/// The texts of a table of texts.
pub(super) fn documents(texts: &RecordBatch) -> Result<Documents> {
    let column = texts.column_by_name("text").ok_or_else(|| missing("text", "strings"))?;
    Documents::try_from_chunks([Arc::clone(column)])
}

/// Calls `visit` with the id of each text of a table, and its shingles, each once.
pub(super) fn each_set(
    texts: &RecordBatch,
    shingling: Shingling,
    mut visit: impl FnMut(i64, &[u64]),
) -> Result<()> {
    let (documents, ids) = (documents(texts)?, ids(texts, "id")?);
    let (mut shingler, mut set) = (Shingler::new(shingling), Vec::new());
    for (row, &id) in ids.iter().enumerate() {
        shingler.set_into(documents.text(row).unwrap_or_default(), &mut set);
        visit(id, &set);
    }
    Ok(())
}

/// The table of pairs, each once, in the order of the later and then of the earlier.
pub(super) fn of_pairs(mut pairs: Vec<(i64, i64)>) -> Result<RecordBatch> {
    pairs.sort_unstable();
    pairs.dedup();
    let (later, earlier) = pairs.into_iter().unzip();
    batch([("later", of_ids(later)), ("earlier", of_ids(earlier))])
}

/// Deals the rows of a batch out to `count` batches; each keeps their order.
pub(super) fn deal(
    batch: &RecordBatch,
    count: usize,
    part_of: impl Fn(usize) -> usize,
) -> Result<Vec<RecordBatch>> {
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); count];
    for row in 0..batch.num_rows() {
        if let Some(rows) = rows.get_mut(part_of(row)) {
            rows.push(row as u32);
        }
    }
    let part = |rows| Ok(take_record_batch(batch, &UInt32Array::from(rows))?);
    rows.into_iter().map(part).collect()
}
