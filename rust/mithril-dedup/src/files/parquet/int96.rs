//! Timestamps of 96 bits, which Spark and Impala write and Arrow does not have.
//!
//! Arrow reads them as nanoseconds in 64 bits, which end in 2262: what lies beyond wraps around
//! without a word. A column that holds such a value is read as microseconds instead.

use super::super::input_file::InputFile;
use super::{guarded, read_as};
use crate::error::{DedupError, Result};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::basic::Type;

/// The most microseconds, before or after 1970, that nanoseconds in 64 bits can hold.
const NANOSECOND_RANGE: u64 = i64::MAX as u64 / 1000;

/// The metadata with a schema in which no timestamp wraps around.
pub(super) fn without_overflow(
    file: &InputFile,
    metadata: ArrowReaderMetadata,
) -> Result<ArrowReaderMetadata> {
    let columns = int96_columns(file, &metadata)?;
    if columns.is_empty() {
        return Ok(metadata);
    }
    let micro = with_microseconds(file, &metadata, &columns)?;
    let beyond = columns_beyond_range(file, &micro, &columns)?;
    if beyond.is_empty() { Ok(metadata) } else { with_microseconds(file, &metadata, &beyond) }
}

/// The top-level columns of this type.
fn int96_columns(file: &InputFile, metadata: &ArrowReaderMetadata) -> Result<Vec<usize>> {
    let descriptor = metadata.parquet_schema();
    let leaves = (0..descriptor.num_columns())
        .filter(|&leaf| descriptor.column(leaf).physical_type() == Type::INT96);
    let mut columns = Vec::new();
    for leaf in leaves {
        let column = descriptor.get_column_root_idx(leaf);
        if !descriptor.get_column_root(leaf).is_primitive() {
            let name = descriptor.get_column_root(leaf).name();
            let problem =
                format!("column {name:?} holds nested INT96 timestamps, which are not read");
            return Err(DedupError::read(&file.path, problem));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn with_microseconds(
    file: &InputFile,
    metadata: &ArrowReaderMetadata,
    columns: &[usize],
) -> Result<ArrowReaderMetadata> {
    read_as(file, metadata, |index, field| match field.data_type() {
        DataType::Timestamp(_, zone) if columns.contains(&index) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        _ => None,
    })
}

fn columns_beyond_range(
    file: &InputFile,
    metadata: &ArrowReaderMetadata,
    columns: &[usize],
) -> Result<Vec<usize>> {
    let handle = file.open()?;
    let batches = guarded(file, || {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
        Ok(builder
            .with_projection(mask)
            .build()?
            .collect::<std::result::Result<Vec<RecordBatch>, _>>()?)
    })?;
    let beyond = |position: usize| {
        batches.iter().filter_map(|batch| batch.columns().get(position)).any(|array| {
            array.as_primitive_opt::<TimestampMicrosecondType>().is_some_and(|values| {
                values.iter().flatten().any(|value| value.unsigned_abs() > NANOSECOND_RANGE)
            })
        })
    };
    let numbered = columns.iter().enumerate();
    Ok(numbered.filter(|&(position, _)| beyond(position)).map(|(_, &column)| column).collect())
}
