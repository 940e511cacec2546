//! The order in which rows are decided: the row to keep before those it may replace.

use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::options::Keep;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::{SortColumn, SortOptions, cast, lexsort_to_indices, nullif};
use arrow::datatypes::{DataType, Float64Type};
use std::sync::Arc;

/// The rows that have a text, in keep order, references before all others; null and empty texts are never
/// compared.
///
/// `by` has one value for each row that is no reference, for [`Keep::Max`] and [`Keep::Min`].
pub(crate) fn order(documents: &Documents, keep: Keep, by: Option<&ArrayRef>) -> Result<Vec<u32>> {
    let rows = (0..documents.len()).filter(|&row| documents.is_compared(row));
    let mut rows: Vec<u32> = rows.map(|row| row as u32).collect();
    let references = documents.references();
    let (values, descending): (ArrayRef, bool) = match (keep, by) {
        (Keep::First, _) => return Ok(rows),
        (Keep::Longest, _) => {
            let length = |row| documents.text(row).map_or(0, |text| text.chars().count() as i64);
            let own = references..documents.len();
            let lengths: Int64Array = own.map(length).map(Some).collect();
            (Arc::new(lengths), true)
        }
        (Keep::Max | Keep::Min, Some(values)) => (without_nan(values)?, keep == Keep::Max),
        (Keep::Max | Keep::Min, None) => {
            return Err(DedupError::InvalidArgument(
                "keeping the largest or smallest needs a column to compare by".to_owned(),
            ));
        }
    };
    let own = documents.len() - references;
    if values.len() != own {
        return Err(DedupError::InvalidArgument(format!(
            "{} values to keep rows by for {own} rows",
            values.len(),
        )));
    }
    let position: ArrayRef = Arc::new((0..values.len() as u32).collect::<UInt32Array>());
    let ranked = lexsort_to_indices(
        &[
            SortColumn { values, options: Some(SortOptions { descending, nulls_first: false }) },
            SortColumn { values: position, options: None },
        ],
        None,
    )
    .map_err(|_| DedupError::ColumnType {
        column: "keep".to_owned(),
        found: by.map_or_else(String::new, |by| by.data_type().to_string()),
        expected: "the values to keep rows by must have an order, as numbers, strings and times have",
    })?;
    let mut rank = vec![0_u32; own];
    for (place, &row) in (0_u32..).zip(ranked.values()) {
        if let Some(rank) = rank.get_mut(row as usize) {
            *rank = place;
        }
    }
    // References come first, in their own order.
    rows.sort_unstable_by_key(|&row| match (row as usize).checked_sub(references) {
        None => (None, row),
        Some(own) => (Some(rank.get(own).copied()), 0),
    });
    Ok(rows)
}

/// Null in place of NaN, which Arrow would sort above every number.
fn without_nan(values: &ArrayRef) -> Result<ArrayRef> {
    if !matches!(values.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64) {
        return Ok(Arc::clone(values));
    }
    let wide = cast(values, &DataType::Float64)?;
    let nan: BooleanArray =
        wide.as_primitive::<Float64Type>().iter().map(|value| value.map(f64::is_nan)).collect();
    Ok(nullif(&wide, &nan)?)
}
