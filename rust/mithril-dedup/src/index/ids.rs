//! Ids from a column.

use crate::error::{DedupError, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, UInt64Type};

/// The ids that a column of integers holds, for [`MinHashIndex::add`](crate::MinHashIndex::add).
///
/// # Errors
///
/// [`DedupError::ColumnType`] for a column of another type, [`DedupError::InvalidArgument`] for null and for
/// numbers below zero, with the row. `name` is what the texts call the column.
///
/// ```
/// use arrow::array::{ArrayRef, Int32Array};
/// use mithril_dedup::ids_of_column;
/// use std::sync::Arc;
/// let column: ArrayRef = Arc::new(Int32Array::from(vec![3, 1]));
/// assert_eq!(ids_of_column("id", &column)?, [3, 1]);
/// let column: ArrayRef = Arc::new(Int32Array::from(vec![3, -1]));
/// assert!(ids_of_column("id", &column).is_err());
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
pub fn ids_of_column(name: &str, column: &ArrayRef) -> Result<Vec<u64>> {
    if !column.data_type().is_integer() {
        return Err(DedupError::ColumnType {
            column: name.to_owned(),
            found: column.data_type().to_string(),
            expected: "ids must be integers",
        });
    }
    let wrong = |row: usize, what: &str| {
        DedupError::InvalidArgument(format!(
            "column {name:?}, row {row}: ids must be between 0 and 2**64 - 1, not {what}"
        ))
    };
    if let Some(row) = (0..column.len()).find(|&row| column.is_null(row)) {
        return Err(wrong(row, "null"));
    }
    // What does not fit becomes null.
    let options = CastOptions::default();
    let ids = cast_with_options(column, &DataType::UInt64, &options)?;
    if let Some(row) = (0..ids.len()).find(|&row| ids.is_null(row)) {
        return Err(wrong(row, "a number below zero"));
    }
    Ok(ids.as_primitive::<UInt64Type>().values().to_vec())
}
