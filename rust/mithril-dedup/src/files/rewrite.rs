//! The second pass: what to read again, what stays of it, and where it goes.

use super::input::{Format, Inputs};
use super::input_file::InputFile;
use super::output::OutputFolder;
use super::scan::Scan;
use super::{OutputFormat, jsonl, parquet, tables, text, webdataset};
use crate::control::Control;
use crate::deduplicator::Deduplication;
use crate::error::{DedupError, Result};
use arrow::array::{BooleanArray, LargeStringArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use arrow::datatypes::SchemaRef;

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
        Ok(parts)
    }

    pub(super) fn files(&self) -> &'a [InputFile] {
        &self.inputs.files
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
        let batches = batches.map(|batch| {
            self.control.check()?;
            let batch = self.without_repeats(file, row, batch?)?;
            row += batch.num_rows();
            Ok(batch)
        });
        self.write_part(index, schema, survivors(file, batches, self.keep_of(index)))?;
        file.check()?;
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

    /// A batch that begins at `row`, without what was removed within its texts.
    fn without_repeats(
        &self,
        file: &InputFile,
        row: usize,
        batch: RecordBatch,
    ) -> Result<RecordBatch> {
        let rows = row..row + batch.num_rows();
        if self.outcome.repeats_of(rows.clone()).is_empty() {
            return Ok(batch);
        }
        let changed = || DedupError::InputChanged { file: file.path.clone() };
        let schema = batch.schema();
        let (at, field) = schema.column_with_name(self.text_column).ok_or_else(changed)?;
        let (_, mut columns, _) = batch.into_parts();
        let column = columns.get_mut(at).ok_or_else(changed)?;
        let texts: LargeStringArray =
            rows.map(|row| self.outcome.text(&self.scan.documents, row)).collect();
        // A dictionary may have too few keys for texts that were the same and are not now.
        let options = CastOptions { safe: false, ..CastOptions::default() };
        *column = cast_with_options(&texts, field.data_type(), &options)
            .map_err(|error| DedupError::write(&file.path, error))?;
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// The rows of each batch that stay; batches of which none does are left out.
fn survivors<'a>(
    file: &'a InputFile,
    mut batches: impl Iterator<Item = Result<RecordBatch>> + 'a,
    keep: &'a [bool],
) -> impl Iterator<Item = Result<RecordBatch>> + 'a {
    let mut rest = keep;
    let mut next_kept = move || -> Result<Option<RecordBatch>> {
        while let Some(batch) = batches.next().transpose()? {
            let changed = || DedupError::InputChanged { file: file.path.clone() };
            let (mask, after) = rest.split_at_checked(batch.num_rows()).ok_or_else(changed)?;
            rest = after;
            if mask.iter().all(|&keep| keep) {
                return Ok(Some(batch));
            }
            if mask.contains(&true) {
                let mask = BooleanArray::from(mask.to_vec());
                return Ok(Some(filter_record_batch(&batch, &mask)?));
            }
        }
        Ok(None)
    };
    std::iter::from_fn(move || next_kept().transpose())
}
