//! The table of duplicates.

use super::input::Inputs;
use super::output::OutputFolder;
use super::parquet::write_parquet;
use super::scan::Scan;
use crate::deduplicator::Duplicate;
use crate::error::Result;
use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use std::sync::Arc;

const BATCH_ROWS: usize = 65_536;

/// Writes `duplicates.parquet`, ascending by row over all inputs.
pub(super) fn write_duplicates(
    inputs: &Inputs,
    scan: &Scan,
    duplicates: &[Duplicate],
    folder: &OutputFolder,
) -> Result<()> {
    let id_type = scan.id.as_ref().map_or(DataType::Int64, |id| id.data_type().clone());
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", id_type.clone(), true),
        Field::new("row", DataType::Int64, false),
        Field::new("file", DataType::Utf8, false),
        Field::new("kept_id", id_type, true),
        Field::new("kept_row", DataType::Int64, false),
        Field::new("kept_file", DataType::Utf8, false),
        Field::new("jaccard", DataType::Float64, true),
        Field::new("exact_copy", DataType::Boolean, false),
    ]));
    let batches = duplicates.chunks(BATCH_ROWS).map(|duplicates| {
        let mut columns = named_rows(inputs, scan, duplicates.iter().map(|one| one.row))?;
        columns.extend(named_rows(inputs, scan, duplicates.iter().map(|one| one.kept_row))?);
        columns.push(Arc::new(duplicates.iter().map(|one| one.jaccard).collect::<Float64Array>()));
        columns.push(Arc::new(
            duplicates.iter().map(|one| Some(one.exact_copy)).collect::<BooleanArray>(),
        ));
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    });
    write_parquet("duplicates.parquet", &schema, batches, folder)
}

/// Id, row within its file, and file of each of `rows`, which count over all inputs.
fn named_rows(
    inputs: &Inputs,
    scan: &Scan,
    rows: impl Iterator<Item = u64>,
) -> Result<Vec<ArrayRef>> {
    let rows: UInt64Array = rows.map(Some).collect();
    let id = match &scan.id {
        Some(id) => take(id, &rows, None)?,
        None => Arc::new(rows.values().iter().map(|&row| Some(row as i64)).collect::<Int64Array>()),
    };
    let places: Vec<(usize, usize)> =
        rows.values().iter().map(|&row| scan.locate(row as usize)).collect();
    let row: Int64Array = places.iter().map(|&(_, row)| Some(row as i64)).collect();
    let name = |file: usize| {
        inputs.files.get(file).map_or_else(Default::default, |file| file.path.to_string_lossy())
    };
    let file = StringArray::from_iter_values(places.iter().map(|&(file, _)| name(file)));
    Ok(vec![id, Arc::new(row), Arc::new(file)])
}
