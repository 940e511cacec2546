//! The table of duplicates.

use super::input::Inputs;
use super::output::OutputFolder;
use super::parquet::write_parquet;
use super::references::{Place, References};
use super::scan::Scan;
use crate::deduplicator::{Deduplication, Duplicate};
use crate::error::Result;
use crate::repeats::{integers, removed_texts};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

const NAME: &str = "duplicates.parquet";
const BATCH_ROWS: usize = 65_536;

/// Where the rows of the table come from.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scan: &'a Scan,
    pub(super) references: &'a References,
}

/// Writes `duplicates.parquet`, ascending by row over all inputs: rows that were removed, or what was removed
/// within rows.
pub(super) fn write(rows: Rows, outcome: &Deduplication, folder: &OutputFolder) -> Result<()> {
    if outcome.report.repeats.is_some() {
        return write_repeats(rows, outcome, folder);
    }
    let duplicates = &outcome.duplicates;
    let schema = rows.schema(vec![
        Field::new("jaccard", DataType::Float64, true),
        Field::new("exact_copy", DataType::Boolean, false),
    ]);
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
        if !rows.references.are_none() {
            columns.push(flags(|one| one.against));
        }
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    });
    write_parquet(NAME, &schema, batches, folder)
}

fn write_repeats(rows: Rows, outcome: &Deduplication, folder: &OutputFolder) -> Result<()> {
    let schema = rows.schema(vec![
        Field::new("part", DataType::Int64, false),
        Field::new("kept_part", DataType::Int64, false),
        Field::new("count", DataType::Int64, false),
        Field::new("text", DataType::LargeUtf8, false),
    ]);
    let batches = outcome.repeats_in_turn(BATCH_ROWS).map(|repeats| {
        let repeats = &*repeats?;
        let removed: Vec<(bool, u64)> = repeats.iter().map(|one| (false, one.row)).collect();
        let kept: Vec<(bool, u64)> =
            repeats.iter().map(|one| (one.against, one.kept_row)).collect();
        let mut columns = rows.named(&removed)?;
        columns.extend(rows.named(&kept)?);
        columns.push(integers(repeats, |one| one.part));
        columns.push(integers(repeats, |one| one.kept_part));
        columns.push(integers(repeats, |one| one.count));
        columns.push(Arc::new(removed_texts(repeats, &rows.scan.documents)));
        if !rows.references.are_none() {
            let against = repeats.iter().map(|one| Some(one.against));
            columns.push(Arc::new(against.collect::<BooleanArray>()));
        }
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    });
    write_parquet(NAME, &schema, batches, folder)
}

impl Rows<'_> {
    /// Names of a removed and a kept row, these columns, and whether the kept one is a reference.
    fn schema(self, columns: Vec<Field>) -> SchemaRef {
        let id_type = self.scan.id.as_ref().map_or(DataType::Int64, |id| id.data_type().clone());
        let mut fields = vec![
            Field::new("id", id_type.clone(), true),
            Field::new("row", DataType::Int64, false),
            Field::new("file", DataType::Utf8, false),
            Field::new("kept_id", id_type, true),
            Field::new("kept_row", DataType::Int64, false),
            Field::new("kept_file", DataType::Utf8, false),
        ];
        fields.extend(columns);
        if !self.references.are_none() {
            fields.push(Field::new("against", DataType::Boolean, false));
        }
        Arc::new(Schema::new(fields))
    }

    /// Id, row within its file, and file of each of `rows`: of those that count over all inputs, and of references.
    /// The latter have no id where ids are values of a column, and else their row; a document of an index has its
    /// id for a row.
    fn named(self, rows: &[(bool, u64)]) -> Result<Vec<ArrayRef>> {
        let own = |row: usize| {
            let (file, row) = self.scan.locate(row);
            let file = self.inputs.files.get(file)?.path.to_string_lossy().into_owned();
            Some(Place { file, row: row as i64 })
        };
        let places: Vec<Place> = rows
            .iter()
            .filter_map(|&(against, row)| {
                if against { self.references.locate(row as usize) } else { own(row as usize) }
            })
            .collect();
        let id: ArrayRef = if let Some(id) = &self.scan.id {
            let own = |&(against, row): &(bool, u64)| (!against).then_some(row);
            take(id, &rows.iter().map(own).collect::<UInt64Array>(), None)?
        } else {
            let number = |(&(against, row), place): (&(bool, u64), &Place)| {
                if against { place.row } else { row as i64 }
            };
            Arc::new(Int64Array::from_iter_values(rows.iter().zip(&places).map(number)))
        };
        let row: Int64Array = places.iter().map(|place| Some(place.row)).collect();
        let file = StringArray::from_iter_values(places.iter().map(|place| &place.file));
        Ok(vec![id, Arc::new(row), Arc::new(file)])
    }
}
