//! The table of duplicates.

use super::References;
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

/// Where the rows of the table come from.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scan: &'a Scan,
    pub(super) references: &'a References,
}

/// Writes `duplicates.parquet`, ascending by row over all inputs.
pub(super) fn write_duplicates(
    rows: Rows,
    duplicates: &[Duplicate],
    folder: &OutputFolder,
) -> Result<()> {
    let id_type = rows.scan.id.as_ref().map_or(DataType::Int64, |id| id.data_type().clone());
    let mut fields = vec![
        Field::new("id", id_type.clone(), true),
        Field::new("row", DataType::Int64, false),
        Field::new("file", DataType::Utf8, false),
        Field::new("kept_id", id_type, true),
        Field::new("kept_row", DataType::Int64, false),
        Field::new("kept_file", DataType::Utf8, false),
        Field::new("jaccard", DataType::Float64, true),
        Field::new("exact_copy", DataType::Boolean, false),
    ];
    if rows.references.read.is_some() {
        fields.push(Field::new("against", DataType::Boolean, false));
    }
    let schema = Arc::new(Schema::new(fields));
    let batches = duplicates.chunks(BATCH_ROWS).map(|duplicates| {
        let removed: Vec<(bool, u64)> = duplicates.iter().map(|one| (false, one.row)).collect();
        let kept: Vec<(bool, u64)> =
            duplicates.iter().map(|one| (one.against, one.kept_row)).collect();
        let mut columns = rows.named(&removed)?;
        columns.extend(rows.named(&kept)?);
        columns.push(Arc::new(duplicates.iter().map(|one| one.jaccard).collect::<Float64Array>()));
        let flags = |flag: fn(&Duplicate) -> bool| -> ArrayRef {
            Arc::new(duplicates.iter().map(|one| Some(flag(one))).collect::<BooleanArray>())
        };
        columns.push(flags(|one| one.exact_copy));
        if rows.references.read.is_some() {
            columns.push(flags(|one| one.against));
        }
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    });
    write_parquet("duplicates.parquet", &schema, batches, folder)
}

impl Rows<'_> {
    /// Id, row within its file, and file of each of `rows`: of those that count over all inputs, and of references.
    /// The latter have no id where ids are values of a column.
    fn named(self, rows: &[(bool, u64)]) -> Result<Vec<ArrayRef>> {
        let id = match &self.scan.id {
            Some(id) => {
                let own = |&(against, row): &(bool, u64)| (!against).then_some(row);
                take(id, &rows.iter().map(own).collect::<UInt64Array>(), None)?
            }
            None => Arc::new(rows.iter().map(|row| Some(row.1 as i64)).collect::<Int64Array>()),
        };
        let places: Vec<(String, usize)> = rows
            .iter()
            .filter_map(|&(against, row)| {
                let own = (self.inputs, self.scan);
                let references = self.references.read.as_ref().map(|read| (&read.0, &read.1));
                let (inputs, scan) = if against { references? } else { own };
                let (file, row) = scan.locate(row as usize);
                let name = inputs.files.get(file)?.path.to_string_lossy().into_owned();
                Some((name, row))
            })
            .collect();
        let row: Int64Array = places.iter().map(|place| Some(place.1 as i64)).collect();
        let file = StringArray::from_iter_values(places.iter().map(|place| &place.0));
        Ok(vec![id, Arc::new(row), Arc::new(file)])
    }
}
