//! The second pass: what to read again, what stays of it, and where it goes.

use super::input::{Format, Inputs};
use super::input_file::{InputFile, check_all};
use super::output::OutputFolder;
use super::scan::Scan;
use super::{OutputFormat, jsonl, parquet, tables, text, webdataset};
use crate::control::Control;
use crate::deduplicator::Deduplication;
use crate::error::{DedupError, Result};
use crate::threads::in_turn;
use arrow::array::{BooleanArray, LargeStringArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::SchemaRef;
use std::ops::Range;
use std::sync::Arc;

/// What writers may take beside the memory of the run.
const WRITERS_BYTES: u64 = 160 << 20;
/// How often a page is in memory: as it is read, as a batch, and as what stays of that.
const PAGES: u64 = 3;

/// What every writer of surviving rows needs.
#[derive(Clone, Copy)]
pub(super) struct Rewrite<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scan: &'a Scan,
    pub(super) text_column: &'a str,
    /// Which rows stay, and what was removed within them.
    pub(super) outcome: &'a Deduplication,
    pub(super) format: OutputFormat,
    pub(super) folder: &'a OutputFolder,
    pub(super) control: Control<'a>,
    /// The bytes of memory that it may take.
    pub(super) memory: u64,
}

impl<'a> Rewrite<'a> {
    /// Writes the rows that stay; the number of parts.
    pub(super) fn run(self) -> Result<u64> {
        let parts = if self.inputs.format == Format::Text { 1 } else { self.files().len() as u64 };
        self.control.begin("writing", parts);
        match self.inputs.format {
            Format::Parquet => parquet::rewrite(self)?,
            Format::Jsonl => jsonl::rewrite(self)?,
            Format::Text => text::rewrite(self)?,
            Format::Arrow | Format::Csv => tables::rewrite(self)?,
            Format::Webdataset => webdataset::rewrite(self)?,
        }
        check_all(self.files())?;
        Ok(parts)
    }

    pub(super) fn files(&self) -> &'a [InputFile] {
        &self.inputs.files
    }

    /// Works on files, with their numbers, as many at a time as their writers have memory for.
    pub(super) fn each_file(
        &self,
        work: impl Fn(usize, &'a InputFile) -> Result<()> + Sync,
    ) -> Result<()> {
        let writer = match self.format {
            OutputFormat::Parquet => parquet::WRITER_BYTES,
            OutputFormat::Jsonl | OutputFormat::Webdataset => 0,
        };
        let each = writer.saturating_add(self.scan.page.saturating_mul(PAGES));
        let most = self.memory.saturating_add(WRITERS_BYTES) / each.max(1);
        let together = most.clamp(1, rayon::current_num_threads() as u64) as usize;
        let files = self.files();
        let work =
            |(): &mut (), index: usize| files.get(index).map_or(Ok(()), |file| work(index, file));
        in_turn(together, files.len(), || (), work, Ok)
    }

    /// For each row of a file whether it stays.
    pub(super) fn keep_of(&self, file: usize) -> &'a [bool] {
        self.outcome.keep.get(self.scan.rows(file)).unwrap_or_default()
    }

    /// Writes the rows of a file that stay, without what was removed within them, as the part of its number.
    pub(super) fn write_survivors(
        self,
        index: usize,
        file: &InputFile,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<()> {
        let mut row = self.scan.rows(index).start;
        let batches = batches.filter_map(|batch| {
            let batch = batch.and_then(|batch| {
                let rows = row..row + batch.num_rows();
                row = rows.end;
                if rows.end > self.scan.rows(index).end {
                    return Err(DedupError::InputChanged { file: file.path.clone() });
                }
                self.survivors(file, schema, rows, batch)
            });
            batch.transpose()
        });
        self.write_part(index, schema, batches)?;
        self.control.advance(1)
    }

    /// Writes batches of one schema as the part of this number.
    pub(super) fn write_part(
        &self,
        index: usize,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<()> {
        match self.format {
            OutputFormat::Parquet => {
                let name = format!("part-{index:05}.parquet");
                parquet::write_parquet(&name, schema, batches, self.folder)
            }
            // Only samples are written as such, and they are no batches.
            OutputFormat::Jsonl | OutputFormat::Webdataset => {
                jsonl::write_batches(index, batches, self.folder)
            }
        }
    }

    /// The rows of a batch that stay, without what was removed within their texts; nothing if none does. A batch
    /// without the text column gets it from the first pass.
    fn survivors(
        &self,
        file: &InputFile,
        schema: &SchemaRef,
        rows: Range<usize>,
        batch: RecordBatch,
    ) -> Result<Option<RecordBatch>> {
        self.control.check()?;
        let changed = || DedupError::InputChanged { file: file.path.clone() };
        let keep = self.outcome.keep.get(rows.clone()).ok_or_else(changed)?;
        if !keep.contains(&true) {
            return Ok(None);
        }
        let batch = if keep.contains(&false) {
            filter_record_batch(&batch, &BooleanArray::from(keep.to_vec()))?
        } else {
            batch
        };
        let lacks_texts = batch.num_columns() < schema.fields().len();
        if !lacks_texts && !self.outcome.has_repeats(rows.clone())? {
            return Ok(Some(batch));
        }
        let (at, field) = schema.column_with_name(self.text_column).ok_or_else(changed)?;
        let kept = rows.zip(keep).filter_map(|(row, keep)| keep.then_some(row));
        let mut edits = self.outcome.edits();
        let texts = kept.map(|row| edits.left_of(&self.scan.documents, row, row));
        let texts: LargeStringArray = texts.collect::<Result<_>>()?;
        // A dictionary may have too few keys for texts that were the same and are not now.
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let texts = cast_with_options(&texts, field.data_type(), &options)
            .map_err(|error| DedupError::write(&file.path, error))?;
        let (_, mut columns, _) = batch.into_parts();
        if lacks_texts {
            columns.insert(at, texts);
        } else if let Some(column) = columns.get_mut(at) {
            *column = texts;
        }
        Ok(Some(RecordBatch::try_new(Arc::clone(schema), columns)?))
    }
}
