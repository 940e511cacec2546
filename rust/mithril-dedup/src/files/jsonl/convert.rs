//! From JSON lines to Arrow, for those who want Parquet out.
//!
//! The schema is inferred from all rows that stay: a column of integers and fractions is float64,
//! one of scalars of several kinds is string.

use super::super::input_file::InputFile;
use super::Survivors;
use crate::error::{DedupError, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::ReaderBuilder;
use arrow::json::reader::{Decoder, infer_json_schema_from_iterator};
use serde_json::Value;
use std::sync::Arc;

const BATCH_ROWS: usize = 1024;

/// One schema for the surviving rows of all files.
pub(super) fn infer_schema<'a>(
    files: &'a [InputFile],
    survivors: impl Fn(usize, &'a InputFile) -> Result<Survivors<'a>>,
) -> Result<SchemaRef> {
    let mut failure = None;
    let mut open = files.iter().enumerate().map(|(index, file)| survivors(index, file));
    let mut current: Option<Survivors> = None;
    let mut next = || -> Result<Option<Value>> {
        loop {
            if let Some(lines) = &mut current
                && let Some(value) = lines.next_value()?
            {
                return Ok(Some(value));
            }
            match open.next().transpose()? {
                Some(lines) => current = Some(lines),
                None => return Ok(None),
            }
        }
    };
    let values = std::iter::from_fn(|| {
        next().unwrap_or_else(|error| {
            failure = Some(error);
            None
        })
    });
    let schema = infer_json_schema_from_iterator(values.map(Ok));
    match (failure, schema, current) {
        (Some(error), ..) => Err(error),
        (None, Ok(schema), _) => Ok(Arc::new(schema)),
        // It is refused right after the row that does not fit to those before it.
        (None, Err(error), Some(lines)) => {
            Err(lines.error(format!("does not fit the other rows: {error}")))
        }
        (None, Err(error), None) => Err(error.into()),
    }
}

/// Decodes the lines that stay to batches of `schema`.
pub(super) fn batches<'a>(
    mut lines: Survivors<'a>,
    schema: &SchemaRef,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + 'a> {
    let builder = ReaderBuilder::new(Arc::clone(schema)).with_coerce_primitive(true);
    let mut decoder = builder.with_batch_size(BATCH_ROWS).build_decoder()?;
    Ok(std::iter::from_fn(move || fill(&mut lines, &mut decoder).transpose()))
}

fn fill(lines: &mut Survivors, decoder: &mut Decoder) -> Result<Option<RecordBatch>> {
    for _ in 0..BATCH_ROWS {
        let file = lines.file;
        let Some(line) = lines.next()? else { break };
        let outcome = decoder.decode(line.text.as_bytes()).and_then(|_| decoder.decode(b"\n"));
        outcome.map_err(|error| line.error(file, error.to_string()))?;
    }
    decoder.flush().map_err(|error| DedupError::read(&lines.file.path, error))
}
